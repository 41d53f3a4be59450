//! The commands that look.

use dray_api::v1::{
    File, FileRange, GetErrorDescriptionRequest, GetFileRangesRequest, GetFilledFileRangesRequest,
    GetJobErrorRequest, GetJobRequest, Job, JobError, JobPriority, JobProperties, ListFilesRequest,
};
use serde_json::{Value, json};

use super::{
    args::RangesArgs,
    flags, holes, json,
    link::Link,
    problem::Problem,
    text::{self, Align, plain, table},
};
use crate::{exit::Exit, printer::Printer};

/// How many files are asked for at a time.
const PAGE_SIZE: u32 = 500;

/// More ranges of one file than this are not read by anyone.
const MAX_LISTED: usize = 20;

pub(super) async fn list(link: &mut Link, all_users: bool, printer: &Printer) -> Result<Exit, Problem> {
    let mut jobs = Vec::new();
    let mut pages = link.pages(all_users);
    while let Some(page) = pages.next().await? {
        jobs.extend(page);
    }
    if printer.json {
        let jobs: Vec<Value> = jobs.iter().map(json::job).collect();
        printer.json(&json!({ "jobs": jobs }));
        return Ok(Exit::Done);
    }
    if jobs.is_empty() {
        printer.note("no jobs");
        return Ok(Exit::Done);
    }
    let columns = [
        ("JOB", Align::Left),
        ("STATE", Align::Left),
        ("PRIORITY", Align::Left),
        ("FILES", Align::Right),
        ("BYTES", Align::Left),
        ("NAME", Align::Left),
    ];
    let lines = if all_users {
        let [job, state, priority, files, bytes, name] = columns;
        let columns = [job, ("OWNER", Align::Left), state, priority, files, bytes, name];
        let rows: Vec<_> = jobs.iter().map(row_with_owner).collect();
        table(columns, &rows)
    } else {
        let rows: Vec<_> = jobs.iter().map(row).collect();
        table(columns, &rows)
    };
    for line in lines {
        printer.data(&line);
    }
    Ok(Exit::Done)
}

fn row(job: &Job) -> [String; 6] {
    let progress = job.progress.unwrap_or_default();
    [
        job.job_id.clone(),
        text::state(job.state),
        priority(job),
        format!("{}/{}", progress.files_transferred, progress.files_total),
        text::job_amount(&progress),
        name(job),
    ]
}

fn row_with_owner(job: &Job) -> [String; 7] {
    let [id, state, priority, files, bytes, name] = row(job);
    let owner = if job.owner_name.is_empty() { &job.owner } else { &job.owner_name };
    [id, plain(owner).replace('\n', " "), state, priority, files, bytes, name]
}

pub(super) fn name(job: &Job) -> String {
    let properties = job.properties.as_ref();
    plain(properties.and_then(|it| it.display_name.as_deref()).unwrap_or_default()).replace('\n', " ")
}

fn priority(job: &Job) -> String {
    let number = job.properties.as_ref().and_then(|it| it.priority).unwrap_or_default();
    JobPriority::try_from(number).map_or_else(|_| number.to_string(), |it| it.short_name().to_owned())
}

pub(super) async fn show(link: &mut Link, job: &str, printer: &Printer) -> Result<Exit, Problem> {
    let job_id = link.resolve(job).await?;
    let answer = link.jobs.get_job(GetJobRequest { job_id: job_id.clone() }).await?.into_inner();
    let job = answer.job.ok_or(Problem::Answer("the job"))?;
    let files = files(link, &job_id).await?;
    if printer.json {
        let mut object = json::job(&job);
        let mut shown = Vec::new();
        for file in &files {
            let mut object = json::file(file);
            let filled = filled(link, &job_id, file).await?;
            object["filled_ranges"] = filled.as_deref().map_or(Value::Null, json::ranges);
            shown.push(object);
        }
        object["files"] = shown.into();
        printer.json(&object);
        return Ok(Exit::Done);
    }
    for line in describe(&job) {
        printer.data(&line);
    }
    for file in &files {
        printer.data("");
        for line in describe_file(file) {
            printer.data(&line);
        }
        for line in describe_filled(filled(link, &job_id, file).await?.as_deref(), file) {
            printer.data(&line);
        }
    }
    Ok(Exit::Done)
}

