//! The events that wait for one subscriber: a bounded queue that never makes the sender wait.
//!
//! A reader that falls behind loses progress first. One that falls further behind loses everything that waits, and
//! is told so: it begins again with how things are now, so what it missed it does not need.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Events that wait for a subscriber.
const MAX_WAITING: usize = 256;
/// Above this many, events that only show progress are dropped.
const MAX_WAITING_FOR_PROGRESS: usize = 64;

/// Whether an event may be lost under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The next one of its kind says all that this one says.
    Droppable,
    /// Kept, or replaced by the present.
    Kept,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Queued,
    Dropped,
    /// The reader fell too far behind: this event and all that waited are gone, and it is to begin again.
    Overflowed,
}

/// What a reader finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next<T> {
    Event(T),
    /// Events were lost: ask for how things are.
    BeginAgain,
    Closed,
}

/// One subscriber's queue.
pub(crate) struct Mailbox<T> {
    inbox: Mutex<Inbox<T>>,
    arrived: Notify,
}

struct Inbox<T> {
    events: VecDeque<T>,
    overflowed: bool,
    closed: bool,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Self {
        let inbox = Inbox { events: VecDeque::new(), overflowed: false, closed: false };
        Mailbox { inbox: Mutex::new(inbox), arrived: Notify::new() }
    }

    /// Puts an event in, without waiting.
    pub(crate) fn put(&self, event: T, weight: Weight) -> Fate {
        let mut inbox = self.lock();
        if inbox.overflowed || inbox.closed {
            return Fate::Dropped;
        }
        let room = match weight {
            Weight::Droppable => MAX_WAITING_FOR_PROGRESS,
            Weight::Kept => MAX_WAITING,
        };
        if inbox.events.len() < room {
            inbox.events.push_back(event);
            drop(inbox);
            self.arrived.notify_one();
            return Fate::Queued;
        }
        if weight == Weight::Droppable {
            return Fate::Dropped;
        }
        inbox.events = VecDeque::new();
        inbox.overflowed = true;
        drop(inbox);
        self.arrived.notify_one();
        Fate::Overflowed
    }

    /// Events were lost before they got here.
    pub(crate) fn overflow(&self) {
        let mut inbox = self.lock();
        inbox.events = VecDeque::new();
        inbox.overflowed = true;
        drop(inbox);
        self.arrived.notify_one();
    }

    /// The daemon stops.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// The next event, in order. One reader at a time.
    pub(crate) async fn next(&self) -> Next<T> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut inbox = self.lock();
                if std::mem::take(&mut inbox.overflowed) {
                    return Next::BeginAgain;
                }
                if let Some(event) = inbox.events.pop_front() {
                    return Next::Event(event);
                }
                if inbox.closed {
                    return Next::Closed;
                }
            }
            arrived.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbox<T>> {
        // Every statement under this lock leaves the queue whole.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_come_in_order_and_waiting_readers_wake() {
        let mailbox = std::sync::Arc::new(Mailbox::new());
        let reader = tokio::spawn({
            let mailbox = mailbox.clone();
            async move { (mailbox.next().await, mailbox.next().await, mailbox.next().await) }
        });
        tokio::task::yield_now().await;
        mailbox.put(1, Weight::Kept);
        mailbox.put(2, Weight::Droppable);
        mailbox.close();
        assert_eq!(reader.await.unwrap(), (Next::Event(1), Next::Event(2), Next::Closed));
    }

    #[tokio::test]
    async fn a_slow_reader_loses_progress_before_anything_else() {
        let mailbox = Mailbox::new();
        for number in 0..MAX_WAITING_FOR_PROGRESS {
            assert_eq!(mailbox.put(number, Weight::Droppable), Fate::Queued);
        }
        assert_eq!(mailbox.put(0, Weight::Droppable), Fate::Dropped);
        for number in MAX_WAITING_FOR_PROGRESS..MAX_WAITING {
            assert_eq!(mailbox.put(number, Weight::Kept), Fate::Queued);
        }
        for number in 0..MAX_WAITING {
            assert_eq!(mailbox.next().await, Next::Event(number));
        }
    }

    #[tokio::test]
    async fn a_reader_that_never_reads_costs_no_more_than_the_limit_and_begins_again() {
        let mailbox = Mailbox::new();
        for number in 0..MAX_WAITING {
            assert_eq!(mailbox.put(number, Weight::Kept), Fate::Queued);
        }
        assert_eq!(mailbox.put(0, Weight::Kept), Fate::Overflowed);
        for _ in 0..1000 {
            assert_eq!(mailbox.put(0, Weight::Kept), Fate::Dropped);
        }
        assert_eq!(mailbox.next().await, Next::BeginAgain);
        assert_eq!(mailbox.put(7, Weight::Kept), Fate::Queued);
        assert_eq!(mailbox.next().await, Next::Event(7));
    }
}
