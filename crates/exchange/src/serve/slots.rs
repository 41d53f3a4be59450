//! Who may be answered next. A fixed number of slots goes in turn to the peers that wait, not to their requests.
//!
//! A request is *admitted* once, and then works in a slot. While its receiver takes nothing it rests: it gives the slot back and stays
//! admitted, so that receivers who are busy with something else (their own earlier request, say) never hold up those who are not. Requests of
//! one peer are admitted in their order, and only some at once, of one peer and in all: that bounds the memory of those who ask and take
//! nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use dray_identity::PeerId;
use tokio::sync::oneshot;

use crate::connection::lock;

/// Admitted requests in all, for each slot.
const ADMITTED_PER_SLOT: usize = 8;
/// Admitted requests of one peer, as a share of the slots.
const SHARE_OF_ONE_PEER: usize = 2;
/// But no fewer than this: one request is read while another is sent.
const LEAST_PER_PEER: usize = 2;

type Waiter = oneshot::Sender<()>;

/// The slots of this machine. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Slots {
    queue: Arc<Mutex<Queue<PeerId, Waiter>>>,
}

/// An admitted request.
pub(crate) struct Place {
    slots: Slots,
    peer: PeerId,
    works: bool,
}

/// Too many wait already.
#[derive(Debug)]
pub(crate) struct Full;

impl Slots {
    pub(crate) fn new(slots: usize, waiting: usize) -> Self {
        Self { queue: Arc::new(Mutex::new(Queue::new(slots, waiting))) }
    }

    /// Waits for this peer's turn. Dropping the future gives the place up.
    pub(crate) async fn take(&self, peer: PeerId) -> Result<Place, Full> {
        let (waiter, given) = oneshot::channel();
        if !self.lock().push(peer, waiter) {
            return Err(Full);
        }
        let mut claim = Claim { slots: self, peer, given, is_new: true, is_done: false };
        self.give();
        claim.wait().await;
        Ok(Place { slots: self.clone(), peer, works: true })
    }

    /// Hands out what is free. A waiter that has gone meanwhile gives back what it got.
    fn give(&self) {
        loop {
            let next = self.lock().next();
            let Some((peer, waiter, is_new)) = next else { return };
            if waiter.send(()).is_err() {
                self.lock().give_back(&peer, true, is_new);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<PeerId, Waiter>> {
        lock(&self.queue)
    }
}

/// Someone who waits for a slot. One who goes when it has just been given gives it back.
struct Claim<'a> {
    slots: &'a Slots,
    peer: PeerId,
    given: oneshot::Receiver<()>,
    is_new: bool,
    is_done: bool,
}

impl Claim<'_> {
    async fn wait(&mut self) {
        // The waiter is kept by the queue until it is given a slot.
        let _ = (&mut self.given).await;
        self.is_done = true;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.given.close();
        if !self.is_done && self.given.try_recv().is_ok() {
            self.slots.lock().give_back(&self.peer, true, self.is_new);
            self.slots.give();
        }
    }
}

impl Place {
    /// Gives the slot to others while there is nothing to do.
    pub(crate) fn rest(&mut self) {
        if std::mem::take(&mut self.works) {
            self.slots.lock().give_back(&self.peer, true, false);
            self.slots.give();
        }
    }

    /// Waits for a slot again after a rest.
    pub(crate) async fn resume(&mut self) {
        if self.works {
            return;
        }
        let (waiter, given) = oneshot::channel();
        self.slots.lock().resume(self.peer, waiter);
        let mut claim = Claim { slots: &self.slots, peer: self.peer, given, is_new: false, is_done: false };
        self.slots.give();
        claim.wait().await;
        drop(claim);
        self.works = true;
    }

    /// Lets other peers have their turn, if any waits.
    pub(crate) async fn take_turns(&mut self) {
        let others_wait = self.slots.lock().others_wait(&self.peer);
        if others_wait {
            self.rest();
            self.resume().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.slots.lock().give_back(&self.peer, self.works, true);
        self.slots.give();
    }
}

/// The order, without any waiting.
struct Queue<P, W> {
    slots: usize,
    per_peer: usize,
    capacity: usize,
    working: usize,
    admitted: usize,
    waiting: usize,
    peers: BTreeMap<P, Line<W>>,
    /// Peers that wait for anything, each once, in the order of their turns.
    turns: VecDeque<P>,
}

struct Line<W> {
    admitted: usize,
    /// Admitted, and in want of a slot again.
    resuming: VecDeque<W>,
    waiting: VecDeque<W>,
}

impl<W> Line<W> {
    fn wants(&self) -> bool {
        !self.resuming.is_empty() || !self.waiting.is_empty()
    }
}

impl<P: Ord + Clone, W> Queue<P, W> {
    fn new(slots: usize, capacity: usize) -> Self {
        let slots = slots.max(1);
        Self {
            slots,
            per_peer: (slots / SHARE_OF_ONE_PEER).max(LEAST_PER_PEER),
            capacity,
            working: 0,
            admitted: 0,
            waiting: 0,
            peers: BTreeMap::new(),
            turns: VecDeque::new(),
        }
    }

    /// A new request; whether there was room to wait.
    fn push(&mut self, peer: P, waiter: W) -> bool {
        if self.waiting >= self.capacity {
            return false;
        }
        self.line(peer).waiting.push_back(waiter);
        self.waiting += 1;
        true
    }

    /// An admitted request wants a slot again.
    fn resume(&mut self, peer: P, waiter: W) {
        self.line(peer).resuming.push_back(waiter);
    }

    /// A peer's line, of which something is about to be wanted.
    fn line(&mut self, peer: P) -> &mut Line<W> {
        let empty = Line { admitted: 0, resuming: VecDeque::new(), waiting: VecDeque::new() };
        let line = self.peers.entry(peer.clone()).or_insert(empty);
        if !line.wants() {
            self.turns.push_back(peer);
        }
        line
    }