/// What is there of a file; `None` for one that was added with ranges, of which only the number of bytes is known.
async fn filled(link: &mut Link, job_id: &str, file: &File) -> Result<Option<Vec<FileRange>>, Problem> {
    if !file.ranges.is_empty() {
        return Ok(None);
    }
    let request = GetFilledFileRangesRequest { job_id: job_id.to_owned(), file_index: file.index };
    match link.jobs.get_filled_file_ranges(request).await {
        Ok(answer) => Ok(Some(answer.into_inner().ranges)),
        // Of an upload, say.
        Err(status) if status.code() == tonic::Code::FailedPrecondition => Ok(None),
        Err(status) => Err(status.into()),
    }
}

/// Ranges that are there, as a bar and as a list.
fn describe_filled(filled: Option<&[FileRange]>, file: &File) -> Vec<String> {
    let progress = file.progress.unwrap_or_default();
    let packed = [FileRange { offset: 0, length: Some(progress.bytes_transferred) }];
    // Ranges are packed one after the other, and mostly arrive so.
    let mut lines: Vec<String> = holes::bar(filled.unwrap_or(&packed), progress.bytes_total)
        .map(|bar| field("  there", &bar))
        .into_iter()
        .collect();
    let list = filled.unwrap_or_default();
    lines.extend(list.iter().take(MAX_LISTED).map(|range| field("  filled", &text::range(range))));
    if list.len() > MAX_LISTED {
        let more = format!("and {} more; `dray job ranges --filled` lists all", list.len() - MAX_LISTED);
        lines.push(field("  filled", &more));
    }
    lines
}

pub(super) async fn error(link: &mut Link, job: &str, printer: &Printer) -> Result<Exit, Problem> {
    let job_id = link.resolve(job).await?;
    let answer = link.jobs.get_job_error(GetJobErrorRequest { job_id }).await?.into_inner();
    let error = answer.error.ok_or(Problem::Answer("the error"))?;
    if printer.json {
        printer.json(&json::error(Some(&error)));
        return Ok(Exit::Done);
    }
    for line in describe_error(&error) {
        printer.data(&line);
    }
    if let Some(index) = error.file_index {
        printer.data(&field(&format!("file {index}"), &error.remote_url));
        printer.data(&field("  to", &error.local_path));
    }
    Ok(Exit::Done)
}

pub(super) async fn code(link: &mut Link, value: u32, printer: &Printer) -> Result<Exit, Problem> {
    let request = GetErrorDescriptionRequest { value, ..GetErrorDescriptionRequest::default() };
    let answer = link.jobs.get_error_description(request).await?.into_inner();
    if printer.json {
        printer.json(&json!({
            "name": answer.name,
            "value": value,
            "description": answer.description,
            "is_transient": answer.is_transient,
        }));
    } else {
        printer.data(&format!("{} ({value:#010x})", plain(&answer.name)));
        printer.data(&plain(&answer.description));
    }
    Ok(Exit::Done)
}

async fn files(link: &mut Link, job_id: &str) -> Result<Vec<File>, Problem> {
    let mut files = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListFilesRequest { job_id: job_id.to_owned(), page_size: PAGE_SIZE, page_token };
        let page = link.jobs.list_files(request).await?.into_inner();
        files.extend(page.files);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(files);
        }
    }
}

/// `label        value`, with one width for all labels.
fn field(label: &str, value: &str) -> String {
    format!("{label:<12}{}", plain(value)).trim_end().to_owned()
}

fn describe(job: &Job) -> Vec<String> {
    let properties = job.properties.clone().unwrap_or_default();
    let progress = job.progress.unwrap_or_default();
    let owner = if job.owner_name.is_empty() { &job.owner } else { &job.owner_name };
    let mut lines = vec![
        field("job", &job.job_id),
        field("name", &name(job)),
        field("state", &text::state(job.state)),
        field("owner", owner),
        field("priority", &priority(job)),
        field("files", &format!("{} of {} transferred", progress.files_transferred, progress.files_total)),
        field("bytes", &text::job_amount(&progress)),
    ];
    if let Some(description) = properties.description.as_ref().filter(|text| !text.is_empty()) {
        lines.insert(2, field("description", description));
    }
    lines.extend(describe_properties(&properties));
    if let Some(times) = &job.times {
        let each =
            [("created", times.created), ("modified", times.modified), ("transferred", times.transferred)];
        for (label, time) in each {
            lines.extend(time.map(|time| field(label, &time.to_string())));
        }
    }
    if job.error_count > 0 {
        lines.push(field("errors", &job.error_count.to_string()));
    }
    if let Some(error) = &job.error {
        lines.extend(describe_error(error));
    }
    lines
}

