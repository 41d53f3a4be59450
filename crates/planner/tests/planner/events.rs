//! One event at a time, and what follows from it.

use std::time::Duration;

use dray_planner::{
    CancelReason, Command, Due, Failure, Has, MAX_SOURCES, Planner, Ranges, RequestId, Settings, SizeError,
    Source, SourceId, SourceKind, Wanted, WantedRanges, Wish,
};
use dray_ranges::RangeSet;

use crate::steps::{SIZE, START, fetched, origin, polled, range, s, set, source, whole};

const RETRY: Failure = Failure::Retry { after: Duration::ZERO };

/// A file of [`SIZE`] bytes, an origin, and its first request.
fn started() -> (Planner, SourceId, RequestId) {
    let mut planner = whole(Some(SIZE), RangeSet::new());
    let id = planner.add_source(START, origin());
    let (request, ..) = fetched(&mut planner, START);
    (planner, id, request)
}

#[test]
fn with_one_origin_and_nothing_there_the_whole_is_asked_for_at_once() {
    let mut planner = whole(None, RangeSet::new());
    let id = planner.add_source(START, source(SourceKind::Origin, Ranges::Unknown));
    assert_eq!(fetched(&mut planner, START), (RequestId(0), id, Wish { start: 0, end: None }));
    assert_eq!(planner.poll(START), None);
}

#[test]
fn an_empty_file_needs_nobody() {
    assert!(whole(Some(0), RangeSet::new()).done());
    let mut planner = whole(None, RangeSet::new());
    assert!(!planner.done() && planner.stuck());
    planner.learn_size(START, 0).unwrap();
    assert!(planner.done() && !planner.stuck());
}

#[test]
fn bytes_that_are_there_are_declined_and_those_around_them_are_kept_in_turn() {
    let mut planner = whole(Some(SIZE), set(&[(100, 200), (500, 600)]));
    planner.add_source(START, source(SourceKind::Origin, Ranges::No));
    let (request, _, wish) = fetched(&mut planner, START);
    assert_eq!(wish, Wish { start: 0, end: None });
    assert_eq!(planner.received(START, request, range(0, 150)), Some(range(0, 100)));
    assert_eq!(planner.received(START, request, range(100, 150)), None);
    assert_eq!(planner.received(START, request, range(150, 200)), None);
    assert_eq!(planner.received(START, request, range(200, 1_000)), Some(range(200, 500)));
    assert_eq!(planner.received(START, request, range(500, 1_000)), Some(range(600, 1_000)));
    assert_eq!(planner.have(), &set(&[(0, 1_000)]));
}

#[test]
fn a_source_without_ranges_is_stopped_behind_the_last_byte_it_is_needed_for() {
    let mut planner = whole(Some(SIZE), set(&[(100, 200), (1_000, SIZE)]));
    planner.add_source(START, source(SourceKind::Origin, Ranges::No));
    let commands = polled(&mut planner, START);
    let [Command::Fetch { range: wish, .. }, Command::Shorten { end, .. }] = commands[..] else {
        panic!("{commands:?}");
    };
    assert_eq!((wish, end), (Wish { start: 0, end: None }, 1_000));
}

#[test]
fn a_reader_cannot_make_us_look_for_bytes_behind_an_end_that_nobody_knows() {
    let mut planner = whole(None, RangeSet::new());
    planner.prefer(START, set(&[(5_000, 6_000)]));
    planner.add_source(START, origin());
    assert_eq!(fetched(&mut planner, START).2, Wish { start: 0, end: None });
}

#[test]
fn bytes_behind_the_end_of_a_shortened_request_are_declined() {
    let (mut planner, _, request) = started();
    planner.received(START, request, range(0, 1_000));
    planner.add_source(s(1), source(SourceKind::Peer, Ranges::Yes));
    let commands = polled(&mut planner, s(1));
    let [Command::Shorten { request: shortened, end }, Command::Fetch { range: wish, .. }] = commands[..]
    else {
        panic!("{commands:?}");
    };
    assert_eq!((shortened, wish), (request, Wish { start: end, end: Some(SIZE) }));
    assert_eq!(planner.received(s(1), request, range(1_000, end + 500)), Some(range(1_000, end)));
    assert_eq!(planner.received(s(1), request, range(end, end + 500)), None);
    planner.finished(s(1), request);
    assert_eq!(polled(&mut planner, s(1)), []);
}

#[test]
fn a_cancelled_request_is_over() {
    let (mut planner, id, request) = started();
    planner.remove_source(s(1), id);
    let reason = CancelReason::SourceGone;
    assert_eq!(polled(&mut planner, s(1)), [Command::Cancel { request, reason }]);
    assert_eq!(planner.received(s(1), request, range(0, 10)), None);
    planner.finished(s(1), request);
    planner.failed(s(1), request, RETRY);
    assert_eq!(planner.have(), &RangeSet::new());
    assert!(planner.stuck());
}

