//! `dray`: the command. It reads arguments, calls the engine or the daemon, and prints; it decides nothing about transfers.
//!
//! `get/` brings one file, with the engine in this process or through the daemon; `job/` drives jobs of the daemon and
//! `machine/` looks at the rest of it; `group` makes keys. Start at
//! [`args`], which is also where `--help` comes from; everything that is printed goes through [`printer`].

mod args;
mod exit;
mod get;
mod group;
mod job;
mod logging;
mod machine;
mod printer;
mod socket;

use clap::{CommandFactory as _, Parser as _};

use args::{Args, Command};
use exit::Exit;
use machine::Look;
use printer::Printer;

fn main() -> std::process::ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // clap's own exit codes: 0 for --help and --version, 2 for a usage error.
            let _ = error.print();
            return Exit::from_clap(&error).into();
        }
    };
    logging::start(args.log.as_deref());
    run(args).into()
}

fn run(args: Args) -> Exit {
    let printer = Printer::new(args.json, args.quiet);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return printer.failure(Exit::Failed, &format!("cannot start: {error}")),
    };
    let exit = runtime.block_on(async {
        match args.command {
            Command::Get(get) => get::run(get, args.socket, &printer).await,
            Command::Job(job) => job::run(job, args.socket, &printer).await,
            Command::Peers => machine::run(Look::Peers, args.socket, &printer).await,
            Command::Status => machine::run(Look::Status, args.socket, &printer).await,
            Command::Explain(explain) => machine::run(Look::Explain(explain), args.socket, &printer).await,
            Command::Config(config) => machine::run(Look::Config(config), args.socket, &printer).await,
            Command::Group(group) => group::run(group, &printer),
            Command::Version => {
                printer.version();
                Exit::Done
            }
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Args::command(), "dray", &mut script);
                printer.data(String::from_utf8_lossy(&script).trim_end());
                Exit::Done
            }
        }
    });
    // A blocked disk or resolver must not hold the answer back.
    runtime.shutdown_background();
    exit
}
