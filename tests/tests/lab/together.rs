//! Machines on one LAN that want the same file.

use anyhow::{Context, Result, ensure};
use dray_tests::{Link, Mbit};

use crate::Case;
use crate::fleet::{Fleet, NAME, SIZE, Sources, UPLINK};

pub(crate) const CASES: &[Case] = &[
    ("two_fresh_machines_share_with_no_configuration_at_all", two_fresh_machines),
    ("all_at_once_take_one_copy_from_the_origin", all_at_once),
    ("those_who_come_later_take_from_those_who_began", staggered),
    ("who_has_the_file_gives_it_to_all", one_already_has_it),
    ("a_machine_on_a_slow_line_gets_the_file_and_holds_nobody_up", a_slow_machine),
    ("who_does_not_know_the_digest_takes_it_from_the_origin_alone", no_evidence),
];

/// What a machine may ask of the origin although peers have everything: the beginning of the file, in hundredths.
const BEGINNING: u64 = 2;

fn two_fresh_machines() -> Result<()> {
    let fleet = Fleet::new(2)?;
    let first = fleet.arrived(0, fleet.begin(0)?)?;
    ensure!(first.origin == SIZE && first.peers == 0, "{first:?}");
    let before = fleet.origin.host().sent()?;
    let second = fleet.arrived(1, fleet.begin(1)?)?;
    ensure!(second.peers * 100 >= SIZE * (100 - BEGINNING), "{second:?}\n{}", fleet.log());
    fleet.expect_at_most(before, BEGINNING, &second)?;
    // Who gave it is told, and both ends count the same.
    let giver = fleet.machines[0].status()?["peers"]["peer_id"].clone();
    let explained = fleet.machines[1].dray(&["explain", "--json", &fleet.update.url])?;
    let explained = explained.expect(0).json()?;
    let sources = explained.pointer("/files/0/sources").and_then(|it| it.as_array()).context("no sources")?;
    let gift = sources.iter().find(|source| source["name"] == giver);
    let gift = gift.with_context(|| format!("{giver} is not among the sources: {explained}"))?;
    ensure!(gift["bytes"].as_u64() == Some(second.peers), "{gift} of {second:?}");
    Ok(())
}

fn all_at_once() -> Result<()> {
    let fleet = Fleet::new(6)?;
    let before = fleet.origin.host().sent()?;
    let told = fleet.all_arrived(fleet.begin_all()?)?;
    fleet.expect_at_most(before, 115, &told)?;
    // Each took a share of its own, and had the rest from the others.
    for sources in &told {
        ensure!(sources.peers * 2 > SIZE, "{told:?}\n{}", fleet.log());
    }
    ensure!(told.iter().filter(|sources| sources.origin > 0).count() > 1, "nothing was divided: {told:?}");
    Ok(())
}

fn staggered() -> Result<()> {
    let fleet = Fleet::new(4)?;
    let before = fleet.origin.host().sent()?;
    let mut running = Vec::new();
    for machine in 0..4u8 {
        fleet.wait_for_sent(before, u64::from(machine) * 20)?;
        running.push(fleet.begin(usize::from(machine))?);
    }
    let told = fleet.all_arrived(running)?;
    fleet.expect_at_most(before, 120, &told)
}

fn one_already_has_it() -> Result<()> {
    let fleet = Fleet::new(4)?;
    fleet.arrived(0, fleet.begin(0)?)?;
    let before = fleet.origin.host().sent()?;
    let running = (1..4).map(|machine| fleet.begin(machine)).collect::<Result<Vec<_>>>()?;
    let told: Vec<Sources> = running
        .into_iter()
        .enumerate()
        .map(|(number, running)| fleet.arrived(number + 1, running))
        .collect::<Result<_>>()?;
    fleet.expect_at_most(before, 3 * BEGINNING, &told)
}

fn a_slow_machine() -> Result<()> {
    let slow = Link::of(Mbit(10));
    let fleet = Fleet::on(UPLINK, &[Link::LAN, Link::LAN, slow])?;
    let before = fleet.origin.host().sent()?;
    let mut running = fleet.begin_all()?;
    let mut last = running.pop().context("three machines")?;
    let told = fleet.all_arrived(running)?;
    ensure!(last.is_running()?, "16 MiB over 10 Mbit/s take longer than three seconds");
    let slow = fleet.arrived(2, last)?;
    // What the slow one began to fetch may come twice.
    fleet.expect_at_most(before, 140, &(told, slow))
}

fn no_evidence() -> Result<()> {
    let fleet = Fleet::new(2)?;
    fleet.arrived(0, fleet.begin(0)?)?;
    let got = fleet.machines[1].get(&fleet.update.url, NAME, &[])?;
    let told = fleet.arrived(1, got)?;
    ensure!(told.origin == SIZE && told.peers == 0, "{told:?}");
    let explained = fleet.machines[1].dray(&["explain", &fleet.update.url])?;
    ensure!(explained.expect(0).stdout.contains("digest"), "the reason is not told: {explained}");
    Ok(())
}
