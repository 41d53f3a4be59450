//! The rows of the table: what is fetched, how often, and what the target is.

mod many;
mod one;
mod queue;

use std::time::Duration;

use anyhow::Result;

use crate::measure::Cost;
use crate::median::median;
use crate::site::Site;
use crate::table::Line;

/// What is measured; one of these may give several lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// The large file: wall time, CPU, memory, bytes written.
    Large,
    /// The huge file: memory.
    Huge,
    /// The tiny file: start-up.
    Tiny,
    /// Many small files in one job of the daemon.
    Many,
    /// A long queue in the daemon: making it, listing it, starting with it.
    Queue,
}

impl Row {
    pub(crate) const ALL: [Row; 5] = [Row::Large, Row::Huge, Row::Tiny, Row::Many, Row::Queue];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Row::Large => "large file",
            Row::Huge => "huge file",
            Row::Tiny => "tiny file",
            Row::Many => "many files",
            Row::Queue => "long queue",
        }
    }

    pub(crate) fn measure(self, site: &Site, runs: usize) -> Result<Vec<Line>> {
        match self {
            Row::Large => one::large(site, runs),
            Row::Huge => one::huge(site),
            Row::Tiny => one::tiny(site, runs),
            Row::Many => many::files(site, runs),
            Row::Queue => queue::queue(site, runs),
        }
    }
}

/// Both programs' costs, from runs that took turns.
struct Pair {
    curl: Vec<Cost>,
    dray: Vec<Cost>,
}

impl Pair {
    /// Takes turns, so that what else the machine does meets both alike.
    fn measure(
        runs: usize,
        mut curl: impl FnMut() -> Result<Cost>,
        mut dray: impl FnMut() -> Result<Cost>,
    ) -> Result<Pair> {
        let mut pair = Pair { curl: Vec::new(), dray: Vec::new() };
        for _ in 0..runs {
            pair.curl.push(curl()?);
            pair.dray.push(dray()?);
        }
        Ok(pair)
    }

    /// Medians of one number, curl's and dray's.
    fn medians(&self, number: impl Fn(&Cost) -> f64) -> (f64, f64) {
        let middle =
            |costs: &[Cost]| median(&costs.iter().map(&number).collect::<Vec<_>>()).unwrap_or(f64::NAN);
        (middle(&self.curl), middle(&self.dray))
    }
}

/// A line that compares two durations in seconds as a ratio.
fn ratio(what: &str, (curl, dray): (f64, f64), most: f64) -> Line {
    let result = dray / curl;
    Line {
        what: what.to_owned(),
        curl: seconds(curl),
        dray: seconds(dray),
        result: format!("{result:.2} x"),
        target: format!("at most {most:.2} x"),
        reached: Some(result <= most),
    }
}

fn seconds(value: f64) -> String {
    if value < 1.0 { format!("{:.1} ms", value * 1000.0) } else { format!("{value:.2} s") }
}

fn wall(cost: &Cost) -> f64 {
    cost.wall.as_secs_f64()
}

fn cpu(cost: &Cost) -> f64 {
    cost.cpu.as_secs_f64()
}

/// Bytes as a number to calculate with; exact below eight pebibytes.
#[expect(clippy::cast_precision_loss, reason = "ratios and MiB with one digit are shown")]
fn number(bytes: u64) -> f64 {
    bytes as f64
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / (1024.0 * 1024.0))
}

/// A size as people say it.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    for (shift, unit) in UNITS {
        if bytes >= 1 << shift {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    format!("{bytes} B")
}

fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}
