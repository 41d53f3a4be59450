//! `dray job read`: the bytes of a file on standard output.

use std::io::ErrorKind;

use dray_api::v1::ReadFileRangeRequest;

use super::{args::ReadArgs, link::Link, problem::Problem};
use crate::{exit::Exit, printer::Printer};

pub(super) async fn read(link: &mut Link, args: ReadArgs, printer: &Printer) -> Result<Exit, Problem> {
    // Standard output is the file's; what goes wrong is said on the other one, also with --json.
    let mut printer = *printer;
    printer.json = false;
    match write_out(link, args, &printer).await {
        Ok(exit) => Ok(exit),
        Err(problem) => Ok(problem.print(&printer)),
    }
}

async fn write_out(link: &mut Link, args: ReadArgs, printer: &Printer) -> Result<Exit, Problem> {
    let request = ReadFileRangeRequest {
        job_id: link.resolve(&args.job).await?,
        file_index: args.file,
        offset: args.range.map_or(0, |range| range.offset),
        length: args.range.and_then(|range| range.length),
        verified_only: args.verified,
        patience_s: args.patience,
    };
    let mut pieces = link.jobs.read_file_range(request).await?.into_inner();
    while let Some(piece) = pieces.message().await? {
        match printer.raw(&piece.data) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Done),
            Err(error) => {
                let sentence = format!("cannot write to standard output: {error}");
                return Ok(printer.failure(Exit::Failed, &sentence));
            }
        }
    }
    Ok(Exit::Done)
}
