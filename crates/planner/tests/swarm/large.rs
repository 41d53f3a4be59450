//! Ten thousand machines and 1 GiB.

use std::time::{Duration, Instant};

use dray_planner::{
    Command, Has, Member, Planner, Ranges, RequestId, Settings, Source, SourceKind, Wanted, WantedRanges,
};
use dray_ranges::{ByteRange, RangeSet};

use crate::setting::{MIB, Setting, Way, mbit};
use crate::swarm::Swarm;

const GIB: u64 = 1024 * MIB;

/// Machines of which each knows about fifty others, its neighbours on the ring among them.
fn fleet(machines: usize, origin: u64) -> Setting {
    Setting {
        size: GIB,
        piece_len: MIB,
        origin,
        origin_each: mbit(1_000),
        origin_requests: 1,
        gathers: Duration::from_millis(50),
        sessions: 32,
        hears_of: Some(200),
        ticks: Some(Duration::from_millis(50)),
        chunk: MIB,
        ..Setting::lab(machines)
    }
}

fn run(setting: Setting, name: &str) -> Swarm {
    let began = Instant::now();
    let mut swarm = Swarm::new(setting);
    swarm.run();
    let peers: usize = swarm.machines.iter().map(|machine| machine.sessions.len()).sum();
    let mut done: Vec<u64> = swarm.machines.iter().filter_map(|machine| machine.done_at).collect();
    done.sort_unstable();
    println!(
        "{name}: last {:.3} s = {:.3} x bound (half after {:.3} s), {:.4} copies ({:.4} by honest ones that live) in {} answers, {:.1} sessions each, {} steps in {:.1} s",
        swarm.last(),
        swarm.last() / swarm.bound(),
        done[done.len() / 2] as f64 / 1e9,
        swarm.copies(),
        swarm.honest_copies(),
        swarm.uplink.asked,
        peers as f64 / swarm.machines.len() as f64,
        swarm.steps,
        began.elapsed().as_secs_f64(),
    );
    swarm
}

/// Links of five speeds, one machine in fifty comes late, one in fifty dies, one in a hundred lies.
fn mixed(mut setting: Setting) -> Setting {
    let mut dice = fastrand::Rng::with_seed(7);
    for machine in &mut setting.machines {
        let speed = mbit([500, 1_000, 1_000, 2_000, 10_000][dice.usize(0..5)]);
        (machine.up, machine.down) = (speed, speed);
        match dice.u32(0..100) {
            0..2 => machine.joins = Duration::from_millis(dice.u64(0..8_000)),
            2..4 => machine.dies = Some(Duration::from_millis(dice.u64(500..8_000))),
            4 => machine.way = [Way::Poisons, Way::Boasts, Way::Hoards][dice.usize(0..3)],
            _ => {}
        }
    }
    setting
}

/// In pieces of 8 MiB, an eighth of the work: for every day. `measure_` are the same in pieces of 1 MiB.
fn coarse(setting: Setting) -> Setting {
    Setting { piece_len: 8 * MIB, chunk: 8 * MIB, ..setting }
}

#[test]
fn two_thousand_machines_take_one_copy_from_an_origin_of_ten_links() {
    let swarm = run(coarse(fleet(2_000, mbit(10_000))), "2,000 machines, origin 10 links, coarse");
    assert!(swarm.copies() <= 1.2, "{}", swarm.copies());
    assert!(swarm.last() <= 1.5 * swarm.bound(), "{}", swarm.last());
}

#[test]
#[ignore = "takes a minute or more"]
fn ten_thousand_machines_take_one_copy_from_an_origin_of_ten_links() {
    let swarm = run(coarse(fleet(10_000, mbit(10_000))), "10,000 machines, origin 10 links, coarse");
    assert!(swarm.copies() <= 1.2, "{}", swarm.copies());
    assert!(swarm.last() <= 1.5 * swarm.bound(), "{}", swarm.last());
}

