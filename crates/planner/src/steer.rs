//! Another part of the file is wanted than was said at the start, while it is being fetched.

use dray_ranges::ByteRange;

use crate::wanted::clip;
use crate::{CancelReason, OPEN_END, Planner, Ranges, RequestId, Time, WantedRanges};

impl Planner {
    /// These bytes of the file are wanted from now on, in place of those named before. Bytes beyond a known size are not. A request
    /// ends where the wanted bytes that it works on end, and at once when they begin far behind the point that it has reached.
    pub fn want(&mut self, now: Time, ranges: WantedRanges) {
        let mut bytes = match ranges {
            WantedRanges::All => ByteRange::new(0, OPEN_END).into_iter().collect(),
            WantedRanges::Only(set) => set,
        };
        if let Some(size) = self.target.size() {
            clip(&mut bytes, size);
        }
        if *self.target.bytes() == bytes {
            return;
        }
        self.missing = bytes.difference(&self.have);
        self.target.set_bytes(bytes);
        let running: Vec<RequestId> = self.requests.keys().copied().collect();
        for id in running {
            self.trim(now, id);
        }
        self.missing_anew();
        self.replan = true;
    }

    /// Takes from a request what is not wanted any more.
    fn trim(&mut self, now: Time, id: RequestId) {
        let Some(request) = self.requests.get(&id) else { return };
        let Some(left) = request.left() else { return };
        let passes_over =
            self.sources.get(&request.source).is_some_and(|state| state.about.ranges == Ranges::No);
        let mut wanted = self.missing.iter_within(left);
        let first = wanted.next();
        let end = if passes_over { wanted.by_ref().last().or(first) } else { first };
        drop(wanted);
        let far = left.start().saturating_add(self.settings.min_split);
        match (first, end) {
            (Some(first), Some(end)) if passes_over || first.start() <= far => {
                if end.end() < left.end() {
                    self.shorten(id, end.end());
                }
            }
            _ => {
                self.cancel(now, id, CancelReason::NotNeeded);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dray_ranges::RangeSet;

    use super::*;
    use crate::{Command, Has, Settings, Source, SourceKind, Wanted};

    const NOW: Time = Duration::ZERO;
    const MIB: u64 = 1 << 20;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().filter_map(|&(start, end)| ByteRange::new(start * MIB, end * MIB)).collect()
    }

    fn planner(ranges: Ranges) -> Planner {
        let wanted = Wanted { size: Some(1000 * MIB), ranges: WantedRanges::All };
        let mut planner = Planner::new(Settings::default(), wanted, RangeSet::new());
        let origin = Source { kind: SourceKind::Origin, ranges, has: Has::Everything, max_requests: 1 };
        planner.add_source(NOW, origin);
        planner
    }

    fn commands(planner: &mut Planner) -> Vec<Command> {
        std::iter::from_fn(|| planner.poll(NOW)).collect()
    }

    #[test]
    fn a_request_ends_where_what_is_wanted_ends_and_the_rest_follows_when_it_is_wanted_again() {
        let mut planner = planner(Ranges::Yes);
        let [Command::Fetch { request, .. }] = commands(&mut planner)[..] else { panic!() };
        planner.want(NOW, WantedRanges::Only(set(&[(0, 2), (900, 901)])));
        assert_eq!(commands(&mut planner), [Command::Shorten { request, end: 2 * MIB }]);
        planner.received(NOW, request, ByteRange::new(0, 2 * MIB).unwrap());
        planner.finished(NOW, request);
        let [Command::Fetch { request, range, .. }] = commands(&mut planner)[..] else { panic!() };
        assert_eq!((range.start, range.end), (900 * MIB, Some(901 * MIB)));
        planner.received(NOW, request, ByteRange::new(900 * MIB, 901 * MIB).unwrap());
        planner.finished(NOW, request);
        assert!(planner.done());
        planner.want(NOW, WantedRanges::All);
        assert!(!planner.done());
        let [Command::Fetch { range, .. }] = commands(&mut planner)[..] else { panic!() };
        assert_eq!((range.start, range.end), (2 * MIB, Some(900 * MIB)));
    }

    #[test]
    fn a_request_far_from_what_is_wanted_is_dropped() {
        let mut planner = planner(Ranges::Yes);
        let [Command::Fetch { request, .. }] = commands(&mut planner)[..] else { panic!() };
        planner.want(NOW, WantedRanges::Only(set(&[(900, 901)])));
        let [Command::Cancel { request: dropped, .. }, Command::Fetch { range, .. }] =
            commands(&mut planner)[..]
        else {
            panic!()
        };
        assert_eq!((dropped, range.start, range.end), (request, 900 * MIB, Some(901 * MIB)));
    }

    #[test]
    fn a_source_without_ranges_goes_on_up_to_the_last_byte_that_is_wanted() {
        let mut planner = planner(Ranges::No);
        let [Command::Fetch { request, .. }] = commands(&mut planner)[..] else { panic!() };
        planner.want(NOW, WantedRanges::Only(set(&[(100, 200), (300, 400)])));
        assert_eq!(commands(&mut planner), [Command::Shorten { request, end: 400 * MIB }]);
    }
}
