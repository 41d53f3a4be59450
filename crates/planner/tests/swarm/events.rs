//! One event at a time, and what follows from it, when there are others.

use std::time::Duration;

use dray_planner::{
    CancelReason, Command, Failure, Has, Member, Peer, Planner, Ranges, RequestId, Settings, Source,
    SourceId, SourceKind, Time, Wanted, WantedRanges, Wish,
};
use dray_ranges::{ByteRange, RangeSet};

use crate::setting::MIB;

const START: Time = Duration::ZERO;
const PIECES: u64 = 64;

fn ms(ms: u64) -> Time {
    Duration::from_millis(ms)
}

fn pieces(first: u64, end: u64) -> RangeSet {
    ByteRange::new(first * MIB, end * MIB).into_iter().collect()
}

fn range(first: u64, end: u64) -> ByteRange {
    ByteRange::new(first * MIB, end * MIB).expect("not empty")
}

/// The member whose place is at this piece.
fn member(piece: u64) -> Member {
    let mut bytes = [piece as u8; 32];
    bytes[..8].copy_from_slice(&((piece << 32) / PIECES).wrapping_shl(32).to_be_bytes());
    Member(bytes)
}

fn planner(settings: Settings) -> (Planner, SourceId) {
    let wanted = Wanted { size: Some(PIECES * MIB), ranges: WantedRanges::All };
    let mut planner = Planner::new(settings, wanted, RangeSet::new());
    planner.set_alignment(MIB);
    let origin =
        Source { kind: SourceKind::Origin, ranges: Ranges::Yes, has: Has::Everything, max_requests: 1 };
    let id = planner.add_source(START, origin);
    (planner, id)
}

/// One that is at piece 0, and the origin.
fn me() -> (Planner, SourceId) {
    let (mut planner, origin) = planner(Settings::default());
    planner.set_me(START, member(0));
    (planner, origin)
}

fn peer(planner: &mut Planner, now: Time, has: RangeSet) -> SourceId {
    let about = Source { kind: SourceKind::Peer, ranges: Ranges::Yes, has: Has::Only(has), max_requests: 8 };
    planner.add_source(now, about)
}

fn downloader(planner: &mut Planner, now: Time, place: u64, fetching: RangeSet) -> SourceId {
    let id = peer(planner, now, RangeSet::new());
    planner.update_peer(now, id, Peer { member: Some(member(place)), fetching });
    id
}

fn commands(planner: &mut Planner, now: Time) -> Vec<Command> {
    std::iter::from_fn(|| planner.poll(now)).collect()
}

/// What is asked for now: of whom, and which pieces.
fn asked(planner: &mut Planner, now: Time) -> Vec<(RequestId, SourceId, u64, u64)> {
    let fetch = |command: Command| match command {
        Command::Fetch { request, source, range: Wish { start, end } } => {
            Some((request, source, start / MIB, end.expect("the size is known").div_ceil(MIB)))
        }
        _ => None,
    };
    commands(planner, now).into_iter().filter_map(fetch).collect()
}

/// A request brings all that it was asked for.
fn bring(planner: &mut Planner, now: Time, (request, _, first, end): (RequestId, SourceId, u64, u64)) {
    planner.received(now, request, range(first, end));
    planner.finished(now, request);
}

/// All that is asked of the origin now comes at once, and all that is asked then: which pieces.
fn work(planner: &mut Planner, now: Time, origin: SourceId) -> Vec<u64> {
    let mut taken = Vec::new();
    loop {
        let requests = asked(planner, now);
        if requests.is_empty() {
            return taken;
        }
        for request in requests {
            assert_eq!(request.1, origin);
            taken.extend(request.2..request.3);
            bring(planner, now, request);
        }
    }
}

#[test]
fn who_knows_nobody_asks_for_the_whole_at_once() {
    let (mut planner, origin) = me();
    assert_eq!(asked(&mut planner, START), [(RequestId(0), origin, 0, PIECES)]);
}

#[test]
fn a_long_request_ends_soon_when_a_peer_comes_and_what_is_behind_it_is_divided() {
    let (mut planner, origin) = me();
    let (request, ..) = asked(&mut planner, START)[0];
    planner.received(ms(100), request, range(0, 3));
    downloader(&mut planner, ms(100), 32, RangeSet::new());
    assert_eq!(commands(&mut planner, ms(100)), [Command::Shorten { request, end: 4 * MIB }]);
    assert_eq!(planner.fetching(), pieces(3, 4));
    planner.received(ms(200), request, range(3, 4));
    planner.finished(ms(200), request);
    let [next] = asked(&mut planner, ms(200))[..] else { panic!() };
    assert_eq!((next.1, next.2), (origin, 4));
    assert!(next.3 <= 12, "only a part of the own share");
}