/// What was set to something that says more than its default.
fn describe_properties(it: &JobProperties) -> Vec<String> {
    let mut lines = Vec::new();
    let flag = |on: Option<bool>| on.unwrap_or_default();
    for (label, on) in [
        ("on-demand", flag(it.on_demand_mode)),
        ("dynamic", flag(it.dynamic_content)),
        ("fast", flag(it.high_performance)),
    ] {
        lines.extend(on.then(|| field(label, "yes")));
    }
    lines.extend(it.notify_flags.map(|bits| field("notify", &flags::notify_names(bits))));
    if let Some(command) = &it.notify_command {
        let line = if command.parameters.is_empty() { &command.program } else { &command.parameters };
        lines.push(field("command", line));
    }
    lines.extend(it.cost_flags.map(|bits| field("cost", &flags::cost_names(bits))));
    lines.extend(it.max_download_size_bytes.map(|most| field("at most", &crate::printer::bytes(most))));
    lines.extend(it.files_at_once.map(|files| field("at once", &format!("{files} files"))));
    let peers = it.peer_caching_flags.filter(|bits| *bits != 0);
    lines.extend(peers.map(|bits| field("peers", &flags::peer_names(bits))));
    let acl = it.file_acl_flags.filter(|bits| *bits != 0);
    lines.extend(acl.map(|bits| field("acl", &flags::acl_names(bits))));
    lines
}

pub(super) fn describe_error(error: &JobError) -> Vec<String> {
    let detail = error.detail.clone().unwrap_or_default();
    let mut lines = vec![
        field("error", &detail.sentence),
        field(
            "code",
            &format!("{} ({:#010x}), {}", detail.name, detail.value, detail.context().short_name()),
        ),
    ];
    if !detail.hint.is_empty() {
        lines.push(field("hint", &detail.hint));
    }
    lines
}

fn describe_file(file: &File) -> Vec<String> {
    let progress = file.progress.unwrap_or_default();
    let mut lines = vec![
        field(&format!("file {}", file.index), &file.remote_url),
        field("  to", &file.local_path),
        field("  bytes", &text::file_amount(&progress)),
        field("  stage", stage(file)),
    ];
    lines.extend(file.ranges.iter().map(|range| field("  range", &text::range(range))));
    let requested = file.requested_ranges.iter().take(MAX_LISTED);
    lines.extend(requested.map(|range| field("  requested", &text::range(range))));
    if let Some(valid) = file.validation_state {
        lines.push(field("  valid", if valid { "yes" } else { "no" }));
    }
    let facts =
        [("  digest", &file.digest), ("  content", &file.content_id), ("  temporary", &file.temporary_path)];
    lines.extend(
        facts.iter().filter(|(_, value)| !value.is_empty()).map(|(label, value)| field(label, value)),
    );
    lines
}

fn stage(file: &File) -> &'static str {
    let progress = file.progress.unwrap_or_default();
    if progress.completed {
        "completed"
    } else if progress.transferred {
        "transferred"
    } else if file.temporary_path.is_empty() {
        "not started"
    } else {
        "begun"
    }
}

pub(super) async fn ranges(link: &mut Link, args: RangesArgs, printer: &Printer) -> Result<Exit, Problem> {
    let job_id = link.resolve(&args.job).await?;
    let file_index = args.file;
    let (ranges, whole): (Vec<FileRange>, bool) = if args.filled {
        let request = GetFilledFileRangesRequest { job_id: job_id.clone(), file_index };
        (link.jobs.get_filled_file_ranges(request).await?.into_inner().ranges, false)
    } else {
        let request = GetFileRangesRequest { job_id: job_id.clone(), file_index };
        let ranges = link.jobs.get_file_ranges(request).await?.into_inner().ranges;
        let whole = ranges.is_empty();
        (ranges, whole)
    };
    if printer.json {
        let ranges = json::ranges(&ranges);
        printer
            .json(&json!({ "job_id": job_id, "file_index": file_index, "whole": whole, "ranges": ranges }));
        return Ok(Exit::Done);
    }
    if whole {
        printer.note("the whole file was asked for");
    }
    for range in &ranges {
        printer.data(&text::range(range));
    }
    Ok(Exit::Done)
}
