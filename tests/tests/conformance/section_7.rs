//! The life of a job.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use dray_api::v1::{self, JobState, SuccessCode};
use dray_tests::{Daemon, Home};

use crate::rig::{Answer, Place, Refused, Rig, SIZE, ask, refused, same, urgent};
use crate::table::{Row, holds, left_out};

/// The calls of table 7.2.
#[derive(Clone, Copy, Debug)]
enum Verb {
    AddFile,
    Suspend,
    Resume,
    Cancel,
    Complete,
}

const VERBS: [Verb; 5] = [Verb::AddFile, Verb::Suspend, Verb::Resume, Verb::Cancel, Verb::Complete];

const GONE: &str = "BG_E_NOT_FOUND";

/// Table 7.2, for downloads. "-" is no change of state with S_OK; what has ended is not found (2.2), where a COM client that
/// still holds the object gets BG_E_INVALID_STATE.
#[rustfmt::skip]
const TABLE: [(Place, [&str; 5]); 10] = [
    // from                   AddFile  Suspend      Resume        Cancel       Complete
    (Place::Empty,          ["-",     "-",         "BG_E_EMPTY", "CANCELLED", "S_OK"]),
    (Place::Suspended,      ["-",     "-",         "QUEUED",     "CANCELLED", "BG_S_PARTIAL_COMPLETE"]),
    (Place::Queued,         ["-",     "SUSPENDED", "-",          "CANCELLED", "BG_S_PARTIAL_COMPLETE"]),
    (Place::Connecting,     ["-",     "SUSPENDED", "-",          "CANCELLED", "BG_S_PARTIAL_COMPLETE"]),
    (Place::Transferring,   ["-",     "SUSPENDED", "-",          "CANCELLED", "BG_S_PARTIAL_COMPLETE"]),
    (Place::TransientError, ["-",     "SUSPENDED", "QUEUED",     "CANCELLED", "BG_S_PARTIAL_COMPLETE"]),
    (Place::Error,          ["-",     "-",         "QUEUED",     "CANCELLED", "BG_S_PARTIAL_COMPLETE"]),
    (Place::Transferred,    ["-",     "-",         "-",          "CANCELLED", "S_OK"]),
    (Place::Acknowledged,   [GONE,    GONE,        GONE,         GONE,        GONE]),
    (Place::Cancelled,      [GONE,    GONE,        GONE,         GONE,        GONE]),
];

fn cell(rig: &Rig<'_>, place: Place, verb: Verb, expected: &str) -> Result<()> {
    let id = rig.at(place)?;
    let outcome: Answer<Option<String>> = match verb {
        Verb::AddFile => rig.add(&id, rig.file("/slow")).map(|_| None),
        Verb::Suspend => rig.suspend(&id).map(|state| Some(state.short_name().to_owned())),
        Verb::Resume => rig.resume(&id).map(|state| Some(state.short_name().to_owned())),
        Verb::Cancel => rig.cancel(&id).map(|code| Some(code.short_name().to_owned())),
        Verb::Complete => rig.complete(&id).map(|answer| Some(answer.code().short_name().to_owned())),
    };
    let answered = match outcome {
        Err(Refused(code)) => {
            if let Ok(job) = rig.get(&id) {
                same(job.state(), place.state())?;
            }
            return same(code.as_str(), expected);
        }
        Ok(answered) => answered.unwrap_or_default(),
    };
    match (verb, expected) {
        (Verb::Cancel | Verb::Complete, _) => {
            let code = if expected == "CANCELLED" { "S_OK" } else { expected };
            same(answered.as_str(), code)?;
            return refused(rig.get(&id), GONE);
        }
        (_, "-") => same(rig.get(&id)?.state(), place.state())?,
        // It may have begun by the time of the answer.
        (_, "QUEUED") => {
            ensure!(["QUEUED", "CONNECTING", "TRANSFERRING"].contains(&answered.as_str()), "{answered}");
        }
        _ => {
            same(answered.as_str(), expected)?;
            same(rig.get(&id)?.state().short_name(), expected)?;
        }
    }
    rig.cancel(&id)?;
    Ok(())
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, cells) in TABLE {
        for (verb, expected) in VERBS.into_iter().zip(cells) {
            let rule = format!("{place:?} / {verb:?}: {expected}");
            rows.push(holds("7.2", rule, move |rig| cell(rig, place, verb, expected)));
        }
    }
    rows.push(left_out(
        "7.2",
        "the column of uploads",
        "uploads belong to another stretch; jobs/tests has it",
    ));
    rows.extend(by_itself());
    rows.extend(owners_and_files());
    rows
}

