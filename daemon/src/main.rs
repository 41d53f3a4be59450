//! `drayd`: the daemon. It takes jobs over a local socket and delivers their files.
//!
//! This package wires the house together and keeps what cannot be rebuilt. What a job *means* is `dray-jobs`, how a
//! file travels is `dray-engine`, how messages look is `dray-api`; nothing of that is decided here. The daemon must
//! never trust what a caller says about itself, never answer "yes" before it would survive a power cut, and never lose
//! more than a second of progress.
//!
//! Start at [`daemon::run`]; then `runner/`, the task that owns the queue; `records/`, what is on disk; `services/`
//! and `wire/`, the API; `events/`, who is told what; `peering/`, the other machines; `history/`, where files came from and why; `config/`, the one way in for configuration.

mod config;
mod daemon;
mod events;
mod history;
mod keeper;
mod logging;
mod metrics;
mod notify;
mod peering;
mod records;
mod runner;
mod service_manager;
mod services;
mod signals;
#[cfg(test)]
mod testing;
mod wire;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match daemon::run(config::Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log may not have begun, or be in JSON: a person at the shell gets a plain sentence.
            let _ = writeln!(std::io::stderr(), "drayd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
