//! Who watches, and who of them is told what.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_api::v1::{EventKind, JobEvent};
use dray_jobs::{Code, Failure, NotifyFlags, Scope, SubscriberId};

use super::Happening;
use super::mailbox::{Fate, Mailbox, Next};
use crate::metrics::Metrics;

/// Event streams at a time, of everyone.
const MAX_SUBSCRIBERS: usize = 512;
/// Happenings that wait for the disk.
const MAX_HELD: usize = 10_000;
/// Event streams at a time, of one user.
const MAX_SUBSCRIBERS_PER_USER: usize = 128;

/// What a subscriber wants to hear of.
#[derive(Debug, Clone)]
pub(crate) struct Interest {
    pub(crate) scope: Scope,
    /// Only these kinds; `None`: all.
    pub(crate) kinds: Option<Vec<EventKind>>,
    /// It takes the place of a callback: it is told what the notify flags of its jobs ask for, and answers.
    pub(crate) acknowledges: bool,
    /// Of downloads of Delivery Optimization, and not of jobs.
    pub(crate) downloads: bool,
}

impl Interest {
    fn takes(&self, kind: EventKind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    /// Whether something that everyone may hear concerns it. What notify flags decide about is told by name.
    fn wants(&self, happening: &Happening) -> bool {
        let kind = happening.kind.is_none_or(|kind| self.takes(kind) && !self.acknowledges);
        kind && happening.is_download == self.downloads && self.scope.covers(happening.job, &happening.owner)
    }

    /// The kinds as notify flags.
    pub(crate) fn flags(&self) -> NotifyFlags {
        let flags = [
            (EventKind::JobTransferred, NotifyFlags::JOB_TRANSFERRED),
            (EventKind::JobError, NotifyFlags::JOB_ERROR),
            (EventKind::Modified, NotifyFlags::JOB_MODIFICATION),
            (EventKind::FileTransferred, NotifyFlags::FILE_TRANSFERRED),
            (EventKind::FileRangesTransferred, NotifyFlags::FILE_RANGES_TRANSFERRED),
        ];
        let taken = flags.into_iter().filter(|(kind, _)| self.takes(*kind));
        taken.fold(NotifyFlags::default(), |all, (_, flag)| all.union(flag))
    }
}

/// Events with their numbers.
type Box = Mailbox<(u64, Arc<JobEvent>)>;

struct Subscriber {
    interest: Interest,
    mailbox: Arc<Box>,
    /// What happened up to this number is in the snapshots it was given.
    since: u64,
}

/// What waits for the disk before it is told, in the order in which it happened.
#[derive(Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    /// In all batches.
    happenings: usize,
    last: u64,
}

struct Batch {
    number: u64,
    released: bool,
    happenings: Vec<Happening>,
}

/// A batch that is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held(u64);

/// All subscribers.
pub(crate) struct Hub {
    held: Mutex<Waiting>,
    subscribers: Mutex<BTreeMap<u64, Subscriber>>,
    /// How many, to be looked at without the lock.
    count: AtomicUsize,
    /// Numbers are never used twice: of one that left, news may still be under way.
    next: AtomicU64,
    metrics: Metrics,
}

/// A place among the subscribers, given back when it is dropped.
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    number: u64,
    mailbox: Arc<Box>,
}

impl Hub {
    pub(crate) fn new(metrics: Metrics) -> Arc<Hub> {
        Arc::new(Hub {
            held: Mutex::default(),
            subscribers: Mutex::default(),
            count: AtomicUsize::new(0),
            next: AtomicU64::new(1),
            metrics,
        })
    }

