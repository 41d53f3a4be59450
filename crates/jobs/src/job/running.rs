//! Starting and stopping files, and where the job comes to rest when none runs.

use std::time::Duration;

use super::changes::Changes;
use super::{Job, JobError};
use crate::effect::RunId;
use crate::file::Phase;
use crate::limits::MAX_SETTLING;
use crate::table::{self, ServiceEvent};
use crate::{Code, Context, Effect, FileIndex, JobState, Notice, Now, Priority};

/// Errors that the next file would meet as well: the whole job stops at once.
const CONCERNS_WHOLE_JOB: [Code; 7] = [
    Code::ERROR_DISK_FULL,
    Code::ERROR_DISK_QUOTA_EXCEEDED,
    Code::BG_E_VOLUME_CHANGED,
    Code::BG_E_INVALID_PROXY_INFO,
    Code::BG_E_TOKEN_REQUIRED,
    Code::BG_E_MAX_DOWNLOAD_SIZE_LIMIT_REACHED,
    Code::BG_E_SERVER_CERT_VALIDATION_INTERFACE_REQUIRED,
];

pub(super) fn concerns_whole_job(code: Code) -> bool {
    code.wait() == crate::Wait::Event || CONCERNS_WHOLE_JOB.contains(&code)
}

impl Job {
    /// The only place where a file changes its phase.
    pub(super) fn set_phase(&mut self, file: FileIndex, phase: Phase) {
        let place = file.as_usize();
        self.tally.leave(&self.files[place].phase);
        self.tally.enter(&phase);
        if phase == Phase::Waiting {
            self.next_file = self.next_file.min(place);
        }
        self.files[place].phase = phase;
    }

    /// The only place where the job changes its state.
    pub(super) fn enter(&mut self, now: Now, state: JobState, changes: &mut Changes) {
        if state == self.state {
            return;
        }
        if let Some(since) = self.active_since.filter(|_| !state.is_running()) {
            self.active_spent += now.mono.saturating_sub(since);
            self.active_since = None;
        }
        if state.is_running() && self.active_since.is_none() {
            self.active_since = Some(now.mono);
        }
        self.notice_due = false;
        match state {
            JobState::Transferring => {
                self.error = None;
                self.retrying = false;
            }
            JobState::Transferred => {
                self.error = None;
                self.transferred = Some(now.wall);
                self.download_arrived();
                self.forget_troubles();
                self.notice_due = true;
                changes.notify(Notice::JobTransferred);
            }
            JobState::Error => {
                self.forget_troubles();
                self.notice_due = true;
                changes.notify(Notice::JobError);
            }
            JobState::Suspended | JobState::Acknowledged | JobState::Cancelled => self.forget_troubles(),
            JobState::Queued | JobState::Connecting | JobState::TransientError => {}
        }
        self.state = state;
        self.modified = now.wall;
    }

    fn forget_troubles(&mut self) {
        self.retry_at = None;
        self.no_progress_at = None;
        self.retrying = false;
    }

    /// Starts what may start; when nothing runs then, decides where the job rests.
    pub(super) fn settle(&mut self, now: Now, changes: &mut Changes) {
        if !self.state.is_running() {
            return;
        }
        self.start_files(changes);
        if self.tally.running() > 0 {
            return;
        }
        if self.all_arrived() {
            self.step(now, ServiceEvent::LastFileDone, changes);
        } else if let Some(error) = self.worst_error() {
            self.fall(now, error, changes);
        } else {
            self.step(now, ServiceEvent::RequestedDone, changes);
        }
    }

    /// In the order of adding. A transient failure holds back further starts, because what made it fail is
    /// rarely about one file; a final one does so only where one file runs at a time (reference 3.2).
    fn start_files(&mut self, changes: &mut Changes) {
        let one_by_one = self.files_at_once() == 1;
        if self.tally.failed_for_now() > 0 || one_by_one && self.tally.failed_for_good() > 0 {
            return;
        }
        while self.files.get(self.next_file).is_some_and(|file| file.phase != Phase::Waiting) {
            self.next_file += 1;
        }
        // What waits for the disk alone leaves its place to the next: many small files then share one wait.
        let waits = self.tally.settling().min(MAX_SETTLING);
        let most = self.files_at_once() + waits;
        let mut place = self.next_file;
        while place < self.files.len() && self.tally.running() < most {
            let file = &self.files[place];
            let wanted = !self.properties.on_demand || !file.requested.is_empty();
            if file.phase == Phase::Waiting && wanted {
                self.start(FileIndex::at(place), changes);
            }
            place += 1;
        }
    }

    fn start(&mut self, file: FileIndex, changes: &mut Changes) {
        self.set_phase(file, Phase::Running);
        let run = &mut self.files[file.as_usize()].run;
        *run = RunId(run.0.wrapping_add(1));
        changes.work(Effect::Start { file, run: *run });
    }

    /// Stops the transfer of a file; it will be started again.
    pub(super) fn stop(&mut self, file: FileIndex, changes: &mut Changes) {
        self.set_phase(file, Phase::Waiting);
        changes.work(Effect::Stop(file));
    }

