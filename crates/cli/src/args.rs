//! The command line. Doc comments here are what `--help` prints.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{get, group, job, machine};

/// Fetch files from the cheapest place that has them, verified: the cache, the machines nearby, the origin.
#[derive(Debug, Parser)]
#[command(name = "dray", version, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print one JSON object per result on stdout, for scripts.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print errors only.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// The daemon's socket (on Windows, its pipe).
    #[arg(long, global = true, value_name = "PATH", env = "DRAY_SOCKET")]
    pub(crate) socket: Option<PathBuf>,

    /// What to log to stderr, as in `debug` or `dray_engine=trace,warn`.
    #[arg(long, global = true, value_name = "FILTER", env = "DRAY_LOG")]
    pub(crate) log: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Download one file.
    Get(get::GetArgs),
    /// Create, drive and watch the jobs of the daemon.
    Job(job::JobArgs),
    /// Print which machines share with this one, what each gave and got, and why one is not used.
    Peers,
    /// Print how the daemon is, whether it shares, and where the bytes came from.
    Status,
    /// Print why a file came from where it came from, and what to change.
    Explain(machine::ExplainArgs),
    /// Print what the daemon was told.
    Config(machine::ConfigArgs),
    /// Make the key of a group of machines.
    Group(group::GroupArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the version.
    Version,
}
