//! One machine has a file, another wants it, and the network between them is as fast as the processor.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dray_tests::{Link, Usage, blake3_of, until};

use super::course::Course;
use super::race::bytes;
use super::tools::{Client, DrayPair, Entrant, Tool, curl_over_tls, give, take};
use super::{Plan, tell};
use crate::measure;
use crate::median::median;

/// How long one transfer may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// Of the file, what may come from the origin although another machine has it.
const MOST_FROM_ORIGIN: f64 = 0.03;

/// What one transfer cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) wall_s: f64,
    pub(super) giver_cpu_s: f64,
    pub(super) taker_cpu_s: f64,
    /// Of the end that took more memory.
    pub(super) peak_bytes: f64,
}

/// All transfers of one program.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) tool: Tool,
    pub(super) size: u64,
    pub(super) runs: Vec<Found>,
    /// Runs that did not come to their end, or to the right file.
    pub(super) failed: usize,
}

impl Pair {
    pub(super) fn median(&self, pick: impl Fn(&Found) -> f64) -> f64 {
        median(&self.runs.iter().map(pick).collect::<Vec<_>>()).unwrap_or(f64::NAN)
    }
}

pub(super) fn run(plan: &Plan, tools: &[Tool]) -> Result<Vec<Pair>> {
    let mut pairs: Vec<Pair> =
        tools.iter().map(|&tool| Pair { tool, size: plan.pair_size, runs: Vec::new(), failed: 0 }).collect();
    for turn in 1..=plan.runs {
        for pair in &mut pairs {
            let name = pair.tool.name();
            match once(pair.tool, plan.pair_size) {
                Ok(found) => {
                    let cpu = found.giver_cpu_s + found.taker_cpu_s;
                    tell(&format!("{name}, two machines, run {turn}: {:.2} s, {cpu:.2} CPU s", found.wall_s));
                    pair.runs.push(found);
                }
                Err(error) => {
                    pair.failed += 1;
                    tell(&format!("{name}, two machines, run {turn}: FAILED: {error:#}"));
                }
            }
        }
    }
    ensure!(pairs.iter().any(|pair| !pair.runs.is_empty()), "no transfer came to an end");
    Ok(pairs)
}

fn once(tool: Tool, size: u64) -> Result<Found> {
    let mut course = Course::build(size, Link::OPEN, 2, Link::OPEN)?;
    match tool {
        Tool::Dray => dray(&course, course.sha256.clone()),
        Tool::DrayBlake3 => dray(&course, blake3_of(&course.file.path)?),
        Tool::Rqbit => torrent(&mut course, Client::Rqbit),
        Tool::Libtorrent | Tool::LibtorrentOne => torrent(&mut course, Client::Libtorrent),
        Tool::Aria2 | Tool::Aria2Seed => torrent(&mut course, Client::Aria2),
        Tool::NginxTls | Tool::CurlOne | Tool::Curl | Tool::Squid => tls(&course),
    }
}

fn dray(course: &Course, digest: String) -> Result<Found> {
    let pair = DrayPair::set_up(course, digest)?;
    let sent = course.origin.host().sent()?;
    let began = Instant::now();
    let taker = pair.take(course)?;
    let (wall, client) = arrive(&taker, began).with_context(|| pair.log())?;
    let [giver, daemon] = pair.costs()?;
    taker.check(&course.sha256)?;
    let from_origin = bytes(course.origin.host().sent()? - sent) / bytes(course.file.size);
    ensure!(from_origin <= MOST_FROM_ORIGIN, "{:.1} % of it came from the origin", from_origin * 100.0);
    Ok(found(wall, giver, &[daemon, client]))
}

fn torrent(course: &mut Course, client: Client) -> Result<Found> {
    let torrent = course.torrent(false)?;
    let folder = course.folder(0, "torrent")?;
    let giver = give(client, course, &course.machines[0], &torrent, &folder)?;
    measure::settle()?;
    let before = giver.running.usage()?;
    let began = Instant::now();
    let taker = take(client, course, 1, &torrent)?;
    let (wall, cost) =
        arrive(&taker, began).with_context(|| giver.running.stdout_so_far().unwrap_or_default())?;
    let given = giver.running.usage()?.since(before);
    taker.check(&course.sha256)?;
    Ok(found(wall, given, &[cost]))
}

fn tls(course: &Course) -> Result<Found> {
    measure::settle()?;
    let before = course.origin.usage()?;
    let began = Instant::now();
    let taker = curl_over_tls(course)?;
    let (wall, cost) = arrive(&taker, began)?;
    let given = course.origin.usage()?.since(before);
    taker.check(&course.sha256)?;
    Ok(found(wall, given, &[cost]))
}

/// When it is there, and what the taker's program has cost.
fn arrive(taker: &Entrant, began: Instant) -> Result<(Duration, Usage)> {
    until("the file to arrive", PATIENCE, || Ok(taker.has_it()?.then_some(())))
        .with_context(|| taker.running.stdout_so_far().unwrap_or_default())?;
    Ok((began.elapsed(), taker.running.usage()?))
}

fn found(wall: Duration, giver: Usage, taker: &[Usage]) -> Found {
    Found {
        wall_s: wall.as_secs_f64(),
        giver_cpu_s: giver.cpu.as_secs_f64(),
        taker_cpu_s: taker.iter().map(|usage| usage.cpu.as_secs_f64()).sum(),
        peak_bytes: taker.iter().chain([&giver]).map(|usage| bytes(usage.peak_bytes)).fold(0.0, f64::max),
    }
}
