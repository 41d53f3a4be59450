//! Taking over the tail of a running request, when no other bytes are left to hand out.

use std::time::Duration;

use dray_ranges::{ByteRange, RangeSet};

use crate::rate::time_for;
use crate::request::Request;
use crate::source::SourceState;
use crate::{Command, Planner, Ranges, RequestId, SourceId, Time};

/// Part of a running request that another source takes over.
struct Split {
    from: RequestId,
    to: SourceId,
    bytes: ByteRange,
}

impl Planner {
    /// Lets one source that has nothing to do take over part of a running request.
    pub(crate) fn split(&mut self, now: Time) -> bool {
        if self.requests.len() >= self.settings.max_connections {
            return false;
        }
        let mut thieves = self.ready(now).filter(|(_, state)| state.is_healthy(now));
        let split = thieves.find_map(|(id, state)| self.best_split(now, id, state));
        drop(thieves);
        let Some(Split { from, to, bytes }) = split else { return false };
        self.shorten(from, bytes.start());
        self.fetch(now, to, bytes);
        true
    }

    /// Ends a request at `end`; what it had beyond is free.
    pub(crate) fn shorten(&mut self, id: RequestId, end: u64) {
        if let Some(request) = self.requests.get_mut(&id) {
            let given_up = request.left().and_then(|left| ByteRange::new(end.max(left.start()), left.end()));
            request.shorten(end);
            if let Some(given_up) = given_up {
                self.unmark_coming(given_up);
            }
            self.commands.push_back(Command::Shorten { request: id, end });
        }
    }

    /// What this source should take over from the request that has longest to run.
    fn best_split(&self, now: Time, to: SourceId, thief: &SourceState) -> Option<Split> {
        if thief.about.ranges != Ranges::Yes {
            return None;
        }
        let candidates = self.requests.iter().filter_map(|(id, request)| {
            let bytes = self.takeable(now, to, thief, request)?;
            let time = self.time_left(request)?;
            Some((time, Split { from: *id, to, bytes }))
        });
        // Of equals the oldest, so that the choice does not depend on how the maximum is found.
        candidates.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, split)| split)
    }

    /// The longest stretch of missing bytes behind the point where the request should be cut that the thief has.
    fn takeable(&self, now: Time, to: SourceId, thief: &SourceState, request: &Request) -> Option<ByteRange> {
        let left = request.known_left().filter(|left| left.len() >= self.settings.min_split)?;
        let victim = self.sources.get(&request.source)?;
        let cut = self.cut(now, to, thief, request.source, victim, left)?;
        let tail = ByteRange::new(cut, left.end())?;
        let free = self.only_from(request, tail);
        let stretches = free.iter().flat_map(|range| thief.about.has.within(range));
        let stretch = stretches.reduce(|best, next| if next.len() > best.len() { next } else { best })?;
        // What is not taken goes back to whoever can start in the middle.
        let rest_is_served = victim.about.ranges == Ranges::Yes || free.as_slice() == [stretch];
        (rest_is_served && stretch.len() >= self.settings.min_split / 2).then_some(stretch)
    }

    /// The bytes of `tail` that are missing and that no request but this one will bring. For most requests that is
    /// all of it; one that started at the first byte for want of ranges passes over much that it does not bring.
    fn only_from(&self, request: &Request, tail: ByteRange) -> RangeSet {
        let is_other = |other: &&Request| !std::ptr::eq(*other, request) && !self.repeats(other);
        let claimed: RangeSet = self.requests.values().filter(is_other).filter_map(Request::left).collect();
        self.missing.iter_within(tail).flat_map(|range| claimed.iter_gaps(range)).collect()
    }

    /// Whether a request brings what others bring as well, because its source can only start at the first byte.
    fn repeats(&self, request: &Request) -> bool {
        self.sources.get(&request.source).is_some_and(|state| state.about.ranges == Ranges::No)
    }

    /// Where to cut a request so that both parts end together; as early as possible if the thief costs less. `None`
    /// if the thief may not take anything.
    fn cut(
        &self,
        now: Time,
        to: SourceId,
        thief: &SourceState,
        from: SourceId,
        victim: &SourceState,
        left: ByteRange,
    ) -> Option<u64> {
        let cheaper = thief.about.kind < victim.about.kind;
        let dearer = thief.about.kind > victim.about.kind;
        if (dearer && !self.may_help(now, thief)) || (to == from && !thief.gains_from_connections()) {
            return None;
        }
        if cheaper && !self.is_worth_its_cost(victim.meter.bytes_per_s(), thief.meter.bytes_per_s()) {
            return self.align(left.start().saturating_add(self.settings.alignment));
        }
        let (mine, theirs) = match (thief.rate_of_one(), victim.rate_of_one()) {
            (Some(mine), Some(theirs)) if to != from => (mine.max(1), theirs.max(1)),
            _ => (1, 1),
        };
        let share = u128::from(left.len()) * u128::from(theirs) / (u128::from(mine) + u128::from(theirs));
        self.align(left.start() + u64::try_from(share).ok()?)
    }

    /// The next multiple of the alignment.
    pub(crate) fn align(&self, offset: u64) -> Option<u64> {
        offset.checked_next_multiple_of(self.settings.alignment)
    }

    /// How long a request will take from now on. While no rate is known all are taken to be equally fast.
    fn time_left(&self, request: &Request) -> Option<Duration> {
        let left = request.known_left()?;
        let own = self.sources.get(&request.source)?.rate_of_one();
        let usual = || self.sources.values().filter_map(SourceState::rate_of_one).max();
        Some(time_for(left.len(), own.or_else(usual).unwrap_or(1)))
    }
}
