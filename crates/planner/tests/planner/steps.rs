//! Small steps, for tests that go one event at a time.

use std::time::Duration;

use dray_planner::{
    Command, Has, Planner, Ranges, RequestId, Settings, Source, SourceId, SourceKind, Time, Wanted,
    WantedRanges, Wish,
};
use dray_ranges::{ByteRange, RangeSet};

pub(crate) const SIZE: u64 = 10_000_000;
pub(crate) const START: Time = Duration::ZERO;

pub(crate) fn range(start: u64, end: u64) -> ByteRange {
    ByteRange::new(start, end).expect("a range of at least one byte")
}

pub(crate) fn set(ranges: &[(u64, u64)]) -> RangeSet {
    ranges.iter().map(|&(start, end)| range(start, end)).collect()
}

pub(crate) fn s(seconds: u64) -> Time {
    Duration::from_secs(seconds)
}

pub(crate) fn whole(size: Option<u64>, have: RangeSet) -> Planner {
    Planner::new(Settings::default(), Wanted { size, ranges: WantedRanges::All }, have)
}

pub(crate) fn source(kind: SourceKind, ranges: Ranges) -> Source {
    Source { kind, ranges, has: Has::Everything, max_requests: 4 }
}

pub(crate) fn origin() -> Source {
    source(SourceKind::Origin, Ranges::Yes)
}

pub(crate) fn polled(planner: &mut Planner, now: Time) -> Vec<Command> {
    std::iter::from_fn(|| planner.poll(now)).collect()
}

/// The one request that is started now.
pub(crate) fn fetched(planner: &mut Planner, now: Time) -> (RequestId, SourceId, Wish) {
    match polled(planner, now)[..] {
        [Command::Fetch { request, source, range }] => (request, source, range),
        ref other => panic!("{other:?} is not one Fetch"),
    }
}

/// Bytes from `at` on come at this rate, in chunks of a tenth of a second, for so many seconds.
pub(crate) fn stream(
    planner: &mut Planner,
    request: RequestId,
    from: Time,
    at: u64,
    seconds: u64,
    bytes_per_s: u64,
) -> Time {
    let chunk = bytes_per_s / 10;
    for n in 0..seconds * 10 {
        planner.received(
            from + Duration::from_millis(n * 100),
            request,
            range(at + n * chunk, at + (n + 1) * chunk),
        );
    }
    from + s(seconds)
}
