//! What a monitor sees: counters and gauges in a registry of our own, served by [`endpoint`].
//!
//! Names begin with `dray_`, end in their unit, and in `_total` for what only grows. Labels are from closed sets
//! (states, sources, codes, methods), so the number of series is bounded.

mod endpoint;

use std::sync::Arc;

use prometheus::{
    Encoder, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

pub(crate) use endpoint::serve;

/// Every metric of the daemon. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Set>);

impl std::ops::Deref for Metrics {
    type Target = Set;

    fn deref(&self) -> &Set {
        &self.0
    }
}

/// The metrics themselves.
pub(crate) struct Set {
    registry: Registry,
    /// Bytes delivered into files, by the source they came from.
    pub(crate) delivered_bytes: IntCounterVec,
    /// Bytes received and thrown away.
    pub(crate) wasted_bytes: IntCounter,
    /// Bytes of contents that went between this machine and peers, by direction.
    pub(crate) peer_bytes: IntCounterVec,
    /// Peers, by state and by the way they are reached.
    pub(crate) peers: IntGaugeVec,
    /// Peers and addresses that are banned now.
    pub(crate) peers_banned: IntGauge,
    /// Contents that are exchanged with peers now, each with each.
    pub(crate) peer_sessions: IntGauge,
    /// What happened on the plane where peers find each other, by kind.
    pub(crate) swarm_events: IntCounterVec,
    /// Files that arrived completely.
    pub(crate) files: IntCounter,
    /// Jobs by state.
    pub(crate) jobs: IntGaugeVec,
    /// Errors that put a job into an error state, by code.
    pub(crate) errors: IntCounterVec,
    /// Calls on the API, by method and result.
    pub(crate) requests: IntCounterVec,
    /// Bytes in the content cache.
    pub(crate) cache_bytes: IntGauge,
    /// Event streams now open.
    pub(crate) subscribers: IntGauge,
    /// Events that were not delivered because their reader was slow.
    pub(crate) dropped_events: IntCounter,
    /// Time from handing a batch of job records to the disk until it was durable.
    pub(crate) commit_seconds: prometheus::Histogram,
}

/// From a tenth of a millisecond to a second: a commit is one or two fsyncs.
const COMMIT_BUCKETS_S: [f64; 9] = [0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0];

/// Where bytes can come from.
pub(crate) const SOURCES: [&str; 5] = ["origin", "cache", "cache_host", "lan_peer", "group_peer"];

impl Metrics {
    /// All metrics, at zero.
    pub(crate) fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let commit_seconds = prometheus::Histogram::with_opts(
            HistogramOpts::new("dray_record_commit_seconds", "Time until a batch of job records was on disk")
                .buckets(COMMIT_BUCKETS_S.to_vec()),
        )?;
        registry.register(Box::new(commit_seconds.clone()))?;
        gauges("dray_build_info", "Always 1; the labels say which build this is", &["version"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        let delivered_bytes = counters(
            "dray_delivered_bytes_total",
            "Bytes delivered into files, by the source that gave them",
            &["source"],
        )?;
        // A source that gave nothing is a zero, not a gap.
        for source in SOURCES {
            delivered_bytes.with_label_values(&[source]).reset();
        }
        let peer_bytes = counters(
            "dray_peer_bytes_total",
            "Bytes of contents between this machine and peers, by direction",
            &["direction"],
        )?;
        for direction in ["in", "out"] {
            peer_bytes.with_label_values(&[direction]).reset();
        }
        Ok(Metrics(Arc::new(Set {
            delivered_bytes,
            wasted_bytes: counter("dray_wasted_bytes_total", "Bytes received and thrown away")?,
            peer_bytes,
            peers: gauges("dray_peers", "Peers by state and by the way they are reached", &["state", "way"])?,
            peers_banned: gauge("dray_peers_banned", "Peers and addresses that are banned now")?,
            peer_sessions: gauge("dray_peer_sessions", "Contents exchanged with peers now, each with each")?,
            swarm_events: counters(
                "dray_swarm_events_total",
                "What happened where peers find each other, by kind",
                &["kind"],
            )?,
            files: counter("dray_files_total", "Files that arrived completely")?,
            jobs: gauges("dray_jobs", "Jobs in the queue, by state", &["state"])?,
            errors: counters(
                "dray_job_errors_total",
                "Errors that put a job into an error state, by code",
                &["code"],
            )?,
            requests: counters(
                "dray_api_requests_total",
                "Calls on the local API, by method and result",
                &["method", "result"],
            )?,
            cache_bytes: gauge("dray_cache_bytes", "Bytes in the content cache")?,
            subscribers: gauge("dray_event_subscribers", "Event streams now open")?,
            dropped_events: counter(
                "dray_events_dropped_total",
                "Events not delivered because their reader was slow",
            )?,
            commit_seconds,
            registry,
        })))
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Writing into memory cannot fail; a family without series is left out by the encoder.
        drop(TextEncoder::new().encode(&self.registry.gather(), &mut text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_ends_in_its_unit_and_counters_in_total() {
        let metrics = Metrics::new().unwrap();
        metrics.delivered_bytes.with_label_values(&["origin"]).inc_by(5);
        metrics.errors.with_label_values(&["BG_E_CONNECT_FAILURE"]).inc();
        metrics.requests.with_label_values(&["GetJob", "ok"]).inc();
        metrics.jobs.with_label_values(&["queued"]).set(1);
        for family in metrics.registry.gather() {
            let name = family.name();
            assert!(name.starts_with("dray_"), "{name}");
            let counter = family.get_field_type() == prometheus::proto::MetricType::COUNTER;
            assert_eq!(counter, name.ends_with("_total"), "{name}");
        }
        let text = String::from_utf8(metrics.text()).unwrap();
        assert!(text.contains("dray_delivered_bytes_total{source=\"origin\"} 5"), "{text}");
        assert!(text.contains("dray_build_info{version="), "{text}");
    }
}
