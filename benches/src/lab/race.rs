//! Many machines want one file at the same moment, and the origin's line is slow.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dray_tests::{Link, Running, Usage, until};

use super::course::Course;
use super::tools::{Entrant, Tool};
use super::{Plan, tell};
use crate::median::median;

/// What a packet of 1,500 bytes carries of a file over TCP, and what it takes on the wire, its Ethernet header included.
const CARRIED: f64 = 1448.0;
const ON_WIRE: f64 = 1514.0;

/// Beyond the time that one copy for every machine would take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one run came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// From the first start until the last machine has the file.
    pub(super) last_s: f64,
    /// The same for the first machine.
    pub(super) first_s: f64,
    /// Bytes that left the origin, headers included, for each byte of the file.
    pub(super) origin_copies: f64,
    /// Processor time of all machines, for each GiB that arrived on one.
    pub(super) cpu_s_per_gib: f64,
    /// Of the machine that took most.
    pub(super) peak_bytes: f64,
    /// Of the machine that took most, before the race, where a program waits for work.
    pub(super) idle_bytes: Option<f64>,
}

/// All runs of one program.
#[derive(Clone, Debug)]
pub(super) struct Race {
    pub(super) tool: Tool,
    pub(super) machines: u8,
    pub(super) size: u64,
    /// The file's size over the origin's line, headers included.
    pub(super) ideal_s: f64,
    pub(super) runs: Vec<Found>,
    /// Runs that did not come to their end, or to the right file.
    pub(super) failed: usize,
}

impl Race {
    pub(super) fn median(&self, pick: impl Fn(&Found) -> f64) -> f64 {
        median(&self.runs.iter().map(pick).collect::<Vec<_>>()).unwrap_or(f64::NAN)
    }

    /// Least and most.
    pub(super) fn spread(&self, pick: impl Fn(&Found) -> f64) -> (f64, f64) {
        let values = || self.runs.iter().map(&pick);
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    }
}

/// Every program at every number of machines, in turns.
pub(super) fn run(plan: &Plan, tools: &[Tool]) -> Result<Vec<Race>> {
    let ideal_s = ideal_s(plan);
    let mut races = Vec::new();
    for &machines in &plan.machines {
        let fresh =
            |&tool: &Tool| Race { tool, machines, size: plan.size, ideal_s, runs: Vec::new(), failed: 0 };
        let mut these: Vec<Race> = tools.iter().map(fresh).collect();
        for turn in 1..=plan.runs {
            for race in &mut these {
                if turn > race.tool.most_runs() {
                    continue;
                }
                let name = race.tool.name();
                match once(plan, race.tool, race.tool.machines(machines)) {
                    Ok(found) => {
                        tell(&format!(
                            "{name}, {machines} machines, run {turn}: last {:.2} s, origin {:.3}, {:.2} CPU s/GiB",
                            found.last_s, found.origin_copies, found.cpu_s_per_gib
                        ));
                        race.runs.push(found);
                    }
                    Err(error) => {
                        tell(&format!("{name}, {machines} machines, run {turn}: FAILED: {error:#}"))
                    }
                }
            }
        }
        races.extend(these);
    }
    ensure!(races.iter().any(|race| !race.runs.is_empty()), "no race came to an end");
    Ok(races)
}

/// Seconds that the file takes on the origin's line, with the headers of full packets.
fn ideal_s(plan: &Plan) -> f64 {
    bytes(plan.size) * 8.0 * (ON_WIRE / CARRIED) / (f64::from(plan.uplink.0) * 1e6)
}

fn once(plan: &Plan, tool: Tool, machines: u8) -> Result<Found> {
    crate::measure::settle()?;
    let uplink = Link { up: Some(plan.uplink), down: Link::LAN.down };
    let mut course = Course::build(plan.size, uplink, machines, Link::LAN)?;
    let mut team = tool.team(&mut course)?;
    let idle = team.usage()?;
    let before = course.origin.host().sent()?;

    let began = Instant::now();
    let mut entrants = Vec::new();
    for machine in 0..course.machines.len() {
        entrants.push(team.start(&course, machine)?);
    }
    let limit = Duration::from_secs_f64(ideal_s(plan) * f64::from(machines)) + PATIENCE;
    let times = finish(&entrants, began, limit).with_context(|| team.log())?;
    let origin = course.origin.host().sent()? - before;

    let costs = entrants.iter().map(|it| it.running.usage()).collect::<Result<Vec<_>>>()?;
    let after = team.usage()?;
    for (machine, entrant) in entrants.into_iter().enumerate() {
        entrant.check(&course.sha256).with_context(|| format!("machine {machine}\n{}", team.log()))?;
    }
    let cpu_s = seconds(&costs) + seconds(&after) - seconds(&idle);
    let peak = |machine: usize| {
        let of = |all: &[Usage]| all.get(machine).map_or(0, |usage| usage.peak_bytes);
        of(&costs).max(of(&after))
    };
    let second = |it: fn(f64, f64) -> f64| times.iter().map(Duration::as_secs_f64).reduce(it);
    Ok(Found {
        last_s: second(f64::max).context("no machines")?,
        first_s: second(f64::min).context("no machines")?,
        origin_copies: bytes(origin) / bytes(plan.size),
        cpu_s_per_gib: cpu_s / (bytes(plan.size) * f64::from(machines) / bytes(dray_tests::GIB)),
        peak_bytes: (0..course.machines.len()).map(|machine| bytes(peak(machine))).fold(0.0, f64::max),
        idle_bytes: idle.iter().map(|usage| bytes(usage.resident_bytes)).reduce(f64::max),
    })
}

/// When each has the file, since `began`.
fn finish(entrants: &[Entrant], began: Instant, limit: Duration) -> Result<Vec<Duration>> {
    let mut times = vec![None; entrants.len()];
    until("every machine to have the file", limit, || {
        for (time, entrant) in times.iter_mut().zip(entrants) {
            if time.is_none() && entrant.has_it()? {
                *time = Some(began.elapsed());
            }
        }
        Ok(times.iter().copied().collect::<Option<Vec<_>>>())
    })
    .with_context(|| {
        let missing = times.iter().zip(entrants).filter(|(time, _)| time.is_none());
        missing.map(|(_, entrant)| said(&entrant.running)).collect::<Vec<_>>().join("\n")
    })
}

fn said(running: &Running) -> String {
    running.stdout_so_far().unwrap_or_default()
}

fn seconds(usages: &[Usage]) -> f64 {
    usages.iter().map(|usage| usage.cpu.as_secs_f64()).sum()
}

/// Bytes as a number to calculate with; exact below eight pebibytes.
#[expect(clippy::cast_precision_loss, reason = "ratios with three digits are shown")]
pub(super) fn bytes(count: u64) -> f64 {
    count as f64
}
