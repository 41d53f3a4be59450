//! Who may be answered next: a fixed number of slots, given in turn to the peers that wait, not to their requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_identity::PeerId;
use tokio::sync::oneshot;

/// Slots of one peer at once, as a share of all: so that one who asks and does not take cannot hold them all.
const SHARE_OF_ONE_PEER: usize = 4;
/// But no fewer than this: one request is read while another is sent.
const LEAST_PER_PEER: usize = 2;

/// The slots of this machine. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Slots {
    queue: Arc<Mutex<Queue<PeerId, oneshot::Sender<Slot>>>>,
}

/// The right to send. Given back when dropped.
pub(crate) struct Slot {
    slots: Slots,
    peer: PeerId,
}

/// Too many wait already.
#[derive(Debug)]
pub(crate) struct Full;

impl Slots {
    pub(crate) fn new(slots: usize, waiting: usize) -> Self {
        Self { queue: Arc::new(Mutex::new(Queue::new(slots, waiting))) }
    }

    /// Waits for this peer's turn. Dropping the future gives the place up.
    pub(crate) async fn take(&self, peer: PeerId) -> Result<Slot, Full> {
        let (give, given) = oneshot::channel();
        if !self.lock().push(peer, give) {
            return Err(Full);
        }
        self.give();
        // The sender is not dropped before it has given, but by a queue that is gone.
        given.await.map_err(|_| Full)
    }

    /// Whether anyone waits.
    pub(crate) fn is_contended(&self) -> bool {
        self.lock().waiting > 0
    }

    fn give(&self) {
        loop {
            let Some((peer, waiter)) = self.lock().next() else { return };
            // One that no longer waits drops the slot here, which calls this function again: the lock is not held.
            let _ = waiter.send(Slot { slots: self.clone(), peer });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<PeerId, oneshot::Sender<Slot>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.lock().done(&self.peer);
        self.slots.give();
    }
}

/// The order, without any waiting.
struct Queue<P, W> {
    slots: usize,
    per_peer: usize,
    capacity: usize,
    running: usize,
    waiting: usize,
    peers: BTreeMap<P, Line<W>>,
    /// Peers that wait, each once, in the order of their turns.
    turns: VecDeque<P>,
}

struct Line<W> {
    running: usize,
    waiting: VecDeque<W>,
}

impl<P: Ord + Clone, W> Queue<P, W> {
    fn new(slots: usize, capacity: usize) -> Self {
        let slots = slots.max(1);
        let per_peer = (slots / SHARE_OF_ONE_PEER).max(LEAST_PER_PEER);
        let (peers, turns) = (BTreeMap::new(), VecDeque::new());
        Self { slots, per_peer, capacity, running: 0, waiting: 0, peers, turns }
    }

    /// Whether there was room to wait.
    fn push(&mut self, peer: P, waiter: W) -> bool {
        if self.waiting >= self.capacity {
            return false;
        }
        let line = self.peers.entry(peer.clone()).or_insert(Line { running: 0, waiting: VecDeque::new() });
        if line.waiting.is_empty() {
            self.turns.push_back(peer);
        }
        line.waiting.push_back(waiter);
        self.waiting += 1;
        true
    }

    /// The next to get a slot. Whoever gets one goes to the end of the turns.
    fn next(&mut self) -> Option<(P, W)> {
        if self.running >= self.slots {
            return None;
        }
        for at in 0..self.turns.len() {
            let peer = self.turns[at].clone();
            let Some(line) = self.peers.get_mut(&peer) else { continue };
            if line.running >= self.per_peer {
                continue;
            }
            let waiter = line.waiting.pop_front()?;
            line.running += 1;
            let waits_on = !line.waiting.is_empty();
            self.running += 1;
            self.waiting -= 1;
            self.turns.remove(at);
            if waits_on {
                self.turns.push_back(peer.clone());
            }
            return Some((peer, waiter));
        }
        None
    }

    fn done(&mut self, peer: &P) {
        self.running -= 1;
        if let Some(line) = self.peers.get_mut(peer) {
            line.running -= 1;
            if line.running == 0 && line.waiting.is_empty() {
                self.peers.remove(peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut Queue<char, u32>) -> String {
        std::iter::from_fn(|| queue.next()).map(|(peer, number)| format!("{peer}{number} ")).collect()
    }

    #[test]
    fn peers_take_turns_however_many_requests_each_has() {
        let mut queue = Queue::new(8, 100);
        (0..6).for_each(|number| assert!(queue.push('a', number)));
        assert!(queue.push('b', 0) && queue.push('c', 0));
        assert_eq!(drain(&mut queue), "a0 b0 c0 a1 ", "two slots for one peer at once");
        queue.done(&'a');
        assert!(queue.push('b', 1));
        assert_eq!(drain(&mut queue), "a2 b1 ");
    }

    #[test]
    fn no_more_run_than_there_are_slots_and_a_slot_given_back_goes_to_the_next() {
        let mut queue = Queue::new(2, 100);
        "abcd".chars().for_each(|peer| assert!(queue.push(peer, 0)));
        assert_eq!(drain(&mut queue), "a0 b0 ");
        assert!(queue.push('a', 1));
        queue.done(&'a');
        assert_eq!(drain(&mut queue), "c0 ");
        queue.done(&'b');
        queue.done(&'c');
        assert_eq!(drain(&mut queue), "d0 a1 ");
        queue.done(&'d');
        queue.done(&'a');
        assert!(queue.peers.is_empty() && queue.turns.is_empty() && queue.waiting == 0);
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
        let first = slots.take(one).await.unwrap();
        let mut gone = Box::pin(slots.take(two));
        assert!(futures_util::poll!(&mut gone).is_pending());
        let mut last = Box::pin(slots.take(three));
        assert!(futures_util::poll!(&mut last).is_pending());
        assert!(slots.is_contended());
        drop(gone);
        drop(first);
        drop(last.await.unwrap());
        drop(slots.take(one).await.unwrap());
    }
}
