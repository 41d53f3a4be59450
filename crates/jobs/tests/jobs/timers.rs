//! Timers in virtual time (reference 7.5, 7.6, 7.7, 7.9).

use std::time::Duration;

use dray_jobs::{Call, Code, Event, FileEvent, JobState, JobType, Setting, TimerKind};

use crate::rig::{DAY, Rig, SECOND};

const CLOSED: Code = Code::BG_E_CONNECTION_CLOSED;

fn transferring() -> Rig {
    Rig::in_state(JobType::Download, JobState::Transferring)
}

/// QUEUED to TRANSFERRING.
fn attempt(rig: &mut Rig) {
    rig.on(Event::Selected);
    rig.file(0, FileEvent::Connected);
    assert_eq!(rig.state(), JobState::Transferring);
}

fn due_in(rig: &Rig) -> (Duration, TimerKind) {
    let (at, kind) = rig.job.timeout().unwrap();
    (at.saturating_sub(rig.now.mono), kind)
}

#[test]
fn the_retry_comes_after_600_seconds_by_default_and_not_a_moment_earlier() {
    let mut rig = transferring();
    rig.fail(0, CLOSED);
    assert_eq!(due_in(&rig), (600 * SECOND, TimerKind::Retry));
    rig.wait(600 * SECOND - Duration::from_nanos(1));
    assert_eq!(rig.on(Event::Timer), []);
    rig.wait(Duration::from_nanos(1));
    rig.on(Event::Timer);
    assert_eq!(rig.state(), JobState::Queued);
}

#[test]
fn a_retry_delay_below_five_seconds_becomes_five() {
    for (asked, given) in [(0, 5), (4, 5), (5, 5), (6, 6), (u32::MAX, u32::MAX)] {
        let mut rig = transferring();
        rig.set(Setting::MinimumRetryDelay(asked));
        assert_eq!(rig.job.properties().minimum_retry_delay_s, given);
    }
    let mut rig = transferring();
    rig.set(Setting::MinimumRetryDelay(1));
    rig.fail(0, CLOSED);
    assert_eq!(due_in(&rig).0, 5 * SECOND);
}

#[test]
fn the_no_progress_clock_runs_from_the_first_transient_error() {
    let mut rig = transferring();
    rig.set(Setting::NoProgressTimeout(1500));
    rig.fail(0, CLOSED); // at 0
    rig.wait_for_timer(); // at 600
    attempt(&mut rig);
    rig.fail(0, CLOSED);
    rig.wait_for_timer(); // at 1200
    attempt(&mut rig);
    rig.fail(0, CLOSED);
    assert_eq!(due_in(&rig), (300 * SECOND, TimerKind::NoProgress));
    rig.wait_for_timer();
    assert_eq!(rig.state(), JobState::Error);
    assert_eq!(rig.job.error().unwrap().code, CLOSED);
}

#[test]
fn bytes_reset_the_no_progress_clock_and_a_mere_connection_does_not() {
    let mut rig = transferring();
    rig.set(Setting::NoProgressTimeout(1000));
    rig.fail(0, CLOSED);
    rig.wait_for_timer();
    attempt(&mut rig);
    rig.progress(0, 1);
    rig.fail(0, CLOSED);
    assert_eq!(due_in(&rig), (600 * SECOND, TimerKind::Retry), "a full clock again");
    rig.wait_for_timer();
    attempt(&mut rig);
    rig.progress(0, 1);
    rig.fail(0, CLOSED);
    assert_eq!(due_in(&rig), (400 * SECOND, TimerKind::NoProgress), "no byte more than before");
}

#[test]
fn a_clock_that_ran_out_during_an_attempt_ends_the_job_at_its_next_error() {
    let mut rig = transferring();
    rig.set(Setting::NoProgressTimeout(700));
    rig.fail(0, CLOSED);
    rig.wait_for_timer();
    attempt(&mut rig);
    rig.wait(200 * SECOND);
    assert_eq!(rig.on(Event::Timer), [], "a running job is not cut off");
    rig.fail(0, CLOSED);
    assert_eq!(rig.state(), JobState::Error);
}

