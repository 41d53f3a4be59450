//! What reaches the runner: calls of clients, and news of its own transfers and errands.

use dray_jobs::{Call, Caller, Code, EventId, Failure, JobId, JobState, NewJob, SubscriberId};
use dray_ranges::RangeSet;
use tokio::sync::oneshot;

use super::actor::Actor;
use super::errand::{Done, ErrandId};
use super::meter::Transfer;
use super::readers::ReaderId;
use super::transfers::{Ending, FileId};

/// News from the runner's own helpers. Each helper has at most one of each kind under way.
pub(crate) enum Message {
    /// A meter has something that cannot wait.
    Wake(Transfer),
    /// The bytes of a transfer have come, and are being brought to the disk.
    Settling(Transfer),
    /// A transfer has let go of its file; `None` when it died of a bug.
    Ended(Transfer, Option<Box<Ending>>),
    /// What these errands follow from is on disk.
    Durable(Vec<ErrandId>),
    /// An errand is over.
    Ran(ErrandId, Done),
    /// A reader waits for these bytes of a file from now on.
    Waits(FileId, ReaderId, RangeSet),
    /// A reader has gone.
    Unread(FileId, ReaderId),
    /// A subscriber listens no more.
    Left(SubscriberId),
    /// The notify command of an event has ended, and whether its exit code was 0.
    Notified(EventId, bool),
}

/// What is asked of the runner.
pub(crate) enum Ask {
    Create {
        caller: Caller,
        new: NewJob,
        reply: Reply,
    },
    Call {
        caller: Caller,
        job: JobId,
        call: Call,
        reply: Reply,
    },
    Acknowledge {
        caller: Caller,
        event: EventId,
        rejected: bool,
        reply: Reply,
    },
    /// Looks, and changes no job.
    Look(Box<dyn FnOnce(&mut Actor) + Send>),
}

pub(crate) type Reply = oneshot::Sender<Result<Answer, Failure>>;

/// What a call that changed something answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) job: JobId,
    pub(crate) code: Code,
    pub(crate) state: JobState,
    pub(crate) files_total: u32,
    pub(crate) files_completed: u32,
}
