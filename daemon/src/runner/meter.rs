//! What a running transfer tells: gathered where the bytes move, taken by the runner when it has time.
//!
//! A transfer reports every chunk; the runner looks twice a second. So the meter adds up, and wakes the runner only
//! for what cannot wait: that a source answered, or that the file starts over.

use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dray_engine::{Checkpoint, Event, Watch};
use dray_jobs::{BySource, FileIndex, JobId, Learned, RunId};

use super::tally::{Tally, by_source, kept};
use crate::records::{Change, FileKey, Records};

/// How long a transfer waits for its checkpoint to be gone from the records.
const FORGET_PATIENCE: Duration = Duration::from_secs(30);

/// Which transfer: a file, and which start of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Transfer {
    pub(crate) job: JobId,
    pub(crate) file: FileIndex,
    pub(crate) run: RunId,
}

impl Transfer {
    pub(crate) fn key(&self) -> FileKey {
        FileKey { job: *self.job.0.as_bytes(), index: self.file.0 }
    }
}

/// The meter of one transfer.
pub(crate) struct Meter {
    transfer: Transfer,
    records: Records,
    /// Tells the runner to call [`Meter::take`].
    wake: Box<dyn Fn(Transfer) + Send + Sync>,
    noted: Mutex<Noted>,
}

struct Noted {
    /// Where the bytes came from that earlier runs left in the temporary file.
    before: BySource,
    /// How much of the file was there when this run began to move bytes.
    resumed: u64,
    /// What this run brought.
    tally: Tally,
    connected: bool,
    learned: Option<Learned>,
    moved: bool,
    woken: bool,
    checkpoint: Option<Checkpoint>,
}

/// What a meter shows, since it was last read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// A source answers, for the first time.
    pub(crate) connected: bool,
    pub(crate) learned: Option<Learned>,
    /// Bytes that are there now, and where they came from; `None` when nothing moved.
    pub(crate) progress: Option<(u64, BySource)>,
}

impl Meter {
    /// A meter of a transfer that goes on from `resume`: `transferred` bytes, which came from `before`.
    pub(crate) fn new(
        transfer: Transfer,
        (transferred, before): (u64, BySource),
        resume: Option<Checkpoint>,
        records: Records,
        wake: impl Fn(Transfer) + Send + Sync + 'static,
    ) -> Arc<Meter> {
        Arc::new(Meter {
            transfer,
            records,
            wake: Box::new(wake),
            noted: Mutex::new(Noted {
                before,
                resumed: transferred,
                tally: Tally::default(),
                connected: false,
                learned: None,
                moved: false,
                woken: false,
                checkpoint: resume,
            }),
        })
    }

    /// Reads and resets.
    pub(crate) fn take(&self) -> Reading {
        let mut noted = self.lock();
        noted.woken = false;
        Reading {
            connected: std::mem::take(&mut noted.connected),
            learned: noted.learned.take(),
            progress: std::mem::take(&mut noted.moved).then(|| noted.progress()),
        }
    }

    /// Looks at what this run brought so far.
    pub(crate) fn with_tally<T>(&self, look: impl FnOnce(&mut Tally) -> T) -> T {
        look(&mut self.lock().tally)
    }

    /// Where the transfer stood when it last said so.
    pub(crate) fn checkpoint_kept(&self) -> Option<Checkpoint> {
        self.lock().checkpoint.clone()
    }