    /// Whether nobody would hear: then no message need be made.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Takes a subscriber in. It is told what happens from now on, once [`Hub::shown`] says what it has seen.
    pub(crate) fn subscribe(self: &Arc<Self>, interest: Interest) -> Result<Subscription, Failure> {
        let mut subscribers = self.lock();
        let of_user = subscribers
            .values()
            .filter(|s| s.interest.scope.caller.owner == interest.scope.caller.owner)
            .count();
        if subscribers.len() >= MAX_SUBSCRIBERS || of_user >= MAX_SUBSCRIBERS_PER_USER {
            let sentence = format!(
                "There are {} event streams, {of_user} of them yours; close one (at most {MAX_SUBSCRIBERS} in all and \
                 {MAX_SUBSCRIBERS_PER_USER} of one user).",
                subscribers.len()
            );
            return Err(Failure::new(Code::E_OUTOFMEMORY, sentence));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Box::new());
        // Nothing is told before the snapshots.
        subscribers.insert(number, Subscriber { interest, mailbox: mailbox.clone(), since: u64::MAX });
        self.counted(&subscribers);
        Ok(Subscription { hub: self.clone(), number, mailbox })
    }

    /// The subscriber is being shown how things are after the happening with this number; what comes later it is told.
    pub(crate) fn shown(&self, subscription: &Subscription, number: u64) {
        if let Some(subscriber) = self.lock().get_mut(&subscription.number) {
            subscriber.since = number;
        }
    }

    /// Tells everyone who may and wants to know what happened, after what is held.
    pub(crate) fn publish(&self, happenings: Vec<Happening>) {
        self.release(self.hold(happenings));
    }

    /// Keeps back what happened, and all that happens after it, until [`Hub::release`].
    pub(crate) fn hold(&self, happenings: Vec<Happening>) -> Held {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.last += 1;
        let number = held.last;
        held.happenings += happenings.len();
        held.batches.push_back(Batch { number, released: false, happenings });
        Held(number)
    }

