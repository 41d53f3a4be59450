//! What to ask next: the bytes that nobody brings yet, and whom to ask for them.

use std::cmp::Reverse;

use dray_ranges::{ByteRange, RangeSet};

use crate::source::SourceState;
use crate::{CancelReason, Command, Has, OPEN_END, Planner, Ranges, RequestId, SourceId, Time, Wish};

/// Which of the missing bytes are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Those a reader waits for.
    Preferred,
    /// All of them.
    Any,
}

impl Planner {
    /// What to do now; `None` when there is nothing until the next event or timeout.
    pub fn poll(&mut self, now: Time) -> Option<Command> {
        loop {
            while let Some(command) = self.commands.pop_front() {
                if self.announce(command) {
                    return Some(command);
                }
            }
            if !self.replan {
                return None;
            }
            if self.swarm.me.is_some() {
                self.look_around(now);
                if self.is_in_swarm() {
                    self.replan = self.plan_in_swarm(now);
                    continue;
                }
            }
            // One decision at a time. Each starts a request, of which only so many may run, or ends one for good.
            self.replan = self.drop_unneeded(now)
                || self.give_free(now, Urgency::Preferred)
                || self.preempt(now)
                || self.give_free(now, Urgency::Any)
                || self.split(now);
        }
    }

    /// Marks a request as told. False when the command was overtaken by an event since it was queued.
    fn announce(&mut self, command: Command) -> bool {
        match command {
            Command::Cancel { .. } => true,
            Command::Shorten { request, .. } => self.requests.contains_key(&request),
            Command::Fetch { request, .. } => match self.requests.get_mut(&request) {
                Some(running) => {
                    running.announced = true;
                    true
                }
                None => false,
            },
        }
    }

    /// Starts a request for `range` and queues the command that says so.
    pub(crate) fn fetch(&mut self, now: Time, source: SourceId, range: ByteRange) -> RequestId {
        let request = self.start(now, source, range);
        let file_end = self.target.size().unwrap_or(OPEN_END);
        let known = Some(range.end()).filter(|end| *end != OPEN_END);
        let from_the_middle = self.sources.get(&source).is_some_and(|state| state.about.ranges != Ranges::No);
        let end = if from_the_middle { known } else { None };
        self.commands.push_back(Command::Fetch {
            request,
            source,
            range: Wish { start: range.start(), end },
        });
        if end.is_none() && range.end() < file_end {
            self.commands.push_back(Command::Shorten { request, end: range.end() });
        }
        request
    }

    /// Ends one request of which nothing is missing any more: another has brought it in the meantime.
    pub(crate) fn drop_unneeded(&mut self, now: Time) -> bool {
        let needed = |range: ByteRange| self.missing.overlaps(&range);
        let unneeded =
            self.requests.iter().find(|(_, request)| request.left().is_some_and(|left| !needed(left)));
        let Some(id) = unneeded.map(|(id, _)| *id) else { return false };
        self.cancel(now, id, CancelReason::NotNeeded);
        true
    }

    /// Gives the first bytes that nobody brings yet to the first source that may have them.
    fn give_free(&mut self, now: Time, urgency: Urgency) -> bool {
        let nothing = match urgency {
            Urgency::Preferred => self.preferred.is_empty(),
            Urgency::Any => self.missing.is_empty(),
        };
        if nothing || self.requests.len() >= self.settings.max_connections {
            return false;
        }
        let claimed = self.claimed();
        let mut ready = self.ready(now);
        let offer = ready.find_map(|(id, state)| Some((id, self.offer(now, state, &claimed, urgency)?)));
        drop(ready);
        let Some((source, range)) = offer else { return false };
        self.fetch(now, source, range);
        true
    }

    /// The sources that can be asked for something now, those to be asked first at the front.
    pub(crate) fn ready(&self, now: Time) -> impl Iterator<Item = (SourceId, &SourceState)> {
        let mut ready: Vec<_> = self.sources.iter().filter(|(_, state)| state.is_ready(now)).collect();
        ready.sort_by_key(|(id, state)| {
            (!state.is_healthy(now), state.about.kind, Reverse(state.meter.bytes_per_s()), **id)
        });
        ready.into_iter().map(|(id, state)| (*id, state))
    }

    /// The bytes that running requests will bring.
    pub(crate) fn claimed(&self) -> RangeSet {
        self.requests.values().filter_map(|request| request.left()).collect()
    }

    /// The first bytes outside `claimed` that this source should be asked for.
    pub(crate) fn offer(
        &self,
        now: Time,
        state: &SourceState,
        claimed: &RangeSet,
        urgency: Urgency,
    ) -> Option<ByteRange> {
        let reserved = self.reserved(now, state);
        if state.about.ranges == Ranges::No {
            // It cannot bring some bytes before others.
            if urgency == Urgency::Preferred {
                return None;
            }
            return self.offer_from_start(state, claimed, &reserved);
        }
        let mut free = self.free(claimed, &state.about.has).flat_map(|range| reserved.iter_gaps(range));
        match urgency {
            Urgency::Any => free.next(),
            // In a stretch without a known end, bytes in the middle may not exist: it is read from its start.
            Urgency::Preferred => (free.filter(|range| range.end() != OPEN_END))
                .find_map(|range| self.preferred.iter_within(range).next()),
        }
    }