/// One whose long request to the origin has brought three pieces when a peer comes that has these.
fn a_peer_comes_late(ranges: Ranges, has: RangeSet) -> (Planner, SourceId, RequestId, SourceId) {
    let (mut planner, origin) = me();
    let about = Source { kind: SourceKind::Origin, ranges, has: Has::Everything, max_requests: 1 };
    planner.update_source(START, origin, about);
    let told = commands(&mut planner, START);
    let Some(Command::Fetch { request, range: Wish { start: 0, .. }, .. }) = told.first() else {
        panic!("{told:?}")
    };
    planner.received(ms(100), *request, range(0, 3));
    let other = peer(&mut planner, ms(100), has);
    (planner, origin, *request, other)
}

#[test]
fn a_long_request_is_cut_where_it_is_once_the_peer_has_proved_itself() {
    let (mut planner, origin, request, other) = a_peer_comes_late(Ranges::Yes, pieces(0, PIECES));
    let told = commands(&mut planner, ms(100));
    assert_eq!(told[0], Command::Shorten { request, end: 4 * MIB });
    let Command::Fetch { request: first, source, range: Wish { start, end } } = told[1] else {
        panic!("{told:?}")
    };
    assert_eq!((source, start), (other, 4 * MIB));
    let piece = ByteRange::new(start, end.unwrap()).unwrap();
    planner.received(ms(110), first, piece);
    planner.finished(ms(110), first);
    let reason = CancelReason::NotNeeded;
    let told = commands(&mut planner, ms(110));
    assert!(told.contains(&Command::Cancel { request, reason }), "{told:?}");
    let is_origin = |command: &Command| matches!(command, Command::Fetch { source, .. } if *source == origin);
    assert!(!told.iter().any(is_origin), "{told:?}");
}

#[test]
fn while_an_origin_that_begins_at_the_start_sends_peers_are_asked_from_the_end() {
    for ranges in [Ranges::No, Ranges::Unknown] {
        let (mut planner, _, stream, other) = a_peer_comes_late(ranges, pieces(30, PIECES));
        let mut at = 3;
        let mut last = PIECES;
        let mut twice = 0;
        for step in 0..PIECES * 2 {
            for (request, source, first, end) in asked(&mut planner, ms(200 + step)) {
                assert_eq!((source, end), (other, last), "{ranges:?}");
                last = first;
                bring(&mut planner, ms(200 + step), (request, source, first, end));
            }
            if planner.received(ms(200 + step), stream, range(at, at + 1)).is_none() {
                twice += 1;
            }
            at += 1;
            if planner.done() {
                break;
            }
        }
        assert!(planner.done() && twice == 0 && at <= last + 1, "{ranges:?}: {at} {last} {twice}");
    }
}

#[test]
fn an_origin_that_begins_at_the_start_is_left_when_a_proven_peer_has_the_rest() {
    for ranges in [Ranges::No, Ranges::Unknown] {
        let (mut planner, _, stream, other) = a_peer_comes_late(ranges, pieces(0, PIECES));
        let first = asked(&mut planner, ms(100))[0];
        assert_eq!((first.1, first.3), (other, PIECES), "nothing is cut before it has proved itself");
        bring(&mut planner, ms(110), first);
        let told = commands(&mut planner, ms(110));
        let reason = CancelReason::NotNeeded;
        assert!(told.contains(&Command::Cancel { request: stream, reason }), "{ranges:?}: {told:?}");
        let asks = |command: &Command| matches!(command, Command::Fetch { source, .. } if *source != other);
        assert!(!told.iter().any(asks), "{ranges:?}: {told:?}");
    }
}

#[test]
fn while_company_is_expected_one_begins_with_a_piece_of_its_own_place() {
    let (mut planner, origin) = planner(Settings::default());
    planner.set_me(START, member(40));
    planner.expect_company(START, ms(200));
    let [first] = asked(&mut planner, START)[..] else { panic!() };
    assert_eq!((first.1, first.2, first.3), (origin, 40, 41));
    assert_eq!(planner.fetching(), pieces(40, 41));
    bring(&mut planner, ms(10), first);
    assert_eq!(asked(&mut planner, ms(10))[0].2, 41);
}

#[test]
fn when_nobody_comes_the_rest_is_asked_for_as_ever() {
    let (mut planner, _) = planner(Settings::default());
    planner.set_me(START, member(40));
    planner.expect_company(START, ms(200));
    let first = asked(&mut planner, START)[0];
    planner.handle_timeout(ms(200));
    bring(&mut planner, ms(210), first);
    let rest: Vec<_> =
        asked(&mut planner, ms(210)).into_iter().map(|(_, _, first, end)| (first, end)).collect();
    assert_eq!(rest, [(0, 40)]);
}

