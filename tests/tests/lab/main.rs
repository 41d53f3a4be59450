//! Several machines: what dray does between them, in the lab of `tests/src/lab`, with real daemons, nginx and links.
//!
//! Each case is a function that builds the network it needs. Without root or network namespaces no case can run; each is then listed as
//! ignored, and so reported as skipped, and the reason is said. Nothing here asserts a time: what is asserted is who gave which bytes,
//! and that every file is what it should be.

mod faults;
mod fleet;
mod ground;
mod hostile;
mod subnets;
mod together;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use dray_tests::Lab;
use libtest_mimic::{Arguments, Trial};

/// A sentence, and what makes it true.
type Case = (&'static str, fn() -> Result<()>);

/// What a case is built on, then what dray does on it.
const CASES: &[&[Case]] = &[ground::CASES, together::CASES, faults::CASES, subnets::CASES, hostile::CASES];

fn main() -> ExitCode {
    if let Some(code) = ground::stand_in() {
        return code;
    }
    let arguments = Arguments::from_args();
    let missing = Lab::unavailable();
    if let Some(reason) = &missing
        && !arguments.list
    {
        let _ = writeln!(std::io::stderr(), "lab: SKIPPED: {reason}");
    }
    let trials = CASES.iter().copied().flatten().map(|&(name, case)| {
        let run = move || case().map_err(|error| format!("{error:?}").into());
        Trial::test(name, run).with_ignored_flag(missing.is_some())
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
