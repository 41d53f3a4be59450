//! What a client may ask of a job, as values. Text has become types before it gets here, except where the
//! check is part of the call's result.

use dray_ranges::RangeSpec;

use crate::{DownloadCall, FileIndex, JobId, JobType, LocalName, RemoteName, Setting};

/// A job to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its name for machines, made up by the caller of this crate.
    pub id: JobId,
    /// Its name for people: at most 256 characters, not unique.
    pub display_name: String,
    /// What it does.
    pub job_type: JobType,
    /// First values of its properties; what is not in the list has its default.
    pub settings: Vec<Setting>,
}

/// A file to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Where it comes from.
    pub remote: RemoteName,
    /// Where it goes.
    pub local: LocalName,
    /// AddFileWithRanges: these ranges, packed in this order. `None`: the whole file.
    pub ranges: Option<Vec<RangeSpec>>,
    /// The digest of the local file, as text that the caller has checked. Opaque here.
    pub digest: Option<String>,
}

/// A call on a job. Every one gives BG_E_INVALID_STATE in a final state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// AddFile, AddFileSet, AddFileWithRanges: all of them or none. They get the next indexes in order.
    AddFiles(Vec<NewFile>),
    /// Suspend.
    Suspend,
    /// Resume.
    Resume,
    /// Cancel.
    Cancel,
    /// Complete. When the outcome [needs renames](crate::Outcome::needs_renames) the job is not
    /// ACKNOWLEDGED yet: [`Job::renamed`](crate::Job::renamed) ends it, and gives the code for the client.
    /// Until then every call gives BG_E_INVALID_STATE.
    Complete,
    /// Every Set method of the job: all of them or none.
    Set(Vec<Setting>),
    /// SetRemoteName. Lasts, and takes effect, with the next Resume (reference 8.6).
    SetRemoteName {
        /// Which file.
        file: FileIndex,
        /// Its new URL.
        remote: RemoteName,
    },
    /// ReplaceRemotePrefix; S_FALSE when no file has the old prefix. Lasts at once, and takes effect with
    /// the next start of each file.
    ReplaceRemotePrefix {
        /// Compared letter by letter.
        old: String,
        /// What takes its place.
        new: String,
    },
    /// SetValidationState (reference 9.7).
    SetValidationState {
        /// Which file.
        file: FileIndex,
        /// The client's verdict.
        valid: bool,
    },
    /// RequestFileRanges (reference 8.4).
    RequestFileRanges {
        /// Which file.
        file: FileIndex,
        /// Offsets in the remote file; may overlap anything.
        ranges: Vec<RangeSpec>,
    },
    /// UpdateDownloadPosition: a hint, not stored (reference 8.4).
    UpdateDownloadPosition {
        /// Which file.
        file: FileIndex,
        /// Missing bytes from here on come first.
        offset: u64,
    },
    /// TakeOwnership by the caller, an administrator (reference 7.10). That the caller can reach the
    /// temporary files is checked before this call; credentials and headers are removed after it.
    TakeOwnership,
    /// A call on a download of Delivery Optimization.
    Download(DownloadCall),
}

impl Call {
    /// Whether it changes what a job is told to do, and so something that its watchers show, besides its state.
    #[must_use]
    pub const fn modifies(&self) -> bool {
        match self {
            Call::Set(_)
            | Call::AddFiles(_)
            | Call::SetRemoteName { .. }
            | Call::ReplaceRemotePrefix { .. }
            | Call::TakeOwnership
            | Call::Download(DownloadCall::Set(..)) => true,
            Call::Suspend
            | Call::Resume
            | Call::Cancel
            | Call::Complete
            | Call::SetValidationState { .. }
            | Call::RequestFileRanges { .. }
            | Call::UpdateDownloadPosition { .. }
            | Call::Download(_) => false,
        }
    }
}
