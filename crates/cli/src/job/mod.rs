//! `dray job`: a client of the daemon's job service.
//!
//! Each command is one or two calls and a way to print the answer. [`args`] is what can be typed, [`link`] the way to the
//! daemon, [`drive`] and [`files`] the calls that change something, [`show`], [`watch`] and [`read`] those that look. What is printed comes from
//! [`json`] for scripts and from [`text`] for people; a failure is a [`Problem`](problem::Problem) and printed here, once.

mod args;
mod bars;
mod drive;
mod files;
mod flags;
mod holes;
mod json;
pub(crate) mod link;
pub(crate) mod problem;
mod read;
mod show;
pub(crate) mod text;
mod track;
mod watch;

use std::path::PathBuf;

use crate::{exit::Exit, printer::Printer};

pub(crate) use args::JobArgs;
use args::JobCommand;
use link::Link;
use problem::Problem;

/// Runs one `dray job` command.
pub(crate) async fn run(args: JobArgs, socket: Option<PathBuf>, printer: &Printer) -> Exit {
    match dispatch(args.command, socket, printer).await {
        Ok(exit) => exit,
        Err(problem) => problem.print(printer),
    }
}

async fn dispatch(command: JobCommand, socket: Option<PathBuf>, printer: &Printer) -> Result<Exit, Problem> {
    let link = &mut Link::open(socket).await?;
    match command {
        JobCommand::Create(create) => drive::create(link, create, printer).await,
        JobCommand::Add(add) => drive::add(link, add, printer).await,
        JobCommand::Set(set) => drive::set(link, set, printer).await,
        JobCommand::Resume(resume) => drive::resume(link, resume, printer).await,
        JobCommand::Suspend { jobs } => drive::suspend(link, jobs, printer).await,
        JobCommand::Cancel { jobs } => drive::cancel(link, jobs, printer).await,
        JobCommand::Complete { jobs } => drive::complete(link, jobs, printer).await,
        JobCommand::Rename(rename) => files::rename(link, rename, printer).await,
        JobCommand::ReplacePrefix(replace) => files::replace_prefix(link, replace, printer).await,
        JobCommand::Validate(validate) => files::validate(link, validate, printer).await,
        JobCommand::Request(request) => files::request(link, request, printer).await,
        JobCommand::Position(position) => files::position(link, position, printer).await,
        JobCommand::Read(args) => read::read(link, args, printer).await,
        JobCommand::Own { jobs } => files::own(link, jobs, printer).await,
        JobCommand::Error { job } => show::error(link, &job, printer).await,
        JobCommand::Code { code } => show::code(link, code, printer).await,
        JobCommand::Show { job } => show::show(link, &job, printer).await,
        JobCommand::List { all_users } => show::list(link, all_users, printer).await,
        JobCommand::Ranges(ranges) => show::ranges(link, ranges, printer).await,
        JobCommand::Watch { jobs } => watch::watch(link, jobs, printer).await,
    }
}
