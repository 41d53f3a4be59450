//! What the exchange is started with, and its limits.

use std::net::SocketAddr;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use dray_identity::{Group, NodeKey};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::Guard;

/// Everything the exchange is made of.
pub struct Config {
    /// The node's key: its name to others.
    pub key: NodeKey,
    /// With a group, only its members get through; without one, only those who have none either.
    pub group: Option<Group>,
    /// The bound socket for QUIC, in both directions. Without it there is no QUIC.
    pub udp: Option<UdpSocket>,
    /// TLS connections that came in, from [`crate::door::split`]. Without it none come in over TCP; they still go out.
    pub tcp: Option<mpsc::Receiver<(TcpStream, SocketAddr)>>,
    /// Which transports to open connections with. Whatever is given above is listened on.
    pub transport: Transport,
    /// How much of everything.
    pub limits: Limits,
    /// How long for everything.
    pub timing: Timing,
    /// Who may talk to us.
    pub guard: Arc<dyn Guard>,
}

impl Config {
    /// With default limits, no group and no sockets.
    #[must_use]
    pub fn new(key: NodeKey, guard: Arc<dyn Guard>) -> Self {
        Self {
            key,
            group: None,
            udp: None,
            tcp: None,
            transport: Transport::Auto,
            limits: Limits::default(),
            timing: Timing::default(),
            guard,
        }
    }
}

/// Which transports are used to reach a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// TCP first where addresses are private (half the processor time of QUIC), QUIC first elsewhere (loss does not stop all streams);
    /// the other one a moment later.
    #[default]
    Auto,
    /// QUIC alone.
    QuicOnly,
    /// TCP alone.
    TcpOnly,
}

/// Longest stretch that a volume is asked to read at once, in bytes.
pub const READ_BYTES: u64 = 1 << 20;

/// Connections at once.
pub const DEFAULT_CONNECTIONS: usize = 200;
/// Connections at once that have not proven who they are.
pub const DEFAULT_HANDSHAKES: usize = 64;
/// Sessions on one connection.
pub const DEFAULT_SESSIONS_PER_CONNECTION: usize = 64;
/// Our requests at once in one session.
pub const DEFAULT_REQUESTS_PER_SESSION: usize = 8;
/// Requests at once that one peer may have open with us, running and waiting.
pub const DEFAULT_REQUESTS_PER_PEER: usize = 32;
/// Requests that are being answered at once.
pub const DEFAULT_UPLOAD_SLOTS: usize = 8;
/// Requests that wait for a slot, of all peers.
pub const DEFAULT_UPLOAD_QUEUE: usize = 1024;

/// How much of everything. Each bounds memory or work that a peer could cause.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes that all uploads together send each second; none: as fast as it goes. Can be changed later.
    pub upload_bytes_per_s: Option<u64>,
    /// Requests that are being answered at once; each holds up to two buffers of [`READ_BYTES`].
    pub upload_slots: usize,
    /// Requests that wait for a slot, of all peers.
    pub upload_queue: usize,
    /// Connections at once.
    pub connections: usize,
    /// Incoming connections at once that have not proven who they are.
    pub handshakes: usize,
    /// Sessions on one connection.
    pub sessions_per_connection: usize,
    /// Our requests at once in one session; further ones are [`crate::RequestError::Busy`].
    pub requests_per_session: usize,
    /// Requests at once that one peer may have open with us.
    pub requests_per_peer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upload_bytes_per_s: None,
            upload_slots: DEFAULT_UPLOAD_SLOTS,
            upload_queue: DEFAULT_UPLOAD_QUEUE,
            connections: DEFAULT_CONNECTIONS,
            handshakes: DEFAULT_HANDSHAKES,
            sessions_per_connection: DEFAULT_SESSIONS_PER_CONNECTION,
            requests_per_session: DEFAULT_REQUESTS_PER_SESSION,
            requests_per_peer: DEFAULT_REQUESTS_PER_PEER,
        }
    }
}

/// How long each wait may be.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// To reach a peer at all its addresses.
    pub dial: Duration,
    /// Head start of an address, or of the preferred transport, over the next one.
    pub stagger: Duration,
    /// For TLS and for the Hello, each.
    pub handshake: Duration,
    /// For the rest of a message once it has begun, for a request once its stream has begun, and for a peer to take a message from us.
    pub message: Duration,
    /// For the answer to a join.
    pub join: Duration,
    /// For the first byte of an answer, which may wait for a slot there.
    pub first_byte: Duration,
    /// Between bytes of an answer, in both directions.
    pub stall: Duration,
    /// Silence of a peer while something is under way, before it is asked whether it lives.
    pub probe: Duration,
    /// Silence of a peer while something is under way, before it is dead.
    pub dead: Duration,
    /// Silence of an idle connection before it is asked whether it lives.
    pub keep_alive: Duration,
    /// Silence of an idle connection before it is dead.
    pub idle: Duration,
    /// How long a connection without a session is kept.
    pub linger: Duration,
    /// Least time between two changes that are told in one session.
    pub announce: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            dial: Duration::from_secs(5),
            stagger: Duration::from_millis(250),
            handshake: Duration::from_secs(5),
            message: Duration::from_secs(10),
            join: Duration::from_secs(5),
            first_byte: Duration::from_secs(30),
            stall: Duration::from_secs(10),
            probe: Duration::from_millis(1500),
            dead: Duration::from_secs(5),
            keep_alive: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            linger: Duration::from_secs(60),
            announce: Duration::from_millis(20),
        }
    }
}
