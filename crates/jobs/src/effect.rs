//! What goes into a job besides calls, and what comes out of it.

use dray_ranges::RangeSet;

use crate::file::{BySource, Learned};
use crate::{Code, Context, FileIndex, JobState, NotifyFlags};

/// One start of the transfer of a file. Events of an older run than the present one are ignored, so a
/// transfer that is being stopped may go on talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(pub u32);

/// What the owner of the machine has to do, in the order given. All `Persist` and `PersistFile` of one
/// answer belong into one transaction, and are on disk before the client hears of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write the record of the job ([`Job::record`](crate::Job::record)).
    Persist,
    /// Write the record of a file ([`Job::file_record`](crate::Job::file_record)).
    PersistFile(FileIndex),
    /// Stop the transfer of a file and keep what is there. Every effect after it on the same file waits
    /// until the transfer has let go of it.
    Stop(FileIndex),
    /// Transfer a file, from where it stands.
    Start {
        /// Which.
        file: FileIndex,
        /// To be given back with each event of this transfer.
        run: RunId,
    },
    /// The running transfer of a file should fetch these bytes first. In an on-demand job they are, with
    /// what [`File::requested`](crate::File::requested) holds, all that is wanted.
    Prefer {
        /// Which.
        file: FileIndex,
        /// Offsets in the remote file.
        ranges: RangeSet,
    },
    /// The file is no longer whole, because more of it is wanted; these bytes of the remote file are in its temporary file
    /// and stay.
    Extend {
        /// Which.
        file: FileIndex,
        /// Offsets in the remote file.
        kept: RangeSet,
    },
    /// Delete the temporary file of a file, if there is one. Its progress is gone.
    DeleteTemp(FileIndex),
    /// Give a file its final name; answer all of them at once with [`Job::renamed`](crate::Job::renamed).
    /// A temporary file that is gone while the final name is there was renamed before a crash: that is done.
    Rename(FileIndex),
    /// The state has changed. For logs and watchers; a change is told once, from first to last state.
    State {
        /// What it was.
        from: JobState,
        /// What it is.
        to: JobState,
    },
    /// Tell the client. Already filtered by the notify flags.
    Notify(Notice),
    /// The job has ended: once everything before this is done, drop its records.
    Forget,
}

/// What a client is told (reference 9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// A file has arrived. At least once, before `JobTransferred` and `JobError`.
    FileTransferred(FileIndex),
    /// The job is TRANSFERRED. At least once.
    JobTransferred,
    /// The job is in ERROR. At least once.
    JobError,
    /// Something changed. May be merged and dropped.
    JobModification,
}

impl Notice {
    /// The notify flag that asks for it.
    #[must_use]
    pub const fn flag(self) -> NotifyFlags {
        match self {
            Notice::JobTransferred => NotifyFlags::JOB_TRANSFERRED,
            Notice::JobError => NotifyFlags::JOB_ERROR,
            Notice::JobModification => NotifyFlags::JOB_MODIFICATION,
            Notice::FileTransferred(_) => NotifyFlags::FILE_TRANSFERRED,
        }
    }
}

/// What happens to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The scheduler gives the job a place.
    Selected,
    /// The scheduler takes it back: the time slice is over, or a job of higher priority waits.
    Preempted,
    /// Something about the transfer of one file.
    File {
        /// Which.
        file: FileIndex,
        /// The run it comes from.
        run: RunId,
        /// What.
        event: FileEvent,
    },
    /// An error of the whole job, not of one file. Its code says whether it is tried again.
    Failed {
        /// What.
        code: Code,
        /// Where.
        context: Context,
        /// A sentence with the particulars.
        detail: String,
    },
    /// The time that [`Job::timeout`](crate::Job::timeout) named has come.
    Timer,
    /// The machine has no network.
    NetworkLost,
    /// The machine has a network again.
    NetworkBack,
    /// A policy forbids the job to run: one of the BLOCKED codes or BG_E_STANDBY_MODE.
    /// BG_E_BLOCKED_BY_POLICY (bandwidth) does not hold a foreground job.
    Blocked(Code),
    /// The policy with this code allows it again.
    Unblocked(Code),
    /// The owner has logged off, and the platform wants jobs of absent owners to wait.
    OwnerLeft,
    /// The owner is back.
    OwnerCame,
    /// The client has taken note of a notice.
    Delivered(Notice),
}

/// What happens in the transfer of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileEvent {
    /// A source answers: bytes are about to move.
    Connected,
    /// Something about the file became known. Fields that are `None` stay as they are.
    Learned(Learned),
    /// How far it is: absolute, and not monotonic, because a file that changed on its server starts again.
    Progress {
        /// Bytes of the local file that are there.
        transferred: u64,
        /// Where they came from.
        sources: BySource,
    },
    /// Every byte is there and verified, and is being brought to the disk. `Done` or `Failed` follows.
    Settling,
    /// Every byte is there, verified, and on disk.
    Done {
        /// Length of the local file in bytes.
        size: u64,
        /// Where they came from.
        sources: BySource,
    },
    /// Every byte that was requested in on-demand mode is there, and the file is not complete.
    RequestedDone,
    /// The transfer has ended with an error.
    Failed {
        /// What.
        code: Code,
        /// Where.
        context: Context,
        /// A sentence with the particulars: what, from whom, what was expected.
        detail: String,
    },
}
