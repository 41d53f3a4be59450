//! The numbers that the README speaks of, each measured against curl in the same run.
//!
//! It starts nginx on loopback, lets `curl` and `dray` fetch the same files in turn, and prints one Markdown table: medians, ratios,
//! targets, verdicts. It must never link a crate of dray (the long queue is made by a client of the local
//! API, and links that alone), nor judge by anything but whole processes: what is measured is what a user
//! waits for and pays. Start reading at `rows.rs` (one function for each row), then `measure.rs` (what a run costs);
//! `lab.rs` is for several machines.

mod lab;
mod measure;
mod median;
mod rows;
mod site;
mod table;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::rows::Row;
use crate::site::Site;

/// Measures dray against curl and prints a Markdown table.
#[derive(Debug, Parser)]
struct Arguments {
    /// Small sizes, one run each, no verdicts: proves that the benches work.
    #[arg(long)]
    smoke: bool,
    /// Only rows whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Runs of each program for each row; the median counts.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    runs: usize,
    #[command(subcommand)]
    other: Option<Other>,
}

/// What else is measured.
#[derive(Debug, clap::Subcommand)]
enum Other {
    /// Several machines that want one file, in network namespaces. Needs root.
    Lab(lab::Arguments),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(Other::Lab(arguments)) = &arguments.other {
        return lab::run(arguments);
    }
    let site = Site::start(if arguments.smoke { site::Sizes::SMOKE } else { site::Sizes::FULL })?;
    let runs = if arguments.smoke { 1 } else { arguments.runs.max(1) };
    let mut lines = Vec::new();
    for row in Row::ALL.into_iter().filter(|row| row.name().contains(&arguments.only)) {
        tell(&format!("measuring: {}", row.name()));
        lines.extend(row.measure(&site, runs)?);
    }
    let judged = !arguments.smoke;
    writeln!(std::io::stdout(), "{}", table::markdown(&lines, judged))?;
    Ok(())
}

/// Progress for a person; the table alone goes to stdout.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
