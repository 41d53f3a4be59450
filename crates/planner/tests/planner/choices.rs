//! Whom to ask, and from whom to take over.

use dray_planner::{
    CancelReason, Command, Due, Failure, Has, Planner, Ranges, RequestId, Settings, Source, SourceId,
    SourceKind, Time, Wanted, WantedRanges, Wish,
};
use dray_ranges::RangeSet;

use crate::steps::{SIZE, START, fetched, origin, polled, range, s, set, source, stream, whole};

const MIB: u64 = 1024 * 1024;

fn peer() -> Source {
    source(SourceKind::Peer, Ranges::Yes)
}

fn only(ranges: &[(u64, u64)], source: Source) -> Source {
    Source { has: Has::Only(set(ranges)), ..source }
}

fn whole_with(settings: Settings, size: u64, have: RangeSet) -> Planner {
    Planner::new(settings, Wanted { size: Some(size), ranges: WantedRanges::All }, have)
}

/// The requests that are started now: of whom, and from where to where.
fn asked(planner: &mut Planner, now: Time) -> Vec<(SourceId, u64, Option<u64>)> {
    let of = |command: Command| match command {
        Command::Fetch { source, range, .. } => Some((source, range.start, range.end)),
        _ => None,
    };
    polled(planner, now).into_iter().filter_map(of).collect()
}

#[test]
fn a_cheaper_source_is_asked_first_and_a_dearer_one_only_for_the_rest() {
    let mut planner = whole(Some(SIZE), RangeSet::new());
    let dear = planner.add_source(START, origin());
    let cheap = planner.add_source(
        START,
        Source { has: Has::Only(set(&[(2_000, 3_000)])), ..source(SourceKind::Cache, Ranges::Yes) },
    );
    let commands = polled(&mut planner, START);
    let of = |command: &Command| match command {
        Command::Fetch { source, range, .. } => Some((*source, range.start, range.end)),
        _ => None,
    };
    let fetches: Vec<_> = commands.iter().filter_map(of).collect();
    assert_eq!(fetches, [(cheap, 2_000, Some(3_000)), (dear, 0, Some(2_000))]);
}

#[test]
fn a_dearer_source_keeps_off_what_a_cheaper_one_will_come_to() {
    let mut planner = whole(Some(SIZE), set(&[(1_000, 2_000)]));
    planner.add_source(START, origin());
    let busy = planner.add_source(START, Source { max_requests: 1, ..peer() });
    assert_eq!(asked(&mut planner, START), [(busy, 0, Some(1_000))]);
}

/// Three stretches are missing, too small to be divided. An origin has brought the first at 1 MB/s and is idle, a
/// peer is at work on the second at `peer_rate`, and the third is free.
fn origin_idle_and_peer_at_work(settings: Settings, peer_rate: u64) -> (Planner, SourceId, RequestId) {
    let settings = Settings { min_split: SIZE, ..settings };
    let have = set(&[(2_000_000, 3_000_000), (9_000_000, 9_500_000)]);
    let mut planner = whole_with(settings, SIZE, have);
    let fast = planner.add_source(START, Source { max_requests: 1, ..origin() });
    let (first, ..) = fetched(&mut planner, START);
    let now = stream(&mut planner, first, START, 0, 2, 1_000_000);
    planner.add_source(now, Source { max_requests: 1, ..peer() });
    let (second, ..) = fetched(&mut planner, now);
    planner.finished(now, first);
    assert_eq!(polled(&mut planner, now), []);
    stream(&mut planner, second, now, 3_000_000, 1, peer_rate);
    (planner, fast, second)
}

#[test]
fn a_dearer_source_joins_cheaper_ones_that_are_much_slower() {
    let (mut planner, fast, _) = origin_idle_and_peer_at_work(Settings::default(), 400_000);
    assert_eq!(asked(&mut planner, s(3)), [(fast, 9_500_000, Some(SIZE))]);
    let (mut planner, ..) = origin_idle_and_peer_at_work(Settings::default(), 600_000);
    assert_eq!(asked(&mut planner, s(3)), []);
}

#[test]
fn speed_alone_does_not_take_a_request_from_a_cheaper_source() {
    let settings = Settings { dearer_gain_percent: 1_000_000, slow_after: s(3), ..Settings::default() };
    let (mut planner, ..) = origin_idle_and_peer_at_work(settings.clone(), 200_000);
    planner.handle_timeout(s(5));
    assert_eq!(polled(&mut planner, s(5)), []);
    let settings = Settings { dearer_gain_percent: 200, ..settings };
    let (mut planner, _, second) = origin_idle_and_peer_at_work(settings, 200_000);
    planner.handle_timeout(s(5));
    let reason = CancelReason::Slow;
    assert!(polled(&mut planner, s(5)).contains(&Command::Cancel { request: second, reason }));
}