    /// The missing bytes outside `claimed` that are in `has`, in order.
    fn free<'a>(&'a self, claimed: &'a RangeSet, has: &'a Has) -> impl Iterator<Item = ByteRange> + 'a {
        self.missing.iter().flat_map(|gap| claimed.iter_gaps(gap)).flat_map(|range| has.within(range))
    }

    /// What a source is asked for that can only start at the first byte: up to the last byte that no other source
    /// has. For others it is worth starting there only if the first byte is missing, so that nothing comes twice.
    fn offer_from_start(
        &self,
        state: &SourceState,
        claimed: &RangeSet,
        reserved: &RangeSet,
    ) -> Option<ByteRange> {
        let free = || self.free(claimed, &state.about.has);
        let others: Vec<&SourceState> = (self.sources.values())
            .filter(|other| other.about.ranges != Ranges::No && other.about.max_requests > 0)
            .collect();
        // Where another has the first bytes of a stretch, it is asked for those before this is considered again.
        let only_here =
            |range: &ByteRange| !others.iter().any(|other| other.about.has.contains(range.start()));
        let needed = free().filter(only_here).last();
        let first =
            free().flat_map(|range| reserved.iter_gaps(range)).next().filter(|range| range.start() == 0);
        ByteRange::new(0, needed.max(first)?.end())
    }

    /// The bytes that cheaper sources in good health can bring, unless they are so slow that a dearer one like this
    /// should help.
    fn reserved(&self, now: Time, state: &SourceState) -> RangeSet {
        if self.may_help(now, state) {
            return RangeSet::new();
        }
        let all = ByteRange::new(0, OPEN_END).expect("not empty");
        self.cheaper(now, state)
            .filter(|cheaper| cheaper.about.ranges != Ranges::No)
            .flat_map(|cheaper| cheaper.about.has.within(all))
            .collect()
    }

    /// The sources in good health that cost less than this one.
    fn cheaper(&self, now: Time, state: &SourceState) -> impl Iterator<Item = &SourceState> {
        let kind = state.about.kind;
        self.sources.values().filter(move |other| other.about.kind < kind && other.is_healthy(now))
    }

    /// Whether this source is so much faster than the cheaper ones at work that it should join them. Nothing is
    /// said before the rates are known.
    pub(crate) fn may_help(&self, now: Time, state: &SourceState) -> bool {
        let working = || self.cheaper(now, state).filter(|cheaper| cheaper.active > 0);
        let sum =
            working().try_fold(0_u64, |sum, cheaper| Some(sum.saturating_add(cheaper.meter.bytes_per_s()?)));
        working().next().is_some() && self.is_worth_its_cost(state.meter.bytes_per_s(), sum)
    }

    /// Whether a dearer source of this rate raises that of cheaper ones by enough.
    pub(crate) fn is_worth_its_cost(&self, dearer: Option<u64>, cheaper: Option<u64>) -> bool {
        let percent = u128::from(self.settings.dearer_gain_percent);
        let (Some(dearer), Some(cheaper)) = (dearer, cheaper) else { return false };
        u128::from(dearer) * 100 >= u128::from(cheaper) * percent
    }

    /// Cancels one request that works far from the bytes a reader waits for, if its source could bring those.
    fn preempt(&mut self, now: Time) -> bool {
        if self.preferred.is_empty() {
            return false;
        }
        let soon = self.soon();
        let victim = self.requests.iter().find(|(id, request)| {
            let Some(left) = request.left() else { return false };
            let Some(state) = self.sources.get(&request.source) else { return false };
            if state.about.ranges != Ranges::Yes
                || !state.is_awake(now)
                || self.preferred.contains(left.start())
            {
                return false;
            }
            let urgent = self.offer(now, state, &soon, Urgency::Preferred);
            urgent.is_some_and(|urgent| !self.is_claimed_by_another(**id, urgent.start()))
        });
        let Some(id) = victim.map(|(id, _)| *id) else { return false };
        self.cancel(now, id, CancelReason::Preempted);
        true
    }

    /// Cancelling a request would not help if these bytes are to come with another one.
    fn is_claimed_by_another(&self, than: RequestId, offset: u64) -> bool {
        self.requests
            .iter()
            .any(|(id, other)| *id != than && other.left().is_some_and(|left| left.contains(offset)))
    }

    /// The bytes that running requests will bring before a reader loses patience: all of a request that works on
    /// preferred bytes, and the next few of any other.
    fn soon(&self) -> RangeSet {
        let near = |left: ByteRange| {
            if self.preferred.contains(left.start()) {
                return left;
            }
            let reach = left.start().saturating_add(self.settings.min_split.max(1));
            ByteRange::new(left.start(), left.end().min(reach)).unwrap_or(left)
        };
        self.requests.values().filter_map(|request| request.left()).map(near).collect()
    }
}
