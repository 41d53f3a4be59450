//! Thousands of machines and 1 GiB. Ten thousand take minutes: the example `simulate` runs them.

use crate::fleets::{coarse, fleet, mixed, run};
use crate::setting::mbit;

#[test]
fn two_thousand_machines_take_one_copy_from_an_origin_of_ten_links() {
    let swarm = run(coarse(fleet(2_000, mbit(10_000))), "2,000 machines, origin 10 links, coarse");
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