#[test]
fn a_new_no_progress_timeout_holds_for_the_running_clock() {
    let mut rig = transferring();
    rig.fail(0, CLOSED);
    rig.wait(100 * SECOND);
    rig.set(Setting::NoProgressTimeout(150));
    assert_eq!(due_in(&rig), (50 * SECOND, TimerKind::NoProgress));
    rig.set(Setting::NoProgressTimeout(10));
    assert_eq!(due_in(&rig).0, Duration::ZERO);
    rig.on(Event::Timer);
    assert_eq!(rig.state(), JobState::Error);
}

#[test]
fn resume_starts_the_no_progress_clock_of_an_ended_job_anew() {
    let mut rig = transferring();
    rig.set(Setting::NoProgressTimeout(600));
    rig.fail(0, CLOSED);
    rig.wait_for_timer();
    assert_eq!(rig.state(), JobState::Error, "the clock comes first when both are due");
    rig.ok(Call::Resume);
    attempt(&mut rig);
    rig.fail(0, CLOSED);
    assert_eq!(rig.state(), JobState::TransientError);
}

#[test]
fn the_maximum_download_time_counts_only_connecting_and_transferring() {
    let mut rig = Rig::serial(1);
    rig.set(Setting::MaximumDownloadTime(100));
    rig.wait(1000 * SECOND); // SUSPENDED
    rig.ok(Call::Resume);
    rig.wait(1000 * SECOND); // QUEUED
    rig.on(Event::Selected);
    assert_eq!(due_in(&rig), (100 * SECOND, TimerKind::MaximumDownloadTime));
    rig.wait(40 * SECOND); // CONNECTING
    rig.file(0, FileEvent::Connected);
    rig.wait(40 * SECOND); // TRANSFERRING
    rig.fail(0, CLOSED);
    rig.wait_for_timer(); // TRANSIENT_ERROR
    rig.on(Event::Selected);
    assert_eq!(due_in(&rig).0, 20 * SECOND);
    rig.wait_for_timer();
    assert_eq!(rig.state(), JobState::Error);
    assert_eq!(rig.job.error().unwrap().code, Code::BG_E_MAXDOWNLOAD_TIMEOUT);
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert_eq!(due_in(&rig).0, 100 * SECOND, "Resume resets it");
}

#[test]
fn the_default_maximum_download_time_is_90_days() {
    let rig = Rig::serial(1);
    assert_eq!(rig.job.maximum_download_time_s(), 7_776_000);
    assert_eq!(rig.job.properties().minimum_retry_delay_s, 600);
    assert_eq!(rig.job.properties().no_progress_timeout_s, 1_209_600);
}

#[test]
fn ninety_days_without_activity_cancel_the_job_and_delete_its_temporary_files() {
    let mut rig = Rig::serial(2);
    rig.bring_to(JobState::Transferring);
    rig.done(0);
    rig.ok(Call::Suspend);
    assert_eq!(due_in(&rig), (90 * DAY, TimerKind::Inactivity));
    rig.wait(89 * DAY);
    rig.set(Setting::Description("still wanted".to_owned()));
    assert_eq!(due_in(&rig).0, 90 * DAY, "a property change restarts it");
    rig.wait_for_timer();
    assert_eq!(rig.state(), JobState::Cancelled);
    assert_eq!(rig.deleted(), [0, 1]);
}

#[test]
fn progress_restarts_the_inactivity_clock_and_a_retry_does_not() {
    let mut rig = transferring();
    rig.set(Setting::MaximumDownloadTime(u32::MAX));
    rig.wait(50 * DAY);
    rig.progress(0, 1);
    assert_eq!(due_in(&rig).0, 90 * DAY);
    rig.set(Setting::NoProgressTimeout(u32::MAX));
    rig.set(Setting::MinimumRetryDelay(1_000_000));
    rig.fail(0, CLOSED);
    rig.wait_for_timer();
    assert_eq!(rig.state(), JobState::Queued);
    assert_eq!(due_in(&rig), (90 * DAY - 1_000_000 * SECOND, TimerKind::Inactivity));
}

#[test]
fn the_inactivity_timeout_comes_before_a_longer_no_progress_timeout() {
    let mut rig = transferring();
    rig.set(Setting::NoProgressTimeout(u32::MAX));
    rig.set(Setting::MinimumRetryDelay(u32::MAX));
    rig.fail(0, CLOSED);
    rig.wait_for_timer();
    assert_eq!(rig.state(), JobState::Cancelled);
}

