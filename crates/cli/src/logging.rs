//! Diagnostics on stderr: silent unless asked for.

use tracing_subscriber::EnvFilter;

/// Starts logging by a filter such as `debug`; without one only warnings of our own crates are shown. A filter that cannot be
/// read counts as none.
pub(crate) fn start(filter: Option<&str>) {
    let filter =
        filter.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new("error"));
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time();
    let _ = subscriber.try_init();
}
