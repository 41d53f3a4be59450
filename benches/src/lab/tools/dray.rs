//! dray: a daemon on every machine that has run for a while, as on a fleet, and `dray get` as its client.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use dray_tests::{Machine, Mbit, Usage, until};

use super::super::course::{Course, NAME};
use super::{Entrant, Team};
use crate::tell;

/// How long machines that see each other for the first time may take to find and connect to each other.
const MEET: Duration = Duration::from_secs(60);
/// The origin's line once the giver has the file.
const SLOW: Mbit = Mbit(50);

/// The daemons of all machines.
pub(super) struct Fleet {
    machines: Vec<Machine>,
    /// What everyone knows of the file.
    digest: String,
}

impl Fleet {
    /// Starts them all, with no configuration, and waits until each is connected to all others.
    pub(super) fn set_up(course: &Course, digest: String) -> Result<Fleet> {
        let machines = course.machines.iter().map(|host| Machine::new(host, ""));
        let mut machines = machines.collect::<Result<Vec<_>>>()?;
        machines.iter_mut().try_for_each(Machine::spawn)?;
        machines.iter_mut().try_for_each(Machine::ready)?;
        let fleet = Fleet { machines, digest };
        if let Err(error) = fleet.meet() {
            tell(&format!("dray: not everyone met, going on: {error:#}"));
        }
        Ok(fleet)
    }

    fn get(&self, course: &Course, machine: usize) -> Result<Entrant> {
        let machine = self.machines.get(machine).context("no such machine")?;
        let running = machine.get(&course.url(), NAME, &["--digest", &self.digest])?;
        Ok(Entrant { running, file: machine.home().downloads().join(NAME), mark: None })
    }

    fn meet(&self) -> Result<()> {
        let others = self.machines.len() - 1;
        self.machines.iter().try_for_each(|machine| {
            until("the machines to meet", MEET, || Ok((machine.connected()? >= others).then_some(())))
        })
    }
}

impl Team for Fleet {
    fn start(&mut self, course: &Course, machine: usize) -> Result<Entrant> {
        self.get(course, machine)
    }

    fn usage(&self) -> Result<Vec<Usage>> {
        self.machines.iter().map(Machine::usage).collect()
    }

    fn log(&self) -> String {
        self.machines.iter().map(Machine::log).collect()
    }
}

/// Two machines, one of which has the file.
pub(in super::super) struct DrayPair {
    fleet: Fleet,
    before: Vec<Usage>,
}

impl DrayPair {
    /// The giver fetches the file; then the origin becomes slow, so that the taker has one good source.
    pub(in super::super) fn set_up(course: &Course, digest: String) -> Result<DrayPair> {
        let mut fleet = Fleet::set_up(course, digest)?;
        let first = fleet.start(course, 0)?;
        until("the giver to have the file", MEET, || Ok(first.has_it()?.then_some(())))?;
        first.check(&course.sha256)?;
        course.origin.host().slow_down(SLOW)?;
        crate::measure::settle()?;
        let before = fleet.usage()?;
        Ok(DrayPair { fleet, before })
    }

    /// The taker begins.
    pub(in super::super) fn take(&self, course: &Course) -> Result<Entrant> {
        self.fleet.get(course, 1)
    }

    /// What the daemons of giver and taker have cost since then.
    pub(in super::super) fn costs(&self) -> Result<[Usage; 2]> {
        let after = self.fleet.usage()?;
        let costs: Vec<Usage> =
            after.iter().zip(&self.before).map(|(after, before)| after.since(*before)).collect();
        costs.try_into().map_err(|_| anyhow!("a pair is two machines"))
    }

    pub(in super::super) fn log(&self) -> String {
        self.fleet.log()
    }
}
