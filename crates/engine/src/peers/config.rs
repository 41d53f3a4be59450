//! What the peers of a machine are started with.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dray_cache::Store;
use dray_exchange::{ExchangeError, Timing, Transport};
use dray_identity::{Group, NodeKey};
use dray_swarm::{Bootstrap, Interfaces, Mode, Reach, SwarmError};

use crate::peers::ground::Admit;

/// How soon others hear of a piece that they may have.
const ANNOUNCE: Duration = Duration::from_millis(10);
/// The smallest file that is shared, when nothing else is said, in bytes.
const MIN_FILE_SIZE: u64 = 1 << 20;

/// Everything [`crate::Peers::start`] needs.
pub struct PeersConfig {
    /// Who this machine is.
    pub key: NodeKey,
    /// The group whose members exchange pieces; needed in [`Mode::Group`].
    pub group: Option<Group>,
    /// Which machines belong together.
    pub mode: Mode,
    /// The address that is listened on.
    pub bind: IpAddr,
    /// The one port of both planes, TCP and UDP; 0 takes any that is free.
    pub port: u16,
    /// Whether to use UDP at all.
    pub quic: bool,
    /// Which transports pieces are asked for over.
    pub transport: Transport,
    /// Which addresses peers may have.
    pub reach: Reach,
    /// Which interface addresses are used.
    pub interfaces: Interfaces,
    /// Whether to announce this machine on its LANs and to look for others there.
    pub mdns: bool,
    /// Members that are asked for others.
    pub bootstrap: Vec<Bootstrap>,
    /// Where addresses of good peers are kept over restarts.
    pub memory: Option<PathBuf>,
    /// Limits of the control plane.
    pub swarm_limits: dray_swarm::Limits,
    /// Limits of the bulk plane.
    pub exchange_limits: dray_exchange::Limits,
    /// Deadlines of the bulk plane.
    pub exchange_timing: Timing,
    /// What others are given from.
    pub cache: Option<Arc<Store>>,
    /// The smallest file that is shared, in bytes.
    pub min_file_size: u64,
    /// Who may connect, besides what is known of their conduct.
    pub admit: Arc<Admit>,
}

impl PeersConfig {
    /// LAN mode on the default port of all addresses, mDNS on, everyone welcome, nothing cached.
    #[must_use]
    pub fn new(key: NodeKey) -> Self {
        Self {
            key,
            group: None,
            mode: Mode::Lan,
            bind: Ipv4Addr::UNSPECIFIED.into(),
            port: dray_swarm::DEFAULT_PORT,
            quic: true,
            transport: Transport::default(),
            reach: Reach::Subnets,
            interfaces: Interfaces::default(),
            mdns: true,
            bootstrap: Vec::new(),
            memory: None,
            swarm_limits: dray_swarm::Limits::default(),
            exchange_limits: dray_exchange::Limits::default(),
            exchange_timing: Timing { announce: ANNOUNCE, ..Timing::default() },
            cache: None,
            min_file_size: MIN_FILE_SIZE,
            admit: Arc::new(|_, _| Ok(())),
        }
    }
}

/// Why there are no peers.
#[derive(Debug, thiserror::Error)]
pub enum PeersError {
    /// The port cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The bound listener cannot be used.
    #[error("the listener for peers cannot be used: {0}")]
    Listen(io::Error),
    /// The bulk plane.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The control plane.
    #[error(transparent)]
    Swarm(#[from] SwarmError),
}
