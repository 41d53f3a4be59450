//! What most cases begin with: an origin behind a slow line, and machines on one LAN that run dray and know each other.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dray_tests::{
    Host, Lab, LabOrigin, Link, MIB, Machine, Mbit, Running, TestFile, random_file, sha256_of, until,
};
use serde_json::Value;

/// The file's name everywhere.
pub(crate) const NAME: &str = "update.bin";
/// Large enough for 64 pieces.
pub(crate) const SIZE: u64 = 16 * MIB;
/// The origin's line.
pub(crate) const UPLINK: Link = Link { up: Some(Mbit(50)), down: Link::LAN.down };

/// Machines that see each other for the first time find and connect to each other in this time.
const MEET: Duration = Duration::from_secs(60);
/// One copy takes three seconds; whatever else is done to a swarm, it ends within this.
const ARRIVE: Duration = Duration::from_secs(150);

/// A LAN with an origin and machines.
pub(crate) struct Fleet {
    pub(crate) lab: Lab,
    pub(crate) origin: LabOrigin,
    pub(crate) machines: Vec<Machine>,
    /// What they want.
    pub(crate) update: Published,
}

/// A file that the origin serves.
pub(crate) struct Published {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    pub(crate) sha256: String,
    pub(crate) file: TestFile,
}

/// What `dray get --json` says of one file's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources {
    pub(crate) origin: u64,
    pub(crate) peers: u64,
    pub(crate) group_peers: u64,
}

impl Fleet {
    /// So many machines with no configuration, connected to each other.
    pub(crate) fn new(count: u8) -> Result<Fleet> {
        Fleet::on(UPLINK, &[Link::LAN].repeat(usize::from(count)))
    }

    /// The same with other cables.
    pub(crate) fn on(uplink: Link, links: &[Link]) -> Result<Fleet> {
        let lab = Lab::new()?;
        let origin = lab.host(1, "origin", uplink)?;
        let hosts = links.iter().enumerate().map(|(number, link)| lab.host(1, &format!("m{number}"), *link));
        let fleet = Fleet::of(&lab, &origin, &hosts.collect::<Result<Vec<_>>>()?, |_| String::new())?;
        let others = fleet.machines.len() - 1;
        fleet.meet(&vec![others; others + 1])?;
        Ok(fleet)
    }

    /// Machines on these hosts, each with its configuration. They may not know each other yet.
    pub(crate) fn of(
        lab: &Lab,
        origin: &Host,
        hosts: &[Host],
        config: impl Fn(usize) -> String,
    ) -> Result<Fleet> {
        let origin = LabOrigin::start(origin, "")?;
        let update = publish(&origin, NAME, SIZE)?;
        let machines = hosts.iter().enumerate().map(|(number, host)| Machine::new(host, &config(number)));
        let mut machines = machines.collect::<Result<Vec<_>>>()?;
        machines.iter_mut().try_for_each(Machine::spawn)?;
        machines.iter_mut().try_for_each(Machine::ready)?;
        Ok(Fleet { lab: lab.clone(), origin, machines, update })
    }

    /// Waits until each machine is connected to so many others.
    pub(crate) fn meet(&self, others: &[usize]) -> Result<()> {
        for (machine, &others) in self.machines.iter().zip(others) {
            until("the machines to meet", MEET, || Ok((machine.connected()? >= others).then_some(())))
                .with_context(|| format!("{} others\n{:?}", others, machine.peers()))
                .with_context(|| self.log())?;
        }
        Ok(())
    }

    /// One machine begins to want the update.
    pub(crate) fn begin(&self, machine: usize) -> Result<Running> {
        self.begin_of(machine, &self.update)
    }

    /// One machine begins to want this file, whose digest it knows.
    pub(crate) fn begin_of(&self, machine: usize, what: &Published) -> Result<Running> {
        self.machines[machine].get(&what.url, what.name, &["--digest", &what.sha256])
    }

    /// All of them begin.
    pub(crate) fn begin_all(&self) -> Result<Vec<Running>> {
        (0..self.machines.len()).map(|machine| self.begin(machine)).collect()
    }

    /// Waits for a machine's update, which must be right, and tells where it came from.
    pub(crate) fn arrived(&self, machine: usize, running: Running) -> Result<Sources> {
        self.arrived_of(machine, running, &self.update)
    }

    /// The same for any file.
    pub(crate) fn arrived_of(&self, machine: usize, running: Running, what: &Published) -> Result<Sources> {
        self.judge(machine, running, what).with_context(|| self.log())
    }

    fn judge(&self, machine: usize, running: Running, what: &Published) -> Result<Sources> {
        let outcome = running.wait(ARRIVE)?;
        ensure!(outcome.code == 0, "machine {machine}: {outcome}");
        let found = sha256_of(&self.machines[machine].home().downloads().join(what.name))?;
        ensure!(found == what.sha256, "machine {machine} has wrong bytes under the final name: {outcome}");
        let told = outcome.json()?;
        let bytes = |source: &str| told["bytes"][source].as_u64().unwrap_or_default();
        let sources = Sources {
            origin: bytes("origin"),
            peers: bytes("lan_peers") + bytes("group_peers"),
            group_peers: bytes("group_peers"),
        };
        let kept = bytes("cache") + bytes("resumed") + bytes("cache_host");
        ensure!(
            sources.origin + sources.peers + kept == what.file.size,
            "machine {machine}: the sources do not add up to the file: {told}"
        );
        Ok(sources)
    }

    /// Waits for everyone's file.
    pub(crate) fn all_arrived(&self, running: Vec<Running>) -> Result<Vec<Sources>> {
        running.into_iter().enumerate().map(|(machine, running)| self.arrived(machine, running)).collect()
    }

    /// Waits until the origin has sent so many hundredths of the file since `before`, headers included.
    pub(crate) fn wait_for_sent(&self, before: u64, percent: u64) -> Result<()> {
        let enough = before + SIZE * percent / 100;
        until("the origin to have sent a part", ARRIVE, || {
            Ok((self.origin.host().sent()? >= enough).then_some(()))
        })
        .with_context(|| self.log())
    }

    /// Asserts that the origin has sent at most so many hundredths of the file since `before`, headers included: one copy is 105.
    pub(crate) fn expect_at_most(
        &self,
        before: u64,
        percent: u64,
        told: &impl std::fmt::Debug,
    ) -> Result<()> {
        let sent = self.origin.host().sent()? - before;
        ensure!(
            sent * 100 <= SIZE * percent,
            "the origin sent {} % of the file, at most {percent} are expected; {told:?}\n{}\n{}",
            sent * 100 / SIZE,
            self.origin.requests(NAME)?.join("\n"),
            self.log()
        );
        Ok(())
    }

    /// What every daemon has said.
    pub(crate) fn log(&self) -> String {
        self.machines.iter().map(Machine::log).collect()
    }
}

/// Serves a file of so many bytes. Files of other sizes are other files.
pub(crate) fn publish(origin: &LabOrigin, name: &'static str, size: u64) -> Result<Published> {
    let file = random_file(size)?;
    origin.publish(name, &file.path)?;
    Ok(Published { name, url: origin.url(name), sha256: file.sha256()?, file })
}

/// The rows of `dray peers --json`.
pub(crate) fn peers(machine: &Machine) -> Result<Vec<Value>> {
    let told = machine.peers()?;
    Ok(told["peers"].as_array().with_context(|| format!("no peers in {told}"))?.clone())
}
