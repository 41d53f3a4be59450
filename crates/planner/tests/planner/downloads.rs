//! Whole downloads in virtual time: what came from whom, in how many requests, and how long it took.

use std::time::Duration;

use dray_planner::{CancelReason, Has, OPEN_END, Ranges, SourceKind, Wish};
use dray_ranges::{ByteRange, RangeSet};

use crate::scene::{Act, Scene};
use crate::server::{Faults, Server};
use crate::world::{Outcome, World};

const MIB: u64 = 1024 * 1024;

fn range(start: u64, end: u64) -> ByteRange {
    ByteRange::new(start, end).expect("a range of at least one byte")
}

fn run(scene: Scene) -> World {
    let mut world = scene.build();
    assert_eq!(world.run(), Outcome::Done);
    world
}

fn origin(mib_per_s: u64) -> Server {
    Server::new(SourceKind::Origin, mib_per_s * MIB)
}

fn peer(mib_per_s: u64) -> Server {
    Server::new(SourceKind::Peer, mib_per_s * MIB)
}

/// An origin that gives each connection so much and no more, however many there are.
fn origin_each(mib_per_s: u64) -> Server {
    Server { bytes_per_s_each: mib_per_s * MIB, ..origin(10_000) }
}

/// How long the download would take at this rate.
fn seconds(world: &World) -> u64 {
    world.now.as_secs()
}

#[test]
fn one_origin_gives_a_small_file_in_one_request() {
    let world = run(Scene::new(100 * MIB, [origin(1_000)]));
    assert_eq!(world.fetches(), [(world.ids[0], Wish { start: 0, end: Some(100 * MIB) })]);
    assert_eq!(world.commands.len(), 1);
    assert_eq!(world.from(0), 100 * MIB);
}

#[test]
fn a_file_whose_size_nobody_tells_is_read_to_its_end_in_one_request() {
    let server = Server { said_ranges: Ranges::Unknown, does_ranges: false, ..origin(1_000) };
    let unknown = Scene { size_is_known: false, size_is_announced: false, ..Scene::new(20 * MIB, [server]) };
    let world = run(unknown);
    assert_eq!(world.fetches(), [(world.ids[0], Wish { start: 0, end: None })]);
    assert_eq!(world.planner.size(), Some(20 * MIB));
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let have: RangeSet = [range(0, 10 * MIB), range(30 * MIB, 40 * MIB)].into_iter().collect();
    let world = run(Scene { have, ..Scene::new(50 * MIB, [origin(1_000)]) });
    assert_eq!(world.from(0), 30 * MIB);
    assert_eq!(world.fetches().len(), 2);
}

#[test]
fn only_the_wanted_ranges_are_fetched_and_an_open_one_ends_with_the_file() {
    let wanted = [range(5, 10), range(100, 200), range(MIB, OPEN_END)].into_iter().collect();
    let server = Server { said_ranges: Ranges::Unknown, ..origin(1_000) };
    let scene = Scene { wanted: Some(wanted), size_is_known: false, ..Scene::new(3 * MIB, [server]) };
    let world = run(scene);
    assert_eq!(world.from(0), 5 + 100 + 2 * MIB);
    assert_eq!(world.fetches().len(), 3);
}

#[test]
fn connections_that_each_add_their_rate_are_kept() {
    let world = run(Scene::new(2_000 * MIB, [origin_each(10)]));
    // One connection would take 200 s; up to 8 are allowed.
    assert!(seconds(&world) < 80, "{:?}", world.now);
    assert!(world.cancels().is_empty(), "{:?}", world.cancels());
}

#[test]
fn an_extra_connection_that_adds_nothing_is_given_back_and_never_tried_again() {
    let world = run(Scene::new(2_000 * MIB, [origin(10)]));
    assert_eq!(world.cancels(), [CancelReason::NoGain]);
    // The first, the one that was tried, and what that one left.
    assert_eq!(world.fetches().len(), 3);
    assert!((200..203).contains(&seconds(&world)), "{:?}", world.now);
}

