//! Jobs and files as they are stored. A record has only what survives a restart (reference 7.9); every
//! field that came after the first version is optional, so old records can always be read.
//!
//! A job is one record and each of its files another, so that a file that arrives does not rewrite them
//! all. Timers are stored as what is left of them when the record was made.

use std::fmt;

use dray_ranges::{RangeSet, RangeSpec};
use serde::{Deserialize, Serialize};

use crate::job::download::Download;
use crate::{
    BySource, JobError, JobId, JobState, JobType, Learned, LocalName, Owner, Properties, RemoteName,
    Timestamp,
};

/// A job, without its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the property or part of the job with its name")]
pub struct JobRecord {
    pub id: JobId,
    pub job_type: JobType,
    pub owner: Owner,
    pub state: JobState,
    /// How many file records belong to it.
    pub files: u32,
    pub created: Timestamp,
    pub modified: Timestamp,
    /// When the record was made: the timers below count from here.
    pub saved: Timestamp,
    #[serde(default)]
    pub transferred: Option<Timestamp>,
    #[serde(default)]
    pub error: Option<JobError>,
    #[serde(default)]
    pub error_count: u32,
    #[serde(default)]
    pub resumed: bool,
    #[serde(default)]
    pub completing: bool,
    #[serde(default)]
    pub retrying: bool,
    #[serde(default)]
    pub notice_due: bool,
    #[serde(default)]
    pub retry_in_ms: Option<u64>,
    #[serde(default)]
    pub no_progress_in_ms: Option<u64>,
    #[serde(default)]
    pub inactive_in_ms: Option<u64>,
    #[serde(default)]
    pub active_ms: u64,
    #[serde(default)]
    pub properties: Properties,
    /// Of a download of Delivery Optimization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) download: Option<Box<Download>>,
}

/// A file of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the part of the file with its name")]
pub struct FileRecord {
    pub remote: RemoteName,
    pub local: LocalName,
    pub phase: FilePhase,
    #[serde(default)]
    pub ranges: Option<Vec<RangeSpec>>,
    #[serde(default)]
    pub digest: Option<String>,
    #[serde(default)]
    pub requested: RangeSet,
    #[serde(default)]
    pub error: Option<JobError>,
    #[serde(default)]
    pub transferred: u64,
    #[serde(default)]
    pub sources: BySource,
    #[serde(default)]
    pub learned: Learned,
    #[serde(default)]
    pub validation: Option<bool>,
    #[serde(default)]
    pub origin_only: bool,
    #[serde(default)]
    pub notice_due: bool,
}

/// How far a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilePhase {
    /// Not arrived; perhaps begun.
    Waiting,
    /// Ended with an error.
    Failed,
    /// On-demand: all that was requested is there.
    Parked,
    /// Every byte is there.
    Transferred,
    /// Under its final name.
    Completed,
}

/// Records that do not belong together. The job cannot be restored; set the records aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Which job.
    pub id: JobId,
    /// What does not fit.
    pub reason: String,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The record of job {} cannot be used: {}.", self.id, self.reason)
    }
}

impl std::error::Error for RecordError {}
