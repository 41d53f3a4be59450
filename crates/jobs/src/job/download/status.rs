//! What a client sees of a download: DO_DOWNLOAD_STATUS.

use crate::{Code, Job, JobError, JobState, Wait};

/// Where a download stands: DODownloadState (reference 13.2). There is no state of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DownloadState {
    /// Never started.
    Created = 0,
    /// In progress, or trying again by itself.
    Transferring = 1,
    /// Everything that was asked for is here. May be started again for another part.
    Transferred = 2,
    /// Accepted. Final.
    Finalized = 3,
    /// Given up. Final.
    Aborted = 4,
    /// Stopped by Pause, by something that passes, or by an error.
    Paused = 5,
}

impl DownloadState {
    /// All states, in the order of their numbers.
    pub const ALL: [DownloadState; 6] = [
        DownloadState::Created,
        DownloadState::Transferring,
        DownloadState::Transferred,
        DownloadState::Finalized,
        DownloadState::Aborted,
        DownloadState::Paused,
    ];

    /// The number that travels in the API.
    #[must_use]
    pub const fn value(self) -> u32 {
        self as u32
    }

    /// FINALIZED and ABORTED.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, DownloadState::Finalized | DownloadState::Aborted)
    }

    /// The name as DO writes it, in capitals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DownloadState::Created => "CREATED",
            DownloadState::Transferring => "TRANSFERRING",
            DownloadState::Transferred => "TRANSFERRED",
            DownloadState::Finalized => "FINALIZED",
            DownloadState::Aborted => "ABORTED",
            DownloadState::Paused => "PAUSED",
        }
    }
}

/// DO_DOWNLOAD_STATUS. The two errors are read together with the state (reference 13.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadStatus {
    /// Bytes that were asked for; `None` while that is not known.
    pub bytes_total: Option<u64>,
    /// Bytes of them that are here.
    pub bytes_transferred: u64,
    /// Where it stands.
    pub state: DownloadState,
    /// In PAUSED: what the client has to cure. In TRANSFERRING: why the last attempt failed.
    pub error: Option<JobError>,
    /// What the download waits for without the client; or what was wrong before `error`.
    pub extended_error: Option<JobError>,
}

impl Job {
    /// Whether this is a download of Delivery Optimization.
    #[must_use]
    pub fn is_do_download(&self) -> bool {
        self.download.is_some()
    }

    /// Where a download stands.
    #[must_use]
    pub fn download_state(&self) -> DownloadState {
        match self.state {
            JobState::Suspended if !self.resumed => DownloadState::Created,
            JobState::Suspended | JobState::Error => DownloadState::Paused,
            JobState::TransientError if self.waits_for_event() => DownloadState::Paused,
            JobState::Queued | JobState::Connecting | JobState::Transferring | JobState::TransientError => {
                DownloadState::Transferring
            }
            JobState::Transferred => DownloadState::Transferred,
            JobState::Acknowledged => DownloadState::Finalized,
            JobState::Cancelled => DownloadState::Aborted,
        }
    }

    pub(crate) fn waits_for_event(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.code.wait() == Wait::Event)
    }

    /// GetStatus.
    #[must_use]
    pub fn download_status(&self) -> DownloadStatus {
        let state = self.download_state();
        let hint = self.download.as_ref().and_then(|download| download.total_size);
        let (bytes_total, bytes_transferred) = match self.files.first() {
            Some(file) => {
                let whole = file.ranges().is_none();
                (file.total().or(hint.filter(|_| whole)), file.progress().bytes_transferred)
            }
            None => (hint, 0),
        };
        let (error, extended_error) = self.download_errors(state);
        DownloadStatus { bytes_total, bytes_transferred, state, error, extended_error }
    }

    fn download_errors(&self, state: DownloadState) -> (Option<JobError>, Option<JobError>) {
        let shown = |error: &JobError| JobError { code: error.code.for_do(), ..error.clone() };
        let Some(error) = &self.error else { return (None, None) };
        let extended = self.download.as_ref().and_then(|download| download.extended);
        match state {
            DownloadState::Paused if self.state == JobState::TransientError => (None, Some(shown(error))),
            DownloadState::Paused if self.state == JobState::Suspended => (None, None),
            DownloadState::Transferred | DownloadState::Finalized | DownloadState::Created => (None, None),
            _ => {
                let before = |code: Code| JobError::new(code.for_do(), error.context, error.file, "");
                (Some(shown(error)), extended.map(before))
            }
        }
    }
}
