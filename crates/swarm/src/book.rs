//! Who is known, and when to try whom. Pure: given the time and what happened, it says who is dialled next.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use libp2p::PeerId;

use crate::bucket::Time;

/// Addresses kept of one peer; the last one learnt comes first.
const MAX_ADDRESSES: usize = 4;
/// The first wait after a failure; doubled with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait, by how often it failed: a machine that was there a few minutes ago is missed more than one that has
/// been away for an hour, and two hundred that are switched off for the night should cost next to nothing.
const LONGEST_WAIT: [(u32, Duration); 3] =
    [(20, Duration::from_secs(15)), (80, Duration::from_secs(60)), (u32::MAX, Duration::from_secs(300))];
/// The wait for one that is not welcome.
const UNWELCOME_WAIT: Duration = Duration::from_secs(60);
/// The first wait for one that turned out to be another program or another group; doubled with each time.
const STRANGER_WAIT: Duration = Duration::from_secs(10 * 60);
/// And the longest.
const STRANGER_LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
/// Of two peers that learn of each other at the same time, one waits so long for the other to come.
const POLITE_WAIT: Duration = Duration::from_millis(1500);
/// Someone who never was one of us is forgotten after so many failures.
const HEARSAY_TRIES: u32 = 3;
/// A peer that others say is there is not tried again sooner than this.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How an address became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The peer itself said so: on the LAN, or over a connection.
    Itself,
    /// Another peer said so.
    Hearsay,
    /// It was good before the restart.
    Memory,
}

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Idle,
    Dialing,
    /// Connected, and not yet shown to be one of us.
    Unproven,
    Connected,
}

/// One peer.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) addrs: Vec<SocketAddr>,
    pub(crate) stage: Stage,
    /// It was connected as one of us at some time.
    pub(crate) proven: bool,
    pub(crate) failures: u32,
    /// It turned out to be another program, or of another group.
    pub(crate) stranger: bool,
    /// It is not welcome, or no longer.
    pub(crate) refused: bool,
    pub(crate) why_not: Option<String>,
    due: Option<Time>,
    tried: Time,
}

/// All of them.
pub(crate) struct Book {
    me: PeerId,
    limit: usize,
    known: BTreeMap<PeerId, Known>,
    due: BTreeSet<(Time, PeerId)>,
    random: fastrand::Rng,
    forgotten: Vec<PeerId>,
}

impl Book {
    pub(crate) fn new(me: PeerId, limit: usize, seed: u64) -> Self {
        Self {
            me,
            limit,
            known: BTreeMap::new(),
            due: BTreeSet::new(),
            random: fastrand::Rng::with_seed(seed),
            forgotten: Vec::new(),
        }
    }

