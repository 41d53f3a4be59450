//! Whatever the world does: no byte asked twice at once except on purpose, none forgotten, every command answered
//! or expired, and an end in done or stuck. The checks are in `world.rs`, at each command and each event.

use std::time::Duration;

use dray_planner::{Has, Ranges, Settings, SourceKind};
use dray_ranges::{ByteRange, RangeSet};
use proptest::prelude::*;

use crate::scene::{Act, Scene};
use crate::server::{Faults, Server};
use crate::world::Outcome;

const KIB: u64 = 1024;
const MAX_SIZE: u64 = 3_000 * KIB;

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn bytes() -> impl Strategy<Value = ByteRange> {
    (0..MAX_SIZE, 1..MAX_SIZE).prop_filter_map("overflow", |(start, len)| ByteRange::with_len(start, len))
}

fn some_bytes() -> impl Strategy<Value = RangeSet> {
    prop::collection::vec((0..MAX_SIZE, 1..400 * KIB), 0..12).prop_map(|list| {
        list.into_iter().filter_map(|(start, len)| ByteRange::with_len(start, len)).collect()
    })
}

fn faults() -> impl Strategy<Value = Faults> {
    prop_oneof![
        3 => Just(Faults::default()),
        3 => (0..25_u8, 0..15_u8, 0..15_u8, 0..5_u8)
            .prop_map(|(retry, silent, early, gone)| Faults { retry, silent, early, gone }),
        1 => Just(Faults { retry: 100, ..Faults::default() }),
        1 => Just(Faults { silent: 100, ..Faults::default() }),
    ]
}

fn server() -> impl Strategy<Value = Server> {
    let kind = prop_oneof![
        Just(SourceKind::Cache),
        Just(SourceKind::Peer),
        Just(SourceKind::Peer),
        Just(SourceKind::CacheHost),
        Just(SourceKind::Origin)
    ];
    let has = prop_oneof![Just(Has::Everything), some_bytes().prop_map(Has::Only)];
    let tolerates = prop_oneof![Just(usize::MAX), 1..4_usize];
    let nature = (kind, has, any::<bool>(), any::<bool>(), 0..5_u16, tolerates, faults());
    let joins = prop_oneof![2 => Just(Duration::ZERO), 1 => millis(0..5_000)];
    let pace = (millis(0..400), 10 * KIB..4_000 * KIB, 20 * KIB..4_000 * KIB, joins);
    (nature, pace, prop::option::weighted(0.2, millis(0..20_000))).prop_map(|(nature, pace, leaves)| {
        let (kind, has, does_ranges, says_so, max_requests, tolerates, faults) = nature;
        let (latency, bytes_per_s, bytes_per_s_each, joins) = pace;
        let said_ranges = match (says_so, does_ranges) {
            (true, true) => Ranges::Yes,
            (true, false) => Ranges::No,
            (false, _) => Ranges::Unknown,
        };
        Server {
            kind,
            does_ranges,
            said_ranges,
            has,
            max_requests,
            latency,
            bytes_per_s,
            bytes_per_s_each,
            tolerates,
            joins,
            leaves,
            faults,
        }
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    (1..8_usize, 16..300_u64, 0..7_u32, 0..40_u32, 50..400_u32).prop_map(
        |(connections, split, align, gain, dearer)| Settings {
            max_connections: connections,
            min_split: split * KIB,
            alignment: KIB << align,
            probe_after: Duration::from_millis(300),
            probe_settle: Duration::from_millis(100),
            probe_gain_percent: gain,
            dearer_gain_percent: dearer,
            stall: Duration::from_secs(3),
            slow_after: Duration::from_secs(1),
            slow_bytes_per_s: 20 * KIB,
            ..Settings::default()
        },
    )
}

fn acts() -> impl Strategy<Value = Vec<(Duration, Act)>> {
    let act = prop_oneof![some_bytes().prop_map(Act::Prefer), bytes().prop_map(Act::Reject)];
    prop::collection::vec((millis(0..10_000), act), 0..6)
}

fn scene() -> impl Strategy<Value = Scene> {
    let size = prop_oneof![8 => 1..MAX_SIZE, 1 => 0..3_u64];
    let file = (size, any::<bool>(), any::<bool>(), prop::option::weighted(0.3, some_bytes()), some_bytes());
    let servers = prop::collection::vec(server(), 0..6);
    (settings(), file, servers, acts(), any::<u64>(), prop_oneof![Just(16 * KIB), KIB..100 * KIB]).prop_map(
        |(settings, (size, known, announced, wanted, have), servers, acts, seed, chunk)| {
            // What is wanted, there and had is of this file.
            let whole: RangeSet = ByteRange::new(0, size).into_iter().collect();
            let inside = |set: &RangeSet| set.intersection(&whole);
            let servers = (servers.into_iter()).map(|server| match &server.has {
                Has::Only(has) => Server { has: Has::Only(inside(has)), ..server },
                Has::Everything => server,
            });
            Scene {
                servers: servers.collect(),
                settings,
                size,
                size_is_known: known,
                size_is_announced: announced,
                wanted: wanted.map(|wanted| inside(&wanted)),
                have: inside(&have),
                acts,
                seed,
                chunk,
            }
        },
    )
}

/// A world takes well below a millisecond. `PROPTEST_CASES` asks for more of them.
fn worlds() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(1_000), max_shrink_iters: 20_000, ..default }
}

proptest! {
    #![proptest_config(worlds())]

    #[test]
    fn every_world_ends_in_done_or_stuck(scene in scene()) {
        let mut world = scene.build();
        world.run();
    }

    #[test]
    fn one_good_origin_is_enough_whatever_the_others_do(scene in scene(), rate in 50 * KIB..4_000 * KIB) {
        let mut scene = scene;
        scene.servers.push(Server::new(SourceKind::Origin, rate));
        prop_assert_eq!(scene.build().run(), Outcome::Done);
    }

    #[test]
    fn where_all_do_ranges_no_byte_is_sent_in_vain(scene in scene()) {
        let mut scene = scene;
        for server in &mut scene.servers {
            server.does_ranges = true;
        }
        for server in scene.servers.iter_mut().filter(|server| server.said_ranges == Ranges::No) {
            server.said_ranges = Ranges::Yes;
        }
        let mut world = scene.build();
        world.run();
        prop_assert_eq!(world.sent, world.kept());
    }

    #[test]
    fn the_same_world_gives_the_same_commands(scene in scene()) {
        let (mut one, mut other) = (scene.clone().build(), scene.build());
        prop_assert_eq!(one.run(), other.run());
        prop_assert_eq!(one.commands, other.commands);
    }
}
