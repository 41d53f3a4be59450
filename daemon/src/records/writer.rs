//! How records get to the disk: one thread, one transaction for everything that is pending.
//!
//! Changes are absolute (a row is this, or is gone), so those of one row merge, and a failed transaction is tried
//! again with whatever has come since. The pending set is therefore never larger than the records themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redb::{Database, DatabaseError};

use super::rows::{CHECKPOINTS, FILES, FileKey, INTENTS, JOBS, JobKey, RawJob, SET_ASIDE};

/// Least time between two transactions that only carry checkpoints. With the engine's own interval it stays below
/// the second of progress that a crash may cost.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(200);

/// Wait before a failed transaction is tried again: a full disk does not empty in less.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// A change could not be made durable. It holds in memory and is tried again, but the caller must not count on it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the job records {} cannot be written: {cause}", path.display())]
pub(crate) struct NotDurable {
    path: PathBuf,
    cause: Arc<str>,
}

type Done = Box<dyn FnOnce(Result<(), NotDurable>) + Send>;

/// Rows that change together.
#[derive(Default)]
pub(crate) struct Change {
    rows: Vec<(Row, Option<Vec<u8>>)>,
    forget: Vec<JobKey>,
    done: Option<Done>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Job(JobKey),
    File(FileKey),
    Checkpoint(FileKey),
    Intent(FileKey),
}

impl Row {
    fn job(&self) -> &JobKey {
        match self {
            Row::Job(job) => job,
            Row::File(file) | Row::Checkpoint(file) | Row::Intent(file) => &file.job,
        }
    }
}

impl Change {
    /// The job's row is this.
    pub(crate) fn job(&mut self, key: JobKey, value: Vec<u8>) {
        self.rows.push((Row::Job(key), Some(value)));
    }

    /// The file's row is this.
    pub(crate) fn file(&mut self, key: FileKey, value: Vec<u8>) {
        self.rows.push((Row::File(key), Some(value)));
    }

    /// The file has no checkpoint any more.
    pub(crate) fn no_checkpoint(&mut self, key: FileKey) {
        self.rows.push((Row::Checkpoint(key), None));
    }

    /// The file is about to be renamed, and this is how it will be known again.
    pub(crate) fn intent(&mut self, key: FileKey, value: Vec<u8>) {
        self.rows.push((Row::Intent(key), Some(value)));
    }

    /// The job and everything that belongs to it is gone.
    pub(crate) fn forget(&mut self, key: JobKey) {
        self.forget.push(key);
    }

    /// Calls `done` on the writer's thread once the change is on disk or has failed.
    pub(crate) fn then(&mut self, done: impl FnOnce(Result<(), NotDurable>) + Send + 'static) {
        debug_assert!(self.done.is_none(), "a change has one answer");
        self.done = Some(Box::new(done));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.forget.is_empty() && self.done.is_none()
    }
}

/// What waits for the next transaction.
#[derive(Default)]
struct Pending {
    rows: BTreeMap<Row, Option<Vec<u8>>>,
    forget: BTreeSet<JobKey>,
    /// Bad rows to be kept under their table and key.
    set_aside: Vec<(Vec<u8>, Vec<u8>)>,
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

struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
    /// Answers at once and writes nothing, so that time stands still in tests.
    #[cfg(test)]
    instant: Option<Instantly>,
}

/// How records without a disk answer.
#[cfg(test)]
#[derive(Default)]
struct Instantly {
    refuses: std::sync::atomic::AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        // Nothing in a locked section can leave `Pending` half changed.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to the records, for everyone who changes them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Records {
    shared: Arc<Shared>,
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
        if let Some(instant) = &self.shared.instant {
            let done = std::mem::take(&mut pending.done);
            drop(pending);
            let refused = instant.refuses.load(std::sync::atomic::Ordering::SeqCst);
            let not_durable = NotDurable { path: "test".into(), cause: "the test says so".into() };
            done.into_iter().for_each(|done| done(if refused { Err(not_durable.clone()) } else { Ok(()) }));
            return;
        }
        pending.urgent = true;
        self.shared.wake.notify_one();
    }

    /// Records that answer at once and keep everything in memory.
    #[cfg(test)]
    pub(crate) fn instant() -> Records {
        let instant = Some(Instantly::default());
        Records { shared: Arc::new(Shared { pending: Mutex::default(), wake: Condvar::new(), instant }) }
    }

    /// From now on answers like this.
    #[cfg(test)]
    pub(crate) fn refuse(&self, refuses: bool) {
        let instant = self.shared.instant.as_ref().unwrap();
        instant.refuses.store(refuses, std::sync::atomic::Ordering::SeqCst);
    }

    /// What the instant records hold, as a start would find it.
    #[cfg(test)]
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
                    let (checkpoint, intent) = (value(Row::Checkpoint(*key)), value(Row::Intent(*key)));
                    let file =
                        super::rows::RawFile { index: key.index, file: file.clone(), checkpoint, intent };
                    job.unwrap().files.push(file);
                }
                _ => {}
            }
        }
        jobs
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

/// Opens the database again after a failure: redb refuses all work after an input or output error.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

struct Disk {
    database: Option<Database>,
    open: Opener,
    path: PathBuf,
}

impl Disk {
    fn write(&mut self, batch: &Pending) -> Result<(), NotDurable> {
        let attempt = catch_unwind(AssertUnwindSafe(|| -> Result<(), redb::Error> {
            let database = match &mut self.database {
                Some(database) => database,
                none => none.insert((self.open)()?),
            };
            apply(database, batch)
        }));
        let cause: Arc<str> = match attempt {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string().into(),
            Err(_) => "the database failed".into(),
        };
        self.database = None;
        Err(NotDurable { path: self.path.clone(), cause })
    }
}

fn apply(database: &Database, batch: &Pending) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut jobs = transaction.open_table(JOBS)?;
        let mut files = transaction.open_table(FILES)?;
        let mut checkpoints = transaction.open_table(CHECKPOINTS)?;
        let mut intents = transaction.open_table(INTENTS)?;
        for (row, value) in &batch.rows {
            let (table, key) = match row {
                Row::Job(job) => (&mut jobs, job.to_vec()),
                Row::File(file) => (&mut files, file.to_bytes().to_vec()),
                Row::Checkpoint(file) => (&mut checkpoints, file.to_bytes().to_vec()),
                Row::Intent(file) => (&mut intents, file.to_bytes().to_vec()),
            };
            let key = key.as_slice();
            match value {
                Some(value) => drop(table.insert(key, value.as_slice())?),
                None => drop(table.remove(key)?),
            }
        }
        for job in &batch.forget {
            let first = FileKey { job: *job, index: 0 }.to_bytes();
            let last = FileKey { job: *job, index: u32::MAX }.to_bytes();
            jobs.remove(&job[..])?;
            for table in [&mut files, &mut checkpoints, &mut intents] {
                table.retain_in(&first[..]..=&last[..], |_, _| false)?;
            }
        }
        if !batch.set_aside.is_empty() {
            let mut set_aside = transaction.open_table(SET_ASIDE)?;
            for (key, value) in &batch.set_aside {
                set_aside.insert(key.as_slice(), value.as_slice())?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}