#[test]
fn a_command_that_an_event_overtakes_is_never_told() {
    let (mut planner, _, _) = started();
    let peer = planner.add_source(s(1), source(SourceKind::Peer, Ranges::Yes));
    assert!(matches!(planner.poll(s(1)), Some(Command::Shorten { .. })));
    // The peer was to take over what is behind, and nobody has heard of that yet.
    planner.remove_source(s(1), peer);
    assert_eq!(polled(&mut planner, s(1)), []);
}

#[test]
fn retry_after_is_honoured_and_is_the_reason_for_the_timeout() {
    let (mut planner, id, request) = started();
    planner.failed(s(1), request, Failure::Retry { after: s(600) });
    assert_eq!(polled(&mut planner, s(1)), []);
    assert!(!planner.stuck());
    planner.handle_timeout(s(600));
    assert_eq!(polled(&mut planner, s(600)), []);
    assert_eq!(planner.next_due(), Some((s(601), Due::Retry(id))));
    planner.handle_timeout(s(601));
    assert_eq!(fetched(&mut planner, s(601)).1, id);
}

#[test]
fn a_source_that_is_gone_takes_its_other_requests_with_it() {
    let mut planner = whole(Some(SIZE), set(&[(1_000, 2_000)]));
    let id = planner.add_source(START, source(SourceKind::Peer, Ranges::Yes));
    let commands = polled(&mut planner, START);
    let [Command::Fetch { request: first, .. }, Command::Fetch { request: second, .. }] = commands[..] else {
        panic!("{commands:?}");
    };
    planner.received(START, first, range(0, 10));
    planner.failed(START, first, Failure::Gone);
    let reason = CancelReason::SourceGone;
    assert_eq!(polled(&mut planner, START), [Command::Cancel { request: second, reason }]);
    assert!(planner.stuck());
    assert_eq!(planner.bytes_from(id), 10);
}

#[test]
fn a_source_that_refuses_the_middle_is_asked_from_the_first_byte() {
    let mut planner = whole(Some(SIZE), set(&[(0, 1_000)]));
    planner.add_source(START, source(SourceKind::Origin, Ranges::Unknown));
    let (request, _, wish) = fetched(&mut planner, START);
    assert_eq!(wish, Wish { start: 1_000, end: Some(SIZE) });
    planner.failed(START, request, Failure::NoRanges);
    assert_eq!(fetched(&mut planner, START).2, Wish { start: 0, end: None });
}

#[test]
fn a_source_that_keeps_claiming_ranges_and_refusing_them_is_not_asked_for_ever() {
    let mut planner = whole(Some(SIZE), set(&[(0, 1_000)]));
    let id = planner.add_source(START, origin());
    let mut now = START;
    let mut asked = 0;
    while !planner.stuck() {
        for command in polled(&mut planner, now) {
            if let Command::Fetch { request, range, .. } = command {
                asked += 1;
                assert!(asked == 1 || range.start == 0);
                planner.failed(now, request, Failure::NoRanges);
                planner.update_source(now, id, origin());
            }
        }
        now = planner.timeout().unwrap_or(now);
        planner.handle_timeout(now);
    }
    assert_eq!(asked, 1 + Settings::default().max_failures);
}

#[test]
fn the_end_of_an_open_request_tells_the_size() {
    let mut planner = whole(None, RangeSet::new());
    planner.add_source(START, source(SourceKind::Origin, Ranges::Unknown));
    let (request, ..) = fetched(&mut planner, START);
    planner.received(START, request, range(0, 700));
    planner.finished(START, request);
    assert_eq!(planner.size(), Some(700));
    assert!(planner.done());
}

#[test]
fn a_request_that_ends_early_counts_as_failed_and_the_rest_is_asked_for_again() {
    let (mut planner, id, request) = started();
    planner.received(START, request, range(0, 700));
    planner.finished(START, request);
    let (request, _, wish) = fetched(&mut planner, START);
    assert_eq!(wish, Wish { start: 700, end: Some(SIZE) });
    planner.finished(START, request);
    assert_eq!(polled(&mut planner, START), []);
    assert_eq!(planner.next_due(), Some((Settings::default().retry_floor, Due::Retry(id))));
}

#[test]
fn a_size_that_contradicts_is_refused_and_nothing_changes() {
    let mut planner = whole(None, RangeSet::new());
    planner.add_source(START, source(SourceKind::Origin, Ranges::Unknown));
    let (request, ..) = fetched(&mut planner, START);
    planner.received(START, request, range(0, 700));
    assert_eq!(planner.learn_size(START, 699), Err(SizeError::HaveBeyondEnd { size: 699, end: 700 }));
    assert_eq!(planner.learn_size(START, 1_000), Ok(()));
    assert_eq!(planner.learn_size(START, 2_000), Err(SizeError::Changed { known: 1_000, told: 2_000 }));
    assert_eq!(planner.missing(), &set(&[(700, 1_000)]));
}