fn by_itself() -> Vec<Row> {
    vec![
        holds("7.2", "Resume of a TRANSFERRED job with a new file fetches it", |rig| {
            let id = rig.at(Place::Transferred)?;
            rig.add(&id, rig.file("/plain"))?;
            same(rig.get(&id)?.state(), JobState::Transferred)?;
            rig.resume(&id)?;
            rig.wait_for(&id, JobState::Transferred)?;
            same(rig.get(&id)?.progress.unwrap_or_default().files_transferred, 2)
        }),
        holds("7.3", "an error that does not pass is ERROR at once", |rig| {
            rig.at(Place::Error)?;
            same(rig.server.asks("/missing").is_empty(), false)
        }),
        holds("7.4", "401, 403, 404 and 501 do not pass, 408, 429 and 503 may", |rig| {
            for (status, state) in [
                (401, JobState::Error),
                (403, JobState::Error),
                (410, JobState::Error),
                (501, JobState::Error),
                (408, JobState::TransientError),
                (500, JobState::TransientError),
                (502, JobState::TransientError),
            ] {
                let page = format!("/status-{status}");
                rig.server
                    .page(&page, move |_| dray_tests::Reply::status(status).header("Retry-After", "3600"));
                let id = rig.job(&[&page])?;
                rig.resume(&id)?;
                if let Err(error) = rig.wait_for(&id, state) {
                    bail!("{status}: {error:#}");
                }
                rig.cancel(&id)?;
            }
            Ok(())
        }),
        holds("7.5", "after the retry delay a job tries again by itself, and not before", |rig| {
            let patient = v1::JobProperties { minimum_retry_delay_s: Some(5), ..urgent() };
            let id = rig.create(patient)?.job_id;
            let content = rig.content.clone();
            rig.server.page("/later", move |ask| match ask.nth {
                0 => dray_tests::Reply::status(503).header("Retry-After", "3600"),
                _ => content.answer(ask),
            });
            rig.add(&id, rig.file("/later"))?;
            rig.run(&id, JobState::TransientError)?;
            rig.wait_for(&id, JobState::Transferred)?;
            let asks = rig.server.asks("/later");
            let pause = asks.get(1).map(|ask| ask.at).unwrap_or_default() - asks[0].at;
            ensure!(pause >= Duration::from_secs(5), "again after {pause:?}");
            Ok(())
        }),
        holds("7.5", "with a no-progress timeout of 0 every error is fatal", |rig| {
            let impatient = v1::JobProperties { no_progress_timeout_s: Some(0), ..urgent() };
            let id = rig.create(impatient)?.job_id;
            rig.add(&id, rig.file("/busy"))?;
            rig.run(&id, JobState::Error)
        }),
        holds("7.5", "a retry delay longer than the no-progress timeout is no retry", |rig| {
            let properties = v1::JobProperties {
                no_progress_timeout_s: Some(60),
                minimum_retry_delay_s: Some(61),
                ..urgent()
            };
            let id = rig.create(properties)?.job_id;
            rig.add(&id, rig.file("/busy"))?;
            rig.run(&id, JobState::Error)
        }),
        holds("7.5", "the no-progress timeout ends in ERROR", |rig| {
            let properties = v1::JobProperties {
                no_progress_timeout_s: Some(6),
                minimum_retry_delay_s: Some(5),
                ..urgent()
            };
            let id = rig.create(properties)?.job_id;
            rig.add(&id, rig.file("/busy"))?;
            let began = Instant::now();
            rig.run(&id, JobState::Error)?;
            ensure!(began.elapsed() >= Duration::from_secs(5), "after {:?}", began.elapsed());
            Ok(())
        }),
        holds("7.6", "the maximum download time ends in ERROR, and Resume begins it anew", |rig| {
            let properties = v1::JobProperties { maximum_download_time_s: Some(1), ..urgent() };
            let id = rig.create(properties)?.job_id;
            rig.add(&id, rig.file("/slow"))?;
            rig.run(&id, JobState::Error)?;
            same(rig.error(&id)?.detail.unwrap_or_default().name.as_str(), "BG_E_MAXDOWNLOAD_TIMEOUT")?;
            rig.run(&id, JobState::Transferring)?;
            rig.cancel(&id)?;
            Ok(())
        }),
        holds("7.7", "the error count rises when a TRANSFERRING job fails, and is never reset", |rig| {
            let properties = v1::JobProperties { maximum_download_time_s: Some(1), ..urgent() };
            let id = rig.create(properties)?.job_id;
            rig.add(&id, rig.file("/slow"))?;
            for count in 1..=2 {
                rig.resume(&id)?;
                dray_tests::until("one more error", Duration::from_secs(60), || {
                    let job = rig.get(&id)?;
                    Ok((job.state() == JobState::Error && job.error_count == count).then_some(()))
                })?;
            }
            rig.cancel(&id)?;
            Ok(())
        }),
        holds("7.7", "a job that fails while CONNECTING counts no error until its retry fails too", |rig| {
            let properties = v1::JobProperties { minimum_retry_delay_s: Some(5), ..urgent() };
            let id = rig.create(properties)?.job_id;
            rig.add(&id, rig.file("/busy"))?;
            rig.run(&id, JobState::TransientError)?;
            same(rig.get(&id)?.error_count, 0)?;
            dray_tests::until("the retry to fail", Duration::from_secs(60), || {
                Ok((rig.get(&id)?.error_count == 1).then_some(()))
            })?;
            rig.cancel(&id)?;
            Ok(())
        }),
        left_out("7.3", "network, power, cost and bandwidth policy", "the daemon does not watch them yet"),
        left_out(
            "7.3",
            "the inactivity timeout",
            "it takes at least a day; jobs/tests/jobs/timers.rs has it",
        ),
        left_out(
            "7.8",
            "time slices and the order of levels",
            "jobs/tests/jobs/scheduling.rs plays it in virtual time",
        ),
        left_out(
            "7.8",
            "jobs run only while their owner is logged on",
            "a user of a daemon counts as logged on",
        ),
    ]
}

