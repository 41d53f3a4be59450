//! The two tables of the life cycle: what a client's call does to the state (reference 7.2), and what the
//! service's own events do (7.3). The job machine asks here and nowhere else which state comes next.

use crate::{Code, JobState, JobType};

/// The calls of table 7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCall {
    /// AddFile, AddFileSet, AddFileWithRanges.
    AddFile,
    /// Suspend.
    Suspend,
    /// Resume.
    Resume,
    /// Cancel.
    Cancel,
    /// Complete.
    Complete,
}

/// What of a job decides over a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: JobState,
    /// Its type.
    pub job_type: JobType,
    /// Whether it has a file.
    pub has_files: bool,
    /// Whether every file has arrived. True for a job without files.
    pub all_arrived: bool,
}

/// Table 7.2: the state after the call and the success code, or the failure code.
pub const fn client(from: Standing, call: ClientCall) -> Result<(JobState, Code), Code> {
    let state = from.state;
    if state.is_final() {
        return Err(Code::BG_E_INVALID_STATE);
    }
    match call {
        ClientCall::AddFile => Ok((state, Code::S_OK)),
        ClientCall::Suspend => Ok((suspended(state), Code::S_OK)),
        ClientCall::Resume if !from.has_files => Err(Code::BG_E_EMPTY),
        ClientCall::Resume => Ok((resumed(from), Code::S_OK)),
        ClientCall::Cancel => Ok((JobState::Cancelled, Code::S_OK)),
        ClientCall::Complete => completed(from),
    }
}

const fn suspended(state: JobState) -> JobState {
    match state {
        // Idle already; the client keeps seeing why.
        JobState::Error | JobState::Transferred => state,
        _ => JobState::Suspended,
    }
}

const fn resumed(from: Standing) -> JobState {
    match from.state {
        JobState::Suspended | JobState::TransientError | JobState::Error => JobState::Queued,
        JobState::Transferred if !from.all_arrived => JobState::Queued,
        state => state,
    }
}

const fn completed(from: Standing) -> Result<(JobState, Code), Code> {
    if from.job_type.is_download() {
        let code = if from.all_arrived { Code::S_OK } else { Code::BG_S_PARTIAL_COMPLETE };
        return Ok((JobState::Acknowledged, code));
    }
    match from.state {
        JobState::Transferred => Ok((JobState::Acknowledged, Code::S_OK)),
        _ => Err(Code::BG_E_INVALID_STATE),
    }
}

/// The events of table 7.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceEvent {
    /// The scheduler selects the job.
    Selected,
    /// The connection is made.
    Connected,
    /// The time slice ends, or a job of higher priority arrives.
    SliceEnds,
    /// The last file is done.
    LastFileDone,
    /// An on-demand job: all that was requested is there, the file is not.
    RequestedDone,
    /// A recoverable error; a failed connection is one.
    RecoverableError,
    /// An error that is not; also a recoverable one that may not be waited for.
    FatalError,
    /// The retry delay has expired.
    RetryDelayOver,
    /// The network is back.
    NetworkBack,
    /// A policy that blocked the job does not any more.
    PolicyAllows,
    /// The no-progress timeout has expired.
    NoProgress,
    /// The maximum download time is used up.
    DownloadTimeOver,
    /// The network is lost.
    NetworkLost,
    /// The owner logs off.
    OwnerLeaves,
    /// A policy (bandwidth, cost, power, ...) blocks the job.
    PolicyBlocks,
    /// The helper token is needed and lost.
    TokenLost,
    /// The client says that what the origin gave is not valid.
    ValidationFailed,
    /// The client says that what peers gave is not valid: it comes again, from the origin (9.7).
    PeerCopyInvalid,
    /// The local file of an upload changed.
    LocalFileChanged,
    /// No activity for the inactivity timeout.
    Inactive,
}

/// Table 7.3: the state after the event, or `None` where the event changes nothing.
#[must_use]
pub const fn service(from: JobState, event: ServiceEvent) -> Option<JobState> {
    use JobState::{
        Cancelled, Connecting, Error, Queued, Suspended, Transferred, Transferring, TransientError,
    };
    use ServiceEvent as E;
    match (event, from) {
        (_, JobState::Acknowledged | Cancelled) => None,
        (E::Selected, Queued) => Some(Connecting),
        (E::Connected, Connecting) => Some(Transferring),
        (E::SliceEnds | E::OwnerLeaves, Connecting | Transferring) => Some(Queued),
        (E::LastFileDone, Connecting | Transferring) => Some(Transferred),
        (E::RequestedDone, Connecting | Transferring) => Some(Suspended),
        (E::RecoverableError, Connecting | Transferring) => Some(TransientError),
        (E::FatalError, Connecting | Transferring) => Some(Error),
        (E::RetryDelayOver | E::NetworkBack | E::PolicyAllows, TransientError) => Some(Queued),
        (E::NoProgress, TransientError) => Some(Error),
        (E::DownloadTimeOver, Connecting | Transferring) => Some(Error),
        (E::NetworkLost | E::PolicyBlocks, Queued | Connecting | Transferring) => Some(TransientError),
        (E::TokenLost, Queued | Connecting | Transferring | TransientError) => Some(Error),
        (E::ValidationFailed, _) => Some(Error),
        (E::PeerCopyInvalid, Transferred) => Some(Queued),
        (E::LocalFileChanged, Connecting | Transferring) => Some(Error),
        (E::Inactive, _) => Some(Cancelled),
        _ => None,
    }
}
