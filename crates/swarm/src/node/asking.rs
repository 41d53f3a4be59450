//! What this machine asks of others.

use std::collections::BTreeSet;
use std::time::Duration;

use dray_content::Digest;
use libp2p::PeerId;
use libp2p::request_response::{OutboundFailure, OutboundRequestId};
use tokio::sync::{mpsc, oneshot};

use super::Node;
use super::kademlia::Published;
use crate::book::Source;
use crate::bucket::Time;
use crate::config::{Incident, Role};
use crate::frame::{Answer, Item, MAX_DIGESTS, MAX_ITEMS};
use crate::swarm::Candidate;
use crate::wishes::WishId;

/// A peer that refused for now, or did not answer, is asked again after so long.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A search is told that all were asked after so long, whoever has not answered.
const ANSWER_TIME: Duration = Duration::from_millis(250);
/// A peer that did not answer so many messages in a row is let go.
const MOST_UNANSWERED: u32 = 3;
/// After someone came or went, one peer is asked whom it knows after so long; then ever less often,
pub(super) const NEIGHBOURS_SOON: Duration = Duration::from_secs(10);
/// until so often.
const NEIGHBOURS_LATER: Duration = Duration::from_secs(640);

/// Those who were connected when a search began and have not answered yet.
pub(super) struct Unheard {
    peers: BTreeSet<PeerId>,
    until: Time,
    tell: oneshot::Sender<()>,
}

impl Node {
    pub(super) fn begin_find(
        &mut self,
        mut digests: Vec<Digest>,
        role: Role,
        to: mpsc::Sender<Candidate>,
        asked: oneshot::Sender<()>,
    ) {
        digests.truncate(MAX_DIGESTS);
        if digests.is_empty() || self.wishes.running() >= self.limits.finds {
            self.shared.counters.count(&self.shared.counters.refused_finds);
            return;
        }
        let (id, met) = self.wishes.begin(digests, role);
        self.finds.insert(id, to.clone());
        self.published.insert(id, Published::default());
        self.abandoned.push(Box::pin(async move {
            to.closed().await;
            id
        }));
        for (peer, role) in met {
            self.tell(id, peer, role);
        }
        let mut peers = BTreeSet::new();
        for (peer, link) in self.links.iter_mut().filter(|(_, link)| link.proven) {
            link.unasked.insert(id);
            peers.insert(*peer);
        }
        let until = self.now() + ANSWER_TIME;
        self.unheard.insert(id, Unheard { peers, until, tell: asked });
        self.end_unheard(self.now());
    }

    /// A peer has nothing more to say to what it was asked.
    fn has_answered(&mut self, peer: &PeerId, wishes: impl IntoIterator<Item = WishId>) {
        for wish in wishes {
            if let Some(unheard) = self.unheard.get_mut(&wish) {
                unheard.peers.remove(peer);
            }
        }
        self.end_unheard(self.now());
    }

    /// Nothing more is to be heard of a peer.
    pub(super) fn heard_all(&mut self, peer: &PeerId) {
        for unheard in self.unheard.values_mut() {
            unheard.peers.remove(peer);
        }
        self.end_unheard(self.now());
    }

    /// Tells the searches that have heard all, or whose time is over.
    pub(super) fn end_unheard(&mut self, now: Time) {
        let over = self.unheard.extract_if(.., |_, unheard| unheard.peers.is_empty() || unheard.until <= now);
        for (_, unheard) in over {
            // The searcher may have gone.
            let _ = unheard.tell.send(());
        }
    }

    pub(super) fn unheard_due(&self) -> Option<Time> {
        self.unheard.values().map(|unheard| unheard.until).min()
    }

    pub(super) fn end_find(&mut self, id: WishId) {
        self.unheard.remove(&id);
        self.finds.remove(&id);
        self.unpublish(id);
        self.wishes.end(id);
        for link in self.links.values_mut().filter(|link| link.proven) {
            let asking = link.in_flight.as_ref().is_some_and(|(_, items)| {
                items.iter().any(|item| matches!(item, Item::Ask { wish, .. } if *wish == id))
            });
            // Whom nobody told needs not be told that it is over.
            if !link.unasked.remove(&id) || asking {
                link.unended.insert(id);
            }
        }
    }

    /// A peer has shown that it is one of us: it is asked about all that runs, and what it asked before now counts.
    pub(super) fn introduce(&mut self, peer: PeerId) {
        for (id, role) in self.wishes.met_by(&peer) {
            self.tell(id, peer, role);
        }
        if let Some(link) = self.links.get_mut(&peer) {
            link.unasked = self.wishes.all().collect();
        }
    }

    /// Names a candidate to a searcher, once.
    pub(super) fn tell(&mut self, id: WishId, peer: PeerId, role: Role) {
        let Some(link) = self.links.get(&peer).filter(|link| link.proven) else { return };
        let Some(address) = link.listens_at() else { return };
        if !self.wishes.tell(id, peer) {
            return;
        }
        let Some(to) = self.finds.get(&id) else { return };
        let candidate = Candidate { peer, addrs: vec![address], way: self.way(address), role };
        if let Err(mpsc::error::TrySendError::Full(_)) = to.try_send(candidate) {
            self.wishes.untell(id, &peer);
            self.shared.counters.count(&self.shared.counters.lost_candidates);
        }
    }

    /// When someone can next be told something that could not be told yet.
    pub(super) fn asking_due(&self) -> Option<Time> {
        self.links.values().filter(|link| link.has_something_to_say()).map(|link| link.not_before).min()
    }