fn owners_and_files() -> Vec<Row> {
    vec![
        holds("7.10", "TakeOwnership makes the caller the owner and removes the command", |rig| {
            let command = v1::NotifyCommand { program: "/bin/true".to_owned(), parameters: String::new() };
            let properties = v1::JobProperties { notify_command: Some(command), ..urgent() };
            let job = rig.create(properties)?;
            let request = v1::TakeOwnershipRequest { job_id: job.job_id.clone() };
            let taken = ask!(rig, take_ownership, request)?.job.unwrap_or_default();
            same((taken.owner, taken.properties.unwrap_or_default().notify_command), (job.owner, None))
        }),
        holds("7.10", "TakeOwnership of a job that has ended finds no job", |rig| {
            let request = v1::TakeOwnershipRequest { job_id: rig.at(Place::Cancelled)? };
            refused(ask!(rig, take_ownership, request), GONE)
        }),
        left_out(
            "7.10",
            "E_ACCESSDENIED and BG_E_NEW_OWNER_NO_FILE_ACCESS",
            "they need a second user who is served; daemon/src/services has them",
        ),
        holds("7.11", "a file that is there already is replaced at Complete, not before", |rig| {
            let id = rig.job(&["/a"])?;
            let path = rig.first_file(&id)?.local_path;
            std::fs::write(&path, "old")?;
            rig.run(&id, JobState::Transferred)?;
            same(std::fs::read(&path)?.as_slice(), b"old")?;
            same(rig.complete(&id)?.code(), SuccessCode::SOk)?;
            same(std::fs::read(&path)?.len() as u64, SIZE)
        }),
        holds("7.11", "the name of the temporary file is hidden", |rig| {
            let file = rig.first_file(&rig.at(Place::Transferred)?)?;
            let name = Path::new(&file.temporary_path).file_name().unwrap_or_default().to_owned();
            ensure!(name.to_string_lossy().starts_with('.'), "{name:?}");
            Ok(())
        }),
    ]
}

/// 7.9: what survives a kill of the daemon.
pub(crate) fn outlives_the_daemon() -> Result<()> {
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let rig = Rig::new(&home, &daemon)?;
    let command = v1::NotifyCommand { program: "/bin/true".to_owned(), parameters: String::new() };
    let properties = v1::JobProperties {
        display_name: Some("name".to_owned()),
        description: Some("text".to_owned()),
        notify_flags: Some(0x1b),
        notify_command: Some(command),
        cost_flags: Some(1),
        max_download_size_bytes: Some(7 << 20),
        minimum_notification_interval_ms: Some(9),
        on_demand_mode: Some(true),
        files_at_once: Some(3),
        ..urgent()
    };
    let job = rig.create(properties)?;
    rig.add(&job.job_id, rig.file("/a"))?;
    let ranges = vec![v1::FileRange { offset: 10, length: Some(20) }];
    let request =
        v1::RequestFileRangesRequest { job_id: job.job_id.clone(), file_index: 0, ranges: ranges.clone() };
    ask!(rig, request_file_ranges, request)?;
    let arrived = rig.at(Place::Transferred)?;
    let request = v1::SetValidationStateRequest { job_id: arrived.clone(), file_index: 0, valid: true };
    ask!(rig, set_validation_state, request)?;
    let (failed, renamed) = (rig.at(Place::Error)?, rig.at(Place::Suspended)?);
    let old = rig.first_file(&renamed)?.remote_url;
    let remote_url = rig.url("/other");
    let request = v1::SetRemoteNameRequest { job_id: renamed.clone(), file_index: 0, remote_url };
    ask!(rig, set_remote_name, request)?;

    daemon.kill()?;
    daemon.restart()?;
    // The channel connects again by itself: the first call may still find the old one.
    let _ = rig.get(&job.job_id);
    let after = rig.get(&job.job_id)?;
    same(after.properties, job.properties)?;
    same(rig.first_file(&job.job_id)?.requested_ranges, ranges)?;
    same(rig.get(&arrived)?.state(), JobState::Transferred)?;
    same(rig.first_file(&arrived)?.validation_state, Some(true))?;
    same(rig.error(&failed)?.detail.unwrap_or_default().name.as_str(), "BG_E_HTTP_ERROR_404")?;
    // 8.6: a new remote name lasts only with the next Resume.
    same(rig.first_file(&renamed)?.remote_url, old)?;
    same(rig.complete(&arrived)?.code(), SuccessCode::SOk)
}