#[test]
fn who_hears_of_others_waits_a_moment_for_the_first_session() {
    let (mut planner, _) = me();
    planner.set_candidates(START, vec![member(32)], 0);
    planner.expect_company(START, ms(200));
    assert_eq!(asked(&mut planner, START), []);
    assert_eq!(planner.timeout(), Some(ms(50)));
    planner.handle_timeout(ms(50));
    assert_eq!(asked(&mut planner, ms(50)).len(), 1);
}

#[test]
fn what_another_takes_from_the_origin_is_left_to_it_until_it_is_late() {
    let (mut planner, origin) = me();
    let other = downloader(&mut planner, START, 32, pieces(0, 8));
    let mut now = START;
    let mut taken = Vec::new();
    // This one takes all that is not claimed, its own share and the other's.
    while taken.len() < 56 {
        taken.extend(work(&mut planner, now, origin));
        now = planner.timeout().expect("no wait without a deadline").max(now);
        planner.handle_timeout(now);
    }
    assert!(taken.iter().all(|piece| *piece >= 8), "{taken:?}");
    while !planner.done() {
        work(&mut planner, now, origin);
        now = planner.timeout().unwrap_or(now).max(now);
        planner.handle_timeout(now);
        assert!(now < Duration::from_secs(30), "its claims are believed for ever");
    }
    assert!(planner.done());
    assert_eq!(planner.bytes_from(other), 0);
}

#[test]
fn the_rarest_piece_is_asked_for_first() {
    let (mut planner, _) = me();
    let all = peer(&mut planner, START, pieces(0, PIECES));
    let mut but_one = pieces(0, PIECES);
    but_one.remove(range(17, 18));
    let other = peer(&mut planner, START, but_one);
    let asked = asked(&mut planner, START);
    let first = asked.iter().find(|(_, source, ..)| *source == all).expect("it is asked");
    assert_eq!((first.2, first.3), (17, 18));
    assert!(asked.iter().any(|(_, source, ..)| *source == other));
}

#[test]
fn what_a_reader_waits_for_comes_before_the_rarest() {
    let (mut planner, _) = me();
    planner.prefer(START, pieces(50, 52));
    peer(&mut planner, START, pieces(0, PIECES));
    peer(&mut planner, START, pieces(20, PIECES));
    let asked: Vec<u64> = asked(&mut planner, START).into_iter().map(|(_, _, first, _)| first).collect();
    assert_eq!(asked[..2], [50, 51]);
}

#[test]
fn who_is_alone_with_peers_that_have_all_reads_in_order() {
    let (mut planner, _) = me();
    peer(&mut planner, START, pieces(0, PIECES));
    assert_eq!(asked(&mut planner, START)[0].2, 0);
}

#[test]
fn requests_to_peers_have_a_limit_each_and_together() {
    let (mut planner, _) = planner(Settings { max_peer_requests: 5, ..Settings::default() });
    planner.set_me(START, member(0));
    for _ in 0..10 {
        peer(&mut planner, START, pieces(0, PIECES));
    }
    assert_eq!(asked(&mut planner, START).len(), 5);
    let (mut planner, _) = me();
    peer(&mut planner, START, pieces(0, PIECES));
    let count = asked(&mut planner, START).len();
    assert!((1..=4).contains(&count), "{count}");
}

#[test]
fn a_piece_comes_from_the_origin_when_the_only_peer_that_has_it_failed() {
    let (mut planner, origin) = me();
    let only = peer(&mut planner, START, pieces(0, PIECES));
    let requests = asked(&mut planner, START);
    assert!(requests.iter().all(|(_, source, ..)| *source == only));
    for (request, ..) in requests {
        planner.failed(START, request, Failure::Retry { after: ms(5_000) });
    }
    assert!(asked(&mut planner, START).iter().any(|(_, source, ..)| *source == origin));
}

#[test]
fn a_silent_peer_loses_its_pieces_within_seconds() {
    let (mut planner, origin) = me();
    peer(&mut planner, START, pieces(0, PIECES));
    let requests = asked(&mut planner, START).len();
    let due = planner.timeout().expect("no wait without a deadline");
    assert!(due <= Duration::from_secs(3), "{due:?}");
    let mut now = START;
    let mut stalled = 0;
    let mut of_origin = 0;
    while now < Duration::from_secs(5) {
        now = planner.timeout().expect("no wait without a deadline").max(now);
        planner.handle_timeout(now);
        for command in commands(&mut planner, now) {
            match command {
                Command::Cancel { reason: CancelReason::Stalled, .. } => stalled += 1,
                Command::Fetch { source, .. } if source == origin => of_origin += 1,
                _ => {}
            }
        }
    }
    assert_eq!((stalled, of_origin), (requests, 1));
}