    /// Says to everyone who is not answering just now what there is to say.
    pub(super) fn send_asks(&mut self, now: Time) {
        for (peer, link) in &mut self.links {
            if !link.has_something_to_say() || link.not_before > now {
                continue;
            }
            let mut items: Vec<_> =
                link.unended.iter().take(MAX_ITEMS / 2).map(|wish| Item::End { wish: *wish }).collect();
            if link.ask_neighbours {
                items.push(Item::Neighbours);
            }
            for wish in &link.unasked {
                if items.len() >= MAX_ITEMS {
                    break;
                }
                if let Some((role, digests)) = self.wishes.get(*wish) {
                    items.push(Item::Ask { wish: *wish, role, digests: digests.to_vec() });
                }
            }
            let (_, fitting) = crate::frame::write_request(&items);
            items.truncate(fitting);
            for item in &items {
                match item {
                    Item::Ask { wish, .. } => link.unasked.remove(wish),
                    Item::End { wish } => link.unended.remove(wish),
                    Item::Neighbours => std::mem::take(&mut link.ask_neighbours),
                };
            }
            if items.is_empty() {
                // Only searches that are over were left.
                link.unasked.clear();
                continue;
            }
            let id = self.swarm.behaviour_mut().find.send_request(peer, Ok(items.clone()));
            link.in_flight = Some((id, items));
        }
    }

    pub(super) fn answered(&mut self, peer: PeerId, id: OutboundRequestId, answers: Vec<Answer>) {
        let now = self.now();
        let Some(link) = self.links.get_mut(&peer) else { return };
        let Some((_, items)) = link.in_flight.take_if(|(in_flight, _)| *in_flight == id) else { return };
        link.unanswered = 0;
        let asked = wishes_of(&items);
        if items.len() != answers.len() {
            self.has_answered(&peer, asked);
            self.malformed(peer);
            return;
        }
        let mut found = Vec::new();
        let mut neighbours = Vec::new();
        let mut wrong = false;
        for (item, answer) in items.into_iter().zip(answers) {
            match (item, answer) {
                (Item::Ask { .. }, Answer::Neither)
                | (Item::End { .. }, _)
                | (Item::Neighbours, Answer::Refused) => {}
                (Item::Ask { wish, .. }, Answer::Is(role)) => found.push((wish, role)),
                (Item::Ask { wish, .. }, Answer::Refused) => {
                    link.unasked.insert(wish);
                    link.not_before = now + ASK_AGAIN;
                }
                (Item::Neighbours, Answer::Neighbours(all)) => neighbours = all,
                _ => wrong = true,
            }
        }
        if wrong {
            self.malformed(peer);
        }
        for (wish, role) in found {
            self.tell(wish, peer, role);
        }
        self.has_answered(&peer, asked);
        self.told_of(neighbours);
    }

    fn told_of(&mut self, neighbours: Vec<(PeerId, std::net::SocketAddr)>) {
        let now = self.now();
        for (peer, address) in neighbours {
            let in_reach = self.swarm.behaviour().gate.in_reach(crate::net::plain(address.ip()));
            if peer == self.me || self.links.contains_key(&peer) {
                continue;
            }
            if in_reach && self.book.learn(now, peer, address, Source::Hearsay) {
                self.publish(&peer);
            } else {
                self.shared.counters.count(&self.shared.counters.refused_addresses);
            }
        }
    }

    pub(super) fn unanswered(&mut self, peer: PeerId, id: OutboundRequestId, error: &OutboundFailure) {
        let now = self.now();
        let Some(link) = self.links.get_mut(&peer) else { return };
        let Some((_, items)) = link.in_flight.take_if(|(in_flight, _)| *in_flight == id) else { return };
        self.shared.counters.count(&self.shared.counters.unanswered);
        for item in items {
            match item {
                Item::Ask { wish, .. } if self.wishes.get(wish).is_some() => {
                    link.unasked.insert(wish);
                }
                Item::End { wish } => {
                    link.unended.insert(wish);
                }
                Item::Ask { .. } | Item::Neighbours => {}
            }
        }
        link.unanswered += 1;
        link.not_before = now + ASK_AGAIN;
        let tries = link.unanswered;
        tracing::debug!(%peer, %error, tries, "a message was not answered");
        match error {
            OutboundFailure::ConnectionClosed | OutboundFailure::DialFailure => {
                // The connection that carried it is gone; another may be there.
                link.unanswered -= 1;
                link.not_before = now;
            }
            OutboundFailure::UnsupportedProtocols => self.stranger(peer),
            OutboundFailure::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                self.malformed(peer)
            }
            _ if tries >= MOST_UNANSWERED => {
                self.offence(peer, Incident::Silent);
                self.disconnect(peer, Incident::Silent.to_string(), false);
            }
            _ => {}
        }
    }

    /// Someone came or went: there may be more news of that kind.
    pub(super) fn neighbours_news(&mut self) {
        self.ask_neighbours_wait = NEIGHBOURS_SOON;
        self.ask_neighbours_at = self.ask_neighbours_at.min(self.now() + NEIGHBOURS_SOON);
    }

    /// Now and then one peer is asked whom it knows; a new one always is.
    pub(super) fn ask_someone_for_neighbours(&mut self, now: Time) {
        self.ask_neighbours_at = now + self.ask_neighbours_wait.mul_f64(0.5 + fastrand::f64());
        self.ask_neighbours_wait = (self.ask_neighbours_wait * 2).min(NEIGHBOURS_LATER);
        let count = self.links.values().filter(|link| link.proven).count();
        if count > 0
            && let Some(link) =
                self.links.values_mut().filter(|link| link.proven).nth(fastrand::usize(..count))
        {
            link.ask_neighbours = true;
        }
    }
}

/// The searches that a message asks about.
fn wishes_of(items: &[Item]) -> Vec<WishId> {
    let wish = |item: &Item| if let Item::Ask { wish, .. } = item { Some(*wish) } else { None };
    items.iter().filter_map(wish).collect()
}
