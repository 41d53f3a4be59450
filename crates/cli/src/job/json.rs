//! What scripts read. The names are those of the proto, and as stable; unknown numbers are null.

use dray_api::v1::{
    BytesBySource, ErrorContext, ErrorDetail, File, FileProgress, FileRange, Job, JobError, JobEvent,
    JobPriority, JobProgress, JobProperties, JobTimes, JobType, SuccessCode, job_event::Event,
};
use serde_json::{Map, Value, json};

use super::text;

pub(super) fn job(job: &Job) -> Value {
    let mut object = Map::new();
    object.insert("job_id".into(), job.job_id.as_str().into());
    object.insert("type".into(), JobType::try_from(job.r#type).map_or("UNKNOWN", JobType::short_name).into());
    object.insert("state".into(), text::state(job.state).into());
    if let Value::Object(properties) = properties(job.properties.as_ref()) {
        object.extend(properties);
    }
    object.insert("owner".into(), job.owner.as_str().into());
    object.insert("owner_name".into(), job.owner_name.as_str().into());
    object.insert("progress".into(), job_progress(job.progress.as_ref()));
    object.insert("times".into(), times(job.times.as_ref()));
    object.insert("error_count".into(), job.error_count.into());
    object.insert("error".into(), error(job.error.as_ref()));
    Value::Object(object)
}

fn properties(properties: Option<&JobProperties>) -> Value {
    let Some(it) = properties else { return Value::Null };
    let priority = it.priority.and_then(|number| JobPriority::try_from(number).ok());
    json!({
        "display_name": it.display_name,
        "description": it.description,
        "priority": priority.map(JobPriority::short_name),
        "minimum_retry_delay_s": it.minimum_retry_delay_s,
        "no_progress_timeout_s": it.no_progress_timeout_s,
        "maximum_download_time_s": it.maximum_download_time_s,
        "notify_flags": it.notify_flags,
        "notify_command": it.notify_command.as_ref().map(|command| {
            json!({ "program": command.program, "parameters": command.parameters })
        }),
        "cost_flags": it.cost_flags,
        "dynamic_content": it.dynamic_content,
        "high_performance": it.high_performance,
        "max_download_size_bytes": it.max_download_size_bytes,
        "minimum_notification_interval_ms": it.minimum_notification_interval_ms,
        "on_demand_mode": it.on_demand_mode,
        "peer_caching_flags": it.peer_caching_flags,
        "file_acl_flags": it.file_acl_flags,
        "files_at_once": it.files_at_once,
    })
}

fn job_progress(progress: Option<&JobProgress>) -> Value {
    let Some(it) = progress else { return Value::Null };
    json!({
        "bytes_total": it.bytes_total,
        "bytes_transferred": it.bytes_transferred,
        "files_total": it.files_total,
        "files_transferred": it.files_transferred,
        "bytes_by_source": by_source(it.bytes_by_source.as_ref()),
    })
}

fn times(times: Option<&JobTimes>) -> Value {
    let Some(it) = times else { return Value::Null };
    let rfc3339 = |time: &Option<prost_types::Timestamp>| time.map(|time| time.to_string());
    json!({
        "created": rfc3339(&it.created),
        "modified": rfc3339(&it.modified),
        "transferred": rfc3339(&it.transferred),
    })
}

pub(super) fn error(error: Option<&JobError>) -> Value {
    let Some(it) = error else { return Value::Null };
    let none = ErrorDetail::default();
    let detail = it.detail.as_ref().unwrap_or(&none);
    json!({
        "name": detail.name,
        "value": detail.value,
        "context": ErrorContext::try_from(detail.context).map_or("UNKNOWN", ErrorContext::short_name),
        "sentence": detail.sentence,
        "hint": Some(&detail.hint).filter(|hint| !hint.is_empty()),
        "file_index": it.file_index,
        "remote_url": it.remote_url,
        "local_path": it.local_path,
        "protocol": it.protocol,
    })
}

pub(super) fn file(file: &File) -> Value {
    json!({
        "index": file.index,
        "remote_url": file.remote_url,
        "local_path": file.local_path,
        "ranges": ranges(&file.ranges),
        "digest": Some(&file.digest).filter(|digest| !digest.is_empty()),
        "progress": file_progress(file.progress.as_ref()),
        "temporary_path": Some(&file.temporary_path).filter(|path| !path.is_empty()),
        "bytes_by_source": by_source(file.bytes_by_source.as_ref()),
        "content_id": Some(&file.content_id).filter(|id| !id.is_empty()),
        "validation_state": file.validation_state,
        "downloaded_from_peer": file.downloaded_from_peer,
        "requested_ranges": ranges(&file.requested_ranges),
        "supports_ranges": file.supports_ranges,
    })
}

fn file_progress(progress: Option<&FileProgress>) -> Value {
    let Some(it) = progress else { return Value::Null };
    json!({
        "bytes_total": it.bytes_total,
        "bytes_transferred": it.bytes_transferred,
        "transferred": it.transferred,
        "completed": it.completed,
    })
}

fn by_source(bytes: Option<&BytesBySource>) -> Value {
    let none = BytesBySource::default();
    let it = bytes.unwrap_or(&none);
    json!({
        "origin_bytes": it.origin_bytes,
        "peer_bytes": it.peer_bytes,
        "cache_host_bytes": it.cache_host_bytes,
        "local_cache_bytes": it.local_cache_bytes,
    })
}

pub(super) fn ranges(ranges: &[FileRange]) -> Value {
    ranges.iter().map(|range| json!({ "offset": range.offset, "length": range.length })).collect()
}

pub(super) fn success(code: SuccessCode) -> Value {
    let code = if code == SuccessCode::Unspecified { SuccessCode::SOk } else { code };
    json!({ "name": code.short_name(), "value": code.value() })
}

/// One object with `event` naming its kind. `None` for a kind that this command is too old for.
pub(super) fn event(event: &JobEvent) -> Option<Value> {
    let (kind, mut object) = match event.event.as_ref()? {
        Event::Snapshot(it) => ("snapshot", json!({ "job": it.job.as_ref().map(job) })),
        Event::CaughtUp(_) => ("caught_up", json!({})),
        Event::EventsLost(_) => ("events_lost", json!({})),
        Event::StateChanged(it) => (
            "state_changed",
            json!({
                "previous": text::state(it.previous),
                "state": text::state(it.state),
                "error": error(it.error.as_ref()),
            }),
        ),
        Event::Progressed(it) => {
            let files = it.files.iter().map(|file| {
                json!({ "file_index": file.file_index, "progress": file_progress(file.progress.as_ref()) })
            });
            let files: Vec<_> = files.collect();
            ("progressed", json!({ "progress": job_progress(it.progress.as_ref()), "files": files }))
        }
        Event::Modified(it) => (
            "modified",
            json!({ "properties": properties(it.properties.as_ref()), "files_total": it.files_total }),
        ),
        Event::FileTransferred(it) => ("file_transferred", json!({ "file": it.file.as_ref().map(file) })),
        Event::FileRangesTransferred(it) => {
            ("file_ranges_transferred", json!({ "file_index": it.file_index, "ranges": ranges(&it.ranges) }))
        }
        Event::JobTransferred(it) => {
            ("job_transferred", json!({ "progress": job_progress(it.progress.as_ref()) }))
        }
        Event::JobFailed(it) => ("job_failed", json!({ "error": error(it.error.as_ref()) })),
    };
    if let Value::Object(object) = &mut object {
        object.insert("event".into(), kind.into());
        object.insert("time".into(), event.time.map(|time| time.to_string()).into());
        if !event.job_id.is_empty() {
            object.insert("job_id".into(), event.job_id.as_str().into());
        }
    }
    Some(object)
}