    pub(crate) fn get(&self, peer: &PeerId) -> Option<&Known> {
        self.known.get(peer)
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// An address of a peer. `false` when it is not kept.
    pub(crate) fn learn(&mut self, now: Time, peer: PeerId, addr: SocketAddr, source: Source) -> bool {
        if peer == self.me
            || addr.port() == 0
            || addr.ip().is_unspecified()
            || !(self.known.contains_key(&peer) || self.has_room())
        {
            return false;
        }
        let polite = if peer < self.me { POLITE_WAIT } else { Duration::ZERO };
        let is_new = !self.known.contains_key(&peer);
        let known = self.known.entry(peer).or_insert_with(|| Known {
            addrs: Vec::new(),
            stage: Stage::Idle,
            proven: false,
            failures: 0,
            stranger: false,
            refused: false,
            why_not: None,
            due: None,
            tried: now,
        });
        let is_known = known.addrs.first() == Some(&addr);
        match source {
            // What the peer itself says counts more than what is said of it.
            Source::Itself => {
                known.addrs.retain(|old| *old != addr);
                known.addrs.insert(0, addr);
            }
            Source::Hearsay | Source::Memory if !known.addrs.contains(&addr) => known.addrs.push(addr),
            Source::Hearsay | Source::Memory => {}
        }
        known.addrs.truncate(MAX_ADDRESSES);
        if known.stage != Stage::Idle {
            return true;
        }
        let soon = now + polite;
        let again = match source {
            _ if is_new => true,
            _ if known.stranger => false,
            // It has just come back, or moved.
            Source::Itself => {
                !is_known || known.due.is_none() || known.failures > 0 && now >= known.tried + RETRY_AFTER
            }
            Source::Hearsay | Source::Memory => known.proven && now >= known.tried + RETRY_AFTER,
        };
        if again && known.due.is_none_or(|due| due > soon) {
            self.set_due(peer, Some(soon));
        }
        true
    }

    /// The peer said that it leaves: it is not tried until it is heard of again.
    pub(crate) fn gone(&mut self, peer: &PeerId) {
        let Some(known) = self.known.get(peer) else { return };
        if known.stage != Stage::Idle {
            return;
        }
        if known.proven {
            self.set_due(*peer, None);
        } else {
            self.forget(peer);
        }
    }

    /// When someone is to be dialled next.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Who is to be dialled now, and where. It counts as being dialled from here on.
    pub(crate) fn dial_next(&mut self, now: Time) -> Option<(PeerId, Vec<SocketAddr>)> {
        let (due, peer) = *self.due.first()?;
        if due > now {
            return None;
        }
        self.set_due(peer, None);
        let known = self.known.get_mut(&peer)?;
        known.stage = Stage::Dialing;
        known.tried = now;
        Some((peer, known.addrs.clone()))
    }

    /// A connection with it is there. It has yet to show that it is one of us.
    pub(crate) fn connected(&mut self, now: Time, peer: PeerId) {
        if !self.known.contains_key(&peer) {
            // Connections are limited elsewhere, so it is let in even when nobody can be forgotten for it.
            self.has_room();
            let known = Known {
                addrs: Vec::new(),
                stage: Stage::Idle,
                proven: false,
                failures: 0,
                stranger: false,
                refused: false,
                why_not: None,
                due: None,
                tried: now,
            };
            self.known.insert(peer, known);
        }
        self.set_due(peer, None);
        if let Some(known) = self.known.get_mut(&peer)
            && known.stage != Stage::Connected
        {
            known.stage = Stage::Unproven;
        }
    }

    /// It is one of us.
    pub(crate) fn proven(&mut self, peer: &PeerId) {
        if let Some(known) = self.known.get_mut(peer) {
            known.stage = Stage::Connected;
            known.proven = true;
            known.stranger = false;
            known.refused = false;
            known.failures = 0;
            known.why_not = None;
        }
    }

    /// The connection is gone, for no fault of the peer's.
    pub(crate) fn closed(&mut self, now: Time, peer: &PeerId) {
        let wait = self.jitter(FIRST_WAIT);
        let Some(known) = self.known.get_mut(peer) else { return };
        if matches!(known.stage, Stage::Idle | Stage::Dialing) {
            return;
        }
        let was_proven = known.proven;
        known.stage = Stage::Idle;
        if was_proven && known.why_not.is_none() {
            self.set_due(*peer, Some(now + wait));
        } else if !was_proven && !known.refused && known.addrs.is_empty() {
            self.forget(peer);
        }
    }

    /// The connection ended before the peer had shown that it is one of us.
    pub(crate) fn failed_unproven(&mut self, now: Time, peer: &PeerId) {
        let Some(known) = self.known.get_mut(peer) else { return };
        if known.stage == Stage::Unproven && !known.refused {
            known.stage = Stage::Dialing;
            self.failed(now, peer, "it closed the connection before saying what it is".to_owned());
        }
    }

    /// It could not be reached.
    pub(crate) fn failed(&mut self, now: Time, peer: &PeerId, why: String) {
        let Some(known) = self.known.get_mut(peer) else { return };
        if matches!(known.stage, Stage::Unproven | Stage::Connected) {
            return;
        }
        known.stage = Stage::Idle;
        known.failures = known.failures.saturating_add(1);
        known.why_not = Some(why);
        if !known.proven && known.failures >= HEARSAY_TRIES {
            self.forget(peer);
            return;
        }
        let longest = LONGEST_WAIT.iter().find(|(failures, _)| known.failures <= *failures);
        let wait = doubled(FIRST_WAIT, known.failures, longest.map_or(UNWELCOME_WAIT, |(_, wait)| *wait));
        let wait = self.jitter(wait);
        self.set_due(*peer, Some(now + wait));
    }

    /// It is not one of us, or not welcome: it is left alone for long.
    pub(crate) fn refused(&mut self, now: Time, peer: &PeerId, why: String, stranger: bool) {
        let Some(known) = self.known.get_mut(peer) else { return };
        known.failures = known.failures.saturating_add(1);
        known.stranger = stranger;
        known.refused = true;
        known.why_not = Some(why);
        if known.stage == Stage::Dialing {
            known.stage = Stage::Idle;
        }
        let wait =
            if stranger { doubled(STRANGER_WAIT, known.failures, STRANGER_LONGEST) } else { UNWELCOME_WAIT };
        let wait = self.jitter(wait);
        self.set_due(*peer, Some(now + wait));
    }

    /// The network has changed: everyone is worth a try now.
    pub(crate) fn network_changed(&mut self, now: Time) {
        let again: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| known.stage == Stage::Idle && !known.stranger && !known.addrs.is_empty())
            .map(|(peer, _)| *peer)
            .collect();
        for peer in again {
            let wait = self.jitter(FIRST_WAIT);
            self.set_due(peer, Some(now + wait));
        }
    }

