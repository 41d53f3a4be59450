//! Downloads of Delivery Optimization: reference 13, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use dray_jobs::download::table::{ClientCall, client};
use dray_jobs::{
    Call, Code, DownloadCall, DownloadProperty as P, DownloadState, DownloadValue as V, Effect, Event,
    Failure, FileEvent, FileIndex, Job, JobState, JobType, Learned, NewJob, Now, Places, Queue, Rules,
    Wanted,
};
use dray_ranges::RangeSpec;

use crate::rig::{DAY, Rig, SECOND, alice, job_id, later, new_job, root, start};

fn download() -> NewJob {
    NewJob { job_type: JobType::DoDownload, ..new_job(1) }
}

fn text(text: &str) -> V {
    V::Text(text.to_owned())
}

fn set(rig: &mut Rig, property: P, value: V) -> Result<Code, Failure> {
    rig.call(Call::Download(DownloadCall::Set(property, value)))
}

fn ask(rig: &mut Rig, call: DownloadCall) -> Result<Code, Failure> {
    let code = rig.call(Call::Download(call))?;
    if rig.effects.iter().any(|effect| matches!(effect, Effect::Rename(_))) {
        let renamed = rig.job.renamed(rig.now, &[(FileIndex(0), Ok(()))]);
        rig.effects = renamed.effects;
        return renamed.result;
    }
    Ok(code)
}

/// With what it needs to be started.
fn created() -> Rig {
    let mut rig = Rig::with(download());
    set(&mut rig, P::Uri, text("http://origin/1")).unwrap();
    set(&mut rig, P::LocalPath, text("/srv/1")).unwrap();
    rig
}

fn go(rig: &mut Rig, wanted: Wanted) -> Result<Code, Failure> {
    ask(rig, DownloadCall::Start(wanted))
}

fn moving(wanted: Wanted) -> Rig {
    let mut rig = created();
    go(&mut rig, wanted).unwrap();
    rig.on(Event::Selected);
    rig.file(0, FileEvent::Connected);
    rig
}

fn at(state: DownloadState) -> Rig {
    let mut rig = match state {
        DownloadState::Created => created(),
        _ => moving(Wanted::Whole),
    };
    match state {
        DownloadState::Created | DownloadState::Transferring => {}
        DownloadState::Paused => {
            ask(&mut rig, DownloadCall::Pause).unwrap();
        }
        DownloadState::Transferred => {
            rig.done(0);
        }
        DownloadState::Finalized => {
            rig.done(0);
            ask(&mut rig, DownloadCall::Finalize).unwrap();
        }
        DownloadState::Aborted => {
            ask(&mut rig, DownloadCall::Abort).unwrap();
        }
    }
    assert_eq!(rig.job.download_state(), state);
    rig
}

fn range(offset: u64, length: u64) -> RangeSpec {
    RangeSpec { offset, length: Some(length) }
}

fn status_codes(rig: &Rig) -> (DownloadState, Option<Code>, Option<Code>) {
    let status = rig.job.download_status();
    (status.state, status.error.map(|error| error.code), status.extended_error.map(|error| error.code))
}

