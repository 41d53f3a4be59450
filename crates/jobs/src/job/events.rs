//! What happens to a job.

use dray_ranges::{ByteRange, RangeSet};

use super::changes::Changes;
use super::running::concerns_whole_job;
use super::{Job, JobError};
use crate::effect::RunId;
use crate::file::Phase;
use crate::table::ServiceEvent;
use crate::{Code, Context, Effect, Event, FileEvent, FileIndex, JobState, Learned, Notice, Now, Wait};

impl Job {
    /// Takes an event. In a final state, and while renames are awaited, nothing comes of it.
    pub fn on(&mut self, now: Now, event: Event) -> Vec<Effect> {
        if self.state.is_final() {
            return Vec::new();
        }
        let mut changes = Changes::new(self);
        match event {
            // Known even while the job is being completed: the answer may leave it in the queue.
            Event::NetworkLost => self.blocked(now, Code::BG_E_NETWORK_DISCONNECTED, &mut changes),
            Event::Blocked(code) => self.blocked(now, code, &mut changes),
            Event::NetworkBack => self.network_back(now, &mut changes),
            Event::Unblocked(code) => self.unblocked(now, code, &mut changes),
            Event::OwnerLeft => {
                self.owner_absent = true;
                self.preempt(now, ServiceEvent::OwnerLeaves, &mut changes);
            }
            Event::OwnerCame => self.owner_absent = false,
            Event::Delivered(notice) => self.delivered(notice, &mut changes),
            _ if self.completing => {}
            Event::Selected => self.selected(now, &mut changes),
            Event::Preempted => self.preempt(now, ServiceEvent::SliceEnds, &mut changes),
            Event::File { file, run, event } => self.file_event(now, file, run, event, &mut changes),
            Event::Failed { code, context, detail } => {
                let error = JobError::new(code, context, None, &detail);
                self.fall(now, error, &mut changes);
            }
            Event::Timer => self.fire_timers(now, &mut changes),
        }
        changes.finish(self)
    }

    /// What the queue knows and a new job does not. Nothing moves.
    pub(crate) fn learn_present(&mut self, blocks: impl Iterator<Item = Code>, owner_absent: bool) {
        self.blocks = blocks.collect();
        self.owner_absent = owner_absent;
    }

    fn selected(&mut self, now: Now, changes: &mut Changes) {
        if let Some(code) = self.block() {
            self.fall(now, Job::block_error(code), changes);
        } else if self.is_ready() && self.step(now, ServiceEvent::Selected, changes) {
            self.download_runs(now);
            self.settle(now, changes);
        }
    }

    pub(super) fn preempt(&mut self, now: Now, event: ServiceEvent, changes: &mut Changes) {
        if self.state.is_running() {
            self.stop_all(changes);
            self.retry_at = None;
            self.place_lost();
            self.clear_failures(true, changes);
            self.step(now, event, changes);
        }
    }

    fn blocked(&mut self, now: Now, code: Code, changes: &mut Changes) {
        if code.wait() != Wait::Event {
            return;
        }
        self.blocks.insert(code);
        if self.block() == Some(code) && !self.completing {
            self.fall(now, Job::block_error(code), changes);
        }
    }

    /// Only a job that waits because of this policy goes on.
    fn unblocked(&mut self, now: Now, code: Code, changes: &mut Changes) {
        self.blocks.remove(&code);
        if self.error.as_ref().is_some_and(|error| error.code == code) {
            self.requeue(now, ServiceEvent::PolicyAllows, changes);
        }
    }

    /// Every job in TRANSIENT_ERROR goes on, whatever it waits for (reference 7.3).
    fn network_back(&mut self, now: Now, changes: &mut Changes) {
        self.blocks.remove(&Code::BG_E_NETWORK_DISCONNECTED);
        if self.state.is_running() && self.tally.failed_for_now() > 0 {
            self.retry_at = None;
            self.clear_failures(true, changes);
            self.settle(now, changes);
        } else {
            self.requeue(now, ServiceEvent::NetworkBack, changes);
        }
    }

    fn delivered(&mut self, notice: Notice, changes: &mut Changes) {
        match notice {
            Notice::FileTransferred(index) => {
                if let Some(file) = self.files.get_mut(index.as_usize()).filter(|file| file.notice_due) {
                    file.notice_due = false;
                    changes.persist_file(index);
                }
            }
            Notice::JobTransferred | Notice::JobError => {
                if self.notice_due && self.resting_notice() == Some(notice) {
                    self.notice_due = false;
                    changes.persist();
                }
            }
            Notice::JobModification => {}
        }
    }