    /// Peers that were good, with the address that was, at most `most` of them.
    pub(crate) fn worth_remembering(&self, most: usize) -> Vec<(PeerId, SocketAddr)> {
        let good = self.known.iter().filter(|(_, known)| known.proven && known.failures == 0);
        good.filter_map(|(peer, known)| Some((*peer, *known.addrs.first()?))).take(most).collect()
    }

    /// Those no longer known since the last time.
    pub(crate) fn take_forgotten(&mut self) -> Vec<PeerId> {
        std::mem::take(&mut self.forgotten)
    }

    fn has_room(&mut self) -> bool {
        if self.known.len() < self.limit {
            return true;
        }
        let expendable = |known: &Known| known.stage == Stage::Idle && (!known.proven || known.failures > 0);
        let worst = self
            .known
            .iter()
            .filter(|(_, known)| expendable(known) && known.failures > 0)
            .max_by_key(|(_, known)| (!known.proven, known.failures))
            .map(|(peer, _)| *peer);
        worst.is_some_and(|peer| {
            self.forget(&peer);
            true
        })
    }

    fn forget(&mut self, peer: &PeerId) {
        self.set_due(*peer, None);
        if self.known.remove(peer).is_some() {
            self.forgotten.push(*peer);
        }
    }

    fn set_due(&mut self, peer: PeerId, due: Option<Time>) {
        let Some(known) = self.known.get_mut(&peer) else { return };
        let due = due.filter(|_| {
            !known.addrs.is_empty() && !matches!(known.stage, Stage::Unproven | Stage::Connected)
        });
        if let Some(old) = known.due.take() {
            self.due.remove(&(old, peer));
        }
        known.due = due;
        if let Some(due) = due {
            self.due.insert((due, peer));
        }
    }

    fn jitter(&mut self, wait: Duration) -> Duration {
        wait.mul_f64(0.5 + self.random.f64())
    }
}

