//! Whatever the swarm is made of: every honest machine that lives ends with every byte, asks nobody for what it does not
//! have, waits for nothing without a deadline, and counts what came. The checks are in `swarm.rs`, at each event.

use std::time::Duration;

use proptest::prelude::*;

use crate::setting::{KIB, Nature, Partition, Setting, Way, mbit};
use crate::swarm::Swarm;

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn machine() -> impl Strategy<Value = Nature> {
    let way = prop_oneof![7 => Just(Way::Honest), 1 => Just(Way::Poisons), 1 => Just(Way::Boasts), 1 => Just(Way::Hoards)];
    let times = (
        prop_oneof![2 => Just(Duration::ZERO), 1 => millis(0..3_000)],
        prop::option::weighted(0.2, millis(0..4_000)),
    );
    (times, 5..1_000_u64, 5..1_000_u64, prop::bool::weighted(0.1), way).prop_map(
        |((joins, dies), up, down, has_all, way)| Nature {
            joins,
            dies,
            up: mbit(up),
            down: mbit(down),
            has_all: has_all && way == Way::Honest,
            way,
        },
    )
}

fn setting() -> impl Strategy<Value = Setting> {
    let file = (1..3_000 * KIB, 4..8_u32, 10..200_u64, 1..3_u16, any::<bool>(), 0..3_u8);
    let net = (
        millis(0..60),
        millis(1..60),
        millis(1..500),
        millis(100..20_000),
        prop::option::weighted(0.2, 0..4_usize),
    );
    let cut = prop::option::weighted(0.2, (1..5_usize, millis(0..2_000), millis(1..9_000)));
    (prop::collection::vec(machine(), 1..12), file, net, cut, any::<u64>()).prop_map(
        |(mut machines, file, net, cut, seed)| {
            // There is somebody to wait for.
            machines[0] = Nature { has_all: false, dies: None, way: Way::Honest, ..machines[0] };
            let (size, piece, origin, origin_requests, is_unfair, origin_breaks) = file;
            let (latency, gathers, meets, notices, hears_of) = net;
            let partition = cut.map(|(machines, from, lasts)| Partition { machines, from, to: from + lasts });
            let partition = partition.filter(|cut| cut.machines < machines.len());
            Setting {
                seed,
                size,
                piece_len: KIB << piece,
                origin: mbit(origin),
                origin_each: mbit(origin),
                origin_requests,
                is_unfair,
                origin_breaks,
                latency,
                gathers,
                meets,
                notices,
                hears_of,
                introduces: hears_of.is_none(),
                partition,
                chunk: 10 * KIB,
                ..Setting { machines, ..Setting::lab(0) }
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(300), ..ProptestConfig::default() })]

    #[test]
    fn every_honest_machine_ends_with_every_byte(setting in setting()) {
        Swarm::new(setting).run();
    }

    #[test]
    fn the_same_seed_gives_the_same_swarm(setting in setting()) {
        let ends = [setting.clone(), setting].map(|setting| {
            let mut swarm = Swarm::new(setting);
            swarm.run();
            (swarm.now, swarm.steps, swarm.uplink.sent, swarm.uplink.asked)
        });
        prop_assert_eq!(ends[0], ends[1]);
    }
}
