//! Who may see which job (reference 2.2, 2.3, 7.10).

use super::{Entry, JobState, Queue, not_found};
use crate::{Caller, Code, Failure, Job, JobId};

impl Queue {
    /// GetJob: a job that has not ended, for its owner or an administrator. To others it does not exist
    /// (BG_E_NOT_FOUND, where BITS says E_ACCESSDENIED: an id should not tell strangers that it is in use).
    pub fn find(&self, caller: &Caller, id: JobId) -> Result<&Job, Failure> {
        self.job(id)
            .filter(|job| !job.state().is_final() && !job.is_do_download() && caller.may_touch(job.owner()))
            .ok_or_else(not_found)
    }

    /// A download of Delivery Optimization, for its owner or an administrator; one that has ended as well, while it is
    /// remembered. To others it does not exist (E_NOT_SET).
    pub fn find_download(&self, caller: &Caller, id: JobId) -> Result<&Job, Failure> {
        let found = self.job(id).filter(|job| job.is_do_download() && caller.may_touch(job.owner()));
        found.ok_or_else(|| not_found().for_do())
    }

    /// EnumDownloads: the downloads of the caller that have not ended, oldest first. Nobody sees those of others (reference
    /// 13.1), administrators neither.
    #[must_use]
    pub fn list_downloads(&self, caller: &Caller) -> Vec<&Job> {
        let listed =
            |job: &&Job| job.is_do_download() && !job.state().is_final() && *job.owner() == caller.owner;
        let mut jobs: Vec<&Job> = self.jobs().filter(listed).collect();
        jobs.sort_unstable_by_key(|job| (job.times().created, job.id()));
        jobs
    }

    /// EnumJobs: the jobs of the caller, or of everyone, oldest first. E_ACCESSDENIED for everyone's unless
    /// the caller is an administrator.
    pub fn list(&self, caller: &Caller, all_users: bool) -> Result<Vec<JobId>, Failure> {
        if all_users && !caller.administrator {
            let sentence = "Only an administrator can list the jobs of all users.";
            return Err(Failure::new(Code::E_ACCESSDENIED, sentence));
        }
        let listed = |job: &&Job| {
            !job.is_do_download() && !job.state().is_final() && (all_users || *job.owner() == caller.owner)
        };
        let mut jobs: Vec<&Job> = self.jobs().filter(listed).collect();
        jobs.sort_unstable_by_key(|job| (job.times().created, job.id()));
        Ok(jobs.into_iter().map(Job::id).collect())
    }

    /// A job, ended or not, for the daemon itself.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&Job> {
        let forgotten = || self.ended.iter().find(|job| job.id() == id);
        self.jobs.get(&id).map(|entry| &entry.job).or_else(forgotten)
    }

    /// Every job, ended or not, in no particular order, for the daemon itself.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().map(|Entry { job, .. }| job)
    }

    /// How many jobs are in a state.
    #[must_use]
    pub fn count(&self, state: JobState) -> usize {
        self.jobs().filter(|job| job.state() == state).count()
    }

    /// How far a file is by its checkpoint; see [`Job::restore_progress`].
    pub fn restore_progress(
        &mut self,
        id: JobId,
        file: crate::FileIndex,
        transferred: u64,
        sources: crate::BySource,
    ) {
        if let Some(entry) = self.jobs.get_mut(&id) {
            entry.job.restore_progress(file, transferred, sources);
        }
    }
}
