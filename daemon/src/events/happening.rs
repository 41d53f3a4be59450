//! The messages: one for each thing that can happen to a job.

use std::collections::BTreeSet;
use std::sync::Arc;

use dray_api::v1::{self, EventKind, job_event::Event};
use dray_jobs::{EventId, FileIndex, Job, JobId, JobState, Notice, Owner, SubscriberId};
use dray_ranges::RangeSet;

use super::mailbox::Weight;
use crate::runner::wall;
use crate::wire::{refusal, show};

/// Files that one progress message shows.
const MAX_FILES_MOVED: usize = 64;

/// Readable ranges that one message shows; the others are in GetFilledFileRanges.
const MAX_RANGES_TOLD: usize = 1000;

/// Something that happened, and who may be told.
#[derive(Debug, Clone)]
pub(crate) struct Happening {
    /// When it happened, in the order of all happenings.
    pub(super) number: u64,
    pub(super) job: JobId,
    pub(super) owner: Owner,
    /// It happened to a download of Delivery Optimization, and not to a job.
    pub(super) is_download: bool,
    /// Only for this subscriber; `None`: for all who want to hear of it.
    pub(super) to: Option<SubscriberId>,
    /// `None` for what comes whatever kinds were asked for.
    pub(super) kind: Option<EventKind>,
    pub(super) weight: Weight,
    pub(super) message: Arc<v1::JobEvent>,
}

impl Happening {
    fn new(job: &Job, kind: Option<EventKind>, weight: Weight, event: Event) -> Happening {
        Happening {
            number: 0,
            job: job.id(),
            owner: job.owner().clone(),
            is_download: job.is_do_download(),
            to: None,
            kind,
            weight,
            message: Arc::new(message(Some(job.id()), event)),
        }
    }

    /// The same, with its place among all happenings.
    pub(crate) fn numbered(self, number: u64) -> Happening {
        Happening { number, ..self }
    }

    /// A notice for one subscriber, to be acknowledged when it has a number.
    pub(crate) fn notice(
        job: &Job,
        notice: Notice,
        to: SubscriberId,
        event: Option<EventId>,
    ) -> Option<Happening> {
        let mut happening = match notice {
            Notice::JobTransferred => Happening::job_transferred(job),
            Notice::JobError => Happening::job_failed(job),
            Notice::FileTransferred(index) => Happening::file_transferred(job, index)?,
            Notice::JobModification => Happening { weight: Weight::Droppable, ..Happening::modified(job) },
        };
        happening.to = Some(to);
        if let Some(EventId(event)) = event {
            Arc::make_mut(&mut happening.message).event_id = event;
        }
        Some(happening)
    }

    /// A job is there that was not.
    pub(crate) fn created(job: &Job) -> Happening {
        Happening::new(job, None, Weight::Kept, snapshot_of(job))
    }

    pub(crate) fn state_changed(job: &Job, from: JobState, to: JobState) -> Happening {
        let error = matches!(to, JobState::Error | JobState::TransientError);
        let event = v1::JobStateChanged {
            previous: show::state(from).into(),
            state: show::state(to).into(),
            error: if error { refusal::job_error(job) } else { None },
        };
        Happening::new(job, Some(EventKind::StateChanged), Weight::Kept, Event::StateChanged(event))
    }

    pub(crate) fn progressed(job: &Job, moved: &BTreeSet<FileIndex>) -> Happening {
        let files = moved.iter().take(MAX_FILES_MOVED).filter_map(|&index| {
            let file = job.file(index).ok()?;
            let progress = Some(show::file_progress(&file.progress()));
            Some(v1::FileMoved { file_index: index.0, progress })
        });
        let event =
            v1::JobProgressed { progress: Some(show::job_progress(&job.progress())), files: files.collect() };
        Happening::new(job, Some(EventKind::Progress), Weight::Droppable, Event::Progressed(event))
    }

    pub(crate) fn modified(job: &Job) -> Happening {
        let event = v1::JobModified {
            properties: Some(show::properties(job)),
            files_total: u32::try_from(job.files().len()).unwrap_or(u32::MAX),
        };
        Happening::new(job, Some(EventKind::Modified), Weight::Kept, Event::Modified(event))
    }

    pub(crate) fn file_transferred(job: &Job, index: FileIndex) -> Option<Happening> {
        let file = show::file(job, index, job.file(index).ok()?);
        let event = Event::FileTransferred(v1::FileTransferred { file: Some(file) });
        Some(Happening::new(job, Some(EventKind::FileTransferred), Weight::Kept, event))
    }

    /// Bytes that can be read now, for one subscriber or for all who want to hear of it.
    pub(crate) fn ranges_transferred(
        job: &Job,
        index: FileIndex,
        fresh: &RangeSet,
        to: Option<SubscriberId>,
    ) -> Happening {
        let ranges = fresh.iter().take(MAX_RANGES_TOLD);
        let ranges = ranges.map(|range| v1::FileRange { offset: range.start(), length: Some(range.len()) });
        let event = v1::FileRangesTransferred { file_index: index.0, ranges: ranges.collect() };
        let kind = Some(EventKind::FileRangesTransferred);
        let event = Event::FileRangesTransferred(event);
        Happening { to, ..Happening::new(job, kind, Weight::Droppable, event) }
    }

    pub(crate) fn job_transferred(job: &Job) -> Happening {
        let event = v1::JobTransferred { progress: Some(show::job_progress(&job.progress())) };
        Happening::new(job, Some(EventKind::JobTransferred), Weight::Kept, Event::JobTransferred(event))
    }

    pub(crate) fn job_failed(job: &Job) -> Happening {
        let event = v1::JobFailed { error: refusal::job_error(job) };
        Happening::new(job, Some(EventKind::JobError), Weight::Kept, Event::JobFailed(event))
    }
}

/// A job as it is.
pub(crate) fn snapshot(job: &Job) -> v1::JobEvent {
    message(Some(job.id()), snapshot_of(job))
}

/// Every job has been shown.
pub(crate) fn caught_up() -> v1::JobEvent {
    message(None, Event::CaughtUp(v1::CaughtUp {}))
}

/// The reader was too slow.
pub(crate) fn events_lost() -> v1::JobEvent {
    message(None, Event::EventsLost(v1::EventsLost {}))
}

fn snapshot_of(job: &Job) -> Event {
    Event::Snapshot(v1::JobSnapshot { job: Some(show::job(job)) })
}

fn message(job: Option<JobId>, event: Event) -> v1::JobEvent {
    v1::JobEvent {
        event_id: 0,
        time: Some(show::timestamp(wall())),
        job_id: job.map(|id| id.to_string()).unwrap_or_default(),
        event: Some(event),
    }
}
