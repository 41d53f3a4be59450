//! Jobs and files as the API shows them.

use dray_api::v1::{self, SuccessCode};
use dray_jobs::{
    BySource, Code, File, FileIndex, FileProgress, Job, JobProgress, JobState, RunId, Timestamp,
};
use dray_ranges::{ByteRange, RangeSet, RangeSpec};

use super::refusal::job_error;
use crate::runner::temp_path;

/// All of a job.
pub(crate) fn job(job: &Job) -> v1::Job {
    v1::Job {
        job_id: job.id().to_string(),
        r#type: v1::JobType::from_bits(job.job_type().value()).unwrap_or_default().into(),
        state: state(job.state()).into(),
        properties: Some(properties(job)),
        owner: job.owner().to_string(),
        owner_name: String::new(),
        progress: Some(job_progress(&job.progress())),
        times: Some(v1::JobTimes {
            created: Some(timestamp(job.times().created)),
            modified: Some(timestamp(job.times().modified)),
            transferred: job.times().transferred.map(timestamp),
        }),
        error_count: job.error_count(),
        error: job_error(job),
    }
}

pub(crate) fn state(state: JobState) -> v1::JobState {
    v1::JobState::from_bits(state.value()).unwrap_or_default()
}

/// A success code. A failure never gets here; as nothing at all it would read as S_OK.
pub(crate) fn success(code: Code) -> SuccessCode {
    let all = [
        SuccessCode::SOk,
        SuccessCode::SFalse,
        SuccessCode::BgSPartialComplete,
        SuccessCode::BgSUnableToDeleteFiles,
        SuccessCode::BgSProxyChanged,
        SuccessCode::BgSOverriddenByPolicy,
    ];
    all.into_iter().find(|success| success.value() == code.value()).unwrap_or(SuccessCode::Unspecified)
}

/// What a client may set, complete.
pub(crate) fn properties(job: &Job) -> v1::JobProperties {
    let properties = job.properties();
    let priority = v1::JobPriority::from_bits(properties.priority.value()).unwrap_or_default();
    v1::JobProperties {
        display_name: Some(properties.display_name.clone()),
        description: Some(properties.description.clone()),
        priority: Some(priority.into()),
        minimum_retry_delay_s: Some(properties.minimum_retry_delay_s),
        no_progress_timeout_s: Some(properties.no_progress_timeout_s),
        maximum_download_time_s: Some(job.maximum_download_time_s()),
        notify_flags: Some(properties.notify_flags.bits()),
        notify_command: properties.notify_command.as_ref().map(|command| v1::NotifyCommand {
            program: command.program.clone(),
            parameters: command.parameters.clone(),
        }),
        cost_flags: properties.cost_flags,
        dynamic_content: Some(properties.dynamic_content),
        high_performance: Some(properties.high_performance),
        max_download_size_bytes: properties.max_download_size,
        minimum_notification_interval_ms: Some(properties.notification_interval_ms),
        on_demand_mode: Some(properties.on_demand),
        peer_caching_flags: Some(properties.peer_flags.bits()),
        file_acl_flags: Some(properties.file_acl_flags.bits()),
        files_at_once: properties.files_at_once,
    }
}

pub(crate) fn job_progress(progress: &JobProgress) -> v1::JobProgress {
    v1::JobProgress {
        bytes_total: progress.bytes_total,
        bytes_transferred: progress.bytes_transferred,
        files_total: progress.files_total,
        files_transferred: progress.files_transferred,
        bytes_by_source: Some(sources(progress.sources)),
    }
}

/// A file and its place in the job.
pub(crate) fn file(job: &Job, index: FileIndex, file: &File) -> v1::File {
    let begun = file.run() > RunId(0) || file.progress().bytes_transferred > 0 || file.has_arrived();
    v1::File {
        index: index.0,
        remote_url: file.remote().as_str().to_owned(),
        local_path: file.local().as_str().to_owned(),
        ranges: file.ranges().into_iter().flatten().map(range_spec).collect(),
        digest: file.digest().unwrap_or_default().to_owned(),
        progress: Some(file_progress(&file.progress())),
        temporary_path: match begun && !file.progress().completed {
            true => temp_path(job.id(), index, file.local()).display().to_string(),
            false => String::new(),
        },
        bytes_by_source: Some(sources(file.sources())),
        content_id: file.learned().content_id.clone().unwrap_or_default(),
        validation_state: file.validation(),
        downloaded_from_peer: file.sources().peer > 0,
        requested_ranges: filled(file.requested()),
        supports_ranges: file.learned().has_ranges,
    }
}

pub(crate) fn file_progress(progress: &FileProgress) -> v1::FileProgress {
    v1::FileProgress {
        bytes_total: progress.bytes_total,
        bytes_transferred: progress.bytes_transferred,
        transferred: progress.transferred,
        completed: progress.completed,
    }
}

pub(crate) fn sources(sources: BySource) -> v1::BytesBySource {
    v1::BytesBySource {
        origin_bytes: sources.origin,
        peer_bytes: sources.peer,
        cache_host_bytes: sources.cache_host,
        local_cache_bytes: sources.local_cache,
    }
}

/// A range as it was asked for.
pub(crate) fn range_spec(range: &RangeSpec) -> v1::FileRange {
    v1::FileRange { offset: range.offset, length: range.length }
}

/// Ranges that are there, or that were asked for and merged.
pub(crate) fn filled(ranges: &RangeSet) -> Vec<v1::FileRange> {
    let show = |range: ByteRange| v1::FileRange { offset: range.start(), length: Some(range.len()) };
    ranges.iter().map(show).collect()
}

pub(crate) fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let ms = time.unix_ms();
    prost_types::Timestamp {
        seconds: i64::try_from(ms / 1000).unwrap_or(i64::MAX),
        nanos: i32::try_from(ms % 1000 * 1_000_000).unwrap_or(0),
    }
}
