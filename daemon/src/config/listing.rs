//! Every setting as a person reads it: key, value, and who had the last word. No secret is in it: of the group's key
//! the daemon's configuration knows only the file, and the password of a proxy is left out here.

use std::path::PathBuf;

use super::{
    Administrators, CacheLimit, Config, Count, LogFilter, LogFormat, MetricsAt, PathList, Proxy, Seconds,
    Setting,
};

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// As in `drayd.toml`, with its section: `peers.mode`.
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) from: String,
    /// Whether nobody said anything about it.
    pub(crate) is_default: bool,
}

impl Config {
    /// All settings, in the order of `deploy/drayd.toml`.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let peers = &self.peers;
        vec![
            listed("state_dir", &self.state_dir),
            listed("cache_dir", &self.cache_dir),
            listed("socket", &self.socket),
            listed("administrators", &self.administrators),
            listed("log.filter", &self.log_filter),
            listed("log.format", &self.log_format),
            listed("metrics.listen", &self.metrics),
            listed("cache.max_bytes", &self.cache_max_bytes),
            listed("jobs.files_at_once", &self.files_at_once),
            listed("jobs.transfers_at_once", &self.transfers_at_once),
            listed("jobs.background_at_once", &self.background_at_once),
            listed("limits.jobs_per_owner", &self.jobs_per_owner),
            listed("limits.jobs_per_machine", &self.jobs_per_machine),
            listed("limits.files_per_job", &self.files_per_job),
            listed("limits.ranges_per_file", &self.ranges_per_file),
            listed("origin.connect_timeout_s", &self.connect_timeout_s),
            listed("origin.first_byte_timeout_s", &self.first_byte_timeout_s),
            listed("origin.stall_timeout_s", &self.stall_timeout_s),
            listed("origin.proxy", &self.proxy),
            listed("origin.extra_roots", &self.extra_roots),
            listed("peers.mode", &peers.mode),
            listed("peers.group", &peers.group),
            listed("peers.group_key_file", &peers.group_key_file),
            listed("peers.port", &peers.port),
            listed("peers.bootstrap", &peers.bootstrap),
            listed("peers.mdns", &peers.mdns),
            listed("peers.interfaces", &peers.interfaces),
            listed("peers.exclude_interfaces", &peers.exclude_interfaces),
            listed("peers.select_peers_by", &peers.select_peers_by),
            listed("peers.allow", &peers.allow),
            listed("peers.block", &peers.block),
            listed("peers.min_file_size", &peers.min_file_size),
            listed("peers.max_upload_bytes_per_s", &peers.max_upload_bytes_per_s),
            listed("peers.upload_slots", &peers.upload_slots),
        ]
    }
}

fn listed<T: Shown>(key: &'static str, setting: &Setting<T>) -> Listed {
    Listed {
        key,
        value: setting.value.shown(),
        from: setting.from.to_string(),
        is_default: setting.from == super::Source::Default,
    }
}

/// How a value is written.
trait Shown {
    fn shown(&self) -> String;
}

macro_rules! shown_as_text {
    ($($name:ty),* $(,)?) => {$(
        impl Shown for $name {
            fn shown(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
shown_as_text!(
    super::peer_values::Mode,
    super::peer_values::GroupName,
    super::peer_values::Port,
    super::peer_values::SelectBy,
    super::peer_values::ByteCount,
    super::peer_values::Switch,
);

impl<T: std::fmt::Display> Shown for super::lists::List<T> {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for PathBuf {
    fn shown(&self) -> String {
        self.display().to_string()
    }
}

impl Shown for PathList {
    fn shown(&self) -> String {
        let paths: Vec<String> = self.0.iter().map(|path| format!("\"{}\"", path.display())).collect();
        format!("[{}]", paths.join(", "))
    }
}

impl Shown for Administrators {
    fn shown(&self) -> String {
        match self {
            Administrators::Root => "none".to_owned(),
            Administrators::Number(number) => number.to_string(),
            Administrators::Name(name) => name.clone(),
        }
    }
}

impl Shown for LogFilter {
    fn shown(&self) -> String {
        self.0.clone()
    }
}

impl Shown for LogFormat {
    fn shown(&self) -> String {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
        .to_owned()
    }
}

impl Shown for MetricsAt {
    fn shown(&self) -> String {
        match self {
            MetricsAt::Off => "off".to_owned(),
            MetricsAt::Address(address) => address.to_string(),
        }
    }
}

impl Shown for CacheLimit {
    fn shown(&self) -> String {
        match self {
            CacheLimit::Off => "off".to_owned(),
            CacheLimit::Bytes(bytes) => bytes.to_string(),
        }
    }
}

impl Shown for Count {
    fn shown(&self) -> String {
        self.0.to_string()
    }
}

impl Shown for Seconds {
    fn shown(&self) -> String {
        self.0.to_string()
    }
}

impl Shown for Proxy {
    fn shown(&self) -> String {
        match self {
            Proxy::System => "system".to_owned(),
            Proxy::Direct => "none".to_owned(),
            Proxy::Url(url) => {
                let mut url = url.clone();
                // A URL that takes no password has none.
                let _ = url.set_password(None);
                url.to_string()
            }
        }
    }
}
