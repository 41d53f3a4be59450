//! Connections come, show who they are, and go.

use std::net::SocketAddr;
use std::time::Duration;

use libp2p::core::ConnectedPoint;
use libp2p::request_response;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError, ListenError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify, ping};
use tokio::time::Instant;

use super::Node;
use super::link::{Connection, Link};
use crate::behaviour::BehaviourEvent;
use crate::book::Source;
use crate::bucket::Bucket;
use crate::config::Incident;
use crate::doorway::{multiaddr, socket_addr};
use crate::frame::{Answer, Item, Malformed};
use crate::gate::Refusal;
use crate::net::plain;
use crate::wire::PROTOCOL;

/// Two connections made within this time of each other were dialled from both ends at once.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Offences after which a peer is shown the door.
const MOST_OFFENCES: u32 = 8;
/// For how long.
const SHUT_OUT: Duration = Duration::from_secs(60);
/// A peer that failed so often is not named to others.
const AWAY_AFTER: u32 = 3;
/// Characters of a peer's own description that are kept.
const MAX_AGENT: usize = 64;

/// Why a dial failed, in words for the person who configured it.
pub(super) fn why_unreachable(error: &DialError) -> String {
    match error {
        DialError::Transport(errors) => errors.first().map_or_else(
            || "it has no address".to_owned(),
            |(_, error)| match system_error(error) {
                Some(system) => system.to_string(),
                None => "someone answers, but does not prove to be of this swarm: its group or its key is another one, \
                         or it is another program"
                    .to_owned(),
            },
        ),
        DialError::Denied { cause } => {
            cause.downcast_ref::<Refusal>().map_or_else(|| cause.to_string(), ToString::to_string)
        }
        DialError::LocalPeerId { .. } => "it is this machine".to_owned(),
        other => other.to_string(),
    }
}

/// The system's own error at the bottom, when the connection itself failed rather than what was said on it.
fn system_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            if io.raw_os_error().is_some() {
                return Some(io);
            }
            // What an io::Error wraps is not its source but beside it.
            next = io.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
        } else {
            next = error.source();
        }
    }
    None
}

type FindEvent = request_response::Event<Result<Vec<Item>, Malformed>, Vec<Answer>>;

