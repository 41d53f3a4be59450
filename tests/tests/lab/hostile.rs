//! Honest machines, and one that lies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dray_tests::{Host, Link, Running, example, until};

use crate::Case;
use crate::fleet::{Fleet, SIZE, peers};

pub(crate) const CASES: &[Case] = &[
    ("a_peer_that_gives_wrong_bytes_is_banned_and_its_bytes_are_nowhere", wrong_bytes),
    ("a_peer_whose_table_fits_its_wrong_bytes_is_banned_too", wrong_table),
    ("a_peer_that_promises_everything_and_gives_nothing_delays_nobody_for_good", silence),
];

const READY: Duration = Duration::from_secs(60);

/// A machine that says it has everything, and its name among peers.
fn liar(fleet: &Fleet, host: &Host, lie: &str) -> Result<(Running, String)> {
    let mut command = host.command(&example("lying_peer")?)?;
    command.args([lie, &fleet.update.sha256, &SIZE.to_string()]).env("RUST_LOG", "debug");
    let running = Running::start(command, fleet.lab.folder())?;
    let name = until("the liar to say its name", READY, || {
        ensure!(!running.has_ended(), "the liar ended: {}", running.stdout_so_far()?);
        Ok(running.stdout_so_far()?.lines().next().map(str::to_owned))
    })?;
    Ok((running, name))
}

/// Three honest machines and a liar among them, all connected.
fn with_liar(lie: &str) -> Result<(Fleet, Running, String)> {
    let fleet = Fleet::new(3)?;
    let host = fleet.lab.host(1, "liar", Link::LAN)?;
    let (running, name) = liar(&fleet, &host, lie)?;
    fleet.meet(&[3, 3, 3]).context("the liar was not met")?;
    Ok((fleet, running, name))
}

/// Whether this machine has caught the peer of this name, and who else it suspects.
fn caught(fleet: &Fleet, machine: usize, name: &str) -> Result<(bool, Vec<String>)> {
    let suspects = peers(&fleet.machines[machine])?
        .into_iter()
        .filter(|row| row["state"] == "BANNED" || row["offences"].as_u64().is_some_and(|count| count > 0));
    let names: Vec<_> = suspects.filter_map(|row| row["peer_id"].as_str().map(str::to_owned)).collect();
    let others = names.iter().filter(|it| *it != name).cloned().collect();
    Ok((names.iter().any(|it| it == name), others))
}

fn lies(lie: &str) -> Result<()> {
    let (fleet, _liar, name) = with_liar(lie)?;
    let before = fleet.origin.host().sent()?;
    // Every file that arrives is held against its digest.
    let told = fleet.all_arrived(fleet.begin_all()?)?;
    let mut is_caught = false;
    for machine in 0..fleet.machines.len() {
        let (here, others) = caught(&fleet, machine, &name)?;
        is_caught |= here;
        ensure!(others.is_empty(), "machine {machine} suspects honest machines: {others:?}\n{}", fleet.log());
    }
    ensure!(is_caught, "nobody caught {name}: {:?}\n{}", peers(&fleet.machines[0])?, fleet.log());
    // It costs time and bytes: at most one transfer for each machine that believed it.
    fleet.expect_at_most(before, 330, &told)
}

fn wrong_bytes() -> Result<()> {
    lies("bytes")
}

fn wrong_table() -> Result<()> {
    lies("table")
}

fn silence() -> Result<()> {
    let (fleet, _liar, _) = with_liar("silence")?;
    let before = fleet.origin.host().sent()?;
    let told = fleet.all_arrived(fleet.begin_all()?)?;
    fleet.expect_at_most(before, 200, &told)
}
