//! What others ask of this machine.

use libp2p::PeerId;

use super::Node;
use crate::config::{Incident, Role};
use crate::frame::{Answer, Item, MAX_NEIGHBOURS};

impl Node {
    pub(super) fn answer(&mut self, peer: PeerId, items: Vec<Item>) -> Vec<Answer> {
        let now = self.now();
        let counters = std::sync::Arc::clone(&self.shared.counters);
        counters.add(&counters.asked, items.len());
        // A message without items costs something too.
        let cost = u32::try_from(items.len().max(1)).unwrap_or(u32::MAX);
        let Some(link) = self.links.get_mut(&peer) else { return vec![Answer::Refused; items.len()] };
        if !link.pace.take(now, self.limits.asks_per_peer, cost) {
            counters.add(&counters.refused_asks, items.len().max(1));
            // Ends are heeded even so: they only take away.
            for item in &items {
                if let Item::End { wish } = item {
                    self.wishes.end_of(&peer, *wish);
                }
            }
            let answers = vec![Answer::Refused; items.len()];
            self.offence(peer, Incident::Flood);
            return answers;
        }
        items.into_iter().map(|item| self.answer_one(peer, item)).collect()
    }

    fn answer_one(&mut self, peer: PeerId, item: Item) -> Answer {
        match item {
            Item::End { wish } => {
                self.wishes.end_of(&peer, wish);
                Answer::Understood
            }
            Item::Neighbours => Answer::Neighbours(self.neighbours_for(peer)),
            Item::Ask { wish, role, digests } => {
                let ours = self.directory.role(&digests).or_else(|| self.wishes.role(&digests));
                match self.wishes.ask(peer, wish, role, digests, self.limits.wishes_per_peer) {
                    Ok(met) => {
                        for id in met {
                            self.tell(id, peer, role);
                        }
                        ours.map_or(Answer::Neither, Answer::Is)
                    }
                    Err(_) => {
                        self.shared.counters.count(&self.shared.counters.refused_asks);
                        // What it asks is answered all the same when the answer is worth something to it.
                        ours.filter(|role| *role == Role::Has).map_or(Answer::Refused, Answer::Is)
                    }
                }
            }
        }
    }

    /// Some of those connected, picked at random so that nobody is named to all.
    fn neighbours_for(&self, peer: PeerId) -> Vec<(PeerId, std::net::SocketAddr)> {
        let mut all: Vec<_> = self
            .links
            .iter()
            .filter(|(other, link)| **other != peer && link.proven)
            .filter_map(|(other, link)| Some((*other, link.listens_at()?)))
            .collect();
        fastrand::shuffle(&mut all);
        all.truncate(MAX_NEIGHBOURS);
        all
    }

    pub(super) fn malformed(&mut self, peer: PeerId) {
        self.shared.counters.count(&self.shared.counters.malformed);
        self.offence(peer, Incident::Malformed);
    }
}