    /// What was held may be told.
    pub(crate) fn release(&self, Held(number): Held) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = held.batches.iter_mut().find(|batch| batch.number == number) {
            batch.released = true;
        }
        while let Some(batch) = held.batches.pop_front_if(|batch| batch.released) {
            held.happenings -= batch.happenings.len();
            self.tell(&batch.happenings);
        }
        if held.happenings > MAX_HELD {
            // The disk has not answered for long. Nobody is told the rest; everybody begins again when it has.
            for batch in &mut held.batches {
                batch.happenings = Vec::new();
            }
            held.happenings = 0;
            self.lock().values().for_each(|subscriber| subscriber.mailbox.overflow());
        }
    }

    fn tell(&self, happenings: &[Happening]) {
        if happenings.is_empty() || self.is_empty() {
            return;
        }
        for (number, subscriber) in self.lock().iter() {
            let news = happenings.iter().filter(|happening| happening.number > subscriber.since);
            for happening in news.filter(|happening| match happening.to {
                Some(SubscriberId(to)) => to == *number,
                None => subscriber.interest.wants(happening),
            }) {
                let fate =
                    subscriber.mailbox.put((happening.number, happening.message.clone()), happening.weight);
                if fate != Fate::Queued {
                    self.metrics.dropped_events.inc();
                }
            }
        }
    }

    /// Ends every stream.
    pub(crate) fn close(&self) {
        for subscriber in self.lock().values() {
            subscriber.mailbox.close();
        }
    }

    fn counted(&self, subscribers: &BTreeMap<u64, Subscriber>) {
        self.count.store(subscribers.len(), Ordering::Relaxed);
        self.metrics.subscribers.set(i64::try_from(subscribers.len()).unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Subscriber>> {
        // Every statement under this lock leaves the map whole.
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    pub(crate) fn id(&self) -> SubscriberId {
        SubscriberId(self.number)
    }

    /// What comes next for this subscriber.
    pub(crate) async fn next(&self) -> Next<(u64, Arc<JobEvent>)> {
        self.mailbox.next().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut subscribers = self.hub.lock();
        subscribers.remove(&self.number);
        self.hub.counted(&subscribers);
    }
}

#[cfg(test)]
mod tests {
    use dray_jobs::{Caller, JobId, JobState, JobType, NewJob, Now, Owner, Places, Queue, Rules};

    use super::*;

    const OWNER: &str = "7";

    fn job(owner: &str, queue: &mut Queue) -> JobId {
        let id = JobId(uuid::Uuid::new_v4());
        let (display_name, job_type) = ("test".to_owned(), JobType::Download);
        let new = NewJob { id, display_name, job_type, settings: Vec::new() };
        let outcome = queue.create(Now::default(), &Caller::user(Owner::new(owner)), new).unwrap();
        assert!(outcome.code.is_success());
        id
    }

    fn queue() -> Queue {
        Queue::new(Rules::default(), Places::default())
    }

    fn hub() -> Arc<Hub> {
        Hub::new(Metrics::new().unwrap())
    }

    fn all_of(owner: &str) -> Interest {
        let caller = Caller::user(Owner::new(owner));
        let scope = Scope { caller, jobs: None, all_users: false };
        Interest { scope, kinds: None, acknowledges: false, downloads: false }
    }

    fn watching(hub: &Arc<Hub>, interest: Interest) -> Subscription {
        let subscription = hub.subscribe(interest).unwrap();
        hub.shown(&subscription, 0);
        subscription
    }

    fn modified(queue: &Queue, job: JobId, number: u64) -> Happening {
        Happening::modified(queue.job(job).unwrap()).numbered(number)
    }

    async fn number(subscription: &Subscription) -> u64 {
        match subscription.next().await {
            Next::Event((number, _)) => number,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_happens_after_something_that_is_held_is_told_after_it() {
        let (hub, mut queue) = (hub(), queue());
        let job = job(OWNER, &mut queue);
        let watcher = watching(&hub, all_of(OWNER));
        let first = hub.hold(vec![modified(&queue, job, 1)]);
        hub.publish(vec![modified(&queue, job, 2)]);
        let third = hub.hold(vec![modified(&queue, job, 3)]);
        hub.release(third);
        hub.release(first);
        for expected in 1..=3 {
            assert_eq!(number(&watcher).await, expected);
        }
    }

    #[tokio::test]
    async fn a_watcher_hears_of_its_own_jobs_and_of_what_it_asked_for() {
        let (hub, mut queue) = (hub(), queue());
        let (own, other) = (job(OWNER, &mut queue), job("8", &mut queue));
        let watcher = watching(&hub, all_of(OWNER));
        let administrator = Caller::administrator(Owner::new("0"));
        let kinds = Some(vec![EventKind::StateChanged]);
        let scope = Scope { caller: administrator, jobs: None, all_users: true };
        let picky = watching(&hub, Interest { scope, kinds, acknowledges: false, downloads: false });
        hub.publish(vec![modified(&queue, other, 1), modified(&queue, own, 2)]);
        assert_eq!(number(&watcher).await, 2);
        let changed =
            Happening::state_changed(queue.job(other).unwrap(), JobState::Suspended, JobState::Queued);
        hub.publish(vec![changed.numbered(3), modified(&queue, own, 4)]);
        assert_eq!(number(&watcher).await, 4);
        assert_eq!(number(&picky).await, 3);
    }

    #[tokio::test]
    async fn a_disk_that_never_answers_costs_a_bounded_number_of_events() {
        let (hub, mut queue) = (hub(), queue());
        let job = job(OWNER, &mut queue);
        let watcher = watching(&hub, all_of(OWNER));
        let held = hub.hold(vec![modified(&queue, job, 1)]);
        for n in 2..=MAX_HELD as u64 + 1 {
            hub.publish(vec![modified(&queue, job, n)]);
        }
        assert_eq!(watcher.next().await, Next::BeginAgain);
        hub.release(held);
        hub.publish(vec![modified(&queue, job, 77_777)]);
        assert_eq!(number(&watcher).await, 77_777);
    }

    #[test]
    fn one_user_cannot_take_every_place() {
        let hub = hub();
        let taken: Vec<_> =
            (0..MAX_SUBSCRIBERS_PER_USER).map(|_| hub.subscribe(all_of(OWNER)).unwrap()).collect();
        assert_eq!(hub.subscribe(all_of(OWNER)).err().unwrap().code, Code::E_OUTOFMEMORY);
        assert!(hub.subscribe(all_of("8")).is_ok());
        drop(taken);
        assert!(hub.is_empty());
    }
}
