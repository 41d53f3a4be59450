//! Notifications: a stream that acknowledges is the callback object, [`Listener`](listener::Listener).
//!
//! That nothing is told is shown by what is told next: each such row goes on to an event that could only come after it.

mod callbacks;
mod command;
mod flags;
mod listener;
mod validation;

use anyhow::{Result, ensure};
use dray_api::v1::{self, JobState};
use dray_tests::{Daemon, Home, NotifyProgram};

use self::command::{until_run, with_command};
use self::listener::Listener;
use crate::rig::{Rig, same, urgent};
use crate::table::Row;

const TRANSFERRED: u32 = 0x01;
const ERROR: u32 = 0x02;
const DISABLE: u32 = 0x04;
const MODIFICATION: u32 = 0x08;
const FILE: u32 = 0x10;
const RANGES: u32 = 0x20;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = flags::rows();
    rows.extend(callbacks::rows());
    rows.extend(command::rows());
    rows.extend(validation::rows());
    rows
}

fn flags(bits: u32) -> v1::JobProperties {
    v1::JobProperties { notify_flags: Some(bits), ..v1::JobProperties::default() }
}

/// A job with these flags and pages, not yet begun.
fn flagged(rig: &Rig<'_>, bits: u32, pages: &[&str]) -> Result<String> {
    let id = rig.create(v1::JobProperties { notify_flags: Some(bits), ..urgent() })?.job_id;
    for page in pages {
        rig.add(&id, rig.file(page))?;
    }
    Ok(id)
}

/// A job with these flags that has all of `/a`.
fn transferred(rig: &Rig<'_>, bits: u32) -> Result<String> {
    let id = flagged(rig, bits, &["/a"])?;
    rig.run(&id, JobState::Transferred)?;
    Ok(id)
}

/// 9.1, 9.3, 9.4: what is owed outlives the daemon, who listens does not; the command does.
pub(crate) fn outlives_the_daemon() -> Result<()> {
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let rig = Rig::new(&home, &daemon)?;
    let program = NotifyProgram::new(home.path(), "outlives")?;
    let (told, run) = (transferred(&rig, TRANSFERRED | FILE)?, with_command(&rig, &program, 3, "/a")?);
    let mut listener = Listener::new(&rig, &[&told])?;
    let before = listener.expect(&told, "FileTransferred 0")?;
    rig.run(&run, JobState::Transferred)?;
    until_run(&program, 1)?;

    daemon.kill()?;
    program.succeed()?;
    daemon.restart()?;
    ensure!(listener.next().is_err(), "the stream went on");
    // The channel connects again by itself: the first call may still find the old one.
    let _ = rig.get(&told);
    let mut listener = Listener::new(&rig, &[&told])?;
    let again = listener.expect(&told, "FileTransferred 0")?;
    ensure!(again.id > before.id, "a number of the time before: {} {}", again.id, before.id);
    same(listener::answer(&rig, &again, false)?, v1::SuccessCode::SOk)?;
    listener.take(&told, "JobTransferred")?;
    until_run(&program, 2)
}
