//! Complete, in its two steps: ask for the final names, then end the job or say what went wrong.

use super::changes::Changes;
use super::{Job, JobError};
use crate::file::Phase;
use crate::table::{self, ClientCall, ServiceEvent};
use crate::{Code, Context, Effect, Failure, FileIndex, JobState, Now};

/// What became of Complete once the renames were tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the effects are still to be carried out"]
pub struct Renamed {
    /// The success code for the client, or why the job stays in the queue.
    pub result: Result<Code, Failure>,
    /// What to do now, as in [`Outcome`](crate::Outcome).
    pub effects: Vec<Effect>,
}

impl Job {
    /// First step. Without a file to rename it is the last as well.
    pub(super) fn complete(&mut self, now: Now, changes: &mut Changes) -> Result<Code, Failure> {
        let (_, code) = table::client(self.standing(), ClientCall::Complete).map_err(|_| {
            let sentence =
                "An upload can be completed only when it is TRANSFERRED; wait for it or cancel it.";
            Failure::new(Code::BG_E_INVALID_STATE, sentence)
        })?;
        self.stop_all(changes);
        let renames = self.to_rename();
        if renames.is_empty() {
            self.acknowledge(now, changes);
            return Ok(code);
        }
        if self.state.is_action() {
            self.enter(now, JobState::Suspended, changes);
        }
        self.completing = true;
        changes.persist();
        for file in renames {
            changes.work(Effect::Rename(file));
        }
        Ok(code)
    }

    /// Second step: what became of each [`Effect::Rename`]. When all files have their names the job is
    /// ACKNOWLEDGED and what had not arrived is deleted. Otherwise those that have theirs keep it, the job
    /// stays as it was (TRANSFERRED, or SUSPENDED when it was still running), and the failure says so.
    ///
    /// BG_E_VALIDATION_FAILED says that what was proven is not there any more: the job is in ERROR then, and
    /// Resume fetches such files anew.
    pub fn renamed(&mut self, now: Now, results: &[(FileIndex, Result<(), Failure>)]) -> Renamed {
        if !self.completing {
            let failure = Failure::new(Code::BG_E_INVALID_STATE, "The job is not being completed.");
            return Renamed { result: Err(failure), effects: Vec::new() };
        }
        self.completing = false;
        self.touch(now);
        let mut changes = Changes::new(self);
        changes.persist();
        let mut first_failure = None;
        let mut lost = Vec::new();
        for (file, result) in results {
            match result {
                Err(failure) => {
                    first_failure = first_failure.or(Some(failure));
                    if failure.code == Code::BG_E_VALIDATION_FAILED && self.is_to_rename(*file) {
                        lost.push(*file);
                        self.lose(now, *file, lost.len() == 1, &failure.sentence, &mut changes);
                    }
                }
                Ok(()) if self.files.get(file.as_usize()).is_some_and(|file| file.has_arrived()) => {
                    self.set_phase(*file, Phase::Completed);
                    changes.persist_file(*file);
                }
                Ok(()) => {}
            }
        }
        let left = self.to_rename().len() + lost.len();
        let result = if left == 0 {
            let code = if self.all_arrived() { Code::S_OK } else { Code::BG_S_PARTIAL_COMPLETE };
            self.acknowledge(now, &mut changes);
            Ok(code)
        } else {
            let (code, reason) = first_failure.map_or((Code::E_FAIL, ""), |f| (f.code, f.sentence.as_str()));
            let cure = match lost.is_empty() {
                true => "cure the cause and complete the job again",
                false => "resume the job, which fetches anew what is lost, and complete it again",
            };
            let sentence = format!(
                "{left} of {} files did not get their final names; {cure}, or cancel it. {reason}",
                self.files.len(),
            );
            Err(Failure::new(code, sentence.trim_end()))
        };
        Renamed { result, effects: changes.finish(self) }
    }

    /// What stands in the place of the file is not what was proven; it is fetched anew.
    fn lose(&mut self, now: Now, index: FileIndex, is_first: bool, reason: &str, changes: &mut Changes) {
        self.files[index.as_usize()].reset();
        self.set_phase(index, Phase::Waiting);
        changes.work(Effect::DeleteTemp(index));
        changes.persist_file(index);
        if is_first {
            let code = Code::BG_E_VALIDATION_FAILED;
            let error = JobError::new(code, Context::LocalFile, Some(index), reason);
            self.fall_by(now, ServiceEvent::ValidationFailed, error, changes);
        }
    }

    fn is_to_rename(&self, index: FileIndex) -> bool {
        self.files.get(index.as_usize()).is_some_and(|file| file.phase == Phase::Transferred)
    }

    fn acknowledge(&mut self, now: Now, changes: &mut Changes) {
        self.drop_everything(changes);
        self.enter(now, JobState::Acknowledged, changes);
    }

    /// Files that have arrived and do not have their final names. Nothing of an upload is renamed.
    pub(super) fn to_rename(&self) -> Vec<FileIndex> {
        if !self.job_type.is_download() {
            return Vec::new();
        }
        self.indexes().filter(|file| self.files[file.as_usize()].phase == Phase::Transferred).collect()
    }
}