/// Table 13.2, laid out like it: Start, Pause, Finalize, Abort. `None` is the no-op.
#[test]
fn every_cell_of_13_2() {
    use DownloadState::{Aborted, Created, Finalized, Paused, Transferred, Transferring};
    const NO: Result<Option<DownloadState>, Code> = Err(Code::DO_E_INVALID_STATE);
    const NOOP: Result<Option<DownloadState>, Code> = Ok(None);
    const fn to(state: DownloadState) -> Result<Option<DownloadState>, Code> {
        Ok(Some(state))
    }
    #[rustfmt::skip]
    let rows = [
        // from        Start             Pause       Finalize       Abort
        (Created,      [to(Transferring), NOOP,       NO,            to(Aborted)]),
        (Transferring, [NOOP,             to(Paused), NO,            to(Aborted)]),
        (Transferred,  [NOOP,             NOOP,       to(Finalized), to(Aborted)]),
        (Paused,       [to(Transferring), NOOP,       NO,            to(Aborted)]),
        (Finalized,    [NO,               NO,         NOOP,          NO]),
        (Aborted,      [NO,               NO,         NO,            NOOP]),
    ];
    let calls = [ClientCall::Start, ClientCall::Pause, ClientCall::Finalize, ClientCall::Abort];
    for (from, cells) in rows {
        for (call, cell) in calls.into_iter().zip(cells) {
            assert_eq!(client(from, call), cell, "{from:?} {call:?}");
            let mut rig = at(from);
            let made = match call {
                ClientCall::Start => DownloadCall::Start(Wanted::Same),
                ClientCall::Pause => DownloadCall::Pause,
                ClientCall::Finalize => DownloadCall::Finalize,
                ClientCall::Abort => DownloadCall::Abort,
            };
            let answer = ask(&mut rig, made).map_err(|failure| failure.code);
            assert_eq!(answer, cell.map(|_| Code::S_OK), "{from:?} {call:?}");
            let after = cell.ok().flatten().unwrap_or(from);
            assert_eq!(rig.job.download_state(), after, "{from:?} {call:?}");
        }
    }
}

#[test]
fn a_start_says_what_is_missing() {
    let mut rig = Rig::with(download());
    let refused = |rig: &mut Rig, code| assert_eq!(go(rig, Wanted::Whole).unwrap_err().code, code);
    refused(&mut rig, Code::DO_E_DOWNLOAD_NO_URI);
    set(&mut rig, P::Uri, text("http://origin/1")).unwrap();
    refused(&mut rig, Code::DO_E_FILE_DOWNLOADSINK_UNSPECIFIED);
    set(&mut rig, P::LocalPath, text("/srv/1")).unwrap();
    set(&mut rig, P::IntegrityCheckMandatory, V::Flag(true)).unwrap();
    refused(&mut rig, Code::DO_E_INTEGRITYCHECKINFO_UNSPECIFIED);
    set(&mut rig, P::ContentId, text("sha256:00")).unwrap();
    let part = go(&mut rig, Wanted::Ranges(vec![range(0, 9)])).unwrap_err();
    assert_eq!(part.code, Code::DO_E_DOWNLOAD_RANGES_UNEXPECTED);
    go(&mut rig, Wanted::Whole).unwrap();
    assert_eq!(rig.job.files()[0].digest(), Some("sha256:00"));
}

#[test]
fn a_network_that_is_lost_is_a_pause_that_ends_by_itself() {
    let mut rig = moving(Wanted::Whole);
    rig.on(Event::NetworkLost);
    let blocked = Some(Code::DO_E_BLOCKED_BY_NO_NETWORK);
    assert_eq!(status_codes(&rig), (DownloadState::Paused, None, blocked));
    rig.now = later(rig.now, 3 * DAY);
    rig.on(Event::Timer);
    assert_eq!(status_codes(&rig).0, DownloadState::Paused, "waiting for a network is no lack of progress");
    rig.on(Event::NetworkBack);
    assert_eq!(rig.job.download_state(), DownloadState::Transferring);
    rig.on(Event::Selected);
    rig.on(Event::NetworkLost);
    ask(&mut rig, DownloadCall::Pause).unwrap();
    rig.on(Event::NetworkBack);
    assert_eq!(status_codes(&rig), (DownloadState::Paused, None, None), "what was paused stays so");
}