#[test]
fn a_server_that_refuses_a_second_connection_is_not_asked_for_one_again() {
    let world = run(Scene::new(1_000 * MIB, [Server { tolerates: 1, ..origin_each(10) }]));
    assert_eq!(world.fetches().len(), 3);
    assert!((100..103).contains(&seconds(&world)), "{:?}", world.now);
}

#[test]
fn no_second_connection_is_tried_for_what_takes_little_longer() {
    let world = run(Scene::new(100 * MIB, [origin_each(10)]));
    assert_eq!(world.fetches().len(), 1);
}

#[test]
fn no_second_connection_is_tried_for_little_however_long_it_takes() {
    let slow = Server { bytes_per_s_each: 50_000, ..origin(10) };
    let world = run(Scene::new(4 * MIB, [slow]));
    assert_eq!(world.fetches().len(), 1);
}

#[test]
fn two_equal_mirrors_share_the_work() {
    let world = run(Scene::new(400 * MIB, [origin(10), origin(10)]));
    assert!((20..23).contains(&seconds(&world)), "{:?}", world.now);
    assert!(world.from(0).abs_diff(world.from(1)) < 20 * MIB);
}

#[test]
fn mirrors_of_different_speed_share_by_speed_and_end_together() {
    let world = run(Scene::new(400 * MIB, [origin(2), origin(18)]));
    assert!((20..24).contains(&seconds(&world)), "{:?}", world.now);
    assert!(world.from(1) > 330 * MIB, "{}", world.from(1));
}

#[test]
fn peers_that_come_later_take_the_rest_from_the_origin() {
    let late = Server { joins: Duration::from_secs(1), ..peer(50) };
    let world = run(Scene::new(1_000 * MIB, [origin(20), late.clone(), late]));
    assert!(world.from(0) < 25 * MIB, "{}", world.from(0));
    assert!(world.from(1) > 400 * MIB && world.from(2) > 400 * MIB);
}

#[test]
fn a_cache_gives_what_it_has_and_the_origin_only_the_rest() {
    let has = Has::Only(range(100 * MIB, 400 * MIB).into());
    let cache = Server { has, ..Server::new(SourceKind::Cache, 500 * MIB) };
    let world = run(Scene::new(500 * MIB, [origin(50), cache]));
    assert_eq!(world.from(1), 300 * MIB);
    assert_eq!(world.from(0), 200 * MIB);
}

#[test]
fn an_origin_far_faster_than_the_peers_helps_them() {
    let late = Server { joins: Duration::from_secs(2), ..peer(1) };
    let world = run(Scene::new(1_000 * MIB, [origin(50), late]));
    // The peer alone would need a quarter of an hour.
    assert!(seconds(&world) < 30, "{:?}", world.now);
}

#[test]
fn a_silent_peer_loses_its_bytes_to_the_origin() {
    let silent = Server { faults: Faults { silent: 100, ..Faults::default() }, ..peer(20) };
    let world = run(Scene::new(200 * MIB, [silent, origin(20)]));
    assert!(
        world.cancels().contains(&CancelReason::Stalled) || world.cancels().contains(&CancelReason::Slow)
    );
    assert!(seconds(&world) < 60, "{:?}", world.now);
}

#[test]
fn a_crawling_peer_loses_its_bytes_to_another() {
    let crawling = Server { bytes_per_s: 4_000, ..peer(0) };
    let world = run(Scene::new(100 * MIB, [crawling, origin(20)]));
    assert_eq!(world.cancels(), [CancelReason::Slow]);
    assert!(seconds(&world) < 20, "{:?}", world.now);
    assert!(world.from(1) > 99 * MIB);
}

#[test]
fn a_peer_that_leaves_is_replaced() {
    let leaving = Server { leaves: Some(Duration::from_secs(5)), ..peer(10) };
    let world = run(Scene::new(200 * MIB, [leaving, origin(10)]));
    assert_eq!(world.cancels()[0], CancelReason::SourceGone);
    assert!((40..60).contains(&(world.from(0) / MIB)), "{}", world.from(0));
}

