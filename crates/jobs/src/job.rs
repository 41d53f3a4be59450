//! One job: a machine that is given calls, events and the time.
//!
//! The state moves by the tables of [`crate::table`] only. Files of a job start in the order of adding,
//! up to [`Job::files_at_once`] at a time. The parts: `calls` and `set` answer clients, `complete` is the
//! two steps of Complete, `events` takes what happens, `running` starts and stops files and decides where
//! the job rests when none runs, `timers` knows what is due, `restore` is records, `view` is what can be
//! read, `download` is what Delivery Optimization has besides. All changes go through `changes`, which puts the effects in order.

mod calls;
mod changes;
mod complete;
pub mod download;
mod events;
mod restore;
mod running;
mod set;
mod tally;
mod timers;
mod view;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{
    DEFAULT_NO_PROGRESS_S, DEFAULT_NOTIFICATION_INTERVAL_MS, DEFAULT_RETRY_DELAY_S, MAX_ERROR_DETAIL,
    MAX_FILES_AT_ONCE,
};
use crate::names::check_display_name;
use crate::{
    AclFlags, Caller, Code, Context, Failure, File, FileIndex, JobId, JobState, JobType, NewJob,
    NotifyCommand, NotifyFlags, Now, Outcome, Owner, PeerFlags, Priority, Rules, Timestamp,
};
use changes::Changes;
use download::Download;
use tally::Tally;

pub use complete::Renamed;
pub use timers::TimerKind;
pub use view::{JobProgress, JobTimes};

/// Why a job is in ERROR or TRANSIENT_ERROR: IBackgroundCopyError (reference 6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// What.
    pub code: Code,
    /// Where.
    #[serde(default)]
    pub context: Context,
    /// The file it concerns; `None` is BG_E_FILE_NOT_AVAILABLE.
    #[serde(default)]
    pub file: Option<FileIndex>,
    /// A sentence with the particulars; the general one of the code when nothing better is known.
    #[serde(default)]
    pub detail: String,
}

impl JobError {
    pub(crate) fn new(code: Code, context: Context, file: Option<FileIndex>, detail: &str) -> JobError {
        let detail = if detail.is_empty() { code.text() } else { detail };
        JobError { code, context, file, detail: detail.chars().take(MAX_ERROR_DETAIL).collect() }
    }
}

/// The properties of a job (reference 3, 4), with their current values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Properties {
    /// Name for people.
    pub display_name: String,
    /// Description.
    pub description: String,
    /// Priority.
    pub priority: Priority,
    /// Notify flags.
    pub notify_flags: NotifyFlags,
    /// Notify command line.
    pub notify_command: Option<NotifyCommand>,
    /// Minimum retry delay, in seconds.
    pub minimum_retry_delay_s: u32,
    /// No-progress timeout, in seconds.
    pub no_progress_timeout_s: u32,
    /// Maximum download time, in seconds; `None`: that of the machine.
    pub maximum_download_time_s: Option<u32>,
    /// Files that run at once; `None`: the number of the machine.
    pub files_at_once: Option<u32>,
    /// File ACL flags.
    pub file_acl_flags: AclFlags,
    /// Peer-caching flags.
    pub peer_flags: PeerFlags,
    /// Cost flags; `None`: never set, so policy decides.
    pub cost_flags: Option<u32>,
    /// Dynamic content.
    pub dynamic_content: bool,
    /// High performance.
    pub high_performance: bool,
    /// Bound for the whole job, in bytes.
    pub max_download_size: Option<u64>,
    /// Stored credentials may be used for the proxy.
    pub use_stored_proxy_credentials: bool,
    /// Least time between two coalesced notices, in milliseconds.
    pub notification_interval_ms: u32,
    /// On-demand mode.
    pub on_demand: bool,
}

