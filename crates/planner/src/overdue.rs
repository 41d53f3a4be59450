//! Timeouts: what is late, and what becomes of it. Each has its reason.

use std::time::Duration;

use crate::rate::{per_second, time_for};
use crate::request::{Look, Request};
use crate::source::SourceState;
use crate::{CancelReason, Planner, Ranges, RequestId, SourceId, Time};

/// How many times faster another source must be to take over what a request of ordinary speed has left.
const MUCH_FASTER: u64 = 4;

/// What the planner waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A request that stays silent until then is taken back.
    Stall(RequestId),
    /// The rate of a request is looked at.
    Look(RequestId),
    /// A source may be asked again.
    Retry(SourceId),
    /// A source that failed is trusted like the others again.
    Trust(SourceId),
    /// The experiment with one more connection to a server goes on.
    Experiment(SourceId),
    /// Something that was left to the others of the swarm is to be looked at again.
    Swarm,
}

impl Planner {
    /// When to call [`Planner::handle_timeout`], if nothing happens before.
    pub fn timeout(&self) -> Option<Time> {
        self.next_due().map(|(time, _)| time)
    }

    /// The same, with what the wait is for.
    pub fn next_due(&self) -> Option<(Time, Due)> {
        let requests = self.requests.iter().flat_map(|(id, request)| {
            let stall = (self.stalls_at(request), Due::Stall(*id));
            let look = self.looks_at(request).map(|time| (time, Due::Look(*id)));
            [Some(stall), look].into_iter().flatten()
        });
        let sources = self.sources.iter().filter(|_| !self.done()).flat_map(|(id, state)| {
            let retry = state.resting_until.map(|time| (time, Due::Retry(*id)));
            let trust = state.doubted_until.map(|time| (time, Due::Trust(*id)));
            [retry, trust].into_iter().flatten()
        });
        let experiment = self.experiment.as_ref().and_then(|experiment| {
            Some((experiment.due(&self.settings)?, Due::Experiment(experiment.subject)))
        });
        let swarm = self.swarm_due().map(|time| (time, Due::Swarm));
        requests.chain(sources).chain(experiment).chain(swarm).min()
    }

    /// Time has passed: acts on everything that is due. Afterwards the timeout lies ahead.
    pub fn handle_timeout(&mut self, now: Time) {
        self.take_back_stalled(now);
        self.take_back_slow(now);
        for state in self.sources.values_mut() {
            for pause in [&mut state.resting_until, &mut state.doubted_until] {
                *pause = pause.filter(|until| *until > now);
            }
        }
        self.step_experiment(now);
        self.swarm_timeout(now);
        self.replan = true;
    }

    fn stalls_at(&self, request: &Request) -> Time {
        request.heard.saturating_add(request.patience)
    }

    /// A look at the rate makes sense only if there is somebody else to ask.
    fn looks_at(&self, request: &Request) -> Option<Time> {
        (self.sources.len() > 1 && !self.is_in_swarm())
            .then(|| request.look.since.saturating_add(self.settings.slow_after))
    }

    fn take_back_stalled(&mut self, now: Time) {
        let is_due = |request: &Request| self.stalls_at(request) <= now;
        for id in self.ids_of(is_due) {
            let ended = self.cancel(now, id, CancelReason::Stalled);
            // One that brought everything and was never reported finished is no fault of its source.
            if let Some(ended) = ended.filter(|ended| ended.left().is_some()) {
                self.blame(now, ended.source, Duration::ZERO);
            }
        }
    }

    fn take_back_slow(&mut self, now: Time) {
        let is_due = |request: &Request| self.looks_at(request).is_some_and(|time| time <= now);
        for id in self.ids_of(is_due) {
            let Some(request) = self.requests.get(&id) else { continue };
            if self.is_slow(now, request) {
                let Some(ended) = self.cancel(now, id, CancelReason::Slow) else { continue };
                if ended.is_silent() {
                    self.blame(now, ended.source, Duration::ZERO);
                } else if let Some(state) = self.sources.get_mut(&ended.source) {
                    state.doubt(now, self.settings.stall);
                }
            } else if let Some(request) = self.requests.get_mut(&id) {
                request.look = Look { since: now, bytes: 0 };
            }
        }
    }

    fn ids_of(&self, which: impl Fn(&Request) -> bool) -> Vec<RequestId> {
        self.requests.iter().filter(|(_, request)| which(request)).map(|(id, _)| *id).collect()
    }

    /// Whether another source is ready to do better than this request has done since the last look.
    fn is_slow(&self, now: Time, request: &Request) -> bool {
        let Some(left) = request.left() else { return false };
        // What it would bring of use next: it may have started earlier, for want of ranges.
        let Some(needed) = self.missing.iter_within(left).next() else { return false };
        let rate = per_second(request.look.bytes, now.saturating_sub(request.look.since));
        let crawls = rate < self.settings.slow_bytes_per_s;
        let drags = !request.is_open() && time_for(left.len(), rate) > self.settings.slow_after;
        let does_better = |other: &SourceState| match other.meter.bytes_per_s() {
            None => crawls,
            Some(other) if crawls => other >= rate.saturating_mul(2),
            Some(other) => drags && other >= rate.saturating_mul(MUCH_FASTER),
        };
        self.ready(now).any(|(id, other)| {
            id != request.source
                && other.is_healthy(now)
                && (other.about.ranges != Ranges::No || needed.start() == 0)
                && other.about.has.contains(needed.start())
                && (crawls || self.costs_no_more(now, other, request))
                && does_better(other)
        })
    }

    /// Whether taking over from a request would keep the order of costs.
    fn costs_no_more(&self, now: Time, other: &SourceState, request: &Request) -> bool {
        let current = self.sources.get(&request.source);
        current.is_none_or(|current| other.about.kind <= current.about.kind) || self.may_help(now, other)
    }
}
