//! The cache's housekeeping: what came in is made durable and listed, what is too much goes.

use std::sync::Arc;
use std::time::Duration;

use dray_cache::{CacheError, Effort, Store};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::metrics::Metrics;

/// Rest after the last arrival before a round: contents that come together are made durable together.
const REST: Duration = Duration::from_secs(2);
/// A stream of arrivals puts a round off no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Wait after a round that failed.
const RETRY: Duration = Duration::from_secs(60);

/// Keeps house for as long as the daemon runs: once at the start, then after arrivals.
pub(crate) async fn keep(store: Store, arrivals: Arc<Notify>, metrics: Metrics) {
    sleep(REST).await;
    loop {
        match round(store.clone()).await {
            Ok(bytes) => metrics.cache_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX)),
            // Another process on the same cache does it.
            Err(CacheError::Busy(_)) => {}
            Err(error) => {
                tracing::warn!(%error, "the cache could not be put in order; trying again");
                sleep(RETRY).await;
                continue;
            }
        }
        arrivals.notified().await;
        rest(&arrivals).await;
    }
}

/// Waits until nothing has arrived for a while.
async fn rest(arrivals: &Notify) {
    let latest = Instant::now() + LONGEST_WAIT;
    loop {
        let rested = (Instant::now() + REST).min(latest);
        if timeout_at(rested, arrivals.notified()).await.is_err() {
            return sleep_until(rested).await;
        }
    }
}

/// Everything there is to do; the bytes that are there afterwards.
async fn round(store: Store) -> Result<u64, CacheError> {
    let work = tokio::task::spawn_blocking(move || {
        while store.maintain(Effort::Full)?.more {}
        store.stats().map(|stats| stats.bytes)
    });
    // A round that panicked was reported, and the next one may fare better.
    work.await.unwrap_or(Ok(0))
}
