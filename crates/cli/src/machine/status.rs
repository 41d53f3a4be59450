//! `dray status`: how the daemon is, whether it shares, and where the bytes came from.

use dray_api::v1::{
    DownloadMode, GetStatusRequest, GetStatusResponse, GetVersionRequest, SwarmStatus, TransferTotals,
};
use serde_json::{Map, Value, json};

use super::some;
use crate::job::link::Link;
use crate::job::problem::Problem;
use crate::job::text::{self, Align, plain, table};
use crate::printer::{Printer, bytes};

pub(super) async fn show(link: &mut Link, printer: &Printer) -> Result<(), Problem> {
    let version = link.daemon.get_version(GetVersionRequest {}).await?.into_inner().version;
    let status = link.daemon.get_status(GetStatusRequest {}).await?.into_inner();
    if printer.json {
        printer.json(&object(&version, &status));
        return Ok(());
    }
    for line in describe(&version, &status) {
        printer.data(&line);
    }
    Ok(())
}

fn describe(version: &str, status: &GetStatusResponse) -> Vec<String> {
    let field = |label: &str, value: &str| format!("{label:<10}{}", plain(value)).trim_end().to_owned();
    let started = status.started.map(|time| time.to_string()).unwrap_or_default();
    let mut lines = vec![field("drayd", &format!("{version}, process {}, since {started}", status.pid))];
    lines.extend(some(&status.state_dir).map(|path| field("state", path)));
    if let Some(swarm) = &status.swarm {
        lines.push(field("mode", mode(swarm)));
        lines.extend(some(&swarm.group).map(|group| field("group", group)));
        lines.extend(some(&swarm.peer_id).map(|id| field("identity", id)));
        match swarm.active {
            true => {
                lines.push(field("port", &format!("{} (TCP and UDP)", swarm.port)));
                let SwarmStatus { peers_connected, peers_known, peers_banned, .. } = swarm;
                let counts =
                    format!("{peers_connected} connected, {peers_known} known, {peers_banned} banned");
                lines.push(field("peers", &counts));
            }
            false => lines.push(field("peers", &swarm.why_off)),
        }
    }
    let cache = status.cache.as_ref().map_or("off".to_owned(), |cache| {
        format!("{} contents, {} of {}", cache.contents, bytes(cache.bytes), bytes(cache.bytes_limit))
    });
    lines.push(field("cache", &cache));
    let jobs = status.jobs.iter().map(|job| format!("{} {}", job.count, text::state(job.state)));
    let jobs = jobs.collect::<Vec<_>>().join(", ");
    lines.push(field("jobs", some(&jobs).unwrap_or("none")));
    lines.push(String::new());
    lines.extend(sums(&status.since_start.unwrap_or_default(), &status.overall.unwrap_or_default()));
    lines.extend(status.warnings.iter().map(|warning| format!("warning: {}", plain(warning))));
    lines
}

/// Bytes by source, now and ever; sources that never gave anything are left out.
fn sums(since_start: &TransferTotals, overall: &TransferTotals) -> Vec<String> {
    let since = overall.since.map_or("OVERALL".to_owned(), |time| format!("SINCE {time}"));
    let rows: Vec<_> = each(since_start)
        .into_iter()
        .zip(each(overall))
        .filter(|(_, (name, ever))| *ever > 0 || *name == "origin")
        .map(|((name, now), (_, ever))| [name.replace('_', " "), bytes(now), bytes(ever)])
        .collect();
    let columns = [("BYTES", Align::Left), ("SINCE START", Align::Right), (since.as_str(), Align::Right)];
    table(columns, &rows)
}

fn each(totals: &TransferTotals) -> [(&'static str, u64); 7] {
    [
        ("origin", totals.origin_bytes),
        ("cache_host", totals.cache_host_bytes),
        ("lan_peers", totals.lan_peer_bytes),
        ("group_peers", totals.group_peer_bytes),
        ("cache", totals.local_cache_bytes),
        ("wasted", totals.wasted_bytes),
        ("sent", totals.sent_bytes),
    ]
}

fn mode(swarm: &SwarmStatus) -> &'static str {
    match swarm.mode() {
        DownloadMode::Unspecified => "unknown",
        DownloadMode::Off => "off",
        DownloadMode::Lan => "lan",
        DownloadMode::Group => "group",
        DownloadMode::Simple => "simple",
        DownloadMode::Bypass => "bypass",
    }
}

fn object(version: &str, status: &GetStatusResponse) -> Value {
    let jobs: Map<String, Value> =
        status.jobs.iter().map(|job| (text::state(job.state), job.count.into())).collect();
    let swarm = status.swarm.clone().unwrap_or_default();
    let totals = |totals: Option<TransferTotals>| {
        let totals = totals.unwrap_or_default();
        let mut object: Map<String, Value> =
            each(&totals).into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
        object.insert("since".to_owned(), totals.since.map(|time| time.to_string()).into());
        Value::Object(object)
    };
    json!({
        "version": version,
        "pid": status.pid,
        "started": status.started.map(|time| time.to_string()),
        "state_dir": some(&status.state_dir),
        "jobs": jobs,
        "cache": status.cache.as_ref().map(|cache| {
            json!({ "contents": cache.contents, "bytes": cache.bytes, "bytes_limit": cache.bytes_limit })
        }),
        "peers": {
            "mode": mode(&swarm),
            "active": swarm.active,
            "why_off": some(&swarm.why_off),
            "group": some(&swarm.group),
            "peer_id": some(&swarm.peer_id),
            "port": swarm.port,
            "connected": swarm.peers_connected,
            "known": swarm.peers_known,
            "banned": swarm.peers_banned,
        },
        "bytes": { "since_start": totals(status.since_start), "overall": totals(status.overall) },
        "warnings": status.warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_that_are_off_are_said_with_the_reason_and_those_that_are_on_counted() {
        let off = SwarmStatus { why_off: "No peers: because.".to_owned(), ..SwarmStatus::default() };
        let on = SwarmStatus {
            active: true,
            port: 7680,
            peers_connected: 2,
            peers_known: 3,
            ..SwarmStatus::default()
        };
        let text = |swarm| {
            describe("1.2.3", &GetStatusResponse { swarm: Some(swarm), ..GetStatusResponse::default() })
                .join("\n")
        };
        assert!(text(off).contains("\npeers     No peers: because.\n"));
        assert!(
            text(on).contains("\nport      7680 (TCP and UDP)\npeers     2 connected, 3 known, 0 banned\n")
        );
    }

    #[test]
    fn a_source_that_never_gave_anything_has_no_line_but_the_origin_has() {
        let overall = TransferTotals { lan_peer_bytes: 2048, ..TransferTotals::default() };
        let lines = sums(&TransferTotals::default(), &overall);
        assert_eq!(
            lines,
            [
                "BYTES      SINCE START   OVERALL",
                "origin             0 B       0 B",
                "lan peers          0 B  2.00 KiB"
            ]
        );
    }
}