#[test]
fn a_thousand_machines_of_all_kinds_that_come_and_go_and_lie() {
    let swarm = run(mixed(fleet(1_000, mbit(10_000))), "1,000 of all kinds, origin 10 links");
    // Each that poisons is shut out and takes a copy for itself.
    assert!(swarm.honest_copies() <= 1.2, "{}", swarm.honest_copies());
    assert!(swarm.last() <= 1.5 * swarm.bound(), "{}", swarm.last());
}

#[test]
#[ignore = "takes minutes"]
fn measure_ten_links() {
    let swarm = run(fleet(10_000, mbit(10_000)), "10,000 machines, origin 10 links");
    assert!(swarm.copies() <= 1.2 && swarm.last() <= 1.5 * swarm.bound());
}

#[test]
#[ignore = "takes minutes"]
fn measure_a_hundredth_of_all_links() {
    let swarm = run(fleet(10_000, mbit(100_000)), "10,000 machines, origin 1 % of all links");
    assert!(swarm.copies() <= 1.2 && swarm.last() <= 1.5 * swarm.bound());
}

#[test]
#[ignore = "takes minutes"]
fn measure_all_kinds() {
    run(mixed(fleet(10_000, mbit(10_000))), "10,000 of all kinds, origin 10 links");
}

#[test]
#[ignore = "shows what it costs when machines do not hear of their neighbours on the ring"]
fn measure_without_introductions() {
    let setting = Setting { introduces: false, ..coarse(fleet(10_000, mbit(10_000))) };
    run(setting, "10,000 machines, nobody introduced, coarse");
}

#[test]
#[ignore = "a measurement"]
fn measure_the_cost_of_a_chunk() {
    let (piece, count, peers) = (16 * MIB, 65_536_u64, 50);
    let wanted = Wanted { size: Some(count * piece), ranges: WantedRanges::All };
    let mut planner = Planner::new(Settings::default(), wanted, RangeSet::new());
    planner.set_alignment(piece);
    planner.set_me(Duration::ZERO, Member([1; 32]));
    let mut dice = fastrand::Rng::with_seed(1);
    let ids: Vec<_> = (0..peers)
        .map(|_| {
            let half = (0..count).filter(|_| dice.bool());
            let has = half.filter_map(|nth| ByteRange::with_len(nth * piece, piece)).collect();
            let about =
                Source { kind: SourceKind::Peer, ranges: Ranges::Yes, has: Has::Only(has), max_requests: 8 };
            planner.add_source(Duration::ZERO, about)
        })
        .collect();
    let chunk = 256 * 1024;
    let mut running: Vec<(RequestId, u64, u64)> = Vec::new();
    let (mut chunks, mut told, mut now) = (0_u64, 0_u64, Duration::ZERO);
    let began = Instant::now();
    while chunks < 400_000 {
        now += Duration::from_micros(2_000);
        while let Some(command) = planner.poll(now) {
            match command {
                Command::Fetch { request, range, .. } => {
                    running.push((request, range.start, range.end.unwrap()))
                }
                Command::Shorten { .. } => {}
                Command::Cancel { request, .. } => running.retain(|(id, ..)| *id != request),
            }
        }
        let at = dice.usize(0..running.len());
        let (request, next, end) = running[at];
        planner.received(now, request, ByteRange::new(next, (next + chunk).min(end)).unwrap());
        running[at].1 = next + chunk;
        if next + chunk >= end {
            running.swap_remove(at);
            planner.finished(now, request);
            for id in &ids {
                planner.gained(now, *id, ByteRange::with_len(dice.u64(0..count) * piece, piece).unwrap());
                told += 1;
            }
        }
        if planner.timeout().is_some_and(|timeout| timeout <= now) {
            planner.handle_timeout(now);
        }
        chunks += 1;
    }
    let each = began.elapsed().as_nanos() / u128::from(chunks);
    println!("{each} ns for each chunk of 256 KiB, {told} announcements among them; 1 TiB, {peers} peers");
}
