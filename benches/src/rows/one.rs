//! One file at a time, `dray get --embedded` against `curl -o`.

use anyhow::Result;
use dray_tests::Home;

use super::{Pair, cpu, duration, mebibytes, number, ratio, seconds, size, wall};
use crate::measure::{self, Cost};
use crate::site::{self, Site};
use crate::table::Line;

const MOST_WALL: f64 = 1.10;
const MOST_CPU: f64 = 1.60;
const MOST_PEAK_BYTES: u64 = 64 << 20;
const MOST_WRITTEN: f64 = 1.05;
const MOST_START_S: f64 = 0.040;

/// The tiny file is cheap, and its times are short and scattered: more runs.
const TINY_RUNS: usize = 5;

fn curl(site: &Site, name: &str) -> Result<Cost> {
    let folder = tempfile::tempdir()?;
    measure::settle()?;
    measure::run(&site::curl(folder.path(), &["-o", name, &site.origin.url(name)])?)
}

/// curl, and then its file made durable, as dray's is.
fn curl_and_sync(site: &Site, name: &str) -> Result<Cost> {
    let folder = tempfile::tempdir()?;
    measure::settle()?;
    let first = measure::run(&site::curl(folder.path(), &["-o", name, &site.origin.url(name)])?)?;
    let mut sync = std::process::Command::new(dray_tests::system_program("sync")?);
    sync.arg(name).current_dir(folder.path());
    let second = measure::run(&sync)?;
    Ok(Cost { wall: first.wall + second.wall, cpu: first.cpu + second.cpu, ..first })
}

/// A new home each time: nothing cached, nothing to resume.
fn dray(site: &Site, name: &str) -> Result<Cost> {
    let home = Home::new()?;
    measure::settle()?;
    measure::run(&site::dray(&home, &site.origin.url(name))?)
}

/// The large file.
pub(super) fn large(site: &Site, runs: usize) -> Result<Vec<Line>> {
    let name = "large.bin";
    let pair = Pair::measure(runs, || curl(site, name), || dray(site, name))?;
    let synced = Pair::measure(runs, || curl_and_sync(site, name), || Ok(Cost::default()))?;
    let file = size(site.sizes.large);
    let (synced_wall, _) = synced.medians(wall);
    let (_, dray_wall) = pair.medians(wall);
    Ok(vec![
        ratio(&format!("{file}, wall time"), pair.medians(wall), MOST_WALL),
        Line {
            what: format!("{file}, wall time, curl's file made durable with sync too"),
            curl: seconds(synced_wall),
            dray: seconds(dray_wall),
            result: format!("{:.2} x", dray_wall / synced_wall),
            target: String::new(),
            reached: None,
        },
        ratio(&format!("{file}, CPU seconds"), pair.medians(cpu), MOST_CPU),
        memory(&file, &pair),
        written(&file, site.sizes.large, &pair),
    ])
}

/// The huge file, once: memory does not scatter as time does.
pub(super) fn huge(site: &Site) -> Result<Vec<Line>> {
    let pair = Pair::measure(1, || curl(site, "huge.bin"), || dray(site, "huge.bin"))?;
    Ok(vec![memory(&size(site.sizes.huge), &pair)])
}

/// The tiny file.
pub(super) fn tiny(site: &Site, runs: usize) -> Result<Vec<Line>> {
    let runs = runs * TINY_RUNS;
    let pair = Pair::measure(runs, || curl(site, "tiny.bin"), || dray(site, "tiny.bin"))?;
    let (curl, dray) = pair.medians(wall);
    let more = dray - curl;
    Ok(vec![Line {
        what: format!("{}, wall time", size(site.sizes.tiny)),
        curl: seconds(curl),
        dray: seconds(dray),
        result: format!("{:.1} ms more", duration(more).as_secs_f64() * 1000.0),
        target: format!("at most {:.0} ms more", MOST_START_S * 1000.0),
        reached: Some(more <= MOST_START_S),
    }])
}

fn memory(file: &str, pair: &Pair) -> Line {
    let (curl, dray) = pair.medians(|cost| number(cost.peak_bytes));
    Line {
        what: format!("{file}, peak memory"),
        curl: mebibytes(curl),
        dray: mebibytes(dray),
        result: mebibytes(dray),
        target: format!("below {}", mebibytes(number(MOST_PEAK_BYTES))),
        reached: Some(dray < number(MOST_PEAK_BYTES)),
    }
}

fn written(file: &str, bytes: u64, pair: &Pair) -> Line {
    let (curl, dray) = pair.medians(|cost| number(cost.written_bytes) / number(bytes));
    Line {
        what: format!("{file}, bytes written to disk for each byte delivered, cache on"),
        curl: format!("{curl:.3}"),
        dray: format!("{dray:.3}"),
        result: format!("{dray:.3}"),
        target: format!("at most {MOST_WRITTEN:.2}"),
        reached: Some(dray <= MOST_WRITTEN),
    }
}