impl Node {
    pub(super) fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.established(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, "connection closed");
                self.closed(peer_id, connection_id);
            }
            SwarmEvent::IncomingConnectionError { error, send_back_addr, .. } => {
                if !matches!(error, ListenError::Denied { .. }) {
                    self.shared.counters.count(&self.shared.counters.failed_handshakes);
                }
                tracing::debug!(from = %send_back_addr, %error, "a connection came to nothing");
            }
            SwarmEvent::OutgoingConnectionError { peer_id, connection_id, error, .. } => {
                self.dial_failed(peer_id, connection_id, &error);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => {
                self.identified(peer_id, info);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Error { peer_id, .. }))
                if self.links.get(&peer_id).is_some_and(|link| !link.proven) =>
            {
                self.stranger(peer_id);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { peer, connection, result })) => {
                match result {
                    Ok(rtt) => self.heard(peer, rtt),
                    Err(ping::Failure::Unsupported) => {}
                    Err(error) => {
                        tracing::debug!(%peer, %error, "the peer does not answer; closing");
                        self.swarm.close_connection(connection);
                    }
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Find(event)) => self.on_find_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Kademlia(event)) => self.on_kademlia(event),
            _ => {}
        }
    }

    fn on_find_event(&mut self, event: FindEvent) {
        use request_response::{Event, Message};
        match event {
            Event::Message {
                peer, message: Message::Request { request: Ok(items), channel, .. }, ..
            } => {
                let answers = self.answer(peer, items);
                // The asker may be gone by now; then nobody waits for it.
                let _ = self.swarm.behaviour_mut().find.send_response(channel, answers);
            }
            Event::Message { peer, message: Message::Request { request: Err(_), .. }, .. } => {
                self.malformed(peer)
            }
            Event::Message { peer, message: Message::Response { request_id, response }, .. } => {
                self.answered(peer, request_id, response);
            }
            Event::OutboundFailure { peer, request_id, error, .. } => {
                self.unanswered(peer, request_id, &error)
            }
            // An answer that could not be sent: the asker is gone, or was told nothing.
            Event::InboundFailure { .. } | Event::ResponseSent { .. } => {}
        }
    }

    pub(super) fn dial(&mut self, peer: PeerId, addrs: Vec<SocketAddr>) {
        let reachable: Vec<Multiaddr> = addrs
            .into_iter()
            .filter(|address| self.swarm.behaviour().gate.in_reach(plain(address.ip())))
            .map(multiaddr)
            .collect();
        let now = self.now();
        if reachable.is_empty() {
            self.book.refused(
                now,
                &peer,
                "its address is outside the subnets that peers may have".to_owned(),
                false,
            );
        } else {
            let dial = DialOpts::peer_id(peer).addresses(reachable).build();
            let id = dial.connection_id();
            match self.swarm.dial(dial) {
                Ok(()) => {
                    self.dialing.insert(id);
                }
                // Another connection with it is being made already.
                Err(DialError::DialPeerConditionFalse(_)) => self.book.connected(now, peer),
                Err(error) => self.book.failed(now, &peer, error.to_string()),
            }
        }
        self.publish(&peer);
    }

    fn established(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let now = self.now();
        self.shared.counters.count(&self.shared.counters.connections);
        let dialed = endpoint.is_dialer();
        if dialed {
            self.dialing.remove(&id);
            self.seeds.connected(id, peer);
            self.publish_members();
        }
        let Some(remote) = socket_addr(endpoint.get_remote_address()) else { return };
        let remote = SocketAddr::new(plain(remote.ip()), remote.port());
        self.book.connected(now, peer);
        let connection = Connection { id, since: Instant::now(), dialed };
        let link = self.links.entry(peer).or_insert_with(|| Link {
            connections: Vec::new(),
            proven: false,
            since: Instant::now(),
            remote,
            port: None,
            agent: String::new(),
            rtt: None,
            unasked: Default::default(),
            unended: Default::default(),
            ask_neighbours: true,
            in_flight: None,
            not_before: Duration::ZERO,
            unanswered: 0,
            pace: Bucket::full(now, self.limits.asks_per_peer),
            offences: 0,
        });
        link.connections.push(connection);
        if let [first, .., second] = link.connections.as_slice() {
            // Both ends decide alike: of two dialled at once the one that the lower id began stays; otherwise the newer,
            // because the peer would not have made it while it had the older.
            let at_once = second.since.duration_since(first.since) < AT_ONCE;
            let lower_dials = |connection: &Connection| connection.dialed == (self.me < peer);
            let surplus = if at_once && lower_dials(first) { second.id } else { first.id };
            let stays = if surplus == first.id { second.dialed } else { first.dialed };
            if surplus == first.id {
                link.remote = remote;
            }
            tracing::debug!(%peer, we_dialed = stays, "two connections with one peer; one is closed");
            self.swarm.close_connection(surplus);
        }
        self.publish(&peer);
    }

    fn closed(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.connections.retain(|connection| connection.id != id);
        if link.connections.is_empty() {
            let was_proven = link.proven;
            self.links.remove(&peer);
            self.wishes.forget(&peer);
            self.heard_all(&peer);
            let now = self.now();
            if !was_proven {
                self.book.failed_unproven(now, &peer);
            }
            self.book.closed(now, &peer);
            self.seeds.lost(now, &peer, was_proven);
            self.publish_connected();
            self.publish_members();
            self.neighbours_news();
        }
        self.publish(&peer);
    }

    fn dial_failed(&mut self, peer: Option<PeerId>, id: ConnectionId, error: &DialError) {
        let now = self.now();
        self.dialing.remove(&id);
        self.shared.counters.count(&self.shared.counters.failed_dials);
        tracing::debug!(?peer, %error, "dial failed");
        self.seeds.failed(now, id, error);
        self.publish_members();
        let Some(peer) = peer else { return };
        match error {
            DialError::Denied { .. } => self.book.refused(now, &peer, why_unreachable(error), false),
            // Another machine has that address now, or the same one has a new identity.
            DialError::WrongPeerId { .. } => {
                self.book.refused(now, &peer, "someone else is at its address".to_owned(), true);
            }
            other => self.book.failed(now, &peer, why_unreachable(other)),
        }
        if self.book.get(&peer).is_none_or(|known| known.failures > AWAY_AFTER) {
            self.unroute(&peer);
        }
        self.publish(&peer);
    }

    fn identified(&mut self, peer: PeerId, info: identify::Info) {
        if !info.protocols.contains(&PROTOCOL) {
            self.stranger(peer);
            return;
        }
        let now = self.now();
        let Some(link) = self.links.get_mut(&peer) else { return };
        // Of all it says only the port is used: the address is the one it is really at.
        let listening = info.listen_addrs.iter().filter_map(socket_addr);
        let ports: Vec<_> =
            listening.map(|address| (plain(address.ip()) == link.remote.ip(), address.port())).collect();
        link.port =
            ports.iter().find(|(same, _)| *same).or(ports.first()).map(|(_, port)| *port).or_else(|| {
                link.connections.first().filter(|connection| connection.dialed).map(|_| link.remote.port())
            });
        link.agent = info.agent_version.chars().filter(|c| !c.is_control()).take(MAX_AGENT).collect();
        let listens_at = link.listens_at();
        let first = !std::mem::replace(&mut link.proven, true);
        if let Some(address) = listens_at {
            self.book.learn(now, peer, address, Source::Itself);
        }
        self.book.proven(&peer);
        self.seeds.proven(&peer);
        self.route(peer, listens_at);
        if first {
            tracing::info!(%peer, at = ?listens_at, "peer connected");
            self.publish_connected();
            self.publish_members();
            self.introduce(peer);
            self.neighbours_news();
        }
        self.publish(&peer);
    }

    /// Connections that have not shown in time what they are, are ended: each takes a place.
    pub(super) fn end_unproven(&mut self) {
        let patience = self.limits.reply;
        let late = self.links.iter().filter(|(_, link)| !link.proven && link.since.elapsed() > patience);
        for peer in late.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            self.stranger(peer);
        }
    }

    /// When one that is there now would be too late.
    pub(super) fn unproven_due(&self) -> Option<crate::bucket::Time> {
        let oldest = self.links.values().filter(|link| !link.proven).map(|link| link.since).min()?;
        Some(oldest.saturating_duration_since(self.epoch) + self.limits.reply)
    }

    /// Keeps an eighth of the places free for those with whom there is something to share: searches through the group
    /// leave connections behind that nobody needs.
    pub(super) fn make_room(&mut self) {
        let most = self.limits.connections as usize;
        let surplus = self.links.len().saturating_sub(most - most / 8);
        if surplus == 0 {
            return;
        }
        let idle = |peer: &PeerId, link: &Link| {
            link.since.elapsed() > self.limits.settled
                && link.in_flight.is_none()
                && self.wishes.met_by(peer).is_empty()
                && !self.seeds.holds(peer)
        };
        let mut idle: Vec<_> =
            self.links.iter().filter(|(peer, link)| idle(peer, link)).map(|(peer, _)| *peer).collect();
        fastrand::shuffle(&mut idle);
        for peer in idle.into_iter().take(surplus) {
            tracing::debug!(%peer, "closed to make room");
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    fn heard(&mut self, peer: PeerId, rtt: Duration) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.rtt = Some(rtt);
            self.publish(&peer);
        }
    }

    /// Another program that speaks libp2p: it is left alone for long.
    pub(super) fn stranger(&mut self, peer: PeerId) {
        self.shared.counters.count(&self.shared.counters.strangers);
        let now = self.now();
        let why = "it is another program".to_owned();
        self.swarm.behaviour_mut().gate.shut_out(peer, why.clone(), SHUT_OUT);
        self.book.refused(now, &peer, why, true);
        let _ = self.swarm.disconnect_peer_id(peer);
        self.publish(&peer);
    }

    /// Ends the connection with a peer for a reason.
    pub(super) fn disconnect(&mut self, peer: PeerId, why: String, shut_out: bool) {
        let now = self.now();
        if shut_out {
            self.swarm.behaviour_mut().gate.shut_out(peer, why.clone(), SHUT_OUT);
        }
        self.book.refused(now, &peer, why, false);
        let _ = self.swarm.disconnect_peer_id(peer);
        self.publish(&peer);
    }

    /// A peer did what an honest one does not.
    pub(super) fn offence(&mut self, peer: PeerId, what: Incident) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.offences += 1;
        let (ip, offences) = (link.remote.ip(), link.offences);
        self.directory.incident(&peer, ip, what);
        if offences == MOST_OFFENCES {
            tracing::warn!(%peer, address = %ip, "disconnected: {what}");
            self.disconnect(peer, what.to_string(), true);
        }
    }
}