fn doubled(first: Duration, failures: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn addr(last: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], 1000 + last))
    }

    fn book(limit: usize) -> Book {
        Book::new(PeerId::random(), limit, 7)
    }

    /// Dials whatever is due until `until`, every dial failing; says when each was.
    fn dials(book: &mut Book, mut now: Time, until: Time) -> Vec<Time> {
        let mut all = Vec::new();
        while let Some(due) = book.next_due().filter(|due| *due <= until) {
            now = now.max(due);
            let (peer, _) = book.dial_next(now).unwrap();
            all.push(now);
            book.failed(now, &peer, "no answer".to_owned());
        }
        all
    }

    #[test]
    fn someone_new_is_dialled_and_forgotten_after_three_failures() {
        let mut book = book(10);
        assert!(book.learn(SECOND, PeerId::random(), addr(1), Source::Hearsay));
        assert_eq!(dials(&mut book, SECOND, 1000 * SECOND).len(), 3);
        assert_eq!((book.len(), book.take_forgotten().len()), (0, 1));
    }

    #[test]
    fn one_of_us_is_tried_ever_less_often_but_never_given_up() {
        let mut book = book(10);
        let peer = PeerId::random();
        book.learn(Duration::ZERO, peer, addr(1), Source::Itself);
        let start = book.next_due().unwrap();
        book.dial_next(start).unwrap();
        book.connected(start, peer);
        book.proven(&peer);
        assert_eq!(book.next_due(), None);
        book.closed(start, &peer);
        let minutes = |from: u32, to: u32| (from * 60 * SECOND, to * 60 * SECOND);
        let all = dials(&mut book, start, 24 * 60 * 60 * SECOND);
        let within = |(from, to): (Time, Time)| all.iter().filter(|at| (from..to).contains(*at)).count();
        assert!((5..=30).contains(&within(minutes(0, 2))), "{}", within(minutes(0, 2)));
        assert!(
            (4..=40).contains(&within(minutes(20 * 60, 21 * 60))),
            "{}",
            within(minutes(20 * 60, 21 * 60))
        );
    }

    #[test]
    fn one_that_speaks_up_again_is_dialled_at_once() {
        let mut book = book(10);
        let peer = PeerId::random();
        book.learn(Duration::ZERO, peer, addr(1), Source::Itself);
        book.connected(Duration::ZERO, peer);
        book.proven(&peer);
        book.closed(Duration::ZERO, &peer);
        let now = 60 * 60 * SECOND;
        dials(&mut book, Duration::ZERO, now);
        let now = now + 10 * SECOND;
        assert!(book.next_due().unwrap() > now);
        book.learn(now, peer, addr(1), Source::Itself);
        assert!(book.next_due().unwrap() <= now + POLITE_WAIT);
    }

    #[test]
    fn a_stranger_is_left_alone_however_often_it_is_named() {
        let mut book = book(10);
        let peer = PeerId::random();
        book.learn(Duration::ZERO, peer, addr(1), Source::Itself);
        let (now, _) = (POLITE_WAIT, book.dial_next(POLITE_WAIT).unwrap());
        book.connected(now, peer);
        book.refused(now, &peer, "another program".to_owned(), true);
        book.closed(now, &peer);
        for second in 2..240 {
            book.learn(second * SECOND, peer, addr(1), Source::Itself);
            assert!(book.dial_next(second * SECOND).is_none());
        }
    }

    #[test]
    fn the_book_is_full_at_its_limit_and_whoever_failed_makes_room() {
        let mut book = book(3);
        for n in 0..3 {
            assert!(book.learn(Duration::ZERO, PeerId::random(), addr(n), Source::Hearsay));
        }
        assert!(!book.learn(Duration::ZERO, PeerId::random(), addr(4), Source::Hearsay));
        let (peer, _) = book.dial_next(POLITE_WAIT).unwrap();
        book.failed(POLITE_WAIT, &peer, "no answer".to_owned());
        assert!(book.learn(POLITE_WAIT, PeerId::random(), addr(4), Source::Hearsay));
        assert_eq!((book.len(), book.take_forgotten()), (3, vec![peer]));
    }

    #[test]
    fn of_each_peer_a_few_addresses_are_kept_the_last_first() {
        let mut book = book(3);
        let peer = PeerId::random();
        for n in 0..100 {
            book.learn(Duration::ZERO, peer, addr(n), Source::Itself);
        }
        assert_eq!(book.get(&peer).unwrap().addrs, [addr(99), addr(98), addr(97), addr(96)]);
    }

    #[test]
    fn one_that_said_goodbye_is_not_dialled_until_it_is_heard_of() {
        let mut book = book(3);
        let peer = PeerId::random();
        book.learn(Duration::ZERO, peer, addr(1), Source::Itself);
        book.connected(Duration::ZERO, peer);
        book.proven(&peer);
        book.closed(Duration::ZERO, &peer);
        book.gone(&peer);
        assert_eq!(book.next_due(), None);
        book.learn(60 * SECOND, peer, addr(1), Source::Itself);
        assert!(book.next_due().is_some());
    }
}
