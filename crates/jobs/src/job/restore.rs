//! From a job to its records and back.

use std::sync::Arc;
use std::time::Duration;

use dray_ranges::Layout;

use super::Job;
use super::download::MAX_AGE;
use super::tally::Tally;
use crate::effect::RunId;
use crate::file::Phase;
use crate::time::millis;
use crate::{
    BySource, Effect, Failure, File, FileIndex, FilePhase, FileRecord, JobRecord, JobState, JobType, NewFile,
    Now, RecordError, Rules,
};

impl Job {
    /// The record of the job as it is now.
    #[must_use]
    pub fn record(&self, now: Now) -> JobRecord {
        let left = |at: Duration| millis(at.saturating_sub(now.mono));
        let running = self.active_since.map_or(Duration::ZERO, |since| now.mono.saturating_sub(since));
        JobRecord {
            id: self.id,
            job_type: self.job_type,
            owner: self.owner.clone(),
            state: self.state,
            files: FileIndex::at(self.files.len()).0,
            created: self.created,
            modified: self.modified,
            saved: now.wall,
            transferred: self.transferred,
            error: self.error.clone(),
            error_count: self.error_count,
            resumed: self.resumed,
            completing: self.completing,
            retrying: self.retrying,
            notice_due: self.notice_due,
            retry_in_ms: self.retry_at.map(left),
            no_progress_in_ms: self.no_progress_at.map(left),
            inactive_in_ms: Some(left(self.inactive_at)),
            active_ms: millis(self.active_spent + running),
            properties: self.properties.clone(),
            download: self.download.clone(),
        }
    }

    /// The record of a file as it is now. BG_E_FILE_NOT_FOUND when there is none at the index.
    pub fn file_record(&self, index: FileIndex) -> Result<FileRecord, Failure> {
        let file = self.file(index)?;
        Ok(FileRecord {
            remote: file.recorded_remote.as_ref().unwrap_or(&file.remote).clone(),
            local: file.local.clone(),
            phase: match &file.phase {
                Phase::Waiting | Phase::Running | Phase::Settling => FilePhase::Waiting,
                Phase::Failed(_) => FilePhase::Failed,
                Phase::Parked => FilePhase::Parked,
                Phase::Transferred => FilePhase::Transferred,
                Phase::Completed => FilePhase::Completed,
            },
            ranges: file.ranges().map(<[_]>::to_vec),
            digest: file.digest.clone(),
            requested: file.requested.clone(),
            error: file.error().cloned(),
            transferred: file.transferred,
            sources: file.sources,
            learned: file.learned.clone(),
            validation: file.validation,
            origin_only: file.origin_only,
            notice_due: file.notice_due,
        })
    }

    /// The job of these records, after a restart, and what is left to do for it at once.
    ///
    /// What was CONNECTING or TRANSFERRING is QUEUED (reference 7.9), and so is what waited for an event
    /// that may have come meanwhile. The time since the record was made counts for every timer; nothing
    /// that the machine was switched off for counts as download time. Renames that Complete had asked for
    /// are asked for again; of a job that had ended, the temporary files are deleted again.
    pub fn restore(
        now: Now,
        record: JobRecord,
        files: Vec<FileRecord>,
        rules: Arc<Rules>,
    ) -> Result<(Job, Vec<Effect>), RecordError> {
        let id = record.id;
        let wrong = |reason: String| RecordError { id, reason };
        if FileIndex::at(files.len()).0 != record.files {
            return Err(wrong(format!("it has {} files and records of {}", record.files, files.len())));
        }
        let gap = now.wall.since(record.saved);
        let at = |left_ms: u64| now.mono + Duration::from_millis(left_ms).saturating_sub(gap);
        let mut job = Job::empty(now, id, record.job_type, record.owner, rules);
        for (place, file) in files.into_iter().enumerate() {
            let file = restore_file(file).map_err(|reason| wrong(format!("file {place}: {reason}")))?;
            job.files.push(file);
        }
        job.tally = Tally::of(&job.files);
        job.properties = record.properties;
        job.state = if record.state.is_running() { JobState::Queued } else { record.state };
        job.error = record.error;
        job.error_count = record.error_count;
        job.created = record.created;
        job.modified = record.modified;
        job.transferred = record.transferred;
        job.resumed = record.resumed;
        job.completing = record.completing && !job.state.is_final();
        job.retrying = record.retrying;
        job.notice_due = record.notice_due;
        job.retry_at = record.retry_in_ms.map(at);
        job.no_progress_at = record.no_progress_in_ms.map(at);
        job.active_spent = Duration::from_millis(record.active_ms);
        if let Some(left) = record.inactive_in_ms {
            let longest = if record.job_type == JobType::DoDownload { MAX_AGE } else { job.rules.inactivity };
            job.inactive_at = at(left).min(now.mono + longest);
        }
        job.download = record.download;
        if record.job_type == JobType::DoDownload {
            job.download.get_or_insert_default();
        }
        job.after_daemon();
        let effects = job.after_restart();
        Ok((job, effects))
    }

    fn after_restart(&mut self) -> Vec<Effect> {
        if self.state == JobState::TransientError && self.retry_at.is_none() {
            self.state = JobState::Queued;
            self.retrying = true;
        }
        if self.state == JobState::Queued {
            self.retry_at = None;
            let mut ignored = super::Changes::new(self);
            self.clear_failures(true, &mut ignored);
        }
        if self.completing && self.to_rename().is_empty() {
            self.completing = false;
            self.state = JobState::Acknowledged; // every name was given; only the last record is missing
        }
        if self.state.is_final() {
            let mut effects: Vec<Effect> = self
                .indexes()
                .filter(|file| self.resumed && !self.files[file.as_usize()].progress().completed)
                .map(Effect::DeleteTemp)
                .collect();
            effects.push(Effect::Forget);
            return effects;
        }
        if self.completing { self.to_rename().into_iter().map(Effect::Rename).collect() } else { Vec::new() }
    }

    /// How far a file is by its checkpoint, where that is younger than its record. Before the job runs.
    pub fn restore_progress(&mut self, index: FileIndex, transferred: u64, sources: BySource) {
        if let Some(file) = self.files.get_mut(index.as_usize()).filter(|file| !file.has_arrived()) {
            file.transferred = transferred;
            file.sources = sources;
        }
    }
}

fn restore_file(record: FileRecord) -> Result<File, String> {
    let layout = match &record.ranges {
        Some(ranges) => Layout::packed(ranges.clone()).map_err(|error| error.to_string())?,
        None => Layout::whole(),
    };
    let new =
        NewFile { remote: record.remote, local: record.local, ranges: record.ranges, digest: record.digest };
    let mut file = File::new(new, layout);
    file.phase = match (record.phase, record.error) {
        (FilePhase::Failed, Some(error)) => Phase::Failed(error),
        (FilePhase::Failed | FilePhase::Waiting, _) => Phase::Waiting,
        (FilePhase::Parked, _) => Phase::Parked,
        (FilePhase::Transferred, _) => Phase::Transferred,
        (FilePhase::Completed, _) => Phase::Completed,
    };
    file.requested = record.requested;
    file.run = RunId(0);
    file.transferred = record.transferred;
    file.sources = record.sources;
    file.learned = record.learned;
    file.validation = record.validation;
    file.origin_only = record.origin_only;
    file.notice_due = record.notice_due;
    Ok(file)
}