#[test]
fn a_server_without_ranges_starts_again_from_the_first_byte_when_it_is_the_only_one() {
    let server = Server { said_ranges: Ranges::Unknown, does_ranges: false, ..origin(10) };
    let scene = Scene { have: range(0, 30 * MIB).into(), ..Scene::new(100 * MIB, [server]) };
    let world = run(scene);
    let wishes: Vec<Wish> = world.fetches().into_iter().map(|(_, wish)| wish).collect();
    assert_eq!(wishes, [Wish { start: 30 * MIB, end: Some(100 * MIB) }, Wish { start: 0, end: None }]);
    assert_eq!(world.from(0), 70 * MIB);
}

#[test]
fn a_server_without_ranges_is_left_alone_when_another_has_the_rest() {
    let whole_only = Server { said_ranges: Ranges::No, does_ranges: false, ..origin(100) };
    let scene = Scene { have: range(0, 30 * MIB).into(), ..Scene::new(100 * MIB, [whole_only, origin(10)]) };
    let world = run(scene);
    assert_eq!((world.from(0), world.from(1)), (0, 70 * MIB));
}

#[test]
fn a_reader_gets_its_bytes_first_and_the_rest_follows() {
    let reader = (Duration::from_secs(1), Act::Prefer(range(300 * MIB, 310 * MIB).into()));
    let world = run(Scene { acts: vec![reader], ..Scene::new(400 * MIB, [origin(10)]) });
    let wishes: Vec<Wish> = world.fetches().into_iter().map(|(_, wish)| wish).collect();
    assert_eq!(wishes[1], Wish { start: 300 * MIB, end: Some(310 * MIB) });
    assert_eq!(world.cancels()[0], CancelReason::Preempted);
    assert!((40..42).contains(&seconds(&world)), "{:?}", world.now);
}

#[test]
fn bytes_that_proved_wrong_come_again() {
    let verifier = (Duration::from_secs(3), Act::Reject(range(0, 4 * MIB)));
    let world = run(Scene { acts: vec![verifier], ..Scene::new(60 * MIB, [origin(10)]) });
    assert_eq!(world.from(0), 64 * MIB);
    assert_eq!(world.fetches().len(), 2);
}

#[test]
fn a_flaky_origin_gives_the_file_in_the_end() {
    let faults = Faults { retry: 60, silent: 20, ..Faults::default() };
    let world = run(Scene { seed: 7, ..Scene::new(100 * MIB, [Server { faults, ..origin(10) }]) });
    assert_eq!(world.from(0), 100 * MIB);
}

#[test]
fn an_origin_that_only_fails_is_given_up_in_minutes() {
    let faults = Faults { retry: 100, ..Faults::default() };
    // Nothing is asked twice of a file of one byte, so every answer is empty.
    let mut world = Scene::new(1, [Server { faults, ..origin(10) }]).build();
    assert_eq!(world.run(), Outcome::Stuck);
    assert_eq!(world.fetches().len(), 10);
    assert!((30..600).contains(&seconds(&world)), "{:?}", world.now);
}

#[test]
fn a_swarm_of_two_hundred_peers_leaves_the_origin_almost_alone() {
    let piece = 4 * MIB;
    let peers = (0..200_u64).map(|n| {
        // Each has every fourth piece, so there are fifty peers for each.
        let pieces = (0..256).filter(|piece| piece % 4 == n % 4);
        let has = pieces.filter_map(|nth| ByteRange::with_len(nth * piece, piece)).collect();
        Server { has: Has::Only(has), max_requests: 2, ..peer(5) }
    });
    let mut scene = Scene::new(1024 * MIB, peers.chain([origin(5)]));
    scene.settings.max_connections = 50;
    let world = run(scene);
    assert_eq!(world.from(200), 0, "the origin is not needed");
    assert!(seconds(&world) < 30, "{:?}", world.now);
}