#[test]
fn of_two_that_begin_the_same_piece_one_gives_way() {
    for place in 1..20 {
        let mut both = [member(place), member(place + 30)].map(|me| {
            let (mut planner, origin) = planner(Settings::default());
            planner.set_me(START, me);
            (planner, me, origin)
        });
        // Each believes the other is somewhere else, and both begin with piece 5.
        let gave_way = [0, 1].map(|nth: usize| {
            let theirs = both[1 - nth].1;
            let (planner, ..) = &mut both[nth];
            planner.prefer(START, pieces(5, 6));
            let id = peer(planner, START, RangeSet::new());
            assert_eq!(asked(planner, START)[0].2, 5);
            planner.update_peer(ms(5), id, Peer { member: Some(theirs), fetching: pieces(5, 6) });
            let commands = commands(planner, ms(5));
            commands.iter().any(|command| matches!(command, Command::Cancel { .. }))
        });
        assert!(gave_way[0] != gave_way[1], "{place}: {gave_way:?}");
    }
}

#[test]
fn what_a_proven_peer_has_is_not_fetched_from_the_origin_any_longer() {
    let (mut planner, origin) = me();
    let other = downloader(&mut planner, START, 32, RangeSet::new());
    let own = asked(&mut planner, START)[0];
    assert_eq!((own.1, own.2), (origin, 0));
    planner.gained(ms(1), other, range(40, 41));
    let given = asked(&mut planner, ms(1))[0];
    assert_eq!((given.1, given.2, given.3), (other, 40, 41));
    bring(&mut planner, ms(5), given);
    planner.gained(ms(6), other, range(0, 1));
    let told = commands(&mut planner, ms(6));
    let reason = CancelReason::NotNeeded;
    assert!(told.contains(&Command::Cancel { request: own.0, reason }), "{told:?}");
    assert!(told.iter().any(|command| matches!(command, Command::Fetch { source, .. } if *source == other)));
}

#[test]
fn a_piece_that_proved_wrong_is_asked_of_another() {
    let (mut planner, _) = me();
    let (liar, honest) =
        (peer(&mut planner, START, pieces(0, 1)), peer(&mut planner, START, RangeSet::new()));
    let given =
        *asked(&mut planner, START).iter().find(|(_, source, ..)| *source == liar).expect("it is asked");
    bring(&mut planner, ms(5), given);
    planner.reject(ms(6), range(0, 1));
    planner.remove_source(ms(6), liar);
    planner.gained(ms(7), honest, range(0, 1));
    let again = asked(&mut planner, ms(7));
    assert!(again.iter().any(|(_, source, first, _)| *source == honest && *first == 0), "{again:?}");
}

#[test]
fn what_a_peer_has_outlives_another_length_of_pieces() {
    let (mut planner, _) = me();
    let other = peer(&mut planner, START, pieces(8, 16));
    assert!(asked(&mut planner, START).iter().any(|(_, source, ..)| *source == other));
    planner.set_alignment(4 * MIB);
    planner.gained(ms(1), other, range(16, 20));
    let next = asked(&mut planner, ms(1));
    let of_other = next.iter().filter(|(_, source, ..)| *source == other);
    assert!(of_other.clone().all(|(_, _, first, end)| *first >= 8 && *end <= 20), "{next:?}");
    assert!(!planner.stuck());
}

#[test]
fn a_peer_that_takes_back_what_it_said_it_had_is_not_asked_for_it() {
    let (mut planner, origin) = me();
    let other = peer(&mut planner, START, pieces(0, PIECES));
    let about =
        Source { kind: SourceKind::Peer, ranges: Ranges::Yes, has: Has::Only(pieces(3, 4)), max_requests: 8 };
    planner.update_source(START, other, about);
    let asked = asked(&mut planner, START);
    assert!(
        asked
            .iter()
            .filter(|(_, source, ..)| *source == other)
            .all(|(_, _, first, end)| (*first, *end) == (3, 4))
    );
    assert!(asked.iter().any(|(_, source, ..)| *source == origin));
}

#[test]
fn a_swarm_wants_only_what_is_wanted() {
    let (mut planner, _) = me();
    peer(&mut planner, START, pieces(0, PIECES));
    planner.want(START, WantedRanges::Only(pieces(10, 12)));
    let asked = asked(&mut planner, START);
    assert!(
        !asked.is_empty() && asked.iter().all(|(_, _, first, end)| *first >= 10 && *end <= 12),
        "{asked:?}"
    );
    for request in asked {
        bring(&mut planner, ms(5), request);
    }
    for request in self::asked(&mut planner, ms(5)) {
        bring(&mut planner, ms(9), request);
    }
    assert!(planner.done());
}
