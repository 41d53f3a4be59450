//! The command line of `drayd`.

use std::path::PathBuf;

use dray_swarm::Bootstrap;

use super::lists::List;
use super::peer_values::{GroupName, Mode, Port};
use super::values::{LogFilter, LogFormat, MetricsAt};

/// dray's daemon: takes download jobs over a local socket and delivers their files.
///
/// Every flag has an environment variable and a place in the configuration file; a flag beats the variable, the
/// variable beats the file.
#[derive(Debug, Clone, Default, clap::Parser)]
#[command(name = "drayd", version, max_term_width = 100)]
pub(crate) struct Flags {
    /// Configuration file [variable: DRAY_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where job records are kept [variable: DRAY_STATE_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Where finished contents are kept [variable: DRAY_CACHE_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Socket on which the API is served [variable: DRAY_SOCKET]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// What is logged: a level, or filters such as drayd=debug,info [variable: DRAY_LOG]
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<LogFilter>,
    /// How log lines look: text or json [variable: DRAY_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Address of the metrics endpoint, or off [variable: DRAY_METRICS]
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<MetricsAt>,
    #[command(flatten)]
    pub(crate) peers: PeerFlags,
}

/// The part of it that is about peers.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PeerFlags {
    /// From whom bytes may come: off, lan, group, simple or bypass [variable: DRAY_MODE]
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<Mode>,
    /// Name of the group whose machines are peers [variable: DRAY_GROUP]
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<GroupName>,
    /// File that holds the group's key, readable by the daemon alone [variable: DRAY_GROUP_KEY_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) group_key_file: Option<PathBuf>,
    /// Port for peers, TCP and UDP [variable: DRAY_PORT]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<Port>,
    /// Where to find peers besides the network itself, separated by commas [variable: DRAY_BOOTSTRAP]
    #[arg(long, value_name = "PLACE,...")]
    pub(crate) bootstrap: Option<List<Bootstrap>>,
}
