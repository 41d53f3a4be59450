//! A file that has arrived and of which more is wanted: what is there counts as the beginning.

use dray_engine::{Checkpoint, source_of};
use dray_jobs::{FileIndex, JobId, RunId};
use dray_ranges::RangeSet;

use super::actor::Actor;
use super::meter::Transfer;

impl Actor {
    /// From now on the file is not proven but begun, with these bytes of the remote file in it. Should the daemon be killed
    /// before the next checkpoint, it starts over.
    pub(super) fn extend(&mut self, job: JobId, index: FileIndex, kept: RangeSet) {
        let Some(proven) = self.proven.remove(&(job, index)) else { return };
        self.turn.change.not_proven(Transfer { job, file: index, run: RunId(0) }.key());
        let Some(file) = self.queue.job(job).and_then(|job| job.file(index).ok()) else { return };
        let learned = file.learned();
        let begun = Checkpoint {
            source: source_of(&file.remote().url()),
            ranges: file.ranges().unwrap_or_default().to_vec(),
            sink: proven.number(),
            size: learned.size,
            etag: learned.etag.clone(),
            last_modified: learned.last_modified.clone(),
            published: Vec::new(),
            crc32c: None,
            filled: kept,
            unproven: RangeSet::new(),
            // The origin says it again with the first answer.
            for_everyone: false,
        };
        self.checkpoints.insert((job, index), begun);
    }
}
