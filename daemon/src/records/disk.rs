//! One transaction: a batch of rows, to the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use redb::{Database, DatabaseError};

use super::change::{NotDurable, Row};
use super::rows::{CHECKPOINTS, FILES, FileKey, JOBS, PROVEN, SET_ASIDE};
use super::writer::Pending;

/// Opens the database again after a failure: redb refuses all work after an input or output error.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

pub(super) struct Disk {
    /// `None` after a failure.
    pub(super) database: Option<Database>,
    pub(super) open: Opener,
    pub(super) path: PathBuf,
}

impl Disk {
    /// Writes everything in the batch or nothing.
    pub(super) fn write(&mut self, batch: &Pending) -> Result<(), NotDurable> {
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
        let mut proven = transaction.open_table(PROVEN)?;
        for (row, value) in &batch.rows {
            let (table, key) = match row {
                Row::Job(job) => (&mut jobs, job.to_vec()),
                Row::File(file) => (&mut files, file.to_bytes().to_vec()),
                Row::Checkpoint(file) => (&mut checkpoints, file.to_bytes().to_vec()),
                Row::Proven(file) => (&mut proven, file.to_bytes().to_vec()),
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
            for table in [&mut files, &mut checkpoints, &mut proven] {
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
