//! What the swarm is told before it starts, with every limit it keeps.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use dray_content::Digest;
use dray_identity::{Group, NodeKey};
use libp2p::PeerId;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::bucket::Rate;
use crate::net::{Interfaces, Subnet};

/// The port of both planes, when nothing else is said.
pub const DEFAULT_PORT: u16 = 7680;

/// Everything [`Swarm::start`](crate::Swarm::start) needs.
pub struct Config {
    /// Who this machine is.
    pub key: NodeKey,
    /// The group whose members may connect; needed in [`Mode::Group`], unused in [`Mode::Lan`].
    pub group: Option<Group>,
    /// Which machines belong together.
    pub mode: Mode,
    /// Which addresses peers may have.
    pub reach: Reach,
    /// The one port of this machine, TCP and UDP, that others are told of.
    pub port: u16,
    /// Connections that arrived on that port and are not the exchange's.
    pub inbound: mpsc::Receiver<(TcpStream, SocketAddr)>,
    /// Which interface addresses are used.
    pub interfaces: Interfaces,
    /// Whether to announce this machine on its LANs and to look for others there.
    pub mdns: bool,
    /// Members that are asked for others.
    pub bootstrap: Vec<Bootstrap>,
    /// Where addresses of good peers are kept over restarts; `None` keeps nothing.
    pub memory: Option<PathBuf>,
    /// What the swarm asks of the rest of the house.
    pub directory: Arc<dyn Directory>,
    /// How much of everything.
    pub limits: Limits,
}

impl Config {
    /// The quiet configuration: LAN mode on the default port, mDNS on, everything else at its default.
    #[must_use]
    pub fn new(
        key: NodeKey,
        inbound: mpsc::Receiver<(TcpStream, SocketAddr)>,
        directory: Arc<dyn Directory>,
    ) -> Self {
        Self {
            key,
            group: None,
            mode: Mode::Lan,
            reach: Reach::Subnets,
            port: DEFAULT_PORT,
            inbound,
            interfaces: Interfaces::default(),
            mdns: true,
            bootstrap: Vec::new(),
            memory: None,
            directory,
            limits: Limits::default(),
        }
    }
}

/// Which machines belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Whoever is near; no key.
    Lan,
    /// Whoever holds the group's key, wherever it is.
    Group,
}

/// Which addresses peers may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any.
    Anywhere,
    /// Only those on subnets that a used interface of this machine is on.
    Subnets,
    /// Only those in these subnets.
    Listed(Vec<Subnet>),
}

/// What a machine wants with a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It has all of it.
    Has,
    /// It is fetching it.
    Wants,
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// On a subnet that this machine is on.
    Lan,
    /// Further away, as a member of the group.
    Group,
}

/// What the swarm asks of the rest of the house. Called on the swarm's task: answers come from memory, at once.
pub trait Directory: Send + Sync + 'static {
    /// Whether this machine has or wants the content with any of these digests, and may say so.
    fn role(&self, digests: &[Digest]) -> Option<Role>;

    /// Whether a connection with this peer is welcome.
    ///
    /// # Errors
    /// The reason, as one sentence, when it is not.
    fn admit(&self, peer: &PeerId, ip: IpAddr) -> Result<(), String>;

    /// Something that an honest peer does not do. The swarm has already refused and counted it.
    fn incident(&self, peer: &PeerId, ip: IpAddr, what: Incident) {
        let _ = (peer, ip, what);
    }
}

/// What an honest peer does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Incident {
    /// It asked more often than it may.
    Flood,
    /// It sent bytes that are no message, too many of them, or only part of a message.
    Malformed,
    /// It answers nothing that it is asked.
    Silent,
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flood => "it asks more often than it may",
            Self::Malformed => "it sent a malformed message",
            Self::Silent => "it does not answer",
        })
    }
}

/// A member that is known beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// By address.
    Address(SocketAddr),
    /// By a name with A or AAAA records.
    Name(String, u16),
    /// By a name with SRV records, such as `_dray._tcp.example.org`.
    Srv(String),
}

/// Text that names no bootstrap member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no bootstrap member: write ADDRESS:PORT, NAME, NAME:PORT, or the name of an SRV record such as _dray._tcp.example.org"
)]
pub struct NoBootstrap(String);

