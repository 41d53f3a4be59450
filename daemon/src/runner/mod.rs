//! The thin shell around [`dray_jobs::Queue`]: one task owns the queue, everyone else talks to it.
//!
//! Calls come in through [`Runner`], news of transfers and of disk work as messages, time as the queue's own
//! timeouts. What the queue answers with is carried out here: transfers are started and stopped, records written,
//! temporary files deleted, final names given, watchers told. The order that matters is kept in one place each: a
//! client hears "yes" when its change is on disk (`turn.rs`), disk work begins after the record that it follows from
//! (`errand.rs`), and no two hands are on one temporary file (`transfers.rs`).
//!
//! Start at [`Actor::run`] in `actor.rs`; `effects.rs` carries out, `restore.rs` is what happens before all that.

mod actor;
#[cfg(test)]
mod client_tests;
mod clients;
mod clock;
mod effects;
mod errand;
mod errands;
mod extend;
mod fetcher;
mod handle;
mod local_error;
mod message;
mod meter;
mod news;
mod place;
mod proven;
mod readers;
mod restore;
mod settling;
mod tally;
mod telling;
#[cfg(test)]
mod tests;
mod transfers;
mod turn;

use std::path::{Path, PathBuf};

use dray_jobs::{FileIndex, JobId, LocalName};

pub(crate) use actor::{Actor, Parts};
pub(crate) use clients::Attendance;
pub(crate) use clock::{Clock, wall};
#[cfg(test)]
pub(crate) use fetcher::Fetcher;
pub(crate) use handle::Runner;
pub(crate) use local_error::code_of;
pub(crate) use message::Answer;
pub(crate) use readers::{Outlook, Reader};
pub(crate) use restore::restore;

/// The temporary file of a file: hidden, beside its destination so that the last step is a rename, and the same
/// after every restart.
pub(crate) fn temp_path(job: JobId, file: FileIndex, local: &LocalName) -> PathBuf {
    let directory = Path::new(local.as_str()).parent().unwrap_or(Path::new("/"));
    directory.join(format!(".dray-{}-{}.tmp", job.0.simple(), file.0))
}
