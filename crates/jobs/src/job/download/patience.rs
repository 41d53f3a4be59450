//! How long a download waits: for bytes, between attempts, and in all (reference 12.2, 13.6).

use crate::job::changes::Changes;
use crate::table::ServiceEvent;
use crate::{Code, Context, Job, JobError, JobState, Now};

impl Job {
    /// Whether the no-progress clock of a download runs: not while it waits for the scheduler, the network or a policy.
    pub(in crate::job) fn counts_no_progress(&self) -> bool {
        self.state.is_running() || self.state == JobState::TransientError && !self.waits_for_event()
    }

    /// The download got a place: from now on bytes are expected.
    pub(in crate::job) fn download_runs(&mut self, now: Now) {
        if self.is_do_download() {
            self.start_no_progress_clock(now);
        }
    }

    /// Bytes came.
    pub(in crate::job) fn download_moved(&mut self, now: Now) {
        if let Some(download) = &mut self.download {
            download.attempts = 0;
            self.start_no_progress_clock(now);
        }
    }

    /// The network or the policy is back that the download waited for; that time does not count.
    pub(in crate::job) fn wait_ended(&mut self) {
        if self.waits_for_event() {
            self.place_lost();
        }
    }

    /// Nothing can come while the download has no place.
    pub(in crate::job) fn place_lost(&mut self) {
        if self.is_do_download() {
            self.no_progress_at = None;
        }
    }

    /// An attempt brought nothing: the next one comes later.
    pub(in crate::job) fn attempt_failed(&mut self) {
        if let Some(download) = &mut self.download {
            download.attempts = download.attempts.saturating_add(1);
        }
    }

    /// No byte for the no-progress time: PAUSED with DO_E_DOWNLOAD_NO_PROGRESS and what was wrong last.
    pub(in crate::job) fn download_stalled(&mut self, now: Now, changes: &mut Changes) {
        let last = self.error.as_ref().map(|error| error.code);
        if let Some(download) = &mut self.download {
            download.extended = last;
        }
        let event = match self.state {
            JobState::TransientError => ServiceEvent::NoProgress,
            _ => ServiceEvent::FatalError,
        };
        let error = JobError::new(Code::DO_E_DOWNLOAD_NO_PROGRESS, Context::RemoteFile, None, "");
        self.fall_by(now, event, error, changes);
    }

    /// The last that is said of a download that nobody ended.
    pub(in crate::job) fn too_old(&mut self) {
        if self.is_do_download() {
            let error = JobError::new(Code::DO_E_JOB_TOO_OLD, Context::GeneralQueueManager, None, "");
            self.error = Some(error);
        }
    }
}
