//! Eight and twenty machines on a LAN: the cases of the lab.

use crate::setting::Setting;
use crate::swarm::Swarm;

/// Time of the origin's uplink for one copy, in seconds.
fn ideal(setting: &Setting) -> f64 {
    setting.size as f64 / setting.origin as f64
}

fn run(setting: Setting, name: &str) -> Swarm {
    let ideal = ideal(&setting);
    let mut swarm = Swarm::new(setting);
    swarm.run();
    println!(
        "{name}: last {:.3} s = {:.3} x ideal, {:.4} copies in {} answers, uplink idle {:.3} s, {} steps",
        swarm.last(),
        swarm.last() / ideal,
        swarm.copies(),
        swarm.uplink.asked,
        swarm.uplink.idle as f64 / 1e9,
        swarm.steps,
    );
    swarm
}

#[test]
fn all_at_once_take_little_longer_than_one_alone_and_the_origin_sends_once() {
    for machines in [2, 8, 20] {
        for seed in 0..10 {
            let setting = Setting { seed, ..Setting::lab(machines) };
            let ideal = ideal(&setting);
            let swarm = run(setting, &format!("{machines} at once"));
            assert!(swarm.last() <= 1.04 * ideal, "{machines} machines: {} s", swarm.last());
            assert!(swarm.copies() <= 1.01, "{machines} machines: {} copies", swarm.copies());
        }
    }
}
