//! The one way in for configuration: defaults, file, drop-ins, environment, flags.
//!
//! They are combined once, at the start, into one typed [`Config`] in which every value remembers where it came
//! from. Nothing else in the daemon reads a configuration file or an environment variable.

mod file;
mod flags;
mod layers;
mod listing;
mod lists;
mod peer_values;
mod peers;
mod places;
mod values;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use flags::{Flags, PeerFlags};
pub(crate) use listing::Listed;
pub(crate) use peer_values::{Mode, SelectBy};
pub(crate) use peers::Peers;
pub(crate) use places::{Interface, Peer as PeerRule};
pub(crate) use values::{
    Administrators, CacheLimit, Count, LogFilter, LogFormat, MetricsAt, PathList, Proxy, Seconds,
};

use layers::Layers;

/// Longest path the kernel takes for a Unix socket (`sun_path` holds 108 bytes with its terminator).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) from: Source,
}

/// The layer that had the last word on a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File { path: Arc<Path>, line: usize },
    Environment(&'static str),
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Source::Environment(name) => write!(f, "environment variable {name}"),
            Source::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Where things are when nobody says otherwise. The operating system's habits come in from outside, so that tests
/// and other systems need no special case here.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) config_file: PathBuf,
    pub(crate) state_dir: PathBuf,
    pub(crate) cache_dir: PathBuf,
    pub(crate) socket: PathBuf,
}

/// Everything the daemon can be told, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) state_dir: Setting<PathBuf>,
    pub(crate) cache_dir: Setting<PathBuf>,
    pub(crate) socket: Setting<PathBuf>,
    /// Whose members see and control every job, besides root.
    pub(crate) administrators: Setting<Administrators>,
    pub(crate) log_filter: Setting<LogFilter>,
    pub(crate) log_format: Setting<LogFormat>,
    pub(crate) metrics: Setting<MetricsAt>,
    pub(crate) cache_max_bytes: Setting<CacheLimit>,
    /// Files of one job that transfer at the same time.
    pub(crate) files_at_once: Setting<Count>,
    /// Files that transfer at the same time, all jobs together.
    pub(crate) transfers_at_once: Setting<Count>,
    /// Background jobs that run at the same time. Foreground jobs run beside them.
    pub(crate) background_at_once: Setting<Count>,
    pub(crate) jobs_per_owner: Setting<Count>,
    pub(crate) jobs_per_machine: Setting<Count>,
    pub(crate) files_per_job: Setting<Count>,
    pub(crate) ranges_per_file: Setting<Count>,
    pub(crate) connect_timeout_s: Setting<Seconds>,
    pub(crate) first_byte_timeout_s: Setting<Seconds>,
    pub(crate) stall_timeout_s: Setting<Seconds>,
    pub(crate) proxy: Setting<Proxy>,
    pub(crate) extra_roots: Setting<PathList>,
    pub(crate) peers: Peers,
}

