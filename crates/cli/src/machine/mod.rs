//! The commands that look at this machine as a whole: its peers, how it is, why a file came from where it came from, and what the
//! daemon was told. All are clients of the daemon; nothing is found out here.

mod configuration;
mod explain;
mod peers;
mod status;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::job::link::Link;
use crate::job::problem::Problem;
use crate::printer::Printer;

/// `dray explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A job (its id, or the beginning of it), a URL, or a content as in `blake3:HEX`.
    #[arg(value_name = "JOB|URL|CONTENT")]
    what: String,
}

/// `dray config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every setting of the running daemon, and who had the last word on it.
    Show {
        /// Only what somebody said something about.
        #[arg(long)]
        changed: bool,
    },
}

/// One of these commands.
#[derive(Debug)]
pub(crate) enum Look {
    Peers,
    Status,
    Explain(ExplainArgs),
    Config(ConfigArgs),
}

/// Runs it.
pub(crate) async fn run(look: Look, socket: Option<PathBuf>, printer: &Printer) -> Exit {
    match dispatch(look, socket, printer).await {
        Ok(()) => Exit::Done,
        Err(problem) => problem.print(printer),
    }
}

async fn dispatch(look: Look, socket: Option<PathBuf>, printer: &Printer) -> Result<(), Problem> {
    let link = &mut Link::open(socket).await?;
    match look {
        Look::Peers => peers::list(link, printer).await,
        Look::Status => status::show(link, printer).await,
        Look::Explain(args) => explain::explain(link, &args.what, printer).await,
        Look::Config(ConfigArgs { command: ConfigCommand::Show { changed } }) => {
            configuration::show(link, changed, printer).await
        }
    }
}

/// A text for people and scripts, absent when it is empty.
fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
