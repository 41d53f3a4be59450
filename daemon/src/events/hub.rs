//! Who watches, and who of them is told what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_api::v1::{EventKind, JobEvent};
use dray_jobs::{Caller, Code, Failure, JobId, Owner};

use super::Happening;
use super::mailbox::{Fate, Mailbox, Next};
use crate::metrics::Metrics;

/// Event streams at a time, of everyone.
const MAX_SUBSCRIBERS: usize = 512;
/// Event streams at a time, of one user.
const MAX_SUBSCRIBERS_PER_USER: usize = 128;

/// What a subscriber wants to hear of.
#[derive(Debug, Clone)]
pub(crate) struct Interest {
    pub(crate) caller: Caller,
    /// Only these jobs; `None`: all that the caller owns, and with `all_users` everyone's.
    pub(crate) jobs: Option<BTreeSet<JobId>>,
    /// Only these kinds; `None`: all.
    pub(crate) kinds: Option<Vec<EventKind>>,
    pub(crate) all_users: bool,
}

impl Interest {
    /// Whether a job belongs to it.
    pub(crate) fn covers(&self, job: JobId, owner: &Owner) -> bool {
        match &self.jobs {
            Some(jobs) => jobs.contains(&job) && self.caller.may_touch(owner),
            None => self.caller.owner == *owner || self.all_users && self.caller.administrator,
        }
    }

    fn wants(&self, happening: &Happening) -> bool {
        let kind =
            happening.kind.is_none_or(|kind| self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind)));
        kind && self.covers(happening.job, &happening.owner)
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

/// All subscribers.
pub(crate) struct Hub {
    subscribers: Mutex<BTreeMap<u64, Subscriber>>,
    /// How many, to be looked at without the lock.
    count: AtomicUsize,
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
        Arc::new(Hub { subscribers: Mutex::default(), count: AtomicUsize::new(0), metrics })
    }

    /// Whether nobody would hear: then no message need be made.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Takes a subscriber in. It is told what happens from now on, once [`Hub::shown`] says what it has seen.
    pub(crate) fn subscribe(self: &Arc<Self>, interest: Interest) -> Result<Subscription, Failure> {
        let mut subscribers = self.lock();
        let of_user =
            subscribers.values().filter(|s| s.interest.caller.owner == interest.caller.owner).count();
        if subscribers.len() >= MAX_SUBSCRIBERS || of_user >= MAX_SUBSCRIBERS_PER_USER {
            let sentence = format!(
                "There are {} event streams, {of_user} of them yours; close one (at most {MAX_SUBSCRIBERS} in all and \
                 {MAX_SUBSCRIBERS_PER_USER} of one user).",
                subscribers.len()
            );
            return Err(Failure::new(Code::E_OUTOFMEMORY, sentence));
        }
        let number = subscribers.last_key_value().map_or(0, |(last, _)| last + 1);
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

    /// Tells everyone who may and wants to know what happened.
    pub(crate) fn publish(&self, happenings: &[Happening]) {
        if happenings.is_empty() || self.is_empty() {
            return;
        }
        for subscriber in self.lock().values() {
            let news = happenings.iter().filter(|happening| happening.number > subscriber.since);
            for happening in news.filter(|happening| subscriber.interest.wants(happening)) {
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
