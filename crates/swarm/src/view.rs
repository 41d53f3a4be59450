//! What a person may see of the swarm.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libp2p::PeerId;

use crate::config::Way;

/// One peer that is known, connected or not.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// Who it is.
    pub peer: PeerId,
    /// Where it listens, as far as known.
    pub addrs: Vec<SocketAddr>,
    /// How it is reached.
    pub way: Way,
    /// How things stand with it.
    pub state: PeerState,
    /// The program it runs, as it says.
    pub agent: String,
    /// Since when it is connected.
    pub connected_since: Option<Instant>,
    /// The last round trip over the connection.
    pub rtt: Option<Duration>,
    /// Why it is not used, when it is not.
    pub why_not: Option<String>,
}

/// One bootstrap member of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// As the configuration names it.
    pub place: String,
    /// Who is there, when it is connected.
    pub connected: Option<PeerId>,
    /// Why it is not, at the last attempt.
    pub why_not: Option<String>,
}

/// How things stand with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerState {
    /// Connected, and one of us.
    Connected,
    /// A connection is being made, or has not yet shown that it is one of us.
    Connecting,
    /// Known; there is no need of it, or it is soon tried again.
    Known,
    /// It did not answer, and is tried again later.
    Unreachable,
    /// Not welcome, or not one of us.
    Refused,
}

macro_rules! counters {
    ($($(#[$meta:meta])* $name:ident,)*) => {
        /// What happened since the start; each only grows.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$meta])* pub $name: u64,)* }

        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)* }

        impl Counters {
            pub(crate) fn counts(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Connections made, either way.
    connections,
    /// Connections refused: by address, by peer, by a limit.
    refused_connections,
    /// Connections that never proved to be one of us: another group, another program, or nothing said in time.
    failed_handshakes,
    /// Dials that failed.
    failed_dials,
    /// Peers that turned out to be another program.
    strangers,
    /// Items asked by others.
    asked,
    /// Items refused because a peer asked too often, or has too many wishes.
    refused_asks,
    /// Messages that were malformed, oversized or cut short.
    malformed,
    /// Messages to others that nobody answered.
    unanswered,
    /// Announcements on the LAN that were malformed, or too many.
    refused_announcements,
    /// Addresses of peers that were told and not kept, because they are not in reach or there were too many.
    refused_addresses,
    /// Searches that were not begun because too many run.
    refused_finds,
    /// Candidates that nobody took in time.
    lost_candidates,
}

impl Counters {
    pub(crate) fn count(&self, what: &AtomicU64) {
        self.add(what, 1);
    }

    #[allow(clippy::unused_self, reason = "so that the counter can only be one of these")]
    pub(crate) fn add(&self, what: &AtomicU64, many: usize) {
        what.fetch_add(many as u64, Ordering::Relaxed);
    }
}
