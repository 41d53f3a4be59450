//! What survives a restart, and what a job does right after one (reference 7.9).

use std::sync::Arc;
use std::time::Duration;

use dray_jobs::{
    Call, Code, Effect, Event, FileEvent, FileIndex, FileRecord, Job, JobRecord, JobState, JobType, Learned,
    Notice, Now, Rules, Setting, TimerKind,
};

use crate::rig::{DAY, Rig, SECOND, alice, later};

/// Through text and back, as a store would do it.
fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

pub(crate) fn records(job: &Job, now: Now) -> (JobRecord, Vec<FileRecord>) {
    let files = (0..job.files().len()).map(|place| {
        let index = FileIndex(u32::try_from(place).unwrap());
        through_json(&job.file_record(index).unwrap())
    });
    (through_json(&job.record(now)), files.collect())
}

pub(crate) fn restored(job: &Job, saved: Now, read: Now) -> (Job, Vec<Effect>) {
    let (record, files) = records(job, saved);
    Job::restore(read, record, files, Arc::new(Rules::default())).unwrap()
}

/// The machine was off for so long; its monotonic clock began anew.
fn reboot(rig: &mut Rig, off: Duration) -> Vec<Effect> {
    let after = Now { wall: later(rig.now, off).wall, mono: SECOND };
    let (job, effects) = restored(&rig.job, rig.now, after);
    rig.job = job;
    rig.now = after;
    effects
}

#[test]
fn what_ran_is_queued_after_a_restart_and_every_other_state_stays() {
    for state in JobState::ALL {
        let mut rig = Rig::in_state(JobType::Download, state);
        reboot(&mut rig, SECOND);
        let expected = if state.is_running() { JobState::Queued } else { state };
        assert_eq!(rig.state(), expected);
    }
}

#[test]
fn a_job_goes_on_by_itself_with_what_it_had() {
    let mut rig = Rig::serial(3);
    rig.set(Setting::Description("kept".to_owned()));
    rig.bring_to(JobState::Transferring);
    rig.done(0);
    rig.file(
        1,
        FileEvent::Learned(Learned { size: Some(9), etag: Some("\"e\"".to_owned()), ..Learned::default() }),
    );
    rig.progress(1, 4);
    reboot(&mut rig, SECOND);
    assert_eq!(rig.job.properties().description, "kept");
    assert_eq!(rig.job.files()[1].learned().etag.as_deref(), Some("\"e\""));
    assert_eq!(rig.job.files()[1].progress().bytes_transferred, 4);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [1]);
}

#[test]
fn a_younger_checkpoint_replaces_the_recorded_progress() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Transferring);
    reboot(&mut rig, SECOND);
    rig.job.restore_progress(FileIndex(0), 77, crate::rig::from_origin(77));
    assert_eq!(rig.job.progress().bytes_transferred, 77);
}

#[test]
fn the_time_that_the_machine_was_off_counts_for_the_retry_delay() {
    let mut rig = Rig::in_state(JobType::Download, JobState::TransientError);
    rig.wait(100 * SECOND);
    reboot(&mut rig, 200 * SECOND);
    let (at, kind) = rig.job.timeout().unwrap();
    assert_eq!((at - rig.now.mono, kind), (300 * SECOND, TimerKind::Retry));
    reboot(&mut rig, DAY);
    rig.on(Event::Timer);
    assert_eq!(rig.state(), JobState::Queued);
}

#[test]
fn a_clock_that_was_set_back_does_not_lengthen_any_wait() {
    let mut rig = Rig::in_state(JobType::Download, JobState::TransientError);
    let (record, files) = records(&rig.job, rig.now);
    let back = Now { wall: dray_jobs::Timestamp::from_unix_ms(1), mono: SECOND };
    let (job, _) = Job::restore(back, record, files, Arc::new(Rules::default())).unwrap();
    rig.job = job;
    assert_eq!(rig.job.timeout().unwrap().0, 601 * SECOND);
}