impl FromStr for Bootstrap {
    type Err = NoBootstrap;

    fn from_str(text: &str) -> Result<Self, NoBootstrap> {
        let text = text.trim();
        let wrong = || NoBootstrap(text.chars().take(80).collect());
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(Self::Address(SocketAddr::new(ip, DEFAULT_PORT)));
        }
        let (name, port) = match text.rsplit_once(':') {
            None => (text, None),
            Some((name, port)) => (name, Some(port.parse().map_err(|_| wrong())?)),
        };
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name = (1..=253).contains(&name.len())
            && name.chars().all(letters)
            && name.trim_end_matches('.').split('.').all(|label| (1..=63).contains(&label.len()));
        match (is_name, name.starts_with('_'), port) {
            (true, true, None) => Ok(Self::Srv(name.to_owned())),
            (true, false, port) => Ok(Self::Name(name.to_owned(), port.unwrap_or(DEFAULT_PORT))),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Bootstrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
            Self::Srv(name) => f.write_str(name),
        }
    }
}

/// How much of everything. The defaults are what a member of a group of twenty thousand needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections at most; each is one peer.
    pub connections: u32,
    /// Connections that this machine makes by itself; the rest is left to those who come.
    pub wanted_connections: u32,
    /// Connections that others began and that are not yet proven.
    pub pending_inbound: u32,
    /// Connections that this machine began and that are not yet proven.
    pub pending_outbound: u32,
    /// Connections with one address; many machines share one behind NAT.
    pub connections_per_address: u32,
    /// A connection is not closed to make room for others before it is so old.
    pub settled: Duration,
    /// Unproven connections from one address.
    pub pending_per_address: u32,
    /// Connections begun from one address.
    pub dials_per_address: Rate,
    /// Items in what one peer asks.
    pub asks_per_peer: Rate,
    /// Wishes of one peer that are remembered.
    pub wishes_per_peer: usize,
    /// Searches that run at the same time on this machine.
    pub finds: usize,
    /// Peers that are known, connected or not.
    pub known_peers: usize,
    /// How long a connection may take until it is proven.
    pub handshake: Duration,
    /// How long the answer to a message may take.
    pub reply: Duration,
    /// How often a quiet connection is tried from end to end. This is for a program that hangs: a dead machine is noticed by
    /// the kernel within seconds, and two hundred quiet peers cost next to nothing.
    pub ping: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 200,
            wanted_connections: 150,
            pending_inbound: 32,
            pending_outbound: 16,
            connections_per_address: 64,
            settled: Duration::from_secs(60),
            pending_per_address: 8,
            dials_per_address: Rate { burst: 64, per_second: 4.0 },
            asks_per_peer: Rate { burst: 2048, per_second: 128.0 },
            wishes_per_peer: 512,
            finds: 1024,
            known_peers: 20_000,
            handshake: Duration::from_secs(5),
            reply: Duration::from_secs(10),
            ping: Duration::from_secs(150),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_members_are_told_apart_by_how_they_are_written() {
        let read = |text: &str| text.parse::<Bootstrap>().unwrap();
        assert_eq!(read("10.1.2.3:99"), Bootstrap::Address("10.1.2.3:99".parse().unwrap()));
        assert_eq!(read("10.1.2.3"), Bootstrap::Address("10.1.2.3:7680".parse().unwrap()));
        assert_eq!(read("[::1]:99"), Bootstrap::Address("[::1]:99".parse().unwrap()));
        assert_eq!(read("::1"), Bootstrap::Address("[::1]:7680".parse().unwrap()));
        assert_eq!(read("branch.example"), Bootstrap::Name("branch.example".into(), 7680));
        assert_eq!(read("branch.example:99"), Bootstrap::Name("branch.example".into(), 99));
        assert_eq!(read("_dray._tcp.example.org"), Bootstrap::Srv("_dray._tcp.example.org".into()));
    }

    #[test]
    fn text_that_names_no_member_is_refused() {
        for text in ["", "a b", "name:port", "name:70000", "_dray._tcp.example.org:7680", "a..b", "höst"] {
            assert!(text.parse::<Bootstrap>().is_err(), "{text:?}");
        }
    }
}