    pub(super) fn stop_all(&mut self, changes: &mut Changes) {
        if self.tally.running() == 0 {
            return;
        }
        for file in self.indexes() {
            if self.files[file.as_usize()].is_running() {
                self.stop(file, changes);
            }
        }
    }

    /// What the job reports when nothing runs and not all is there: what may pass comes first, because
    /// then the job still waits.
    fn worst_error(&self) -> Option<JobError> {
        let transient = self.tally.failed_for_now() > 0;
        if !transient && self.tally.failed_for_good() == 0 {
            return None;
        }
        self.files
            .iter()
            .filter_map(|file| file.error())
            .find(|error| error.code.is_transient() == transient)
            .cloned()
    }

    /// An event of table 7.3 that brings no error with it. Returns whether it changed anything.
    pub(super) fn step(&mut self, now: Now, event: ServiceEvent, changes: &mut Changes) -> bool {
        let Some(state) = table::service(self.state, event) else { return false };
        self.enter(now, state, changes);
        true
    }

    /// An error of the job in its present state: to TRANSIENT_ERROR or ERROR.
    pub(super) fn fall(&mut self, now: Now, error: JobError, changes: &mut Changes) {
        let event = match error.code {
            Code::BG_E_NETWORK_DISCONNECTED if self.blocks.contains(&error.code) => ServiceEvent::NetworkLost,
            code if self.blocks.contains(&code) => ServiceEvent::PolicyBlocks,
            Code::BG_E_TOKEN_REQUIRED => ServiceEvent::TokenLost,
            Code::BG_E_LOCAL_FILE_CHANGED => ServiceEvent::LocalFileChanged,
            code if code.is_transient() => ServiceEvent::RecoverableError,
            _ => ServiceEvent::FatalError,
        };
        self.fall_by(now, event, error, changes);
    }

    pub(super) fn fall_by(&mut self, now: Now, event: ServiceEvent, error: JobError, changes: &mut Changes) {
        let Some(mut state) = table::service(self.state, event) else { return };
        if state == JobState::TransientError && !self.may_wait(now) {
            state = JobState::Error;
        }
        self.stop_all(changes);
        let attempt = self.state == JobState::Transferring || self.retrying;
        if attempt && error.code.is_counted() {
            self.error_count = self.error_count.saturating_add(1);
        }
        if state == JobState::TransientError && !self.blocks.contains(&error.code) {
            self.retry_at.get_or_insert(now.mono + self.retry_delay());
            self.attempt_failed();
        }
        self.error = Some(error);
        self.enter(now, state, changes);
        changes.persist();
    }

    /// Starts the no-progress clock, and says whether it leaves time for another attempt (reference 7.5).
    fn may_wait(&mut self, now: Now) -> bool {
        let deadline = self.start_no_progress_clock(now);
        self.properties.no_progress_timeout_s > 0
            && self.retry_delay() <= self.no_progress_timeout()
            && deadline > now.mono
    }

    /// The clock runs from the first transient error, and only bytes stop it.
    pub(super) fn start_no_progress_clock(&mut self, now: Now) -> Duration {
        let timeout = self.no_progress_timeout();
        *self.no_progress_at.get_or_insert(now.mono + timeout)
    }

    /// TRANSIENT_ERROR to QUEUED, for another attempt.
    pub(super) fn requeue(&mut self, now: Now, event: ServiceEvent, changes: &mut Changes) {
        if self.step(now, event, changes) {
            self.retry_at = None;
            self.wait_ended();
            self.retrying = true;
            self.clear_failures(true, changes);
        }
    }

    /// Files that failed wait again: those whose error may pass, or all of them.
    pub(super) fn clear_failures(&mut self, transient_only: bool, changes: &mut Changes) {
        let good = if transient_only { 0 } else { self.tally.failed_for_good() };
        if self.tally.failed_for_now() + good == 0 {
            return;
        }
        for file in self.indexes() {
            let failed = self.files[file.as_usize()].error().map(|error| error.code.is_transient());
            if failed.is_some_and(|transient| transient || !transient_only) {
                self.set_phase(file, Phase::Waiting);
                changes.persist_file(file);
            }
        }
    }

    /// A policy, or the missing network, that keeps the job from running.
    pub(super) fn block(&self) -> Option<Code> {
        let foreground = self.properties.priority == Priority::Foreground;
        self.blocks.iter().copied().find(|code| !(foreground && *code == Code::BG_E_BLOCKED_BY_POLICY))
    }

    pub(super) fn block_error(code: Code) -> JobError {
        let context = match code {
            Code::BG_E_NETWORK_DISCONNECTED => Context::GeneralTransport,
            _ => Context::GeneralQueueManager,
        };
        JobError::new(code, context, None, "")
    }

    pub(super) fn indexes(&self) -> impl Iterator<Item = FileIndex> + use<> {
        (0..self.files.len()).map(FileIndex::at)
    }

    pub(super) fn retry_delay(&self) -> Duration {
        if let Some(download) = &self.download {
            return download.retry_delay();
        }
        Duration::from_secs(self.properties.minimum_retry_delay_s.into())
    }

    pub(super) fn no_progress_timeout(&self) -> Duration {
        Duration::from_secs(self.properties.no_progress_timeout_s.into())
    }
}
