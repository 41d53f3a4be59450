//! The states of a job and its type, with BITS's numbers.

use serde::{Deserialize, Serialize};

use crate::Failure;

/// Where a job stands: BG_JOB_STATE (reference 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum JobState {
    /// Ready; waits for the scheduler.
    Queued = 0,
    /// Contacting the server.
    Connecting = 1,
    /// Bytes are moving.
    Transferring = 2,
    /// Stopped by its creation, by Suspend, or because all that was asked of an on-demand job is there.
    Suspended = 3,
    /// Stopped by an error; nothing happens without the client.
    Error = 4,
    /// A recoverable error or a block; will be tried again.
    TransientError = 5,
    /// Every file has arrived; waits for Complete.
    Transferred = 6,
    /// Completed. Final.
    Acknowledged = 7,
    /// Cancelled. Final.
    Cancelled = 8,
}

impl JobState {
    /// All states, in the order of their numbers.
    pub const ALL: [JobState; 9] = [
        JobState::Queued,
        JobState::Connecting,
        JobState::Transferring,
        JobState::Suspended,
        JobState::Error,
        JobState::TransientError,
        JobState::Transferred,
        JobState::Acknowledged,
        JobState::Cancelled,
    ];

    /// The number that travels in the API.
    #[must_use]
    pub const fn value(self) -> u32 {
        self as u32
    }

    /// The state with this number.
    #[must_use]
    pub fn from_value(value: u32) -> Option<JobState> {
        JobState::ALL.into_iter().find(|state| state.value() == value)
    }

    /// ACKNOWLEDGED and CANCELLED: irreversible, not listed, not found by id.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, JobState::Acknowledged | JobState::Cancelled)
    }

    /// CONNECTING and TRANSFERRING: the job occupies a place of the scheduler.
    #[must_use]
    pub const fn is_running(self) -> bool {
        matches!(self, JobState::Connecting | JobState::Transferring)
    }

    /// QUEUED, CONNECTING, TRANSFERRING and TRANSIENT_ERROR: the service acts by itself.
    #[must_use]
    pub const fn is_action(self) -> bool {
        self.is_running() || matches!(self, JobState::Queued | JobState::TransientError)
    }

    /// The name as BITS writes it, without the prefix.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            JobState::Queued => "QUEUED",
            JobState::Connecting => "CONNECTING",
            JobState::Transferring => "TRANSFERRING",
            JobState::Suspended => "SUSPENDED",
            JobState::Error => "ERROR",
            JobState::TransientError => "TRANSIENT_ERROR",
            JobState::Transferred => "TRANSFERRED",
            JobState::Acknowledged => "ACKNOWLEDGED",
            JobState::Cancelled => "CANCELLED",
        }
    }
}

impl std::fmt::Display for JobState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a job does: BG_JOB_TYPE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum JobType {
    /// Files come here.
    #[default]
    Download = 0,
    /// One file goes to a server.
    Upload = 1,
    /// One file goes to a server, and an answer comes back.
    UploadReply = 2,
    /// A download of Delivery Optimization (reference 13). It is no job of BITS: it has no number there, and is in none of
    /// its lists.
    DoDownload = 0x100,
}

impl JobType {
    /// The number that travels in the API.
    #[must_use]
    pub const fn value(self) -> u32 {
        self as u32
    }

    /// The type with this number; E_NOTIMPL for any other.
    pub fn from_value(value: u32) -> Result<JobType, Failure> {
        match value {
            0 => Ok(JobType::Download),
            1 => Ok(JobType::Upload),
            2 => Ok(JobType::UploadReply),
            _ => Err(Failure::wrong_value(format!("There is no job type {value}; 0, 1 and 2 exist."))),
        }
    }

    /// Whether the job downloads.
    #[must_use]
    pub const fn is_download(self) -> bool {
        matches!(self, JobType::Download | JobType::DoDownload)
    }
}