#[test]
fn bytes_that_no_source_has_are_waited_for() {
    let mut planner = whole(Some(SIZE), RangeSet::new());
    let first_half = Source { has: Has::Only(set(&[(0, 500)])), ..source(SourceKind::Peer, Ranges::Yes) };
    let id = planner.add_source(START, first_half.clone());
    let (request, ..) = fetched(&mut planner, START);
    assert!(!planner.stuck());
    planner.received(START, request, range(0, 500));
    planner.finished(START, request);
    assert_eq!(polled(&mut planner, START), []);
    assert!(planner.stuck());
    planner.update_source(s(1), id, Source { has: Has::Only(set(&[(0, 900)])), ..first_half });
    assert!(!planner.stuck());
    assert_eq!(fetched(&mut planner, s(1)).2, Wish { start: 500, end: Some(900) });
}

#[test]
fn the_number_of_connections_has_a_limit() {
    let settings = Settings { max_connections: 3, ..Settings::default() };
    let wanted = Wanted { size: Some(u64::MAX / 2), ranges: WantedRanges::All };
    let mut planner = Planner::new(settings, wanted, RangeSet::new());
    for _ in 0..10 {
        planner.add_source(START, source(SourceKind::Peer, Ranges::Yes));
    }
    let is_fetch = |command: &&Command| matches!(command, Command::Fetch { .. });
    assert_eq!(polled(&mut planner, START).iter().filter(is_fetch).count(), 3);
}

#[test]
fn the_number_of_sources_has_a_limit() {
    let mut planner = whole(Some(SIZE), RangeSet::new());
    let useless = Source { has: Has::Only(RangeSet::new()), ..origin() };
    let first = planner.add_source(START, useless.clone());
    for _ in 1..MAX_SOURCES {
        planner.add_source(START, useless.clone());
    }
    planner.add_source(START, origin());
    assert_eq!(polled(&mut planner, START), []);
    assert!(planner.stuck());
    planner.remove_source(START, first);
    planner.add_source(START, origin());
    fetched(&mut planner, START);
}

#[test]
fn a_source_that_may_have_no_request_is_not_asked() {
    let mut planner = whole(Some(SIZE), RangeSet::new());
    let id = planner.add_source(START, Source { max_requests: 0, ..origin() });
    assert_eq!(polled(&mut planner, START), []);
    assert!(planner.stuck());
    planner.update_source(START, id, origin());
    fetched(&mut planner, START);
}

#[test]
fn a_silent_request_is_taken_back_with_its_reason_and_asked_for_again() {
    let mut planner = whole(Some(SIZE), RangeSet::new());
    planner.add_source(START, Source { max_requests: 1, ..origin() });
    let (request, ..) = fetched(&mut planner, START);
    planner.received(s(1), request, range(0, 10));
    assert_eq!(planner.next_due(), Some((s(31), Due::Stall(request))));
    planner.handle_timeout(s(30));
    assert_eq!(polled(&mut planner, s(30)), []);
    planner.handle_timeout(s(31));
    let commands = polled(&mut planner, s(31));
    assert_eq!(commands[0], Command::Cancel { request, reason: CancelReason::Stalled });
    assert!(matches!(commands[1], Command::Fetch { range: Wish { start: 10, .. }, .. }));
}

#[test]
fn a_stream_of_chunks_needs_no_decision() {
    let (mut planner, id, request) = started();
    for start in (0..SIZE).step_by(100_000) {
        assert_eq!(planner.poll(s(start / 1_000_000)), None);
        let chunk = range(start, start + 100_000);
        assert_eq!(planner.received(s(start / 1_000_000), request, chunk), Some(chunk));
    }
    assert!(planner.done());
    planner.finished(s(10), request);
    assert_eq!(polled(&mut planner, s(10)), []);
    assert_eq!(planner.timeout(), None);
    assert_eq!(planner.bytes_from(id), SIZE);
    assert_eq!(planner.rate_bytes_per_s(id).map(|rate| rate / 100_000), Some(10));
}

#[test]
fn a_request_that_brought_everything_and_is_never_reported_is_no_fault_of_its_source() {
    let settings = Settings { max_failures: 1, ..Settings::default() };
    let mut planner =
        Planner::new(settings, Wanted { size: Some(SIZE), ranges: WantedRanges::All }, set(&[(10, 20)]));
    planner.add_source(START, origin());
    let (request, ..) = fetched(&mut planner, START);
    planner.received(START, request, range(0, 10));
    planner.handle_timeout(s(30));
    let commands = polled(&mut planner, s(30));
    assert_eq!(commands[0], Command::Cancel { request, reason: CancelReason::Stalled });
    assert!(matches!(commands[1], Command::Fetch { range: Wish { start: 20, .. }, .. }));
}

#[test]
fn the_time_between_two_requests_does_not_lower_the_rate() {
    let (mut planner, id, request) = started();
    crate::steps::stream(&mut planner, request, s(0), 0, 5, 1_000_000);
    planner.failed(s(5), request, Failure::Retry { after: s(100) });
    planner.handle_timeout(s(105));
    let (request, ..) = fetched(&mut planner, s(105));
    crate::steps::stream(&mut planner, request, s(105), 5_000_000, 2, 1_000_000);
    assert_eq!(planner.rate_bytes_per_s(id).map(|rate| (rate + 500) / 1_000), Some(1_000));
}
