//! Ten thousand machines and 1 GiB.

use std::time::{Duration, Instant};

use crate::setting::{KIB, MIB, Setting, mbit};
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
    // No machine can have the file sooner than its own link brings it, nor than the origin has sent it once.
    let slowest = setting.machines.iter().map(|nature| nature.down).min().unwrap_or(1);
    let bound = setting.size as f64 / slowest.min(setting.origin) as f64;
    let began = Instant::now();
    let mut swarm = Swarm::new(setting);
    swarm.run();
    let peers: usize = swarm.machines.iter().map(|machine| machine.sessions.len()).sum();
    let mut done: Vec<u64> = swarm.machines.iter().filter_map(|machine| machine.done_at).collect();
    done.sort_unstable();
    println!(
        "{name}: last {:.3} s = {:.3} x bound (half after {:.3} s), {:.4} copies in {} answers, {:.1} sessions each, {} steps in {:.1} s",
        swarm.last(),
        swarm.last() / bound,
        done[done.len() / 2] as f64 / 1e9,
        swarm.copies(),
        swarm.uplink.asked,
        peers as f64 / swarm.machines.len() as f64,
        swarm.steps,
        began.elapsed().as_secs_f64(),
    );
    swarm
}

#[test]
fn measure_ten_thousand() {
    let machines = std::env::var("MACHINES").map_or(10_000, |text| text.parse().unwrap());
    let piece = std::env::var("PIECE").map_or(1, |text| text.parse().unwrap()) * MIB;
    let introduces = std::env::var("ALONE").is_err();
    let links = std::env::var("LINKS").map_or(10, |text| text.parse().unwrap());
    let setting =
        Setting { piece_len: piece, chunk: piece, introduces, ..fleet(machines, mbit(1_000) * links) };
    run(setting, &format!("{machines} machines, {links} links, {piece}"));
    let _ = KIB;
}