#[test]
fn a_cheap_source_without_ranges_is_used_where_nothing_comes_twice() {
    let mut planner = whole(Some(SIZE), RangeSet::new());
    planner.add_source(START, origin());
    let cheap = planner.add_source(START, source(SourceKind::CacheHost, Ranges::No));
    assert_eq!(asked(&mut planner, START), [(cheap, 0, None)]);
}

#[test]
fn a_source_that_just_failed_comes_after_the_others_for_a_while() {
    let mut planner = whole(Some(SIZE), RangeSet::new());
    let cheap = planner.add_source(START, peer());
    let dear = planner.add_source(START, origin());
    let (request, first, _) = fetched(&mut planner, START);
    assert_eq!(first, cheap);
    planner.failed(START, request, Failure::Retry { after: START });
    assert_eq!(asked(&mut planner, START), [(dear, 0, Some(SIZE))]);
    assert_eq!(planner.next_due().map(|(time, _)| time), Some(s(10)));
    planner.handle_timeout(s(30));
    assert_eq!(asked(&mut planner, s(30)).first().map(|(source, ..)| *source), Some(cheap));
}

#[test]
fn a_request_is_divided_from_the_set_number_of_bytes_on() {
    let min = Settings::default().min_split;
    for (size, requests) in [(min - 1, 1), (min, 2)] {
        let mut planner = whole(Some(size), RangeSet::new());
        planner.set_alignment(1);
        planner.add_source(START, origin());
        planner.add_source(START, origin());
        assert_eq!(asked(&mut planner, START).len(), requests, "{size}");
    }
}

#[test]
fn a_request_is_not_cut_up_for_a_few_bytes() {
    let least = Settings::default().min_split / 2;
    for (len, requests) in [(least - 1, 0), (least, 1)] {
        let mut planner = whole(Some(100 * MIB), RangeSet::new());
        planner.add_source(START, origin());
        fetched(&mut planner, START);
        planner.add_source(START, only(&[(50 * MIB, 50 * MIB + len)], peer()));
        assert_eq!(asked(&mut planner, START).len(), requests, "{len}");
    }
}

#[test]
fn requests_are_divided_between_pieces() {
    let mut planner = whole(Some(100 * MIB), RangeSet::new());
    planner.set_alignment(16 * MIB);
    planner.add_source(START, origin());
    planner.add_source(START, origin());
    assert_eq!(asked(&mut planner, START)[1].1, 64 * MIB);
}

#[test]
fn a_request_that_was_open_can_be_divided_once_the_size_is_known() {
    let mut planner = whole(None, RangeSet::new());
    planner.add_source(START, origin());
    fetched(&mut planner, START);
    let second = planner.add_source(START, origin());
    assert_eq!(asked(&mut planner, START), []);
    planner.learn_size(START, 100 * MIB).unwrap();
    assert_eq!(asked(&mut planner, START), [(second, 50 * MIB, Some(100 * MIB))]);
}

#[test]
fn the_request_that_has_longest_to_run_is_divided() {
    let mut planner = whole(Some(60 * MIB), RangeSet::new());
    planner.add_source(START, only(&[(0, 20 * MIB)], Source { max_requests: 1, ..peer() }));
    planner.add_source(START, only(&[(20 * MIB, 60 * MIB)], Source { max_requests: 1, ..peer() }));
    assert_eq!(asked(&mut planner, START).len(), 2);
    let third = planner.add_source(START, Source { max_requests: 1, ..peer() });
    assert_eq!(asked(&mut planner, START), [(third, 40 * MIB, Some(60 * MIB))]);
}

#[test]
fn nothing_is_taken_from_the_middle_of_a_request_that_cannot_go_on_behind_it() {
    for (ranges, expected) in [(Ranges::Unknown, 0), (Ranges::Yes, 1)] {
        let mut planner = whole(Some(SIZE), RangeSet::new());
        planner.add_source(START, source(SourceKind::Origin, ranges));
        fetched(&mut planner, START);
        planner.add_source(START, only(&[(4_000_000, 8_000_000)], peer()));
        assert_eq!(asked(&mut planner, START).len(), expected, "{ranges:?}");
    }
}

