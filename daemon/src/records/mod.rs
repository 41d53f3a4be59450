//! Job records on disk: what cannot be rebuilt after a crash.
//!
//! One redb file in the state directory, `jobs.redb`. A job is a row, each of its files is a row of its own, and so
//! is the checkpoint of a running file: a job of a thousand files never rewrites more than what changed. One thread
//! writes; everything that is pending when it begins goes into one transaction, so that a thousand changes cost a
//! handful of disk syncs. A caller learns "yes" only from [`Change::then`], which is called once the change would
//! survive a power cut.
//!
//! Nothing but the records' own file decides whether a transaction succeeds; the files of jobs are synced elsewhere.
//!
//! A file that does not open is set aside and said so; a row that does not read is moved to a table of its own. The
//! daemon starts in either case.
//!
//! `rows.rs` is what is stored and how, `open.rs` how it comes back, `writer.rs` and `disk.rs` how it gets there.

mod change;
mod disk;
#[cfg(test)]
mod instant;
mod lock;
mod open;
mod rows;
mod writer;

use std::path::PathBuf;

pub(crate) use change::{Change, NotDurable};
pub(crate) use lock::InstanceLock;
pub(crate) use open::open;
pub(crate) use rows::{FileKey, JobKey, RawJob, decode, encode};
pub(crate) use writer::{Records, Writer};

/// Why the records cannot be used at all. Damage is no reason: a damaged file is set aside.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordsError {
    /// The state directory cannot be made or used.
    #[error("cannot use the state directory {}: {cause}", path.display())]
    Directory { path: PathBuf, cause: std::io::Error },
    /// Another daemon works there.
    #[error("another drayd already uses the state directory {}; stop it, or choose another with --state-dir", path.display())]
    Busy { path: PathBuf },
    /// The file is there and cannot be read or written, which setting it aside would not cure.
    #[error("cannot open the job records {}: {cause}", path.display())]
    Open { path: PathBuf, cause: String },
}

#[cfg(test)]
mod tests;