    /// The next to get a slot, and whether it is admitted with it. Its peer goes to the end of the turns.
    fn next(&mut self) -> Option<(P, W, bool)> {
        if self.working >= self.slots {
            return None;
        }
        for at in 0..self.turns.len() {
            let peer = self.turns[at].clone();
            let Some(line) = self.peers.get_mut(&peer) else { continue };
            let may_admit = line.admitted < self.per_peer && self.admitted < self.slots * ADMITTED_PER_SLOT;
            let (waiter, is_new) = match line.resuming.pop_front() {
                Some(waiter) => (waiter, false),
                None if may_admit => match line.waiting.pop_front() {
                    Some(waiter) => (waiter, true),
                    None => continue,
                },
                None => continue,
            };
            if is_new {
                line.admitted += 1;
                self.admitted += 1;
                self.waiting -= 1;
            }
            let wants_more = line.wants();
            self.working += 1;
            self.turns.remove(at);
            if wants_more {
                self.turns.push_back(peer.clone());
            }
            return Some((peer, waiter, is_new));
        }
        None
    }

    fn give_back(&mut self, peer: &P, slot: bool, admission: bool) {
        self.working -= usize::from(slot);
        self.admitted -= usize::from(admission);
        if let Some(line) = self.peers.get_mut(peer) {
            line.admitted -= usize::from(admission);
            if line.admitted == 0 && !line.wants() {
                self.peers.remove(peer);
            }
        }
    }

    fn others_wait(&self, peer: &P) -> bool {
        self.turns.iter().any(|waiting| waiting != peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut Queue<char, u32>) -> String {
        std::iter::from_fn(|| queue.next()).map(|(peer, number, _)| format!("{peer}{number} ")).collect()
    }

    #[test]
    fn peers_take_turns_however_many_requests_each_has() {
        let mut queue = Queue::new(4, 100);
        (0..6).for_each(|number| assert!(queue.push('a', number)));
        assert!(queue.push('b', 0) && queue.push('c', 0));
        assert_eq!(drain(&mut queue), "a0 b0 c0 a1 ", "two of one peer at once");
        queue.give_back(&'a', true, true);
        assert!(queue.push('b', 1));
        assert_eq!(drain(&mut queue), "a2 ");
        queue.give_back(&'a', true, true);
        assert_eq!(drain(&mut queue), "b1 ", "a had its turn");
    }

    #[test]
    fn who_rests_frees_the_slot_for_others_and_comes_before_new_requests_of_its_own() {
        let mut queue = Queue::new(2, 100);
        (0..4).for_each(|number| assert!(queue.push('a', number)));
        assert_eq!(drain(&mut queue), "a0 a1 ");
        assert!(!queue.others_wait(&'a'));
        // Both rest: nobody else of this peer is admitted, but others are.
        queue.give_back(&'a', true, false);
        queue.give_back(&'a', true, false);
        assert_eq!(drain(&mut queue), "");
        assert!(queue.push('b', 0) && queue.others_wait(&'a'));
        assert_eq!(drain(&mut queue), "b0 ");
        queue.resume('a', 0);
        assert_eq!(drain(&mut queue), "a0 ");
        queue.give_back(&'a', true, true);
        assert_eq!(drain(&mut queue), "a2 ");
    }

    #[test]
    fn those_who_rest_are_bounded_too_and_nothing_is_left_when_all_are_done() {
        let mut queue = Queue::new(2, 1000);
        let peers: Vec<char> = ('a'..='z').collect();
        for peer in &peers {
            assert!(queue.push(*peer, 0) && queue.push(*peer, 1));
        }
        let mut admitted = Vec::new();
        while let Some((peer, _, is_new)) = queue.next() {
            assert!(is_new);
            queue.give_back(&peer, true, false);
            admitted.push(peer);
        }
        assert_eq!(admitted.len(), 2 * ADMITTED_PER_SLOT);
        let mut done = 0;
        while let Some(peer) = admitted.pop() {
            queue.give_back(&peer, false, true);
            done += 1;
            while let Some((peer, _, _)) = queue.next() {
                queue.give_back(&peer, true, false);
                admitted.push(peer);
            }
        }
        assert_eq!(done, 2 * peers.len());
        assert!(queue.peers.is_empty() && queue.turns.is_empty());
        assert_eq!((queue.waiting, queue.working, queue.admitted), (0, 0, 0));
    }

    #[test]
    fn only_so_many_may_wait() {
        let mut queue = Queue::new(1, 2);
        assert!(queue.push('a', 0) && queue.push('b', 0));
        assert!(!queue.push('c', 0));
        assert_eq!(drain(&mut queue), "a0 ");
        assert!(queue.push('c', 1));
    }

    #[tokio::test]
    async fn a_waiter_that_gives_up_does_not_keep_the_slot() {
        let slots = Slots::new(1, 10);
        let (one, two, three) = (PeerId::random(), PeerId::random(), PeerId::random());
        let mut first = slots.take(one).await.unwrap();
        let mut gone = Box::pin(slots.take(two));
        assert!(futures_util::poll!(&mut gone).is_pending());
        let mut last = Box::pin(slots.take(three));
        assert!(futures_util::poll!(&mut last).is_pending());
        drop(gone);
        // Given, and not looked at when it goes.
        let mut late = Box::pin(slots.take(two));
        assert!(futures_util::poll!(&mut late).is_pending());
        first.rest();
        drop(last.await.unwrap());
        drop(late);
        first.resume().await;
        drop(first);
        drop(slots.take(one).await.unwrap());
        assert!(slots.lock().peers.is_empty() && slots.lock().working == 0);
    }
}
