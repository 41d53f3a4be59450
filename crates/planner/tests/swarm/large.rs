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
        gathers: Duration::from_millis(20),
        sessions: 32,
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
fn a_thousand_machines() {
    run(fleet(1_000, mbit(10_000)), "1,000 machines, origin 10 links");
    run(fleet(200, mbit(10_000)), "200 machines, origin 10 links");
    run(fleet(100, mbit(100)), "100 machines, origin 1/10 link");
    let _ = KIB;
}
