//! How records get to the disk: one thread, one transaction for everything that is pending.
//!
//! Changes are absolute (a row is this, or is gone), so those of one row merge, and a failed transaction is tried
//! again with whatever has come since. The pending set is therefore never larger than the records themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redb::Database;

use super::change::{Change, Done, Row};
use super::disk::{Disk, Opener};
use super::rows::{FileKey, JobKey, RawJob};

/// Least time between two transactions that only carry checkpoints. With the engine's own interval it stays below
/// the second of progress that a crash may cost.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(200);

/// Wait before a failed transaction is tried again: a full disk does not empty in less.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// What waits for the next transaction.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) rows: BTreeMap<Row, Option<Vec<u8>>>,
    pub(super) forget: BTreeSet<JobKey>,
    /// Bad rows to be kept under their table and key.
    pub(super) set_aside: Vec<(Vec<u8>, Vec<u8>)>,
    done: Vec<Done>,
    /// More than checkpoints: write at once.
    urgent: bool,
    closing: bool,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.forget.is_empty() && self.set_aside.is_empty() && self.done.is_empty()
    }

    /// Puts back what a failed transaction held, under whatever has come since.
    fn put_back(&mut self, failed: Pending) {
        for (row, value) in failed.rows {
            if !self.forget.contains(row.job()) {
                self.rows.entry(row).or_insert(value);
            }
        }
        self.forget.extend(failed.forget);
        self.set_aside.extend(failed.set_aside);
    }
}

pub(super) struct Shared {
    pub(super) pending: Mutex<Pending>,
    pub(super) wake: Condvar,
    /// Answers at once and writes nothing, so that time stands still in tests.
    #[cfg(test)]
    pub(super) instant: Option<super::instant::Answers>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Pending> {
        // Nothing in a locked section can leave `Pending` half changed.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to the records, for everyone who changes them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Records {
    pub(super) shared: Arc<Shared>,
}

/// The writing thread; [`Writer::close`] ends it.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Records {
    /// Starts the thread over an open database. `measure` is told how long each transaction took.
    pub(super) fn start(
        database: Database,
        path: PathBuf,
        open: Opener,
        measure: impl Fn(Duration) + Send + 'static,
    ) -> std::io::Result<(Records, Writer)> {
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            wake: Condvar::new(),
            #[cfg(test)]
            instant: None,
        });
        let disk = Disk { database: Some(database), open, path };
        let thread = std::thread::Builder::new().name("records".to_owned()).spawn({
            let shared = shared.clone();
            move || run(&shared, disk, &measure)
        })?;
        Ok((Records { shared: shared.clone() }, Writer { shared, thread: Some(thread) }))
    }

    /// Hands a change to the writer and returns at once.
    pub(crate) fn submit(&self, change: Change) {
        if change.is_empty() {
            return;
        }
        let mut pending = self.shared.lock();
        for job in change.forget {
            pending.rows.retain(|row, _| *row.job() != job);
            pending.forget.insert(job);
        }
        for (row, value) in change.rows {
            if !pending.forget.contains(row.job()) {
                pending.rows.insert(row, value);
            }
        }
        pending.done.extend(change.done);
        #[cfg(test)]
        if let Some(answers) = &self.shared.instant {
            let done = std::mem::take(&mut pending.done);
            drop(pending);
            return answers.give(done);
        }
        pending.urgent = true;
        self.shared.wake.notify_one();
    }

    /// Keeps the progress of a running file, within [`CHECKPOINT_INTERVAL`]. Never waits for the disk.
    pub(crate) fn checkpoint(&self, key: FileKey, value: Vec<u8>) {
        let mut pending = self.shared.lock();
        if !pending.forget.contains(&key.job) {
            pending.rows.insert(Row::Checkpoint(key), Some(value));
            self.shared.wake.notify_one();
        }
    }

    /// Moves the rows of a job that does not read out of the way, where a person can find them.
    pub(crate) fn set_aside(&self, job: &RawJob) {
        let mut rows = vec![([b"job ", &job.key[..]].concat(), job.job.clone())];
        for file in &job.files {
            let key = FileKey { job: job.key, index: file.index }.to_bytes();
            rows.push(([b"file ", &key[..]].concat(), file.file.clone()));
        }
        self.shared.lock().set_aside.extend(rows);
        let mut change = Change::default();
        change.forget(job.key);
        self.submit(change);
    }
}

impl Writer {
    /// Writes what is pending and ends the thread.
    pub(crate) fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened.
            drop(thread.join());
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(shared: &Shared, mut disk: Disk, measure: &dyn Fn(Duration)) {
    // Checkpoints alone wait for this moment.
    let mut not_before = Instant::now();
    while let Some((mut batch, closing)) = next_batch(shared, not_before) {
        let done = std::mem::take(&mut batch.done);
        let began = Instant::now();
        let outcome = disk.write(&batch);
        not_before = Instant::now() + CHECKPOINT_INTERVAL;
        match &outcome {
            Ok(()) => measure(began.elapsed()),
            Err(error) => {
                tracing::error!(%error, "job records are not durable; trying again");
                shared.lock().put_back(batch);
                not_before = Instant::now() + RETRY_INTERVAL;
            }
        }
        for done in done {
            done(outcome.clone());
        }
        if closing && outcome.is_err() {
            return;
        }
    }
}

/// Waits for something to write; `None` when the end has come and nothing is left.
fn next_batch(shared: &Shared, not_before: Instant) -> Option<(Pending, bool)> {
    let mut pending = shared.lock();
    loop {
        if pending.urgent || pending.closing {
            break;
        }
        if pending.is_empty() {
            pending = shared.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let wait = not_before.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            break;
        }
        pending = shared.wake.wait_timeout(pending, wait).unwrap_or_else(PoisonError::into_inner).0;
    }
    let closing = pending.closing;
    if pending.is_empty() {
        debug_assert!(closing, "only the end wakes the writer for nothing");
        return None;
    }
    let batch = std::mem::take(&mut *pending);
    pending.closing = closing;
    Some((batch, closing))
}
