//! What the history hears of files: where the bytes came from, and why.

use dray_engine::BytesBySource;

use super::actor::Actor;
use super::transfers::FileId;
use crate::history::{Bytes, Story, Told};

impl Actor {
    /// Milliseconds since 1970.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.clock.now().wall.unix_ms()
    }

    /// What was decided so far in the transfer of the file that runs.
    pub(crate) fn told(&self, _file: FileId) -> Vec<Told> {
        Vec::new()
    }

    /// Bytes of a transfer that has ended, for the sums.
    pub(super) fn count(&self, bytes: BytesBySource) {
        for (source, bytes) in [("origin", bytes.origin), ("cache", bytes.cache)] {
            self.metrics.delivered_bytes.with_label_values(&[source]).inc_by(bytes);
        }
        self.history.count(Bytes {
            origin: bytes.origin,
            local_cache: bytes.cache,
            wasted: bytes.wasted,
            ..Bytes::default()
        });
    }

    /// How a file stands after a transfer of it has ended.
    pub(super) fn tell_story(&self, (job, file): FileId) {
        let Some(job) = self.queue.job(job) else { return };
        if let Ok(known) = job.file(file) {
            self.history.tell(Story::of(job, file, known, self.wall_ms()));
        }
    }
}
