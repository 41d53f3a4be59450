//! Ten thousand machines in virtual time: `cargo run --release -p dray-planner --example simulate [CASE]`.
//!
//! The laws of the world are checked at every step, and the program fails when a case misses what is asked of it. Without CASE all
//! run, which takes minutes. The tests run the same world with fewer machines.

#![allow(
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    dead_code,
    reason = "shared with the tests"
)]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::time::{Duration, Instant};

use dray_planner::{
    Command, Has, Member, Planner, Ranges, RequestId, Settings, Source, SourceKind, Wanted, WantedRanges,
};
use dray_ranges::{ByteRange, RangeSet};

use crate::fleets::{coarse, fleet, mixed, run};
use crate::setting::{MIB, Setting, mbit};

#[path = "../tests/swarm/fleets.rs"]
mod fleets;
#[path = "../tests/swarm/machine.rs"]
mod machine;
#[path = "../tests/swarm/setting.rs"]
mod setting;
#[path = "../tests/swarm/swarm.rs"]
mod swarm;
#[path = "../tests/swarm/uplink.rs"]
mod uplink;

/// Copies that the origin may send, and how many times the bound the last machine may take.
const MOST_COPIES: f64 = 1.2;
const MOST_TIME: f64 = 1.5;

const CASES: [(&str, fn()); 6] = [
    ("ten-links", || judge(fleet(10_000, mbit(10_000)), "10,000 machines, origin 10 links")),
    ("ten-links-coarse", || {
        judge(coarse(fleet(10_000, mbit(10_000))), "10,000 machines, origin 10 links, pieces of 8 MiB")
    }),
    ("hundredth", || judge(fleet(10_000, mbit(100_000)), "10,000 machines, origin 1 % of all links")),
    ("mixed", || show(mixed(fleet(10_000, mbit(10_000))), "10,000 of all kinds, origin 10 links")),
    ("not-introduced", || {
        let setting = Setting { introduces: false, ..coarse(fleet(10_000, mbit(10_000))) };
        show(setting, "10,000 machines that hear nothing of their neighbours on the ring, pieces of 8 MiB");
    }),
    ("chunk", cost_of_a_chunk),
];

fn main() {
    let wanted = std::env::args().nth(1);
    let chosen: Vec<_> =
        CASES.iter().filter(|(name, _)| wanted.as_deref().is_none_or(|wanted| wanted == *name)).collect();
    assert!(!chosen.is_empty(), "the cases are {:?}", CASES.map(|(name, _)| name));
    chosen.iter().for_each(|(_, case)| case());
}

fn judge(setting: Setting, name: &str) {
    let swarm = run(setting, name);
    assert!(swarm.copies() <= MOST_COPIES, "{} copies", swarm.copies());
    assert!(swarm.last() <= MOST_TIME * swarm.bound(), "{} s", swarm.last());
}

fn show(setting: Setting, name: &str) {
    run(setting, name);
}

/// What a chunk costs the planner, in a file of 1 TiB with 50 peers that announce as they go.
fn cost_of_a_chunk() {
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
