//! Records without a disk and without a thread, so that time stands still in tests.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Condvar, Mutex};

use super::Records;
use super::change::{Done, NotDurable, Row};
use super::rows::{RawFile, RawJob};
use super::writer::Shared;

/// What whoever waits for a change is told.
#[derive(Default)]
pub(super) struct Answers {
    refuses: AtomicBool,
}

impl Answers {
    pub(super) fn give(&self, done: Vec<Done>) {
        let refused = self.refuses.load(SeqCst);
        let not_durable = NotDurable { path: "test".into(), cause: "the test says so".into() };
        done.into_iter().for_each(|done| done(if refused { Err(not_durable.clone()) } else { Ok(()) }));
    }
}

impl Records {
    /// Records that answer at once and keep everything in memory.
    pub(crate) fn instant() -> Records {
        let instant = Some(Answers::default());
        Records { shared: Arc::new(Shared { pending: Mutex::default(), wake: Condvar::new(), instant }) }
    }

    /// From now on answers like this.
    pub(crate) fn refuse(&self, refuses: bool) {
        let answers = self.shared.instant.as_ref().unwrap();
        answers.refuses.store(refuses, SeqCst);
    }

    /// What the instant records hold, as a start would find it.
    pub(crate) fn held(&self) -> Vec<RawJob> {
        let pending = self.shared.lock();
        let value = |row: Row| pending.rows.get(&row).cloned().flatten();
        let mut jobs: Vec<RawJob> = Vec::new();
        for (row, stored) in &pending.rows {
            match (row, stored) {
                (Row::Job(key), Some(job)) => {
                    jobs.push(RawJob { key: *key, job: job.clone(), files: Vec::new() });
                }
                (Row::File(key), Some(file)) => {
                    let job = jobs.iter_mut().find(|job| job.key == key.job);
                    let (checkpoint, proven) = (value(Row::Checkpoint(*key)), value(Row::Proven(*key)));
                    let file = RawFile { index: key.index, file: file.clone(), checkpoint, proven };
                    job.unwrap().files.push(file);
                }
                _ => {}
            }
        }
        jobs
    }
}