    fn file_event(
        &mut self,
        now: Now,
        index: FileIndex,
        run: RunId,
        event: FileEvent,
        changes: &mut Changes,
    ) {
        let Some(file) = self.files.get_mut(index.as_usize()) else { return };
        if !file.is_running() || file.run != run {
            return; // a run that was stopped
        }
        match event {
            FileEvent::Connected => {
                self.step(now, ServiceEvent::Connected, changes);
            }
            FileEvent::Learned(learned) => self.learned(now, index, learned, changes),
            FileEvent::Progress { transferred, sources } => {
                let moved = transferred > file.transferred;
                file.transferred = transferred;
                file.sources = sources;
                if moved {
                    self.bytes_moved(now, changes);
                }
                self.touch(now);
                changes.modified();
                self.check_size(now, changes);
            }
            FileEvent::Settling => {
                self.set_phase(index, Phase::Settling);
                self.settle(now, changes);
            }
            FileEvent::Done { size, sources } => {
                file.transferred = size;
                file.sources = sources;
                file.learned.size = file.layout.specs().is_none().then_some(size).or(file.learned.size);
                file.notice_due = true;
                self.set_phase(index, Phase::Transferred);
                changes.persist_file(index);
                changes.notify(Notice::FileTransferred(index));
                self.bytes_moved(now, changes);
                self.touch(now);
                self.check_size(now, changes);
                self.settle(now, changes);
            }
            FileEvent::RequestedDone => {
                self.set_phase(index, Phase::Parked);
                changes.persist_file(index);
                self.step(now, ServiceEvent::Connected, changes);
                self.settle(now, changes);
            }
            FileEvent::Failed { code, context, detail } => {
                let error = JobError::new(code, context, Some(index), &detail);
                self.file_failed(now, error, index, changes);
            }
        }
    }

    fn bytes_moved(&mut self, now: Now, changes: &mut Changes) {
        self.step(now, ServiceEvent::Connected, changes);
        self.no_progress_at = None;
        self.download_moved(now);
    }

    fn learned(&mut self, now: Now, index: FileIndex, learned: Learned, changes: &mut Changes) {
        let file = &mut self.files[index.as_usize()];
        file.learn(learned);
        // What was asked for up to "the end" ends where the file does.
        if let Some(size) = file.learned.size.filter(|_| !file.requested.is_empty()) {
            let all: RangeSet = ByteRange::new(0, size).into_iter().collect();
            file.requested = file.requested.intersection(&all);
        }
        changes.persist_file(index);
        self.touch(now);
        changes.modified();
        self.check_size(now, changes);
    }

    fn file_failed(&mut self, now: Now, error: JobError, index: FileIndex, changes: &mut Changes) {
        self.set_phase(index, Phase::Failed(error.clone()));
        changes.persist_file(index);
        if error.code == Code::BG_E_VALIDATION_FAILED {
            // Nothing of it may be built upon: Resume begins at zero (9.7).
            self.files[index.as_usize()].reset();
            changes.work(Effect::DeleteTemp(index));
        }
        if concerns_whole_job(error.code) {
            self.fall(now, error, changes);
            return;
        }
        if error.code.is_transient() {
            self.start_no_progress_clock(now);
            self.retry_at.get_or_insert(now.mono + self.retry_delay());
        }
        self.settle(now, changes);
    }

    /// MAX_DOWNLOAD_SIZE bounds the job, by what has come and by what is known to come.
    fn check_size(&mut self, now: Now, changes: &mut Changes) {
        let Some(limit) = self.properties.max_download_size.filter(|_| self.state.is_running()) else {
            return;
        };
        let known = |file: &crate::File| file.total().unwrap_or(0).max(file.transferred);
        let sum = self.files.iter().map(known).fold(0_u64, u64::saturating_add);
        if sum > limit {
            let detail = format!("The files of the job have {sum} bytes or more; its limit is {limit}.");
            let error = JobError::new(
                Code::BG_E_MAX_DOWNLOAD_SIZE_LIMIT_REACHED,
                Context::GeneralQueueManager,
                None,
                &detail,
            );
            self.fall(now, error, changes);
        }
    }

    /// The client does not want what has arrived (reference 9.7).
    pub(super) fn reject_content(&mut self, now: Now, index: FileIndex, changes: &mut Changes) {
        let file = &mut self.files[index.as_usize()];
        let from_peers = file.sources.peer > 0;
        file.reset();
        file.validation = Some(false);
        file.origin_only = true;
        self.set_phase(index, Phase::Waiting);
        changes.work(Effect::DeleteTemp(index));
        changes.persist_file(index);
        if !from_peers {
            let error = JobError::new(Code::BG_E_VALIDATION_FAILED, Context::RemoteFile, Some(index), "");
            self.fall_by(now, ServiceEvent::ValidationFailed, error, changes);
        } else if self.state == JobState::Transferred {
            self.step(now, ServiceEvent::PeerCopyInvalid, changes);
        } else {
            self.settle(now, changes);
        }
    }
}