#[test]
fn only_missing_bytes_are_taken_over_from_a_source_that_sends_everything() {
    let mut planner = whole(Some(SIZE), set(&[(100, SIZE - 4_000_000), (SIZE - 100, SIZE)]));
    planner.add_source(START, source(SourceKind::Peer, Ranges::No));
    fetched_and_shortened(&mut planner);
    planner.add_source(START, source(SourceKind::Cache, Ranges::Yes));
    let wish = fetched_and_shortened(&mut planner);
    assert_eq!(wish, Wish { start: SIZE - 4_000_000, end: Some(SIZE - 100) });
}

/// What is asked for now by a request that is shortened at once, or for which another is.
fn fetched_and_shortened(planner: &mut Planner) -> Wish {
    let commands = polled(planner, START);
    match commands[..] {
        [Command::Fetch { range, .. }, Command::Shorten { .. }]
        | [Command::Shorten { .. }, Command::Fetch { range, .. }] => range,
        _ => panic!("{commands:?}"),
    }
}

#[test]
fn bytes_that_another_will_bring_are_not_taken_over_from_a_source_that_sends_everything() {
    let mut planner = whole(Some(SIZE), RangeSet::new());
    planner.add_source(START, only(&[(100_000, 400_000)], Source { max_requests: 1, ..peer() }));
    fetched(&mut planner, START);
    planner.add_source(START, source(SourceKind::Origin, Ranges::No));
    assert_eq!(asked(&mut planner, START).len(), 1);
    let cache = planner.add_source(START, source(SourceKind::Cache, Ranges::Yes));
    assert_eq!(asked(&mut planner, START)[0], (cache, 400_000, Some(SIZE)));
}

#[test]
fn what_others_were_asked_for_is_cancelled_when_all_is_there() {
    let mut planner = whole(Some(SIZE), RangeSet::new());
    planner.add_source(START, only(&[(1_000, 2_000)], peer()));
    let (ranged, ..) = fetched(&mut planner, START);
    planner.add_source(START, source(SourceKind::Origin, Ranges::No));
    let (everything, ..) = fetched(&mut planner, START);
    planner.received(START, everything, range(0, SIZE));
    assert!(planner.done());
    let reason = CancelReason::NotNeeded;
    assert_eq!(polled(&mut planner, START), [Command::Cancel { request: ranged, reason }]);
}

#[test]
fn a_slow_source_is_taken_from_but_not_given_up() {
    let mut planner = whole_with(Settings { max_failures: 1, ..Settings::default() }, SIZE, RangeSet::new());
    planner.add_source(START, peer());
    let (request, ..) = fetched(&mut planner, START);
    planner.received(s(9), request, range(0, 1_000));
    let dear = planner.add_source(s(9), origin());
    planner.handle_timeout(s(10));
    let commands = polled(&mut planner, s(10));
    assert_eq!(commands[0], Command::Cancel { request, reason: CancelReason::Slow });
    assert!(matches!(commands[1], Command::Fetch { range: Wish { start: 1_000, .. }, .. }));
    planner.remove_source(s(11), dear);
    assert!(!planner.stuck());
}

#[test]
fn a_source_that_gives_nothing_while_another_is_ready_has_failed() {
    let mut planner = whole_with(Settings { max_failures: 1, ..Settings::default() }, SIZE, RangeSet::new());
    planner.add_source(START, peer());
    let (request, ..) = fetched(&mut planner, START);
    let dear = planner.add_source(START, origin());
    planner.handle_timeout(s(10));
    let reason = CancelReason::Slow;
    assert_eq!(polled(&mut planner, s(10))[0], Command::Cancel { request, reason });
    planner.remove_source(s(11), dear);
    assert!(planner.stuck());
}

#[test]
fn a_reader_does_not_stop_a_source_that_could_not_start_again() {
    let mut planner = whole(Some(SIZE), set(&[(1_000, 2_000)]));
    planner.add_source(START, Source { max_requests: 2, ..peer() });
    let commands = polled(&mut planner, START);
    let [Command::Fetch { request: first, .. }, Command::Fetch { .. }] = commands[..] else {
        panic!("{commands:?}");
    };
    planner.failed(START, first, Failure::Retry { after: s(60) });
    planner.prefer(START, set(&[(8_000_000, 9_000_000)]));
    assert_eq!(polled(&mut planner, START), []);
}

#[test]
fn an_experiment_does_not_begin_while_another_source_is_at_work() {
    let mut planner = whole(Some(100 * MIB), RangeSet::new());
    let id = planner.add_source(START, origin());
    let (request, ..) = fetched(&mut planner, START);
    planner.received(START, request, range(0, 1_000));
    assert_eq!(planner.next_due(), Some((s(1), Due::Experiment(id))));
    planner.add_source(START, peer());
    polled(&mut planner, START);
    assert!(matches!(planner.next_due(), Some((_, Due::Look(_)))), "{:?}", planner.next_due());
}
