//! The Get methods of a job.

use crate::file::BySource;
use crate::table::Standing;
use crate::{
    Code, Context, Failure, File, FileIndex, Job, JobError, JobId, JobState, JobType, Notice, NotifyFlags,
    Owner, Priority, Properties, RemoteName, Timestamp,
};

/// BG_JOB_PROGRESS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobProgress {
    /// Bytes to transfer; `None` when the size of any file is not known (BG_SIZE_UNKNOWN).
    pub bytes_total: Option<u64>,
    /// Bytes that are there.
    pub bytes_transferred: u64,
    /// Number of files.
    pub files_total: u32,
    /// Number of files whose bytes are all there.
    pub files_transferred: u32,
    /// Where the bytes came from.
    pub sources: BySource,
}

/// BG_JOB_TIMES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTimes {
    /// When the job was created.
    pub created: Timestamp,
    /// When anything last changed.
    pub modified: Timestamp,
    /// When it became TRANSFERRED.
    pub transferred: Option<Timestamp>,
}

impl Job {
    /// GetId.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// GetType.
    #[must_use]
    pub fn job_type(&self) -> JobType {
        self.job_type
    }

    /// GetOwner.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// GetState.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.state
    }

    /// Every property.
    #[must_use]
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// GetPriority.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.properties.priority
    }

    /// GetMaximumDownloadTime, in seconds: the job's own or the machine's.
    #[must_use]
    pub fn maximum_download_time_s(&self) -> u32 {
        self.properties.maximum_download_time_s.unwrap_or(self.rules.maximum_download_time_s)
    }

    /// The files, in the order of adding.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// GetProgress. Four zeros for a job without files.
    #[must_use]
    pub fn progress(&self) -> JobProgress {
        let mut progress = JobProgress { bytes_total: Some(0), ..JobProgress::default() };
        for file in &self.files {
            progress.bytes_total =
                progress.bytes_total.zip(file.total()).map(|(sum, total)| sum.saturating_add(total));
            progress.bytes_transferred = progress.bytes_transferred.saturating_add(file.transferred);
            progress.sources = progress.sources.plus(file.sources);
        }
        progress.files_total = FileIndex::at(self.files.len()).0;
        progress.files_transferred = self.tally.arrived();
        progress
    }

    /// GetTimes.
    #[must_use]
    pub fn times(&self) -> JobTimes {
        JobTimes { created: self.created, modified: self.modified, transferred: self.transferred }
    }

    /// GetErrorCount: see 7.7. Never goes down.
    #[must_use]
    pub fn error_count(&self) -> u32 {
        self.error_count
    }

    /// GetError: there from the error until bytes move again; BG_E_ERROR_INFORMATION_UNAVAILABLE otherwise.
    pub fn error(&self) -> Result<&JobError, Failure> {
        self.error.as_ref().ok_or_else(|| Code::BG_E_ERROR_INFORMATION_UNAVAILABLE.into())
    }

    /// The file of the error: GetFile. BG_E_FILE_NOT_AVAILABLE when it does not concern one.
    pub fn error_file(&self) -> Result<&File, Failure> {
        let index = self.error()?.file.ok_or(Code::BG_E_FILE_NOT_AVAILABLE)?;
        self.file(index)
    }

    /// The protocol of the error: GetProtocol. BG_E_PROTOCOL_NOT_AVAILABLE when it has nothing to do with
    /// one.
    pub fn error_protocol(&self) -> Result<&'static str, Failure> {
        match self.error()?.context {
            Context::RemoteFile
            | Context::GeneralTransport
            | Context::RemoteApplication
            | Context::ServerCertificateCallback => Ok(RemoteName::PROTOCOL),
            _ => Err(Code::BG_E_PROTOCOL_NOT_AVAILABLE.into()),
        }
    }

    /// Whether renames were asked for by Complete and are not answered yet.
    #[must_use]
    pub fn is_completing(&self) -> bool {
        self.completing
    }

    /// Whether the scheduler may select the job: QUEUED, its owner there, and, for dynamic content, in the
    /// foreground (reference 4.4).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == JobState::Queued
            && !self.completing
            && !self.owner_absent
            && (!self.properties.dynamic_content || self.properties.priority == Priority::Foreground)
    }

    /// The notice of the state the job rests in, whether or not it was delivered: what a client that
    /// subscribes late is told (reference 9.3).
    #[must_use]
    pub fn resting_notice(&self) -> Option<Notice> {
        let notice = match self.state {
            JobState::Transferred => Notice::JobTransferred,
            JobState::Error => Notice::JobError,
            _ => return None,
        };
        self.wants(notice).then_some(notice)
    }

    /// The notices that must still be delivered, in the order in which they must: files first.
    #[must_use]
    pub fn undelivered(&self) -> Vec<Notice> {
        let files = self.files.iter().enumerate().filter(|(_, file)| file.notice_due);
        let mut due: Vec<Notice> =
            files.map(|(place, _)| Notice::FileTransferred(FileIndex::at(place))).collect();
        due.retain(|notice| self.wants(*notice));
        due.extend(self.resting_notice().filter(|_| self.notice_due));
        due
    }

    /// Whether the client wants to know which bytes are readable: BG_NOTIFY_FILE_RANGES_TRANSFERRED, of a job that can
    /// do random access.
    #[must_use]
    pub fn wants_ranges(&self) -> bool {
        let flags = self.properties.notify_flags;
        let asked = flags.contains(NotifyFlags::FILE_RANGES_TRANSFERRED);
        asked && !flags.contains(NotifyFlags::DISABLE) && !self.properties.dynamic_content
    }

    /// Whether the notify flags ask for a notice.
    #[must_use]
    pub fn wants(&self, notice: Notice) -> bool {
        let flags = self.properties.notify_flags;
        flags.contains(notice.flag()) && !flags.contains(NotifyFlags::DISABLE)
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            state: self.state,
            job_type: self.job_type,
            has_files: !self.files.is_empty(),
            all_arrived: self.all_arrived(),
        }
    }

    pub(super) fn all_arrived(&self) -> bool {
        self.tally.arrived() == FileIndex::at(self.files.len()).0
    }
}
