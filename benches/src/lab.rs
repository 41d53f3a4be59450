//! What several machines pay and wait for when all want one file, in the lab of `dray-tests`: dray beside the tools that people use.
//!
//! `race.rs` is the large part: one origin behind a slow line, many machines, one file. `pair.rs` is two machines and no limit of speed.
//! `tools.rs` knows how each program is told to do it.

mod course;
mod pair;
mod race;
mod report;
mod tools;

use std::io::Write;

use anyhow::Result;
use clap::Args;
use dray_tests::{GIB, Lab, MIB, Mbit};

use crate::tell;
use tools::Tool;

/// What a smoke run is made with: nothing that `cargo xtask setup` does not install.
const SMOKE: [Tool; 3] = [Tool::CurlOne, Tool::NginxTls, Tool::Dray];

/// How many machines, which file, which programs.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Machines that want the file at the same moment; several numbers are several races.
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_values_t = [8, 20])]
    machines: Vec<u8>,
    /// Size of the file, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    size: u64,
    /// The origin's line, in Mbit/s.
    #[arg(long, value_name = "MBIT", default_value_t = 50)]
    uplink: u32,
    /// Programs, by their names in the table; all that are installed when none is given.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    tools: Vec<String>,
    /// Runs of each program; the median counts.
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    runs: usize,
    /// The race alone, or the two machines alone.
    #[arg(long, value_name = "race|pair")]
    part: Option<Part>,
    /// Small sizes, few machines, one run, no verdicts: proves that the lab works.
    #[arg(long)]
    smoke: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Race,
    Pair,
}

/// One comparison, complete.
#[derive(Clone, Debug)]
struct Plan {
    machines: Vec<u8>,
    size: u64,
    pair_size: u64,
    uplink: Mbit,
    runs: usize,
}

impl Plan {
    fn of(arguments: &Arguments) -> Plan {
        if arguments.smoke {
            return Plan {
                machines: vec![3],
                size: 8 * MIB,
                pair_size: 32 * MIB,
                uplink: Mbit(100),
                runs: 1,
            };
        }
        Plan {
            machines: arguments.machines.clone(),
            size: arguments.size * MIB,
            pair_size: GIB,
            uplink: Mbit(arguments.uplink),
            runs: arguments.runs.max(1),
        }
    }
}

/// Prints both tables. Where no lab can be built it says so, and that is no failure.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(reason) = Lab::unavailable() {
        tell(&format!("lab: SKIPPED: {reason}"));
        return Ok(());
    }
    let plan = Plan::of(arguments);
    let judged = !arguments.smoke;
    let mut failed = 0;
    let chosen = |tool: &Tool| match arguments.tools.as_slice() {
        [] => judged || SMOKE.contains(tool),
        names => names.iter().any(|name| name == tool.name()),
    };
    if arguments.part != Some(Part::Pair) {
        let tools: Vec<Tool> = installed(Tool::RACERS, chosen);
        let races = race::run(&plan, &tools)?;
        writeln!(std::io::stdout(), "{}", report::races(&races, judged))?;
        failed += races.iter().filter(|race| race.tool.is_ours()).map(|race| race.failed).sum::<usize>();
    }
    if arguments.part != Some(Part::Race) {
        let tools: Vec<Tool> = installed(Tool::PAIRS, chosen);
        let pairs = pair::run(&plan, &tools)?;
        writeln!(std::io::stdout(), "{}", report::pairs(&pairs, judged))?;
        failed += pairs.iter().filter(|pair| pair.tool.is_ours()).map(|pair| pair.failed).sum::<usize>();
    }
    // Another program that fails is a gap in a table; ours is a fault.
    anyhow::ensure!(failed == 0, "{failed} runs of dray failed");
    Ok(())
}

fn installed(tools: &[Tool], chosen: impl Fn(&Tool) -> bool) -> Vec<Tool> {
    let is_there = |tool: &Tool| {
        let missing = tool.missing();
        if let Some(missing) = &missing {
            tell(&format!("{}: left out, {missing}", tool.name()));
        }
        missing.is_none()
    };
    tools.iter().copied().filter(|tool| chosen(tool)).filter(is_there).collect()
}
