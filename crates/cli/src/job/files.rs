//! The commands on the files of a job and on its owner.

use dray_api::v1::{
    FileRange, ReplaceRemotePrefixRequest, RequestFileRangesRequest, SetRemoteNameRequest,
    SetValidationStateRequest, SuccessCode, TakeOwnershipRequest, UpdateDownloadPositionRequest,
};
use serde_json::json;

use super::{
    args::{PositionArgs, RenameArgs, ReplacePrefixArgs, RequestArgs, ValidateArgs},
    drive::{remark, to_api},
    json,
    link::Link,
    problem::Problem,
    text,
};
use crate::{exit::Exit, printer::Printer};

pub(super) async fn rename(link: &mut Link, args: RenameArgs, printer: &Printer) -> Result<Exit, Problem> {
    let job_id = link.resolve(&args.job).await?;
    let RenameArgs { file: file_index, url: remote_url, .. } = args;
    let request = SetRemoteNameRequest { job_id: job_id.clone(), file_index, remote_url: remote_url.clone() };
    link.jobs.set_remote_name(request).await?;
    if printer.json {
        printer.json(&json!({ "job_id": job_id, "file_index": file_index, "remote_url": remote_url }));
    }
    Ok(Exit::Done)
}

pub(super) async fn replace_prefix(
    link: &mut Link,
    args: ReplacePrefixArgs,
    printer: &Printer,
) -> Result<Exit, Problem> {
    let job_id = link.resolve(&args.job).await?;
    let request =
        ReplaceRemotePrefixRequest { job_id: job_id.clone(), old_prefix: args.old, new_prefix: args.new };
    let code = link.jobs.replace_remote_prefix(request).await?.into_inner().code();
    if printer.json {
        printer.json(&json!({ "job_id": job_id, "code": json::success(code) }));
    }
    if code == SuccessCode::SFalse {
        remark(code, "no file has a URL that begins like this; nothing was changed", printer);
    }
    Ok(Exit::Done)
}

pub(super) async fn validate(
    link: &mut Link,
    args: ValidateArgs,
    printer: &Printer,
) -> Result<Exit, Problem> {
    let job_id = link.resolve(&args.job).await?;
    let request =
        SetValidationStateRequest { job_id: job_id.clone(), file_index: args.file, valid: !args.invalid };
    let state = link.jobs.set_validation_state(request).await?.into_inner().state;
    print_file(&job_id, args.file, state, printer);
    Ok(Exit::Done)
}

pub(super) async fn request(link: &mut Link, args: RequestArgs, printer: &Printer) -> Result<Exit, Problem> {
    let job_id = link.resolve(&args.job).await?;
    let ranges: Vec<FileRange> = args.ranges.iter().map(to_api).collect();
    let request = RequestFileRangesRequest { job_id: job_id.clone(), file_index: args.file, ranges };
    let state = link.jobs.request_file_ranges(request).await?.into_inner().state;
    print_file(&job_id, args.file, state, printer);
    Ok(Exit::Done)
}

pub(super) async fn position(
    link: &mut Link,
    args: PositionArgs,
    printer: &Printer,
) -> Result<Exit, Problem> {
    let job_id = link.resolve(&args.job).await?;
    let PositionArgs { file: file_index, offset, .. } = args;
    let request = UpdateDownloadPositionRequest { job_id: job_id.clone(), file_index, offset };
    link.jobs.update_download_position(request).await?;
    if printer.json {
        printer.json(&json!({ "job_id": job_id, "file_index": file_index, "offset": offset }));
    }
    Ok(Exit::Done)
}

pub(super) async fn own(link: &mut Link, jobs: Vec<String>, printer: &Printer) -> Result<Exit, Problem> {
    let mut worst = Exit::Done;
    for text in jobs {
        // Of somebody else's job the beginning of the id is not in the caller's own list.
        let job_id = link.resolve_among(&text, true).await?;
        match link.jobs.take_ownership(TakeOwnershipRequest { job_id }).await {
            Ok(answer) => {
                let job = answer.into_inner().job.ok_or(Problem::Answer("the job"))?;
                if printer.json {
                    printer.json(&json::job(&job));
                } else {
                    printer.data(&format!("{}  {}", job.job_id, text::plain(&job.owner)));
                }
            }
            Err(status) => worst = Problem::from(status).print(printer),
        }
    }
    Ok(worst)
}

fn print_file(job_id: &str, file_index: u32, state: i32, printer: &Printer) {
    let state = text::state(state);
    if printer.json {
        printer.json(&json!({ "job_id": job_id, "file_index": file_index, "state": state }));
    } else {
        printer.data(&format!("{job_id}  {state}"));
    }
}
