//! JobModification, at most once in the interval of its job: the first at once, what follows merged into one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::JobId;

#[derive(Clone, Debug, Default)]
pub(super) struct Modified {
    /// Until when each job is told no more, and whether it changed since.
    held: BTreeMap<JobId, (Duration, bool)>,
    timers: BTreeSet<(Duration, JobId)>,
    /// To be told now.
    news: BTreeSet<JobId>,
    /// The interval each is told in.
    intervals: BTreeMap<JobId, Duration>,
}

impl Modified {
    pub(super) fn note(&mut self, now: Duration, job: JobId, interval: Duration) {
        match self.held.get_mut(&job) {
            Some((_, changed)) => {
                *changed = true;
                self.intervals.insert(job, interval);
            }
            None => self.tell(now, job, interval),
        }
    }

    fn tell(&mut self, now: Duration, job: JobId, interval: Duration) {
        self.news.insert(job);
        self.held.insert(job, (now + interval, false));
        self.timers.insert((now + interval, job));
        self.intervals.insert(job, interval);
    }

    /// The next job to tell of.
    pub(super) fn poll(&mut self, now: Duration) -> Option<JobId> {
        while let Some((at, job)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, job));
            let changed = self.held.remove(&job).is_some_and(|(_, changed)| changed);
            let interval = self.intervals.remove(&job).unwrap_or_default();
            if changed {
                // With an interval of nothing, this must not come due again at once.
                self.tell(now, job, interval.max(Duration::from_millis(1)));
            }
        }
        self.news.pop_first()
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        if !self.news.is_empty() {
            return Some(Duration::ZERO);
        }
        self.timers.first().map(|(at, _)| *at)
    }

    pub(super) fn forget(&mut self, job: JobId) {
        self.news.remove(&job);
        self.intervals.remove(&job);
        if let Some((at, _)) = self.held.remove(&job) {
            self.timers.remove(&(at, job));
        }
    }
}
