//! The commands that change something.

use std::path::Path;

use dray_api::v1::{
    AddFilesRequest, CancelJobRequest, CompleteJobRequest, CreateJobRequest, FileRange, JobType, NewFile,
    ResumeJobRequest, SuccessCode, SuspendJobRequest, UpdateJobRequest,
};
use dray_ranges::RangeSpec;
use serde_json::json;

use super::{
    args::{AddArgs, CreateArgs, ResumeArgs, SetArgs},
    json,
    link::Link,
    problem::Problem,
    text, watch,
};
use crate::{exit::Exit, printer::Printer};

pub(super) async fn create(link: &mut Link, args: CreateArgs, printer: &Printer) -> Result<Exit, Problem> {
    let properties = args.properties.with_name(Some(args.name));
    let request = CreateJobRequest { r#type: JobType::Download.into(), properties: Some(properties) };
    let answer = link.jobs.create_job(request).await?.into_inner();
    let job = answer.job.ok_or(Problem::Answer("the job"))?;
    if printer.json {
        printer.json(&json::job(&job));
    } else {
        printer.data(&job.job_id);
    }
    Ok(Exit::Done)
}

pub(super) async fn add(link: &mut Link, args: AddArgs, printer: &Printer) -> Result<Exit, Problem> {
    let job_id = link.resolve(&args.job).await?;
    let file = NewFile {
        remote_url: args.url,
        local_path: absolute(&args.local)?,
        ranges: args.ranges.iter().map(to_api).collect(),
        digest: args.digest.map(|digest| digest.to_string()).unwrap_or_default(),
    };
    let local_path = file.local_path.clone();
    let request = AddFilesRequest { job_id: job_id.clone(), files: vec![file] };
    let answer = link.jobs.add_files(request).await?.into_inner();
    let index = *answer.file_indexes.first().ok_or(Problem::Answer("the number of the file"))?;
    if printer.json {
        printer.json(&json!({ "job_id": job_id, "file_index": index, "local_path": local_path }));
    } else {
        printer.data(&format!("file {index} of job {job_id} goes to {}", text::plain(&local_path)));
    }
    Ok(Exit::Done)
}

/// The daemon has another working directory, so only an absolute path means the same to both.
fn absolute(path: &Path) -> Result<String, Problem> {
    std::path::absolute(path)
        .map_err(|error| Problem::PathNotAbsolute(path.to_path_buf(), error))?
        .into_os_string()
        .into_string()
        .map_err(|path| Problem::PathNotUtf8(path.into()))
}

pub(super) fn to_api(spec: &RangeSpec) -> FileRange {
    FileRange { offset: spec.offset, length: spec.length }
}

pub(super) async fn set(link: &mut Link, args: SetArgs, printer: &Printer) -> Result<Exit, Problem> {
    let job_id = link.resolve(&args.job).await?;
    let properties = args.properties.with_name(args.name);
    let request = UpdateJobRequest { job_id, properties: Some(properties) };
    let job = link.jobs.update_job(request).await?.into_inner().job.ok_or(Problem::Answer("the job"))?;
    if printer.json {
        printer.json(&json::job(&job));
    }
    Ok(Exit::Done)
}

pub(super) async fn resume(link: &mut Link, args: ResumeArgs, printer: &Printer) -> Result<Exit, Problem> {
    let ids = link.resolve_all(&args.jobs).await?;
    let mut worst = Exit::Done;
    let mut resumed = Vec::new();
    for job_id in ids {
        match link.jobs.resume_job(ResumeJobRequest { job_id: job_id.clone() }).await {
            Ok(answer) => {
                // With --wait the first thing that is printed is the job as it is then.
                if !args.wait {
                    print_state(&job_id, answer.into_inner().state, printer);
                }
                resumed.push(job_id);
            }
            Err(status) => worst = Problem::from(status).print(printer),
        }
    }
    if args.wait && !resumed.is_empty() {
        let waited = watch::wait(link, resumed, printer).await?;
        if worst == Exit::Done {
            worst = waited;
        }
    }
    Ok(worst)
}

pub(super) async fn suspend(link: &mut Link, jobs: Vec<String>, printer: &Printer) -> Result<Exit, Problem> {
    let mut worst = Exit::Done;
    for job_id in link.resolve_all(&jobs).await? {
        match link.jobs.suspend_job(SuspendJobRequest { job_id: job_id.clone() }).await {
            Ok(answer) => print_state(&job_id, answer.into_inner().state, printer),
            Err(status) => worst = Problem::from(status).print(printer),
        }
    }
    Ok(worst)
}

pub(super) async fn cancel(link: &mut Link, jobs: Vec<String>, printer: &Printer) -> Result<Exit, Problem> {
    let mut worst = Exit::Done;
    for job_id in link.resolve_all(&jobs).await? {
        match link.jobs.cancel_job(CancelJobRequest { job_id: job_id.clone() }).await {
            Ok(answer) => {
                let code = answer.into_inner().code();
                if printer.json {
                    let state = "CANCELLED";
                    printer.json(&json!({ "job_id": job_id, "state": state, "code": json::success(code) }));
                } else {
                    printer.data(&format!("{job_id}  CANCELLED"));
                }
                remark(code, "the job is cancelled, but some temporary files could not be deleted", printer);
            }
            Err(status) => worst = Problem::from(status).print(printer),
        }
    }
    Ok(worst)
}

pub(super) async fn complete(link: &mut Link, jobs: Vec<String>, printer: &Printer) -> Result<Exit, Problem> {
    let mut worst = Exit::Done;
    for job_id in link.resolve_all(&jobs).await? {
        match link.jobs.complete_job(CompleteJobRequest { job_id: job_id.clone() }).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                let (completed, total) = (answer.files_completed, answer.files_total);
                if printer.json {
                    printer.json(&json!({
                        "job_id": job_id,
                        "state": "ACKNOWLEDGED",
                        "code": json::success(answer.code()),
                        "files_completed": completed,
                        "files_total": total,
                    }));
                } else {
                    printer.data(&format!("{job_id}  ACKNOWLEDGED  {completed} of {total} files"));
                }
                let sentence = match answer.code() {
                    SuccessCode::BgSPartialComplete => {
                        format!(
                            "only {completed} of {total} files had arrived and were kept; the rest is deleted"
                        )
                    }
                    _ => "the job is completed, but some temporary files could not be deleted".to_owned(),
                };
                remark(answer.code(), &sentence, printer);
            }
            Err(status) => worst = Problem::from(status).print(printer),
        }
    }
    Ok(worst)
}

/// A success code that a person should hear of. Never a failure.
pub(super) fn remark(code: SuccessCode, sentence: &str, printer: &Printer) {
    if !matches!(code, SuccessCode::Unspecified | SuccessCode::SOk) {
        printer.note(&format!("warning: {sentence}\n  code: {} ({:#010x})", code.short_name(), code.value()));
    }
}

fn print_state(job_id: &str, state: i32, printer: &Printer) {
    let state = text::state(state);
    if printer.json {
        printer.json(&json!({ "job_id": job_id, "state": state }));
    } else {
        printer.data(&format!("{job_id}  {state}"));
    }
}
