//! What is due, and when. All on the monotonic clock.

use std::time::Duration;

use super::changes::Changes;
use super::{Job, JobError};
use crate::table::ServiceEvent;
use crate::{Code, Context, Effect, JobState, Now};

/// Why [`Job::timeout`] names a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// The minimum retry delay after a transient error is over.
    Retry,
    /// The no-progress timeout.
    NoProgress,
    /// The maximum download time.
    MaximumDownloadTime,
    /// The inactivity timeout.
    Inactivity,
}

impl Job {
    /// When the job wants [`Event::Timer`](crate::Event::Timer), and why. `None` in a final state, and
    /// while renames are awaited. A time in the past is due now.
    #[must_use]
    pub fn timeout(&self) -> Option<(Duration, TimerKind)> {
        if self.state.is_final() || self.completing {
            return None;
        }
        let waiting = self.state == JobState::TransientError;
        let retry = self.retry_at.filter(|_| waiting || self.state.is_running());
        let no_progress = self.no_progress_at.filter(|_| match self.is_do_download() {
            true => self.counts_no_progress(),
            false => waiting,
        });
        let longest = Duration::from_secs(self.maximum_download_time_s().into());
        let download = self.active_since.map(|since| since + longest.saturating_sub(self.active_spent));
        [
            no_progress.map(|at| (at, TimerKind::NoProgress)),
            retry.map(|at| (at, TimerKind::Retry)),
            download.map(|at| (at, TimerKind::MaximumDownloadTime)),
            Some((self.inactive_at, TimerKind::Inactivity)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }

    /// Everything that is due by now, in the order in which it became due. Each timer that fires is gone
    /// or later afterwards, so this ends.
    pub(super) fn fire_timers(&mut self, now: Now, changes: &mut Changes) {
        while let Some((at, kind)) = self.timeout() {
            if at > now.mono {
                return;
            }
            match kind {
                TimerKind::Retry => self.retry(now, changes),
                TimerKind::NoProgress if self.is_do_download() => self.download_stalled(now, changes),
                TimerKind::NoProgress => {
                    self.step(now, ServiceEvent::NoProgress, changes);
                }
                TimerKind::MaximumDownloadTime => {
                    let error =
                        JobError::new(Code::BG_E_MAXDOWNLOAD_TIMEOUT, Context::GeneralQueueManager, None, "");
                    self.fall_by(now, ServiceEvent::DownloadTimeOver, error, changes);
                }
                TimerKind::Inactivity => {
                    self.too_old();
                    self.drop_everything(changes);
                    self.step(now, ServiceEvent::Inactive, changes);
                }
            }
        }
    }

    fn retry(&mut self, now: Now, changes: &mut Changes) {
        self.retry_at = None;
        if self.state == JobState::TransientError {
            self.requeue(now, ServiceEvent::RetryDelayOver, changes);
        } else {
            self.clear_failures(true, changes);
            self.settle(now, changes);
        }
    }

    /// Stops all transfers and deletes what is not under its final name.
    pub(super) fn drop_everything(&mut self, changes: &mut Changes) {
        self.stop_all(changes);
        if !self.resumed {
            return; // nothing was ever started
        }
        for file in self.indexes() {
            if !self.files[file.as_usize()].progress().completed {
                changes.work(Effect::DeleteTemp(file));
            }
        }
    }

    /// Something happened that shows the job is alive (reference 7.9).
    pub(super) fn touch(&mut self, now: Now) {
        self.modified = now.wall;
        if !self.is_do_download() {
            self.inactive_at = now.mono + self.rules.inactivity; // a download has its time from the start
        }
    }
}
