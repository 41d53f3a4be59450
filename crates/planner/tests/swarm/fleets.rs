//! Large swarms: what they are made of, and one run of them.

use std::time::{Duration, Instant};

use crate::setting::{MIB, Setting, Way, mbit};
use crate::swarm::Swarm;

const GIB: u64 = 1024 * MIB;

/// Machines of which each knows about fifty others, its neighbours on the ring among them.
pub(crate) fn fleet(machines: usize, origin: u64) -> Setting {
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

/// Runs it to its end, with the laws of the world checked at every step, and says how it went.
pub(crate) fn run(setting: Setting, name: &str) -> Swarm {
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
pub(crate) fn mixed(mut setting: Setting) -> Setting {
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

/// In pieces of 8 MiB: an eighth of the work.
pub(crate) fn coarse(setting: Setting) -> Setting {
    Setting { piece_len: 8 * MIB, chunk: 8 * MIB, ..setting }
}
