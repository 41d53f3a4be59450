//! Log lines: to stderr, filtered and shaped as configured. The filter can be replaced while the daemon runs.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{LogFilter, LogFormat};

/// Replaces the filter of the running process.
pub(crate) struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// From now on log what `filter` says.
    pub(crate) fn set(&self, filter: &LogFilter) {
        // The filter was parsed when it was read, so only a subscriber that is gone can refuse it.
        if let Ok(parsed) = EnvFilter::try_new(&filter.0) {
            drop(self.0.reload(parsed));
        }
    }
}

/// Starts logging. Only the first call of a process has an effect.
pub(crate) fn start(filter: &LogFilter, format: LogFormat) -> LogLevel {
    let (level, handle) = reload::Layer::new(EnvFilter::new(&filter.0));
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match format {
        // systemd and other collectors stamp the lines themselves, but a person reading a file needs the time.
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    drop(tracing_subscriber::registry().with(level).with(lines).try_init());
    LogLevel(handle)
}