#[test]
fn the_inactivity_of_an_unattended_machine_counts() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Transferred);
    reboot(&mut rig, 91 * DAY);
    rig.on(Event::Timer);
    assert_eq!(rig.state(), JobState::Cancelled);
}

#[test]
fn download_time_is_kept_and_the_time_off_is_not_part_of_it() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Transferring);
    rig.set(Setting::MaximumDownloadTime(100));
    rig.wait(60 * SECOND);
    reboot(&mut rig, DAY);
    rig.on(Event::Selected);
    let (at, kind) = rig.job.timeout().unwrap();
    assert_eq!((at - rig.now.mono, kind), (40 * SECOND, TimerKind::MaximumDownloadTime));
}

#[test]
fn a_job_that_waited_for_the_network_looks_again_after_a_restart() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Transferring);
    rig.on(Event::NetworkLost);
    assert_eq!(rig.state(), JobState::TransientError);
    reboot(&mut rig, SECOND);
    assert_eq!(rig.state(), JobState::Queued);
}

#[test]
fn a_crash_between_the_steps_of_complete_asks_for_the_renames_again() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Transferred);
    let _ = rig.job.call(rig.now, &alice(), Call::Complete).unwrap();
    let effects = reboot(&mut rig, SECOND);
    assert_eq!(effects, [Effect::Rename(FileIndex(0))]);
    let renamed = rig.job.renamed(rig.now, &[(FileIndex(0), Ok(()))]);
    assert_eq!(renamed.result, Ok(Code::S_OK));
    assert_eq!(rig.state(), JobState::Acknowledged);
}

#[test]
fn a_crash_before_the_temporary_files_are_gone_deletes_them_again() {
    let mut rig = Rig::serial(2);
    rig.bring_to(JobState::Transferring);
    rig.ok(Call::Cancel);
    let effects = reboot(&mut rig, SECOND);
    assert_eq!(effects, [Effect::DeleteTemp(FileIndex(0)), Effect::DeleteTemp(FileIndex(1)), Effect::Forget]);
}

#[test]
fn a_notice_that_was_not_delivered_is_owed_after_a_restart() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Transferred);
    reboot(&mut rig, SECOND);
    assert_eq!(rig.job.undelivered(), [Notice::JobTransferred]);
    rig.on(Event::Delivered(Notice::JobTransferred));
    reboot(&mut rig, SECOND);
    assert_eq!(rig.job.undelivered(), []);
}

#[test]
fn a_record_of_the_first_version_has_only_the_fields_it_must_have() {
    let record = r#"{
        "id": "67e55044-10b1-426f-9247-bb680e5fe0c8", "job_type": "download", "owner": "1000",
        "state": "transferring", "files": 1, "created": 5, "modified": 6, "saved": 7
    }"#;
    let file = r#"{"remote": "http://host/a", "local": "/srv/a", "phase": "waiting"}"#;
    let record: JobRecord = serde_json::from_str(record).unwrap();
    let file: FileRecord = serde_json::from_str(file).unwrap();
    let rules = Arc::new(Rules::default());
    let (job, effects) = Job::restore(crate::rig::start(), record, vec![file], rules).unwrap();
    assert_eq!(effects, []);
    assert_eq!(job.state(), JobState::Queued);
    assert_eq!(job.properties().minimum_retry_delay_s, 600);
    assert_eq!(job.timeout().unwrap().0, crate::rig::start().mono + 90 * DAY);
}

#[test]
fn records_that_do_not_belong_together_are_refused_with_the_reason() {
    let rig = Rig::serial(2);
    let (record, mut files) = records(&rig.job, rig.now);
    files.pop();
    let error = Job::restore(rig.now, record, files, Arc::new(Rules::default())).unwrap_err();
    assert!(error.to_string().contains("2 files and records of 1"), "{error}");

    let (record, mut files) = records(&rig.job, rig.now);
    files[1].ranges = Some(Vec::new());
    let error = Job::restore(rig.now, record, files, Arc::new(Rules::default())).unwrap_err();
    assert!(error.to_string().contains("file 1"), "{error}");
}
