//! What the records held, as a queue again.
//!
//! What reads goes on; a job of which a record does not read is set aside and said so, and the others go on.

use std::collections::BTreeMap;

use dray_engine::Checkpoint;
use dray_jobs::{Effect, FileIndex, FileRecord, JobId, JobRecord, Now, Places, Queue, Rules};

use super::meter::of_first;
use super::proven::Proven;
use super::transfers::FileId;
use crate::records::{RawJob, Records, decode};

/// The queue after a start, and what goes with it.
pub(crate) struct Restored {
    pub(crate) queue: Queue,
    pub(crate) checkpoints: BTreeMap<FileId, Checkpoint>,
    pub(crate) proven: BTreeMap<FileId, Proven>,
    /// What is left to do for some jobs.
    pub(crate) effects: Vec<(JobId, Vec<Effect>)>,
    /// What an administrator should know, one sentence each.
    pub(crate) warnings: Vec<String>,
}

/// Takes every job back.
pub(crate) fn restore(
    now: Now,
    rules: Rules,
    places: Places,
    jobs: Vec<RawJob>,
    records: &Records,
) -> Restored {
    let mut restored = Restored {
        queue: Queue::new(rules, places),
        checkpoints: BTreeMap::new(),
        proven: BTreeMap::new(),
        effects: Vec::new(),
        warnings: Vec::new(),
    };
    for raw in jobs {
        if let Err(why) = restored.take(now, &raw) {
            let id = uuid::Uuid::from_bytes(raw.key);
            let sentence = format!(
                "the records of job {id} could not be used ({why}); they were set aside, and its temporary files \
                 have to be deleted by hand"
            );
            restored.warnings.push(sentence);
            records.set_aside(&raw);
        }
    }
    restored
}

impl Restored {
    fn take(&mut self, now: Now, raw: &RawJob) -> Result<(), String> {
        let record: JobRecord = decode(&raw.job).map_err(|error| error.to_string())?;
        let id = record.id;
        if *id.0.as_bytes() != raw.key {
            return Err("it stands under the key of another job".to_owned());
        }
        let mut files = Vec::new();
        for (place, file) in raw.files.iter().enumerate() {
            if u32::try_from(place) != Ok(file.index) {
                return Err(format!("the record of file {place} is missing"));
            }
            let record: FileRecord = decode(&file.file).map_err(|error| format!("file {place}: {error}"))?;
            files.push(record);
        }
        let sources: Vec<_> = files.iter().map(|file| file.sources).collect();
        let effects = self.queue.restore(now, record, files).map_err(|error| error.reason)?;
        for (file, sources) in raw.files.iter().zip(sources) {
            let index = FileIndex(file.index);
            // Neither is worth more than the bytes it stands for: without it they are fetched again.
            if let Some(checkpoint) =
                file.checkpoint.as_deref().and_then(|bytes| Checkpoint::from_bytes(bytes).ok())
            {
                let there = checkpoint.filled.len_bytes();
                self.queue.restore_progress(id, index, there, of_first(sources, there));
                self.checkpoints.insert((id, index), checkpoint);
            }
            if let Some(proven) = file.proven.as_deref().and_then(|bytes| decode(bytes).ok()) {
                self.proven.insert((id, index), proven);
            }
        }
        if !effects.is_empty() {
            self.effects.push((id, effects));
        }
        Ok(())
    }
}
