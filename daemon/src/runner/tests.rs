//! The runner with a scripted origin, in virtual time.

use std::time::Duration;

use dray_jobs::{Call, Caller, Code, FileIndex, Job, JobState, Owner, Rules};

use crate::testing::{Act, House, url};

const SECOND: Duration = Duration::from_secs(1);

fn bring(bytes: u64) -> Act {
    Act::Bring { bytes, after: SECOND }
}

/// A house with a job whose files are scripted like this, resumed.
async fn running(house: &House, files: &[(&str, Act)]) -> dray_jobs::JobId {
    for (name, act) in files {
        house.script.act(&url(name), act.clone());
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let job = house.job(&names).await;
    house.call(job, Call::Resume).await.unwrap();
    job
}

#[tokio::test(start_paused = true)]
async fn a_job_arrives_unseen_and_is_seen_when_completed() {
    let house = House::new();
    let job = running(&house, &[("a", bring(10)), ("b", bring(20))]).await;
    house.wait_for(job, JobState::Transferred).await;
    assert_eq!(house.delivered(), Vec::<String>::new());
    assert_eq!(house.look(job, Job::progress).await.bytes_transferred, 30);
    let answer = house.call(job, Call::Complete).await.unwrap();
    assert_eq!((answer.code, answer.state), (Code::S_OK, JobState::Acknowledged));
    assert_eq!((answer.files_completed, answer.files_total), (2, 2));
    assert_eq!(house.delivered(), ["a", "b"]);
    assert_eq!(house.temporary(), Vec::<String>::new());
    assert_eq!(house.found(job).await, Err(Code::BG_E_NOT_FOUND));
    assert!(house.records.held().is_empty(), "its records are gone");
}

#[tokio::test(start_paused = true)]
async fn files_of_a_job_run_together_up_to_the_limit_of_the_job() {
    let house = House::with(Rules { files_at_once: 3, ..Rules::default() }, 32);
    let files: Vec<(String, Act)> = (0..10).map(|n| (format!("{n}"), bring(1))).collect();
    let files: Vec<(&str, Act)> = files.iter().map(|(name, act)| (name.as_str(), act.clone())).collect();
    let job = running(&house, &files).await;
    house.wait_for(job, JobState::Transferred).await;
    assert_eq!(house.script.most_at_once(), 3);
    let order: Vec<String> = house.script.asked().into_iter().map(|asked| asked.url).collect();
    assert_eq!(order, (0..10).map(|n| url(&n.to_string())).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn all_jobs_together_stay_below_the_limit_of_the_machine() {
    let house = House::with(Rules { files_at_once: 4, ..Rules::default() }, 5);
    let mut jobs = Vec::new();
    for job in ["x", "y", "z"] {
        let files: Vec<String> = (0..4).map(|n| format!("{job}{n}")).collect();
        let files: Vec<(&str, Act)> = files.iter().map(|name| (name.as_str(), bring(1))).collect();
        jobs.push(running(&house, &files).await);
    }
    for job in jobs {
        house.wait_for(job, JobState::Transferred).await;
    }
    assert_eq!(house.script.most_at_once(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_after_the_retry_delay() {
    let house = House::new();
    let began = tokio::time::Instant::now();
    let job = running(&house, &[("a", Act::FailForNow)]).await;
    house.wait_for(job, JobState::TransientError).await;
    house.script.act(&url("a"), bring(5));
    house.wait_for(job, JobState::Transferred).await;
    assert!(began.elapsed() >= Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(house.script.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_stops_the_job_with_its_code_and_sentence() {
    let house = House::new();
    let job = running(&house, &[("a", Act::FailForGood)]).await;
    house.wait_for(job, JobState::Error).await;
    let (code, detail) = house
        .look(job, |job| {
            let error = job.error().unwrap();
            (error.code, error.detail.clone())
        })
        .await;
    assert_eq!(code, Code::BG_E_INSUFFICIENT_RANGE_SUPPORT);
    assert!(detail.contains("does not serve byte ranges"), "{detail}");
    let metrics = String::from_utf8(house.metrics.text()).unwrap();
    assert!(
        metrics.contains("dray_job_errors_total{code=\"BG_E_INSUFFICIENT_RANGE_SUPPORT\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("dray_jobs{state=\"ERROR\"} 1"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_bug_in_a_transfer_ends_that_transfer_alone() {
    let house = House::new();
    let job = running(&house, &[("a", Act::Panic), ("b", bring(1))]).await;
    house.wait_for(job, JobState::Error).await;
    assert_eq!(house.look(job, |job| job.error().unwrap().code).await, Code::E_UNEXPECTED);
    assert!(house.look(job, |job| job.file(FileIndex(1)).unwrap().has_arrived()).await);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_job_goes_on_from_its_last_checkpoint() {
    let house = House::new();
    let job = running(&house, &[("a", Act::Half { bytes: 100 })]).await;
    house.wait_for(job, JobState::Transferring).await;
    house.call(job, Call::Suspend).await.unwrap();
    assert_eq!(house.state(job).await, JobState::Suspended);
    assert_eq!(house.look(job, Job::progress).await.bytes_transferred, 50);
    house.script.act(&url("a"), bring(100));
    house.call(job, Call::Resume).await.unwrap();
    house.wait_for(job, JobState::Transferred).await;
    let resumed: Vec<u64> = house.script.asked().iter().map(|asked| asked.resumed).collect();
    assert_eq!(resumed, [0, 50]);
    assert_eq!(house.look(job, |job| job.progress().sources.origin).await, 100);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_prove_wrong_are_not_gone_on_from() {
    let house = House::new();
    let job = running(&house, &[("a", Act::Half { bytes: 100 })]).await;
    house.wait_for(job, JobState::Transferring).await;
    house.call(job, Call::Suspend).await.unwrap();
    house.script.act(&url("a"), Act::Lie);
    house.call(job, Call::Resume).await.unwrap();
    house.wait_for(job, JobState::Error).await;
    house.script.act(&url("a"), bring(100));
    house.call(job, Call::Resume).await.unwrap();
    house.wait_for(job, JobState::Transferred).await;
    let resumed: Vec<u64> = house.script.asked().iter().map(|asked| asked.resumed).collect();
    assert_eq!(resumed, [0, 50, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_leaves_no_file_and_no_record() {
    let house = House::new();
    let job = running(&house, &[("a", Act::Half { bytes: 100 }), ("b", bring(10))]).await;
    house.wait_for(job, JobState::Transferring).await;
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(house.temporary().len(), 2);
    let answer = house.call(job, Call::Cancel).await.unwrap();
    assert_eq!((answer.code, answer.state), (Code::S_OK, JobState::Cancelled));
    assert_eq!(house.temporary(), Vec::<String>::new());
    assert_eq!(house.found(job).await, Err(Code::BG_E_NOT_FOUND));
    assert!(house.records.held().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_temporary_file_that_cannot_be_deleted_is_said_with_success() {
    let house = House::new();
    let job = running(&house, &[("a", bring(10))]).await;
    house.wait_for(job, JobState::Transferred).await;
    let temp = house.temp(job, 0).await;
    std::fs::remove_file(&temp).unwrap();
    std::fs::create_dir(&temp).unwrap();
    let answer = house.call(job, Call::Cancel).await.unwrap();
    assert_eq!(answer.code, Code::BG_S_UNABLE_TO_DELETE_FILES);
    assert_eq!(house.found(job).await, Err(Code::BG_E_NOT_FOUND));
}

#[tokio::test(start_paused = true)]
async fn completing_early_keeps_what_has_arrived_and_deletes_the_rest() {
    let house = House::new();
    let job = running(&house, &[("a", bring(10)), ("b", Act::Half { bytes: 100 })]).await;
    tokio::time::sleep(2 * SECOND).await;
    let answer = house.call(job, Call::Complete).await.unwrap();
    assert_eq!(answer.code, Code::BG_S_PARTIAL_COMPLETE);
    assert_eq!((answer.files_completed, answer.files_total), (1, 2));
    assert_eq!(house.delivered(), ["a"]);
    assert_eq!(house.temporary(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_by_a_directory_keeps_the_job_until_it_is_free() {
    let house = House::new();
    let job = running(&house, &[("a", bring(1)), ("b", bring(1)), ("c", bring(1))]).await;
    house.wait_for(job, JobState::Transferred).await;
    std::fs::create_dir(house.path("b")).unwrap();
    let failure = house.call(job, Call::Complete).await.unwrap_err();
    assert_eq!(failure.code, Code::ERROR_DIRECTORY);
    assert_eq!(house.state(job).await, JobState::Transferred);
    assert!(house.path("a").is_file() && house.path("c").is_file());
    std::fs::remove_dir(house.path("b")).unwrap();
    assert_eq!(house.call(job, Call::Complete).await.unwrap().code, Code::S_OK);
    assert_eq!(house.delivered(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_does_not_get_to_the_disk_fails_alone() {
    let house = House::new();
    let other = running(&house, &[("x", bring(10))]).await;
    let job = running(&house, &[("a", bring(10)), ("b", Act::Spoil { bytes: 20 }), ("c", bring(30))]).await;
    house.wait_for(job, JobState::Error).await;
    let (code, file, arrived) = house
        .look(job, |job| {
            let error = job.error().unwrap();
            let arrived: Vec<bool> = job.files().iter().map(dray_jobs::File::has_arrived).collect();
            (error.code, error.file, arrived)
        })
        .await;
    assert_eq!((code, file), (Code::ERROR_DIRECTORY, Some(FileIndex(1))));
    assert_eq!(arrived, [true, false, true]);
    house.wait_for(other, JobState::Transferred).await;
    assert_eq!(house.call(other, Call::Complete).await.unwrap().code, Code::S_OK);

    std::fs::remove_dir(house.temp(job, 1).await).unwrap();
    house.script.act(&url("b"), bring(20));
    house.call(job, Call::Resume).await.unwrap();
    house.wait_for(job, JobState::Transferred).await;
    assert_eq!(house.call(job, Call::Complete).await.unwrap().code, Code::S_OK);
    assert_eq!(house.delivered(), ["a", "b", "c", "x"]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_took_the_place_of_a_proven_one_is_refused_and_fetched_anew() {
    let house = House::new();
    let job = running(&house, &[("a", bring(10)), ("b", bring(20))]).await;
    house.wait_for(job, JobState::Transferred).await;
    // Known even after a crash.
    let house = house.kill().await.start();
    let temp = house.temp(job, 1).await;
    std::fs::write(house.path("foreign"), b"y".repeat(20)).unwrap();
    std::fs::rename(house.path("foreign"), &temp).unwrap();
    let failure = house.call(job, Call::Complete).await.unwrap_err();
    assert_eq!(failure.code, Code::BG_E_VALIDATION_FAILED);
    assert!(failure.sentence.contains("is not the file that was proven"), "{failure}");
    assert_eq!(house.delivered(), ["a"]);
    assert_eq!(house.state(job).await, JobState::Error);

    house.script.act(&url("b"), bring(20));
    house.call(job, Call::Resume).await.unwrap();
    house.wait_for(job, JobState::Transferred).await;
    assert_eq!(house.call(job, Call::Complete).await.unwrap().code, Code::S_OK);
    assert_eq!(std::fs::read(house.path("b")).unwrap(), b"x".repeat(20));
}

#[tokio::test(start_paused = true)]
async fn after_kill_9_a_running_job_goes_on_by_itself() {
    let house = House::new();
    let job = running(&house, &[("a", bring(7)), ("b", Act::Half { bytes: 100 })]).await;
    tokio::time::sleep(2 * SECOND).await;
    let stopped = house.kill().await;
    let house = stopped.start();
    assert_eq!(house.warnings, Vec::<String>::new());
    assert_eq!(house.look(job, Job::progress).await.bytes_transferred, 57);
    house.script.act(&url("b"), bring(100));
    // The script of the first run may have been asked already: whoever waits is stopped and asked again.
    house.call(job, Call::Suspend).await.unwrap();
    house.call(job, Call::Resume).await.unwrap();
    house.wait_for(job, JobState::Transferred).await;
    let asked = house.script.asked();
    assert_eq!(asked.iter().filter(|asked| asked.url == url("a")).count(), 1, "what has arrived stays");
    assert!(asked.iter().skip(2).all(|asked| asked.url == url("b") && asked.resumed == 50), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_what_was_transferred_waits_for_complete() {
    let house = House::new();
    let job = running(&house, &[("a", bring(7))]).await;
    house.wait_for(job, JobState::Transferred).await;
    let house = house.kill().await.start();
    assert_eq!(house.state(job).await, JobState::Transferred);
    assert_eq!(house.call(job, Call::Complete).await.unwrap().code, Code::S_OK);
    assert_eq!(house.delivered(), ["a"]);
    assert_eq!(house.script.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_polite_stop_keeps_every_byte() {
    let house = House::new();
    let job = running(&house, &[("a", Act::Half { bytes: 100 })]).await;
    house.wait_for(job, JobState::Transferring).await;
    let stopped = house.stop().await;
    let house = stopped.start();
    assert_eq!(house.look(job, Job::progress).await.bytes_transferred, 50);
    house.wait_for(job, JobState::Connecting).await;
    assert_eq!(house.script.asked().last().unwrap().resumed, 50);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_does_not_reach_the_disk_is_a_failure_that_says_so() {
    let house = House::new();
    let job = house.job(&["a"]).await;
    house.records.refuse(true);
    let failure = house.call(job, Call::Resume).await.unwrap_err();
    assert_eq!(failure.code, Code::ERROR_WRITE_FAULT);
    assert!(failure.sentence.contains("may not last"), "{failure}");
    house.records.refuse(false);
    house.call(job, Call::Suspend).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_record_does_not_read_is_set_aside_and_the_others_go_on() {
    let house = House::new();
    let bad = house.job(&["a"]).await;
    let good = house.job(&["b"]).await;
    let mut change = crate::records::Change::default();
    change.job(*bad.0.as_bytes(), b"not a record".to_vec());
    house.records.submit(change);
    let house = house.kill().await.start();
    assert_eq!(house.found(bad).await, Err(Code::BG_E_NOT_FOUND));
    assert_eq!(house.found(good).await, Ok(()));
    assert_eq!(house.warnings.len(), 1);
    assert!(house.warnings[0].contains(&bad.to_string()), "{:?}", house.warnings);
}

#[tokio::test(start_paused = true)]
async fn calls_after_the_end_are_told_that_the_daemon_stops() {
    let house = House::new();
    let job = house.job(&["a"]).await;
    let runner = house.runner.clone();
    house.stop().await;
    let failure = runner.call(crate::testing::caller(), job, Call::Resume).await.unwrap_err();
    assert_eq!(failure.code, Code::E_ABORT);
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_by_its_owner_and_administrators_and_by_no_more_of_them_than_there_are_places() {
    let house = House::new();
    let job = running(&house, &[("a", Act::Half { bytes: 1000 })]).await;
    let open = async |caller: Caller, file: u32| {
        house.runner.look(move |actor| actor.read_file(caller, job, FileIndex(file))).await.unwrap()
    };
    let stranger = open(Caller::user(Owner::new("8")), 0).await;
    assert_eq!(stranger.err().map(|failure| failure.code), Some(Code::BG_E_NOT_FOUND));
    let owner = || Caller::user(Owner::new("7"));
    assert_eq!(open(owner(), 1).await.err().map(|failure| failure.code), Some(Code::BG_E_FILE_NOT_FOUND));
    let mut readers = Vec::new();
    for _ in 0..64 {
        readers.push(open(owner(), 0).await.unwrap());
    }
    assert_eq!(open(owner(), 0).await.err().map(|failure| failure.code), Some(Code::E_OUTOFMEMORY));
    readers.push(open(Caller::administrator(Owner::new("0")), 0).await.unwrap());
    drop(readers);
    let reader = open(owner(), 0).await.unwrap();
    let mut standing = reader.live.standing();
    standing.wait_for(|standing| standing.written.len_bytes() == 500).await.unwrap();
    house.call(job, Call::Cancel).await.unwrap();
    let mut outlook = reader.outlook.clone();
    let gone = outlook.wait_for(|outlook| outlook.end.is_some()).await.unwrap().end.clone();
    assert_eq!(gone.unwrap().code, Code::BG_E_NOT_FOUND);
}
