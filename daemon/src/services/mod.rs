//! The services of the local API over the runner: who calls is checked, messages become types, types become messages.
//!
//! Nothing is decided here: what a call means is the job machine's, what it does to the disk is the runner's.
//! [`jobs`] is the job service ([`changes`], [`listings`], [`read`] and [`errors`] are its larger calls), [`watch`] its event stream, [`daemon`] the daemon service ([`peers`] and [`explain`] are its larger calls), [`downloads`] the service of Delivery Optimization, [`access`] the rule for callers.

mod access;
mod changes;
mod daemon;
mod downloads;
mod errors;
mod explain;
mod jobs;
mod listings;
mod names;
mod pages;
mod peers;
mod read;
#[cfg(test)]
mod tests;
mod watch;

pub(crate) use access::Access;
pub(crate) use daemon::{About, Daemon};
pub(crate) use downloads::Downloads;
pub(crate) use jobs::Jobs;

use dray_jobs::Failure;
use tonic::{Response, Status};

use crate::metrics::Metrics;
use crate::wire::refusal;

/// Counts a call and turns its failure into a status.
fn answer<T>(
    metrics: &Metrics,
    method: &'static str,
    outcome: Result<T, Failure>,
) -> Result<Response<T>, Status> {
    let result = if outcome.is_ok() { "ok" } else { "refused" };
    metrics.requests.with_label_values(&[method, result]).inc();
    outcome.map(Response::new).map_err(|failure| {
        tracing::debug!(method, code = %failure.code, "{failure}");
        refusal::status(&failure)
    })
}