#[test]
fn a_blocked_job_has_no_retry_timer_and_goes_on_with_the_event() {
    for code in [Code::BG_E_NETWORK_DISCONNECTED, Code::BG_E_BLOCKED_BY_POLICY] {
        let mut rig = transferring();
        rig.on(Event::Blocked(code));
        assert_eq!(rig.state(), JobState::TransientError);
        assert_eq!(due_in(&rig).1, TimerKind::NoProgress);
        rig.on(Event::Unblocked(code));
        assert_eq!(rig.state(), JobState::Queued);
    }
}

#[test]
fn an_event_that_only_a_transfer_noticed_is_also_retried_by_time() {
    let mut rig = transferring();
    rig.fail(0, Code::BG_E_DESTINATION_LOCKED);
    assert_eq!(rig.state(), JobState::TransientError);
    assert_eq!(due_in(&rig), (600 * SECOND, TimerKind::Retry));
}

#[test]
fn network_back_flushes_even_a_wait_of_hours() {
    let mut rig = transferring();
    rig.set(Setting::MinimumRetryDelay(100_000));
    rig.fail(0, CLOSED);
    rig.on(Event::NetworkBack);
    assert_eq!(rig.state(), JobState::Queued);
    assert_eq!(due_in(&rig).1, TimerKind::Inactivity, "the retry timer is gone");
}

#[test]
fn a_job_that_is_selected_while_something_blocks_it_waits_for_that() {
    let mut rig = transferring();
    rig.on(Event::Blocked(Code::BG_E_STANDBY_MODE));
    rig.ok(Call::Resume);
    assert_eq!(rig.state(), JobState::Queued, "the call does what table 7.2 says");
    rig.on(Event::Selected);
    assert_eq!(rig.state(), JobState::TransientError);
    assert_eq!(rig.job.error().unwrap().code, Code::BG_E_STANDBY_MODE);
}

#[test]
fn the_bandwidth_policy_does_not_hold_foreground_jobs() {
    let code = Code::BG_E_BLOCKED_BY_POLICY;
    let mut rig = transferring();
    rig.set(Setting::Priority(dray_jobs::Priority::Foreground));
    rig.on(Event::Blocked(code));
    assert_eq!(rig.state(), JobState::Transferring);

    let mut rig = transferring();
    rig.on(Event::Blocked(code));
    assert_eq!(rig.state(), JobState::TransientError);
    rig.set(Setting::Priority(dray_jobs::Priority::Foreground));
    assert_eq!(rig.state(), JobState::Queued);
    rig.on(Event::Selected);
    assert_eq!(rig.state(), JobState::Connecting);
}

#[test]
fn the_error_count_rises_from_transferring_and_with_each_failed_retry() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Connecting);
    rig.fail(0, Code::BG_E_CONNECT_FAILURE);
    assert_eq!(rig.job.error_count(), 0, "from CONNECTING, and not a retry");
    rig.wait_for_timer();
    rig.on(Event::Selected);
    rig.fail(0, Code::BG_E_CONNECT_FAILURE);
    assert_eq!(rig.job.error_count(), 1, "a failed retry");
    rig.wait_for_timer();
    attempt(&mut rig);
    rig.fail(0, CLOSED);
    assert_eq!(rig.job.error_count(), 2, "from TRANSFERRING");
    rig.wait_for_timer();
    attempt(&mut rig);
    rig.fail(0, Code::http(404));
    assert_eq!(rig.job.error_count(), 3, "to ERROR");
    rig.ok(Call::Resume);
    attempt(&mut rig);
    rig.done(0);
    assert_eq!(rig.job.error_count(), 3, "never reset");
}

#[test]
fn network_disk_lock_and_bandwidth_policy_are_not_counted() {
    let mut rig = transferring();
    rig.on(Event::NetworkLost);
    rig.on(Event::NetworkBack);
    attempt(&mut rig);
    rig.fail(0, Code::BG_E_DESTINATION_LOCKED);
    rig.on(Event::NetworkBack);
    attempt(&mut rig);
    rig.on(Event::Blocked(Code::BG_E_BLOCKED_BY_POLICY));
    assert_eq!(rig.job.error_count(), 0);
}
