//! The peers of this machine, as a person is shown them: both planes and their conduct in one list.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use dray_exchange::{Carrier, LinkView};
use dray_identity::PeerId;
use dray_swarm::{PeerState, PeerView, Way};

use crate::peers::{Banned, Peers};

/// One peer.
#[derive(Clone, Debug)]
pub struct PeerRow {
    /// Who it is.
    pub peer: PeerId,
    /// Where it listens or was met.
    pub addresses: Vec<SocketAddr>,
    /// How it is reached.
    pub way: Option<Way>,
    /// How things stand with it on the control plane; `None` when it is only met on the other.
    pub state: Option<PeerState>,
    /// The program it runs, as it says.
    pub agent: String,
    /// The last round trip.
    pub rtt: Option<Duration>,
    /// What pieces are exchanged over, while they are.
    pub carrier: Option<Carrier>,
    /// Bytes of contents sent to it on the connection of this moment.
    pub sent: u64,
    /// Bytes of contents received from it on the connection of this moment.
    pub received: u64,
    /// Contents that are exchanged with it now.
    pub sessions: usize,
    /// Why it is not used, when it is not.
    pub why_not: Option<String>,
    /// Its ban, while it has one.
    pub banned: Option<Banned>,
}

impl PeerRow {
    fn new(peer: PeerId) -> Self {
        Self {
            peer,
            addresses: Vec::new(),
            way: None,
            state: None,
            agent: String::new(),
            rtt: None,
            carrier: None,
            sent: 0,
            received: 0,
            sessions: 0,
            why_not: None,
            banned: None,
        }
    }

    fn know(&mut self, view: PeerView) {
        let PeerView { addrs, way, state, agent, rtt, why_not, .. } = view;
        (self.addresses, self.way, self.state) = (addrs, Some(way), Some(state));
        (self.agent, self.rtt, self.why_not) = (agent, rtt, why_not);
    }

    fn link(&mut self, link: LinkView) {
        if self.addresses.is_empty() {
            self.addresses.push(link.address);
        }
        if self.agent.is_empty() {
            self.agent = link.agent;
        }
        self.rtt = link.rtt.or(self.rtt);
        self.carrier = Some(link.transport);
        self.sent += link.sent;
        self.received += link.received;
        self.sessions += link.sessions;
    }

    fn ban(&mut self, banned: Banned) {
        self.why_not = Some(banned.why.clone());
        self.banned = Some(banned);
    }
}

impl Peers {
    /// Everyone who is known, connected, or banned.
    #[must_use]
    pub fn rows(&self) -> Vec<PeerRow> {
        let mut rows: BTreeMap<PeerId, PeerRow> = BTreeMap::new();
        let mut row = |peer: PeerId, act: &mut dyn FnMut(&mut PeerRow)| {
            act(rows.entry(peer).or_insert_with(|| PeerRow::new(peer)));
        };
        for view in self.swarm().peers() {
            row(view.peer, &mut |row| row.know(view.clone()));
        }
        for link in self.exchange().links() {
            row(link.peer, &mut |row| row.link(link.clone()));
        }
        for banned in self.reputation().banned() {
            if let Some(peer) = banned.peer {
                row(peer, &mut |row| row.ban(banned.clone()));
            }
        }
        rows.into_values().collect()
    }
}