    /// Where the first `resumed` bytes came from, as the records know it.
    pub(crate) fn before(&self, resumed: u64) -> BySource {
        of_first(self.lock().before, resumed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Noted> {
        // Every statement under this lock leaves whole numbers behind.
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, urgent: bool, note: impl FnOnce(&mut Noted)) {
        let wake = {
            let mut noted = self.lock();
            note(&mut noted);
            urgent && !std::mem::replace(&mut noted.woken, true)
        };
        if wake {
            (self.wake)(self.transfer);
        }
    }
}

impl Noted {
    fn progress(&self) -> (u64, BySource) {
        let bytes = self.tally.bytes();
        let sources = of_first(self.before, self.resumed).plus(by_source(bytes));
        (self.resumed.saturating_add(kept(bytes)), sources)
    }
}

/// What remains of `sources` when only `bytes` of them are still there: the origin's share gives way, or fills up.
pub(crate) fn of_first(sources: BySource, bytes: u64) -> BySource {
    let others = sources.peer.saturating_add(sources.cache_host).saturating_add(sources.local_cache);
    match bytes.checked_sub(others) {
        Some(origin) => BySource { origin, ..sources },
        None => BySource { origin: bytes, ..BySource::default() },
    }
}

impl Watch for Meter {
    fn event(&self, event: Event) {
        match event {
            Event::Connecting | Event::Verifying => {}
            Event::NoRanges => self.note(true, |noted| {
                noted.learned.get_or_insert_default().has_ranges = Some(false);
            }),
            Event::Known { resumed, validators, has_ranges, .. } => self.note(true, |noted| {
                noted.connected = true;
                noted.moved = true;
                noted.resumed = resumed;
                noted.tally.start_over();
                noted.learned = Some(Learned {
                    size: validators.size,
                    etag: validators.etag,
                    last_modified: validators.last_modified,
                    has_ranges,
                    ..Learned::default()
                });
            }),
            Event::Received { bytes, from } => self.note(false, |noted| {
                noted.tally.add(bytes, from);
                noted.moved = true;
            }),
            Event::Dropped { bytes } => self.note(false, |noted| {
                noted.tally.drop_bytes(bytes);
                noted.moved = true;
            }),
            Event::Decided(decision) => {
                tracing::debug!(decision = decision.name(), "{decision}");
                self.note(false, |noted| noted.tally.decide(decision));
            }
            Event::Gifts(gifts) => self.note(false, |noted| noted.tally.give(gifts)),
            Event::Restarted { why } => {
                tracing::warn!(why, "the file starts over");
                self.note(true, |noted| {
                    noted.resumed = 0;
                    noted.tally.start_over();
                    noted.moved = true;
                });
            }
            Event::Retrying { error, pause } => {
                tracing::info!(%error, pause_ms = pause.as_millis(), "trying again");
            }
        }
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> std::io::Result<()> {
        self.records.checkpoint(self.transfer.key(), checkpoint.to_bytes());
        self.lock().checkpoint = Some(checkpoint.clone());
        Ok(())
    }

    /// Waits for the disk when there is something to forget: a claim that a crash brings back would be about other bytes.
    fn forget(&self) -> std::io::Result<()> {
        if self.lock().checkpoint.take().is_none() {
            return Ok(());
        }
        let (sender, durable) = std::sync::mpsc::sync_channel(1);
        let mut change = Change::default();
        change.no_checkpoint(self.transfer.key());
        change.then(move |outcome| drop(sender.send(outcome)));
        self.records.submit(change);
        let outcome = durable.recv_timeout(FORGET_PATIENCE);
        outcome.map_err(|_| ErrorKind::TimedOut.into()).and_then(|outcome| outcome.map_err(Error::other))
    }
}

#[cfg(test)]
mod tests {
    use dray_engine::source_of;

    use super::*;
    use crate::records::open;

    #[test]
    fn what_was_forgotten_does_not_come_back_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let (records, _writer) = open(folder.path()).unwrap().start(|_| {}).unwrap();
        let transfer = Transfer { job: JobId(uuid::Uuid::nil()), file: FileIndex(0), run: RunId(1) };
        let mut change = Change::default();
        change.job(transfer.key().job, b"job".to_vec());
        change.file(transfer.key(), b"file".to_vec());
        records.submit(change);
        let url = "http://host/a".parse().unwrap();
        let checkpoint = Checkpoint {
            source: source_of(&url),
            ranges: Vec::new(),
            sink: 7,
            size: Some(10),
            etag: None,
            last_modified: None,
            published: Vec::new(),
            crc32c: None,
            filled: dray_ranges::RangeSet::new(),
            unproven: dray_ranges::RangeSet::new(),
            for_everyone: true,
        };
        for resume in [None, Some(checkpoint.clone())] {
            let meter = Meter::new(transfer, Default::default(), resume.clone(), records.clone(), |_| {});
            if resume.is_none() {
                meter.checkpoint(&checkpoint).unwrap();
            }
            meter.forget().unwrap();
            assert_eq!(meter.checkpoint_kept(), None);
            let crashed = tempfile::tempdir().unwrap();
            let name = "jobs.redb";
            std::fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
            let files = open(crashed.path()).unwrap().jobs.remove(0).files;
            assert_eq!(files[0].checkpoint, None);
            // For the next round: one that an earlier run kept.
            records.checkpoint(transfer.key(), checkpoint.to_bytes());
        }
    }
}
