//! The bootstrap members: kept connected, one connection for each line of the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError};

use super::Node;
use super::connections::why_unreachable;
use crate::bucket::Time;
use crate::config::Bootstrap;
use crate::doorway::multiaddr;
use crate::names;
use crate::view::MemberView;

/// Bootstrap members of one configuration.
const MAX_SEEDS: usize = 64;
/// The first wait after a failure; doubled with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// And the longest: they are few, and a network that comes back should be noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// The longest for one that takes the connection and closes it: it is full, or does not want this machine.
const UNHURRIED_WAIT: Duration = Duration::from_secs(120);
/// When the member is this machine itself.
const ITSELF_WAIT: Duration = Duration::from_secs(30 * 60);

/// Which member, and its addresses or why there are none.
pub(super) type Resolved = (usize, Result<Vec<SocketAddr>, String>);

struct Seed {
    from: Bootstrap,
    addrs: Vec<SocketAddr>,
    next: usize,
    due: Option<Time>,
    failures: u32,
    peer: Option<PeerId>,
    why_not: Option<String>,
}

/// All of them.
pub(super) struct Seeds {
    all: Vec<Seed>,
    dialing: BTreeMap<usize, ConnectionId>,
}

impl Seeds {
    pub(super) fn new(bootstrap: Vec<Bootstrap>) -> Self {
        let all = bootstrap
            .into_iter()
            .take(MAX_SEEDS)
            .map(|from| {
                let addrs = if let Bootstrap::Address(address) = from { vec![address] } else { Vec::new() };
                Seed {
                    from,
                    addrs,
                    next: 0,
                    due: Some(Duration::ZERO),
                    failures: 0,
                    peer: None,
                    why_not: None,
                }
            })
            .collect();
        Self { all, dialing: BTreeMap::new() }
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.all.iter().filter_map(|seed| seed.due).min()
    }

    pub(super) fn connected(&mut self, id: ConnectionId, peer: PeerId) {
        if let Some(seed) = self.take_dialing(id) {
            seed.peer = Some(peer);
            seed.due = None;
        }
    }

    pub(super) fn failed(&mut self, now: Time, id: ConnectionId, error: &DialError) {
        let Some(seed) = self.take_dialing(id) else { return };
        let itself = matches!(error, DialError::LocalPeerId { .. });
        seed.fail(now, itself, why_unreachable(error));
    }

    /// The answer to what the member's name means.
    pub(super) fn resolved(&mut self, now: Time, index: usize, found: Result<Vec<SocketAddr>, String>) {
        let Some(seed) = self.all.get_mut(index) else { return };
        match found {
            Ok(addrs) => {
                seed.addrs = addrs;
                seed.next = 0;
                seed.due = Some(now);
            }
            Err(error) => {
                seed.fail(now, false, error);
            }
        }
    }

    /// The peer has shown that it is one of us.
    pub(super) fn proven(&mut self, peer: &PeerId) {
        for seed in self.all.iter_mut().filter(|seed| seed.peer.as_ref() == Some(peer)) {
            seed.failures = 0;
            seed.why_not = None;
        }
    }

    pub(super) fn lost(&mut self, now: Time, peer: &PeerId, was_proven: bool) {
        for seed in self.all.iter_mut().filter(|seed| seed.peer.as_ref() == Some(peer)) {
            seed.peer = None;
            if was_proven {
                seed.due = Some(now + FIRST_WAIT.mul_f64(0.5 + fastrand::f64()));
            } else {
                let why = "it closed the connection: it is full, or does not want this machine".to_owned();
                seed.fail_within(now, UNHURRIED_WAIT, why);
            }
        }
    }

    pub(super) fn network_changed(&mut self, now: Time) {
        for seed in self.all.iter_mut().filter(|seed| seed.due.is_some()) {
            seed.due = Some(now);
        }
    }

    /// Whether this peer is one of them.
    pub(super) fn holds(&self, peer: &PeerId) -> bool {
        self.all.iter().any(|seed| seed.peer.as_ref() == Some(peer))
    }

    /// As a person may see them.
    pub(super) fn view(&self) -> Vec<MemberView> {
        let view = |seed: &Seed| MemberView {
            place: seed.from.to_string(),
            connected: seed.peer,
            why_not: seed.why_not.clone(),
        };
        self.all.iter().map(view).collect()
    }

    fn take_dialing(&mut self, id: ConnectionId) -> Option<&mut Seed> {
        let index = self.dialing.iter().find(|(_, dialing)| **dialing == id).map(|(index, _)| *index)?;
        self.dialing.remove(&index);
        self.all.get_mut(index)
    }
}

impl Seed {
    fn fail(&mut self, now: Time, itself: bool, why: String) {
        self.next += 1;
        self.fail_within(now, LONGEST_WAIT, why);
        if self.next < self.addrs.len() {
            // Another address of the same member is tried at once.
            self.due = Some(now);
        } else if itself {
            self.due = Some(now + ITSELF_WAIT);
        }
    }

    fn fail_within(&mut self, now: Time, longest: Duration, why: String) {
        if self.why_not.as_ref() != Some(&why) {
            tracing::info!(member = %self.from, %why, "no connection with a bootstrap member; trying again");
        }
        self.why_not = Some(why);
        self.failures = self.failures.saturating_add(1);
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(10)).min(longest);
        self.due = Some(now + wait.mul_f64(0.5 + fastrand::f64()));
    }
}

impl Node {
    /// Makes how things stand with the members visible to the handle.
    pub(super) fn publish_members(&self) {
        let mut members = self.shared.members.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *members = self.seeds.view();
    }

    pub(super) fn dial_seeds(&mut self, now: Time) {
        for index in 0..self.seeds.all.len() {
            let seed = &mut self.seeds.all[index];
            if seed.due.is_none_or(|due| due > now) {
                continue;
            }
            seed.due = None;
            let address = match (seed.addrs.get(seed.next), &seed.from) {
                (Some(address), _) => *address,
                (None, Bootstrap::Address(address)) => {
                    seed.next = 0;
                    *address
                }
                (None, from) => {
                    // What a name means may have changed since the last time.
                    let from = from.clone();
                    self.resolving.push(Box::pin(async move { (index, names::resolve(&from).await) }));
                    continue;
                }
            };
            let dial = DialOpts::unknown_peer_id().address(multiaddr(address)).build();
            let id = dial.connection_id();
            match self.swarm.dial(dial) {
                Ok(()) => {
                    self.dialing.insert(id);
                    self.seeds.dialing.insert(index, id);
                }
                Err(error) => self.seeds.all[index].fail(now, false, why_unreachable(&error)),
            }
        }
    }
}