#[test]
fn failures_are_tried_again_after_2_4_8_16_30_30_seconds_and_a_new_uri_begins_anew() {
    let mut rig = created();
    go(&mut rig, Wanted::Whole).unwrap();
    for seconds in [2, 4, 8, 16, 30, 30] {
        rig.on(Event::Selected);
        rig.fail(0, Code::http(503));
        assert_eq!(status_codes(&rig), (DownloadState::Transferring, Some(Code::http(503)), None));
        assert_eq!(rig.job.timeout().unwrap().0, rig.now.mono + seconds * SECOND);
        rig.now = later(rig.now, Duration::from_secs(seconds.into()));
        rig.on(Event::Timer);
        assert_eq!(rig.job.state(), JobState::Queued);
    }
    ask(&mut rig, DownloadCall::Pause).unwrap();
    set(&mut rig, P::Uri, text("http://origin/2")).unwrap();
    assert_eq!(rig.job.files()[0].remote().as_str(), "http://origin/2");
    go(&mut rig, Wanted::Same).unwrap();
    rig.on(Event::Selected);
    rig.fail(0, Code::http(503));
    assert_eq!(rig.job.timeout().unwrap().0, rig.now.mono + 2 * SECOND);
}

#[test]
fn a_refusal_of_the_server_is_a_pause_with_its_error() {
    let mut rig = moving(Wanted::Whole);
    rig.fail(0, Code::http(404));
    assert_eq!(status_codes(&rig), (DownloadState::Paused, Some(Code::http(404)), None));
    go(&mut rig, Wanted::Same).unwrap();
    assert_eq!(status_codes(&rig), (DownloadState::Transferring, None, None));
}

#[test]
fn no_byte_for_the_no_progress_time_is_an_error_that_says_what_was_wrong_last() {
    let mut rig = created();
    set(&mut rig, P::NoProgressTimeoutSeconds, V::Number(60)).unwrap();
    assert_eq!(
        set(&mut rig, P::NoProgressTimeoutSeconds, V::Number(59)).unwrap_err().code,
        Code::E_INVALIDARG
    );
    go(&mut rig, Wanted::Whole).unwrap();
    rig.on(Event::Selected);
    for _ in 0..20 {
        if rig.job.state() == JobState::Error {
            break;
        }
        rig.fail(0, Code::BG_E_CONNECT_FAILURE);
        rig.now.mono = rig.job.timeout().unwrap().0;
        rig.on(Event::Timer);
        rig.on(Event::Selected);
    }
    let expected = (Code::DO_E_DOWNLOAD_NO_PROGRESS, Code::BG_E_CONNECT_FAILURE);
    assert_eq!(status_codes(&rig), (DownloadState::Paused, Some(expected.0), Some(expected.1)));
    assert!(rig.now.mono - start().mono <= 60 * SECOND);
}

#[test]
fn a_silent_server_is_no_progress_too_and_bytes_begin_the_time_anew() {
    let mut rig = moving(Wanted::Whole);
    assert_eq!(rig.job.download_property(P::NoProgressTimeoutSeconds).unwrap(), V::Number(86_400));
    set(&mut rig, P::ForegroundPriority, V::Flag(true)).unwrap();
    assert_eq!(rig.job.download_property(P::NoProgressTimeoutSeconds).unwrap(), V::Number(3_600));
    rig.now = later(rig.now, 3_000 * SECOND);
    rig.progress(0, 10);
    rig.now = later(rig.now, 3_599 * SECOND);
    rig.on(Event::Timer);
    assert_eq!(rig.job.download_state(), DownloadState::Transferring);
    rig.now = later(rig.now, SECOND);
    rig.on(Event::Timer);
    assert_eq!(status_codes(&rig), (DownloadState::Paused, Some(Code::DO_E_DOWNLOAD_NO_PROGRESS), None));
}