impl Default for Properties {
    fn default() -> Properties {
        Properties {
            display_name: String::new(),
            description: String::new(),
            priority: Priority::default(),
            notify_flags: NotifyFlags::DEFAULT,
            notify_command: None,
            minimum_retry_delay_s: DEFAULT_RETRY_DELAY_S,
            no_progress_timeout_s: DEFAULT_NO_PROGRESS_S,
            maximum_download_time_s: None,
            files_at_once: None,
            file_acl_flags: AclFlags::default(),
            peer_flags: PeerFlags::default(),
            cost_flags: None,
            dynamic_content: false,
            high_performance: false,
            max_download_size: None,
            use_stored_proxy_credentials: false,
            notification_interval_ms: DEFAULT_NOTIFICATION_INTERVAL_MS,
            on_demand: false,
        }
    }
}

/// A job and its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    id: JobId,
    job_type: JobType,
    owner: Owner,
    rules: Arc<Rules>,
    properties: Properties,
    files: Vec<File>,
    tally: Tally,
    /// No file before this one is waiting.
    next_file: usize,
    state: JobState,
    error: Option<JobError>,
    error_count: u32,
    created: Timestamp,
    modified: Timestamp,
    transferred: Option<Timestamp>,
    /// Resume was called at least once.
    resumed: bool,
    /// Renames have been asked for and not been answered.
    completing: bool,
    /// The present attempt comes after a transient error.
    retrying: bool,
    /// JobTransferred or JobError of the present state has not been taken note of.
    notice_due: bool,
    /// Policies that forbid the job to run, as their codes. Not recorded: they are looked at anew.
    blocks: BTreeSet<Code>,
    /// The owner is logged off. Not recorded either.
    owner_absent: bool,
    retry_at: Option<Duration>,
    no_progress_at: Option<Duration>,
    inactive_at: Duration,
    /// Time in CONNECTING and TRANSFERRING before `active_since`.
    active_spent: Duration,
    active_since: Option<Duration>,
    /// What makes it a download of Delivery Optimization.
    download: Option<Box<Download>>,
}

impl Job {
    /// CreateJob: a new job, SUSPENDED, without files. E_INVALIDARG for a display name above 256
    /// characters; otherwise what [`Call::Set`](crate::Call::Set) gives for the settings.
    pub fn create(
        now: Now,
        caller: &Caller,
        new: NewJob,
        rules: Arc<Rules>,
    ) -> Result<(Job, Outcome), Failure> {
        check_display_name(&new.display_name)
            .map_err(|failure| Failure { code: Code::E_INVALIDARG, ..failure })?;
        let mut job = Job::empty(now, new.id, new.job_type, caller.owner.clone(), rules);
        job.properties = job.with_settings(new.settings)?;
        job.properties.display_name = new.display_name;
        if job.job_type == JobType::DoDownload {
            job.become_download(now);
        }
        let mut changes = Changes::new(&job);
        changes.persist();
        let effects = changes.finish(&job);
        Ok((job, Outcome { code: Code::S_OK, effects }))
    }

    pub(crate) fn empty(now: Now, id: JobId, job_type: JobType, owner: Owner, rules: Arc<Rules>) -> Job {
        Job {
            id,
            job_type,
            owner,
            properties: Properties::default(),
            files: Vec::new(),
            tally: Tally::default(),
            next_file: 0,
            state: JobState::Suspended,
            error: None,
            error_count: 0,
            created: now.wall,
            modified: now.wall,
            transferred: None,
            resumed: false,
            completing: false,
            retrying: false,
            notice_due: false,
            blocks: BTreeSet::new(),
            owner_absent: false,
            retry_at: None,
            no_progress_at: None,
            inactive_at: now.mono + rules.inactivity,
            active_spent: Duration::ZERO,
            active_since: None,
            download: None,
            rules,
        }
    }

    /// How many files of this job run at once.
    #[must_use]
    pub fn files_at_once(&self) -> u32 {
        self.properties.files_at_once.unwrap_or(self.rules.files_at_once).clamp(1, MAX_FILES_AT_ONCE)
    }

    /// The file at an index; BG_E_FILE_NOT_FOUND when there is none.
    pub fn file(&self, index: FileIndex) -> Result<&File, Failure> {
        self.files.get(index.as_usize()).ok_or_else(|| {
            let sentence = format!("The job has {} files and no file {index}.", self.files.len());
            Failure::new(Code::BG_E_FILE_NOT_FOUND, sentence)
        })
    }
}
