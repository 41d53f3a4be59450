//! 9.7: SetValidationState.

use anyhow::{Result, bail, ensure};
use dray_api::v1::{self, JobState, SuccessCode, job_event::Event};

use super::listener::{Listener, answer};
use super::{ERROR, FILE, TRANSFERRED, flagged};
use crate::rig::{Answer, Place, Rig, SIZE, ask, refused, same};
use crate::table::{Row, holds, left_out};

fn judge(rig: &Rig<'_>, id: &str, valid: bool) -> Answer<JobState> {
    let request = v1::SetValidationStateRequest { job_id: id.to_owned(), file_index: 0, valid };
    Ok(ask!(rig, set_validation_state, request)?.state())
}

/// A job that has the bytes of `/a` from the origin, and not from the cache.
fn from_the_origin(rig: &Rig<'_>, page: &str) -> Result<String> {
    let content = rig.content.clone();
    rig.server.page(page, move |_| content.whole().without("Accept-Ranges").without("ETag"));
    let id = flagged(rig, TRANSFERRED | ERROR | FILE, &[page])?;
    rig.run(&id, JobState::Transferred)?;
    Ok(id)
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        holds("9.7", "before the file has arrived the answer is E_PENDING", |rig| {
            for place in [
                Place::Suspended,
                Place::Connecting,
                Place::Transferring,
                Place::TransientError,
                Place::Error,
            ] {
                let id = rig.at(place)?;
                for valid in [true, false] {
                    refused(judge(rig, &id, valid), "E_PENDING")?;
                }
                same(rig.get(&id)?.state(), place.state())?;
                rig.cancel(&id)?;
            }
            Ok(())
        }),
        holds("9.7", "a file that has arrived is judged although others have not", |rig| {
            let id = flagged(rig, FILE, &["/a", "/slow"])?;
            let mut listener = Listener::new(rig, &[&id])?;
            rig.resume(&id)?;
            listener.take(&id, "FileTransferred 0")?;
            judge(rig, &id, true)?;
            same(rig.first_file(&id)?.validation_state, Some(true))?;
            let request = v1::SetValidationStateRequest { job_id: id.clone(), file_index: 1, valid: true };
            refused(ask!(rig, set_validation_state, request), "E_PENDING")?;
            rig.cancel(&id)?;
            Ok(())
        }),
        holds("9.7", "a valid file leaves the job as it is", |rig| {
            let id = from_the_origin(rig, "/valid")?;
            same(judge(rig, &id, true)?, JobState::Transferred)?;
            same(rig.complete(&id)?.code(), SuccessCode::SOk)
        }),
        holds(
            "9.7",
            "invalid content of the origin is BG_E_VALIDATION_FAILED, and JobError is told",
            |rig| {
                let id = from_the_origin(rig, "/invalid")?;
                let mut listener = Listener::new(rig, &[&id])?;
                listener.take(&id, "FileTransferred 0")?;
                listener.expect(&id, "JobTransferred")?;
                same(judge(rig, &id, false)?, JobState::Error)?;
                same(rig.error(&id)?.detail.unwrap_or_default().name.as_str(), "BG_E_VALIDATION_FAILED")?;
                same(rig.first_file(&id)?.progress.unwrap_or_default().bytes_transferred, 0)?;
                listener.take(&id, "JobError")
            },
        ),
        holds("9.7", "Resume fetches what was invalid again, and tells of it again", |rig| {
            let id = from_the_origin(rig, "/again")?;
            let mut listener = Listener::new(rig, &[&id])?;
            listener.take(&id, "FileTransferred 0")?;
            judge(rig, &id, false)?;
            // Told while the verdict was given, or not any more.
            let mut told = listener.next()?;
            if told.name() == "JobTransferred" {
                told = listener.next()?;
            }
            same(told.name().as_str(), "JobError")?;
            answer(rig, &told, false)?;
            let asks = rig.server.asks("/again").len();
            rig.run(&id, JobState::Transferred)?;
            ensure!(rig.server.asks("/again").len() > asks, "the origin was not asked again");
            same(rig.first_file(&id)?.progress.unwrap_or_default().bytes_transferred, SIZE)?;
            listener.take(&id, "FileTransferred 0")?;
            listener.take(&id, "JobTransferred")?;
            let path = rig.first_file(&id)?.local_path;
            rig.complete(&id)?;
            ensure!(std::fs::read(path)? == *rig.content.bytes, "not the bytes of the page");
            Ok(())
        }),
        holds(
            "9.7",
            "the handler of FileTransferred reads the temporary file and gives its verdict",
            |rig| {
                let id = flagged(rig, TRANSFERRED | FILE, &["/a"])?;
                let mut listener = Listener::new(rig, &[&id])?;
                rig.resume(&id)?;
                let told = listener.expect(&id, "FileTransferred 0")?;
                let Event::FileTransferred(v1::FileTransferred { file: Some(file) }) = &told.event else {
                    bail!("{told:?}")
                };
                ensure!(
                    std::fs::read(&file.temporary_path)? == *rig.content.bytes,
                    "not the bytes of the page"
                );
                judge(rig, &id, true)?;
                same(answer(rig, &told, false)?, SuccessCode::SOk)?;
                listener.take(&id, "JobTransferred")?;
                same(rig.complete(&id)?.code(), SuccessCode::SOk)
            },
        ),
        holds("9.7", "a job that has ended is not found", |rig| {
            for place in [Place::Acknowledged, Place::Cancelled] {
                refused(judge(rig, &rig.at(place)?, true), "BG_E_NOT_FOUND")?;
            }
            Ok(())
        }),
        left_out(
            "9.7",
            "invalid content of a peer comes again from the origin without an error",
            "it needs a second machine; jobs/tests/jobs/validation.rs has it",
        ),
        left_out("9.7", "peers get what is valid at once, else after Complete", "it needs a second machine"),
        left_out(
            "9.7",
            "BG_E_RECORD_DELETED, and caching disabled before and after the verdict",
            "the cache of dray is filed under its content, and has no records that belong to jobs",
        ),
    ]
}
