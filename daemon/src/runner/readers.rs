//! Who needs which bytes of which file first: what calls asked for, and what readers wait for. Both steer the transfer.
//!
//! A file is followed here while a transfer of it runs or somebody reads it. A reader holds a [`Reader`]; what it waits for counts until it
//! says otherwise or is dropped.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dray_engine::{Live, Wishes};
use dray_jobs::{Caller, Code, Failure, FileIndex, Job, JobId, JobState};
use dray_ranges::{ByteRange, RangeSet};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::actor::Actor;
use super::message::Message;
use super::proven::Proven;
use super::temp_path;
use super::transfers::FileId;
use crate::wire::take;

/// Readers at a time, of all callers together.
const MAX_READERS: usize = 256;
/// Of one owner.
const MAX_READERS_PER_OWNER: usize = 64;

/// Numbers readers.
pub(crate) type ReaderId = u64;

/// What a reader has to know of the file besides its bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outlook {
    /// Where the bytes are.
    pub(crate) path: PathBuf,
    /// What the file is known by, once it has arrived.
    pub(crate) proven: Option<Proven>,
    /// Why no further byte comes by itself.
    pub(crate) end: Option<Failure>,
}

/// A file that is read, until this is dropped.
pub(crate) struct Reader {
    id: ReaderId,
    file: FileId,
    pub(crate) live: Live,
    pub(crate) outlook: watch::Receiver<Outlook>,
    outbox: UnboundedSender<Message>,
}

impl Reader {
    /// These bytes are waited for from now on.
    pub(crate) fn wait_for(&self, bytes: RangeSet) {
        // A runner that is gone fetches nothing.
        drop(self.outbox.send(Message::Waits(self.file, self.id, bytes)));
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.outbox.send(Message::Unread(self.file, self.id)));
    }
}

/// A file that is followed.
#[derive(Default)]
pub(super) struct Followed {
    live: Live,
    /// What RequestFileRanges or UpdateDownloadPosition asked for last.
    preferred: RangeSet,
    readers: BTreeMap<ReaderId, Waiting>,
    outlook: watch::Sender<Outlook>,
}

struct Waiting {
    caller: Caller,
    bytes: RangeSet,
}

impl Actor {
    /// Begins to read a file for a caller who may see it.
    pub(crate) fn read_file(
        &mut self,
        caller: Caller,
        id: JobId,
        index: FileIndex,
    ) -> Result<Reader, Failure> {
        self.queue
            .find(&caller, id)
            .map_err(|failure| take::naming(id, failure))?
            .file(index)
            .map_err(|failure| take::naming(id, failure))?;
        let all = || self.followed.values().flat_map(|followed| followed.readers.values());
        let own = all().filter(|waiting| waiting.caller.owner == caller.owner).count();
        if all().count() >= MAX_READERS || own >= MAX_READERS_PER_OWNER {
            let sentence = format!(
                "{own} of your readers are at work; at most {MAX_READERS_PER_OWNER} of one user and {MAX_READERS} in all may be."
            );
            return Err(Failure::new(Code::E_OUTOFMEMORY, sentence));
        }
        let file = (id, index);
        let reader = self.next_reader;
        self.next_reader += 1;
        if !self.followed.contains_key(&file) {
            self.follow(file);
        }
        let followed = self.followed.entry(file).or_default();
        followed.readers.insert(reader, Waiting { caller, bytes: RangeSet::new() });
        let (live, outlook) = (followed.live.clone(), followed.outlook.subscribe());
        self.steer(file);
        Ok(Reader { id: reader, file, live, outlook, outbox: self.outbox.clone() })
    }

    /// What a transfer of the file listens to and tells.
    pub(super) fn live_of(&mut self, file: FileId) -> Live {
        if !self.followed.contains_key(&file) {
            self.follow(file);
        }
        self.steer(file);
        self.followed.entry(file).or_default().live.clone()
    }

    /// Bytes that are there from before can be read at once.
    fn follow(&mut self, file: FileId) {
        let followed = Followed::default();
        let (job, index) = file;
        if let Some(Ok(known)) = self.queue.job(job).map(|job| job.file(index)) {
            let kept = self.checkpoints.get(&file).filter(|_| known.layout().specs().is_none());
            if let Some(proven) = self.proven.get(&file).filter(|_| known.has_arrived()) {
                let size = known.progress().bytes_transferred;
                let all = ByteRange::new(0, size).into_iter().collect();
                followed.live.stand(proven.number(), Some(size), all, true);
            } else if let Some(kept) = kept {
                followed.live.stand(kept.sink, kept.size, kept.filled.difference(&kept.unproven), false);
            }
        }
        self.followed.insert(file, followed);
    }

    /// What is in the temporary file of a file that was not added with ranges.
    pub(crate) fn written(&self, file: FileId) -> RangeSet {
        match self.followed.get(&file).filter(|_| self.transfers.is_running(file)) {
            Some(followed) => followed.live.standing().borrow().written.clone(),
            None => {
                let kept = self.checkpoints.get(&file);
                kept.map(|kept| kept.filled.difference(&kept.unproven)).unwrap_or_default()
            }
        }
    }

