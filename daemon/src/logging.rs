//! Log lines: to stderr, filtered and shaped as configured. The filter can be replaced while the daemon runs.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{LogFilter, LogFormat};

/// What libraries say about themselves is kept down, unless a filter names them: it is news to nobody who runs a daemon.
const QUIET: &str = "libp2p_swarm=warn,libp2p_kad=error,libp2p_identify=warn,netlink_packet_route=error";

/// Replaces the filter of the running process.
pub(crate) struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// From now on log what `filter` says.
    pub(crate) fn set(&self, filter: &LogFilter) {
        // The filter was parsed when it was read, so only a subscriber that is gone can refuse it.
        if let Ok(parsed) = EnvFilter::try_new(whole(filter)) {
            drop(self.0.reload(parsed));
        }
    }
}

/// The last word on a target is the administrator's.
fn whole(filter: &LogFilter) -> String {
    format!("{QUIET},{}", filter.0)
}

/// Starts logging. Only the first call of a process has an effect.
pub(crate) fn start(filter: &LogFilter, format: LogFormat) -> LogLevel {
    let (level, handle) = reload::Layer::new(EnvFilter::new(whole(filter)));
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match format {
        // systemd and other collectors stamp the lines themselves, but a person reading a file needs the time.
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    drop(tracing_subscriber::registry().with(level).with(lines).try_init());
    LogLevel(handle)
}