#[test]
fn another_part_may_be_fetched_after_the_first_and_what_is_here_stays() {
    let mut rig = moving(Wanted::Ranges(vec![range(100, 50), range(10, 5)]));
    rig.file(0, FileEvent::Learned(Learned { size: Some(1000), ..Learned::default() }));
    let done = |rig: &mut Rig, size| {
        rig.file(0, FileEvent::Done { size, sources: Default::default() });
    };
    done(&mut rig, 55);
    assert_eq!(rig.job.download_state(), DownloadState::Transferred);
    // What is here already, or is no part of the file.
    go(&mut rig, Wanted::Ranges(vec![range(110, 20)])).unwrap();
    assert_eq!(rig.job.download_state(), DownloadState::Transferred);
    let refused = |rig: &mut Rig, part, code| {
        assert_eq!(go(rig, Wanted::Ranges(vec![part])).unwrap_err().code, code);
        assert_eq!(rig.job.download_state(), DownloadState::Transferred);
    };
    refused(&mut rig, range(990, 20), Code::DO_E_INVALID_RANGE);
    refused(&mut rig, range(0, 0), Code::DO_E_INVALID_RANGE);
    refused(&mut rig, range(140, 20), Code::DO_E_OVERLAPPING_RANGES);

    go(&mut rig, Wanted::Ranges(vec![range(200, 100)])).unwrap();
    assert!(rig.effects.iter().any(|effect| matches!(effect, Effect::Extend { .. })), "{:?}", rig.effects);
    let status = rig.job.download_status();
    assert_eq!((status.bytes_total, status.bytes_transferred), (Some(155), 55));
    let elsewhere = go(&mut rig, Wanted::Ranges(vec![range(500, 1)])).unwrap_err();
    assert_eq!(elsewhere.code, Code::DO_E_DOWNLOAD_RANGES_UNEXPECTED, "while it runs");
    go(&mut rig, Wanted::Ranges(vec![range(200, 100)])).unwrap();

    // A list that did not arrive gives way to another; what arrived does not.
    ask(&mut rig, DownloadCall::Pause).unwrap();
    go(&mut rig, Wanted::Ranges(vec![range(400, 10)])).unwrap();
    let ranges = rig.job.files()[0].ranges().unwrap().to_vec();
    assert_eq!(ranges, [range(100, 50), range(10, 5), range(400, 10)]);
    rig.on(Event::Selected);
    done(&mut rig, 65);
    go(&mut rig, Wanted::Whole).unwrap();
    assert!(rig.job.files()[0].ranges().is_none());
    assert_eq!(rig.job.download_status().bytes_transferred, 0);
}

#[test]
fn a_property_is_set_when_13_4_allows_it() {
    for (property, value, states) in [
        (P::Uri, text("http://origin/3"), "CREATED PAUSED"),
        (P::LocalPath, text("/srv/2"), "CREATED"),
        (P::ContentId, text("sha256:11"), "CREATED"),
        (P::DisplayName, text("name"), "CREATED PAUSED TRANSFERRING TRANSFERRED"),
    ] {
        for state in DownloadState::ALL {
            let allowed = states.split(' ').any(|name| name == state.name());
            let answer = set(&mut at(state), property, value.clone());
            let expected = if allowed { Ok(Code::S_OK) } else { Err(Code::DO_E_INVALID_STATE) };
            assert_eq!(answer.map_err(|failure| failure.code), expected, "{property:?} {state:?}");
        }
    }
}

#[test]
fn a_block_of_headers_has_to_be_one_and_goes_with_requests() {
    let mut rig = created();
    set(&mut rig, P::HttpCustomHeaders, text("X-A: 1\r\nX-B:\t2 \r\n")).unwrap();
    set(&mut rig, P::HttpCustomAuthHeaders, text("Authorization: Bearer x")).unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [pair("X-A", "1"), pair("X-B", "2"), pair("Authorization", "Bearer x")];
    assert_eq!(rig.job.request_headers(), expected);
    let many = "A: b\n".repeat(33);
    for bad in ["no header", "a b: c", ": x", "A: \u{1}", "A: ä", many.as_str(), &"x".repeat(9000)] {
        let refused = set(&mut rig, P::HttpCustomHeaders, text(bad)).unwrap_err();
        assert_eq!(refused.code, Code::E_INVALIDARG, "{bad:?}");
    }
    assert_eq!(rig.job.request_headers().len(), 3);
}

#[test]
fn a_download_that_nobody_ends_is_gone_after_30_days_whatever_moves() {
    let mut rig = moving(Wanted::Whole);
    for day in 1..30 {
        rig.now = later(start(), day * DAY);
        rig.progress(0, u64::from(day));
        rig.on(Event::Timer);
        assert_eq!(rig.job.download_state(), DownloadState::Transferring, "day {day}");
    }
    rig.now = later(start(), 30 * DAY);
    rig.on(Event::Timer);
    assert_eq!(status_codes(&rig), (DownloadState::Aborted, Some(Code::DO_E_JOB_TOO_OLD), None));
    assert!(rig.effects.contains(&Effect::Forget));
}