    /// The file has arrived, and is known by that from now on.
    pub(super) fn readable_now(&mut self, file: FileId, proven: Proven, size: u64) {
        if let Some(followed) = self.followed.get(&file) {
            let all = ByteRange::new(0, size).into_iter().collect();
            followed.live.stand(proven.number(), Some(size), all, true);
        }
    }

    /// The bytes that were there are to go.
    pub(super) fn unreadable_now(&mut self, file: FileId) {
        if let Some(followed) = self.followed.get(&file) {
            followed.live.clear();
        }
    }

    /// The job asks for these bytes before others.
    pub(super) fn prefer(&mut self, file: FileId, bytes: RangeSet) {
        if let Some(followed) = self.followed.get_mut(&file) {
            followed.preferred = bytes;
            self.steer(file);
        }
    }

    /// What a reader waits for is another stretch.
    pub(super) fn waits(&mut self, file: FileId, reader: ReaderId, bytes: RangeSet) {
        let followed = self.followed.get_mut(&file);
        if let Some(waiting) = followed.and_then(|followed| followed.readers.get_mut(&reader)) {
            waiting.bytes = bytes;
            self.steer(file);
        }
    }

    /// A reader has gone.
    pub(super) fn unread(&mut self, file: FileId, reader: ReaderId) {
        if let Some(followed) = self.followed.get_mut(&file) {
            followed.readers.remove(&reader);
            self.steer(file);
            self.unfollow(file);
        }
    }

    /// Forgets a file that nobody reads or fetches.
    pub(super) fn unfollow(&mut self, file: FileId) {
        let is_idle = self.followed.get(&file).is_some_and(|followed| followed.readers.is_empty());
        if is_idle && !self.transfers.is_running(file) {
            self.followed.remove(&file);
        }
    }

    /// Steers what runs of a job, after something about it has changed.
    pub(super) fn steer_job(&mut self, job: JobId) {
        let files = (job, FileIndex(0))..=(job, FileIndex(u32::MAX));
        let files: Vec<FileId> = self.followed.range(files).map(|(file, _)| *file).collect();
        for file in files {
            self.steer(file);
        }
    }

    fn steer(&self, file: FileId) {
        let Some(followed) = self.followed.get(&file) else { return };
        let job = self.queue.job(file.0);
        let outlook = job.map_or_else(gone, |job| self.outlook(job, file.1));
        followed.outlook.send_replace(outlook);
        let Some((job, Ok(known))) = job.map(|job| (job, job.file(file.1))) else { return };
        let readers = followed.readers.values().flat_map(|waiting| waiting.bytes.iter()).collect();
        let first = vec![readers, followed.preferred.clone(), known.requested().clone()];
        let only = job.properties().on_demand.then(|| known.requested().clone());
        followed.live.steer(Wishes { first, only });
    }

    /// Whether more is asked for of an on-demand file than its transfer has left behind.
    pub(super) fn wants_more(&self, (job, index): FileId) -> bool {
        let Some(job) = self.queue.job(job) else { return false };
        let Ok(file) = job.file(index) else { return false };
        let kept = self.checkpoints.get(&(job.id(), index));
        let there = kept.map(|kept| kept.filled.clone()).unwrap_or_default();
        let size = kept.and_then(|kept| kept.size).or(file.learned().size).unwrap_or(u64::MAX);
        let whole: RangeSet = ByteRange::new(0, size).into_iter().collect();
        !job.properties().on_demand || !there.covers(&file.requested().intersection(&whole))
    }

    fn outlook(&self, job: &Job, index: FileIndex) -> Outlook {
        let Ok(file) = job.file(index) else { return gone() };
        let path = match file.progress().completed {
            true => PathBuf::from(file.local().as_str()),
            false => temp_path(job.id(), index, file.local()),
        };
        if file.has_arrived() {
            return Outlook { path, proven: self.proven.get(&(job.id(), index)).copied(), end: None };
        }
        let stopped = match job.state() {
            JobState::Suspended => Some(Failure::new(
                Code::BG_E_INVALID_STATE,
                "The job is SUSPENDED, and these bytes are not there; resume it and read on from here.",
            )),
            JobState::Error => job.error().ok().map(|error| Failure::new(error.code, error.detail.clone())),
            state if state.is_final() => gone().end,
            _ => file
                .error()
                .filter(|error| !error.code.is_transient())
                .map(|error| Failure::new(error.code, error.detail.clone())),
        };
        Outlook { path, proven: None, end: stopped }
    }
}

/// The job has left the queue, and its temporary files with it.
fn gone() -> Outlook {
    let sentence = "The job was completed or cancelled meanwhile; a completed file is under its final name.";
    Outlook { end: Some(Failure::new(Code::BG_E_NOT_FOUND, sentence)), ..Outlook::default() }
}