impl Config {
    /// Combines the layers. `variable` looks up one environment variable.
    pub(crate) fn gather(
        flags: Flags,
        variable: &dyn Fn(&str) -> Option<OsString>,
        places: &Places,
    ) -> Result<Config, ConfigError> {
        let layers = Layers::read(flags.config.as_deref(), variable, &places.config_file)?;
        let config = Config {
            state_dir: layers
                .path("DRAY_STATE_DIR", ("--state-dir", flags.state_dir), |f| f.state_dir.as_ref())?
                .or_default(places.state_dir.clone()),
            cache_dir: layers
                .path("DRAY_CACHE_DIR", ("--cache-dir", flags.cache_dir), |f| f.cache_dir.as_ref())?
                .or_default(places.cache_dir.clone()),
            socket: layers
                .path("DRAY_SOCKET", ("--socket", flags.socket), |f| f.socket.as_ref())?
                .or_default(places.socket.clone()),
            administrators: layers
                .setting("DRAY_ADMINISTRATORS", |f| f.administrators.as_ref())?
                .or_default(Administrators::Root),
            log_filter: layers
                .pick("DRAY_LOG", ("--log", flags.log), |f| f.log.filter.as_ref())?
                .or_default(LogFilter::default()),
            log_format: layers
                .pick("DRAY_LOG_FORMAT", ("--log-format", flags.log_format), |f| f.log.format.as_ref())?
                .or_default(LogFormat::Text),
            metrics: layers
                .pick("DRAY_METRICS", ("--metrics", flags.metrics), |f| f.metrics.listen.as_ref())?
                .or_default(MetricsAt::default()),
            cache_max_bytes: layers
                .setting("DRAY_CACHE_MAX_BYTES", |f| f.cache.max_bytes.as_ref())?
                .or_default(CacheLimit::Bytes(20 << 30)),
            files_at_once: layers
                .setting("DRAY_FILES_AT_ONCE", |f| f.jobs.files_at_once.as_ref())?
                .or_default(Count(6)),
            transfers_at_once: layers
                .setting("DRAY_TRANSFERS_AT_ONCE", |f| f.jobs.transfers_at_once.as_ref())?
                .or_default(Count(32)),
            background_at_once: layers
                .setting("DRAY_BACKGROUND_AT_ONCE", |f| f.jobs.background_at_once.as_ref())?
                .or_default(Count(1)),
            jobs_per_owner: layers
                .setting("DRAY_JOBS_PER_OWNER", |f| f.limits.jobs_per_owner.as_ref())?
                .or_default(Count(60)),
            jobs_per_machine: layers
                .setting("DRAY_JOBS_PER_MACHINE", |f| f.limits.jobs_per_machine.as_ref())?
                .or_default(Count(300)),
            files_per_job: layers
                .setting("DRAY_FILES_PER_JOB", |f| f.limits.files_per_job.as_ref())?
                .or_default(Count(200)),
            ranges_per_file: layers
                .setting("DRAY_RANGES_PER_FILE", |f| f.limits.ranges_per_file.as_ref())?
                .or_default(Count(500)),
            connect_timeout_s: layers
                .setting("DRAY_CONNECT_TIMEOUT_S", |f| f.origin.connect_timeout_s.as_ref())?
                .or_default(Seconds(10)),
            first_byte_timeout_s: layers
                .setting("DRAY_FIRST_BYTE_TIMEOUT_S", |f| f.origin.first_byte_timeout_s.as_ref())?
                .or_default(Seconds(30)),
            stall_timeout_s: layers
                .setting("DRAY_STALL_TIMEOUT_S", |f| f.origin.stall_timeout_s.as_ref())?
                .or_default(Seconds(30)),
            proxy: layers.setting("DRAY_PROXY", |f| f.origin.proxy.as_ref())?.or_default(Proxy::System),
            extra_roots: layers
                .setting("DRAY_EXTRA_ROOTS", |f| f.origin.extra_roots.as_ref())?
                .or_default(PathList(Vec::new())),
            peers: Peers::gather(&layers, flags.peers)?,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let socket = &self.socket;
        if socket.value.as_os_str().len() > MAX_SOCKET_PATH_BYTES {
            return Err(ConfigError::Value {
                from: socket.from.clone(),
                what: format!(
                    "the socket path {} is longer than {MAX_SOCKET_PATH_BYTES} bytes, which the system does not \
                     allow; choose a shorter one with --socket",
                    socket.value.display()
                ),
            });
        }
        Ok(())
    }
}

/// Why the configuration could not be combined. Each is one sentence for the person who wrote it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file that was named does not open.
    #[error("cannot read the configuration file {}: {cause}", path.display())]
    Read { path: PathBuf, cause: std::io::Error },
    /// The file is not what it should be.
    #[error("{}, line {line}: {what}", path.display())]
    File { path: PathBuf, line: usize, what: String },
    /// A value, from wherever, is not allowed.
    #[error("{from}: {what}")]
    Value { from: Source, what: String },
}

#[cfg(test)]
mod tests;