fn restarted(rig: &Rig, now: Now) -> (Job, Vec<Effect>) {
    let record = rig.job.record(rig.now);
    let files = (0..record.files).map(|place| rig.job.file_record(FileIndex(place)).unwrap());
    Job::restore(now, record, files.collect(), Arc::new(Rules::default())).unwrap()
}

#[test]
fn only_what_is_not_volatile_outlives_the_daemon() {
    for state in [DownloadState::Transferring, DownloadState::Paused, DownloadState::Transferred] {
        let mut rig = at(state);
        let (gone, effects) = restarted(&rig, rig.now);
        assert_eq!(gone.download_state(), DownloadState::Aborted);
        assert_eq!(effects, [Effect::DeleteTemp(FileIndex(0)), Effect::Forget]);

        set(&mut rig, P::NonVolatile, V::Flag(true)).unwrap();
        let (kept, effects) = restarted(&rig, later(rig.now, DAY));
        assert_eq!(kept.download_state(), state);
        assert_eq!(effects, []);
        assert_eq!(kept.download_property(P::Uri).unwrap(), text("http://origin/1"));
    }
}

#[test]
fn jobs_and_downloads_are_in_lists_of_their_own_and_the_ended_are_remembered() {
    let mut queue = Queue::new(Rules::default(), Places::default());
    let now = start();
    let _ = queue.create(now, &alice(), NewJob { id: job_id(1), ..download() }).unwrap();
    let _ = queue.create(now, &alice(), new_job(2)).unwrap();
    assert_eq!(queue.list(&alice(), false).unwrap(), [job_id(2)]);
    let listed: Vec<_> = queue.list_downloads(&alice()).into_iter().map(Job::id).collect();
    assert_eq!(listed, [job_id(1)]);
    assert!(queue.list_downloads(&root()).is_empty(), "not even for administrators");
    assert_eq!(queue.find(&alice(), job_id(1)).unwrap_err().code, Code::BG_E_NOT_FOUND);
    assert_eq!(queue.find_download(&alice(), job_id(2)).unwrap_err().code, Code::E_NOT_SET);
    assert_eq!(queue.call(now, &alice(), job_id(1), Call::Cancel).unwrap_err().code, Code::BG_E_NOT_FOUND);

    let mut ask = |caller, call| queue.call(now, caller, job_id(1), Call::Download(call));
    let stranger = dray_jobs::Caller::user(dray_jobs::Owner::new("7"));
    assert_eq!(ask(&stranger, DownloadCall::Abort).unwrap_err().code, Code::E_NOT_SET);
    assert!(ask(&alice(), DownloadCall::Abort).unwrap().effects.contains(&Effect::Forget));
    queue.forget(job_id(1));
    assert!(queue.list_downloads(&alice()).is_empty());
    assert_eq!(queue.find_download(&alice(), job_id(1)).unwrap().download_state(), DownloadState::Aborted);
    let mut ask = |call| queue.call(now, &alice(), job_id(1), Call::Download(call));
    assert_eq!(ask(DownloadCall::Abort).unwrap().effects, []);
    assert_eq!(ask(DownloadCall::Pause).unwrap_err().code, Code::DO_E_INVALID_STATE);

    for number in 10..10 + dray_jobs::download::MAX_ENDED as u128 {
        let _ = queue.create(now, &root(), NewJob { id: job_id(number), ..download() }).unwrap();
        let abort = Call::Download(DownloadCall::Abort);
        assert!(queue.call(now, &root(), job_id(number), abort).is_ok());
        queue.forget(job_id(number));
    }
    assert_eq!(queue.find_download(&alice(), job_id(1)).unwrap_err().code, Code::E_NOT_SET);
}
