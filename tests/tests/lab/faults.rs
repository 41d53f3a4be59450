//! A swarm to which something happens.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dray_tests::{Link, Mbit, Running, Signal, until};

use crate::Case;
use crate::fleet::{Fleet, SIZE, Sources, UPLINK, publish};

pub(crate) const CASES: &[Case] = &[
    ("a_peer_that_is_killed_in_the_middle_costs_its_share_and_no_more", a_peer_is_killed),
    ("a_peer_that_freezes_in_the_middle_holds_nobody_up_for_good", a_peer_freezes),
    ("when_the_swarm_has_all_pieces_between_them_the_origin_may_die", the_origin_dies),
    ("a_partition_costs_a_copy_for_each_part_and_heals", a_partition),
    ("a_machine_whose_cable_is_pulled_for_a_while_still_gets_the_file", a_pulled_cable),
    ("five_packets_of_a_hundred_are_lost_and_all_arrives", loss),
];

const PATIENCE: Duration = Duration::from_secs(90);
/// An origin that has sent nothing for so long is not being asked.
const QUIET: Duration = Duration::from_millis(700);

fn without<T>(mut all: Vec<T>, index: usize) -> (Vec<T>, T) {
    let one = all.remove(index);
    (all, one)
}

fn a_peer_is_killed() -> Result<()> {
    let mut fleet = Fleet::new(4)?;
    let before = fleet.origin.host().sent()?;
    let (others, victim) = without(fleet.begin_all()?, 3);
    fleet.wait_for_sent(before, 40)?;
    fleet.machines[3].kill()?;
    drop(victim);
    let told = fleet.all_arrived(others)?;
    fleet.expect_at_most(before, 150, &told)?;
    // The killed one goes on by itself, with what it has and what the others have. It may ask the origin before it has met them.
    let middle = fleet.origin.host().sent()?;
    fleet.machines[3].start()?;
    fleet.meet(&[3; 4])?;
    fleet.arrived(3, fleet.begin(3)?)?;
    fleet.expect_at_most(middle, 60, &told)
}

fn a_peer_freezes() -> Result<()> {
    let mut fleet = Fleet::new(4)?;
    let before = fleet.origin.host().sent()?;
    let (others, frozen) = without(fleet.begin_all()?, 3);
    fleet.wait_for_sent(before, 40)?;
    fleet.machines[3].signal(Signal::Stop)?;
    let told = fleet.all_arrived(others)?;
    fleet.machines[3].signal(Signal::Continue)?;
    let late = fleet.arrived(3, frozen)?;
    fleet.expect_at_most(before, 170, &(told, late))
}

fn the_origin_dies() -> Result<()> {
    // The origin is the fast one here: it has given everything long before the machines have exchanged it.
    let mut fleet =
        Fleet::on(Link::of(Mbit(400)), &[Link { up: Some(Mbit(20)), down: Some(Mbit(1000)) }; 3])?;
    let before = fleet.origin.host().sent()?;
    let running = fleet.begin_all()?;
    fleet.wait_for_sent(before, 100)?;
    quiet(&fleet)?;
    ensure_running(&running)?;
    fleet.origin.kill()?;
    let told = fleet.all_arrived(running)?;
    ensure!(told.iter().all(|sources| sources.peers > 0), "{told:?}");
    Ok(())
}

/// Waits until the origin sends nothing any more.
fn quiet(fleet: &Fleet) -> Result<()> {
    let mut last = (0, std::time::Instant::now());
    until("the origin to be left alone", PATIENCE, || {
        let sent = fleet.origin.host().sent()?;
        // A connection that is kept open says something now and then.
        if sent > last.0 + 2000 {
            last = (sent, std::time::Instant::now());
        }
        Ok((last.1.elapsed() > QUIET).then_some(()))
    })
}

fn ensure_running(running: &[Running]) -> Result<()> {
    ensure!(!running.iter().all(Running::has_ended), "everything was over before the origin died");
    Ok(())
}

fn a_partition() -> Result<()> {
    let fleet = Fleet::new(4)?;
    let hosts: Vec<_> = fleet.machines.iter().map(|machine| machine.host().clone()).collect();
    let [a, b, c, d] = [&hosts[0], &hosts[1], &hosts[2], &hosts[3]];
    fleet.lab.part(1, &[a, b], &[c, d])?;
    let before = fleet.origin.host().sent()?;
    let running = fleet.begin_all()?;
    let told = fleet.all_arrived(running)?;
    fleet.expect_at_most(before, 240, &told)?;
    fleet.lab.heal(1)?;
    fleet.meet(&[3; 4])?;
    // Together again: the next file is taken once.
    let next = publish(&fleet.origin, "next.bin", SIZE + 1)?;
    let before = fleet.origin.host().sent()?;
    let running = (0..4).map(|machine| fleet.begin_of(machine, &next)).collect::<Result<Vec<_>>>()?;
    let told: Vec<Sources> = running
        .into_iter()
        .enumerate()
        .map(|(machine, running)| fleet.arrived_of(machine, running, &next))
        .collect::<Result<_>>()?;
    fleet.expect_at_most(before, 120, &told)
}

fn a_pulled_cable() -> Result<()> {
    let fleet = Fleet::new(3)?;
    let before = fleet.origin.host().sent()?;
    let running = fleet.begin_all()?;
    fleet.wait_for_sent(before, 30)?;
    fleet.machines[2].host().unplug()?;
    fleet.wait_for_sent(before, 70)?;
    fleet.machines[2].host().plug()?;
    let told = fleet.all_arrived(running)?;
    fleet.expect_at_most(before, 190, &told)
}

fn loss() -> Result<()> {
    let fleet = Fleet::on(UPLINK, &[Link::LAN; 3])?;
    fleet.lab.lose(1, 5)?;
    let before = fleet.origin.host().sent()?;
    let told = fleet.all_arrived(fleet.begin_all()?).context("with 5 % of loss")?;
    // What is lost is sent again, and counts.
    fleet.expect_at_most(before, 150, &told)?;
    ensure!(told.iter().all(|sources| sources.peers > 0), "{told:?}\n{}", fleet.log());
    Ok(())
}
