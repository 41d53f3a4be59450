//! The files of a job: their order, several at once, their errors, their events.

use dray_jobs::{
    Call, Code, Effect, Event, FileEvent, FileIndex, JobState, Learned, Notice, Property, Setting,
};

use crate::rig::{Rig, SIZE, from_origin, new_job};

fn queue_and_select(rig: &mut Rig) {
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
}

#[test]
fn files_start_in_the_order_of_adding_one_after_the_other() {
    let mut rig = Rig::serial(3);
    queue_and_select(&mut rig);
    assert_eq!(rig.started(), [0]);
    rig.done(0);
    assert_eq!(rig.started(), [1]);
    rig.done(1);
    assert_eq!(rig.started(), [2]);
    rig.done(2);
    assert_eq!(rig.state(), JobState::Transferred);
    assert_eq!(rig.job.times().transferred, Some(rig.now.wall));
}

#[test]
fn four_files_run_at_once_by_default_and_start_in_order() {
    let mut rig = Rig::with(new_job(1));
    rig.add(6);
    queue_and_select(&mut rig);
    assert_eq!(rig.started(), [0, 1, 2, 3]);
    rig.done(2);
    assert_eq!(rig.started(), [4]);
    rig.done(0);
    assert_eq!(rig.started(), [5]);
    for file in [5, 4, 3, 1] {
        assert_eq!(rig.state(), JobState::Transferring);
        rig.done(file);
    }
    assert_eq!(rig.state(), JobState::Transferred);
}

#[test]
fn more_files_at_once_start_at_once_and_fewer_let_the_running_ones_end() {
    let mut rig = Rig::serial(4);
    queue_and_select(&mut rig);
    rig.set(Setting::FilesAtOnce(3));
    assert_eq!(rig.started(), [1, 2]);
    rig.set(Setting::FilesAtOnce(1));
    assert!(!rig.effects.iter().any(|effect| matches!(effect, Effect::Stop(_))));
    rig.done(0);
    rig.done(1);
    assert!(rig.started().is_empty());
    rig.done(2);
    assert_eq!(rig.started(), [3]);
}

#[test]
fn a_file_added_to_a_running_job_is_transferred_without_another_call() {
    let mut rig = Rig::serial(1);
    queue_and_select(&mut rig);
    rig.add(1);
    assert!(rig.started().is_empty());
    rig.done(0);
    assert_eq!(rig.started(), [1]);
}

#[test]
fn one_after_the_other_a_bad_file_stops_the_rest() {
    let mut rig = Rig::serial(3);
    queue_and_select(&mut rig);
    rig.fail(0, Code::http(404));
    assert_eq!(rig.state(), JobState::Error);
    assert!(rig.started().is_empty());
    assert_eq!(rig.job.error().unwrap().file, Some(FileIndex(0)));
}

#[test]
fn several_at_once_a_bad_file_does_not_stop_the_rest() {
    let mut rig = Rig::at_once(4, 2);
    queue_and_select(&mut rig);
    rig.fail(0, Code::http(404));
    assert_eq!(rig.started(), [2]);
    rig.done(1);
    rig.done(2);
    assert_eq!(rig.state(), JobState::Transferring);
    rig.done(3);
    assert_eq!(rig.state(), JobState::Error);
    assert_eq!(rig.job.error().unwrap().file, Some(FileIndex(0)));
    assert_eq!(rig.job.progress().files_transferred, 3);
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [0], "what has arrived is not fetched again");
}

#[test]
fn a_transient_failure_holds_back_further_starts_until_its_retry() {
    let mut rig = Rig::at_once(4, 2);
    queue_and_select(&mut rig);
    rig.fail(0, Code::http(503));
    assert!(rig.started().is_empty());
    assert!(rig.job.state().is_running(), "the other file goes on");
    rig.progress(1, 10);
    rig.wait_for_timer();
    assert_eq!(rig.started(), [0]);
    rig.done(0);
    rig.fail(1, Code::http(503));
    assert_eq!(rig.state(), JobState::Transferring, "file 2 runs");
    rig.done(2);
    assert_eq!(rig.state(), JobState::TransientError);
    rig.wait_for_timer();
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [1, 3]);
}

#[test]
fn an_error_that_every_file_would_meet_stops_the_whole_job() {
    let mut rig = Rig::at_once(4, 3);
    queue_and_select(&mut rig);
    rig.fail(1, Code::ERROR_DISK_FULL);
    assert_eq!(rig.state(), JobState::Error);
    assert!(rig.effects.contains(&Effect::Stop(FileIndex(0))));
    assert!(rig.effects.contains(&Effect::Stop(FileIndex(2))));
}

#[test]
fn a_file_that_waits_for_the_disk_leaves_its_place_to_the_next_and_can_still_fail() {
    let mut rig = Rig::serial(3);
    rig.bring_to(JobState::Transferring);
    rig.file(0, FileEvent::Settling);
    assert_eq!(rig.started(), [1]);
    assert!(!rig.job.files()[0].has_arrived());
    rig.file(1, FileEvent::Settling);
    assert_eq!(rig.started(), [2]);
    rig.done(1);
    rig.fail(0, Code::ERROR_WRITE_FAULT);
    assert_eq!(rig.state(), JobState::Transferring, "the last one runs");
    rig.done(2);
    assert_eq!(rig.state(), JobState::Error);
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [0]);
}

#[test]
fn events_of_a_stopped_run_are_ignored() {
    let mut rig = Rig::serial(1);
    queue_and_select(&mut rig);
    let old = rig.job.files()[0].run();
    rig.ok(Call::Suspend);
    assert!(rig.effects.contains(&Effect::Stop(FileIndex(0))));
    let done = FileEvent::Done { size: SIZE, sources: from_origin(SIZE) };
    let late = Event::File { file: FileIndex(0), run: old, event: done };
    assert_eq!(rig.on(late.clone()), []);
    queue_and_select(&mut rig);
    assert_eq!(rig.on(late), []);
    assert!(rig.job.state().is_running());
    assert_eq!(rig.on(Event::File { file: FileIndex(7), run: old, event: FileEvent::Connected }), []);
}

#[test]
fn progress_is_counted_over_all_files_and_may_go_back() {
    let mut rig = Rig::with(new_job(1));
    let none = rig.job.progress();
    assert_eq!((none.bytes_total, none.bytes_transferred, none.files_total), (Some(0), 0, 0));
    rig.add(2);
    assert_eq!(rig.job.progress().bytes_total, None);
    queue_and_select(&mut rig);
    rig.file(0, FileEvent::Learned(Learned { size: Some(700), ..Learned::default() }));
    assert_eq!(rig.job.progress().bytes_total, None, "one size is not known");
    rig.file(1, FileEvent::Learned(Learned { size: Some(300), ..Learned::default() }));
    rig.progress(0, 500);
    rig.progress(1, 20);
    let progress = rig.job.progress();
    assert_eq!((progress.bytes_total, progress.bytes_transferred), (Some(1000), 520));
    assert_eq!(progress.sources, from_origin(520));
    rig.progress(0, 0);
    assert_eq!(rig.job.progress().bytes_transferred, 20, "the file changed on its server");
}

#[test]
fn the_first_byte_means_that_the_connection_was_made() {
    let mut rig = Rig::serial(1);
    queue_and_select(&mut rig);
    rig.progress(0, 1);
    assert_eq!(rig.state(), JobState::Transferring);
    let mut rig = Rig::serial(1);
    queue_and_select(&mut rig);
    rig.done(0);
    assert_eq!(rig.state(), JobState::Transferred, "all of it was in the cache");
}

#[test]
fn the_error_can_be_read_until_bytes_move_again() {
    let mut rig = Rig::serial(1);
    let unavailable = rig.job.error().unwrap_err();
    assert_eq!(unavailable.code, Code::BG_E_ERROR_INFORMATION_UNAVAILABLE);
    rig.bring_to(JobState::TransientError);
    assert!(rig.job.error().is_ok());
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert!(rig.job.error().is_ok());
    rig.file(0, FileEvent::Connected);
    assert!(rig.job.error().is_err());
}

#[test]
fn the_error_names_its_file_and_protocol_where_it_has_them() {
    let mut rig = Rig::serial(1);
    assert_eq!(rig.job.error_file().unwrap_err().code, Code::BG_E_ERROR_INFORMATION_UNAVAILABLE);
    rig.bring_to(JobState::Error);
    assert_eq!(rig.job.error_file().unwrap().local().as_str(), "/srv/0");
    assert_eq!(rig.job.error_protocol(), Ok("http"));
    let mut rig = Rig::serial(1);
    rig.ok(Call::Resume);
    rig.on(Event::Blocked(Code::BG_E_STANDBY_MODE));
    assert_eq!(rig.job.error_file().unwrap_err().code, Code::BG_E_FILE_NOT_AVAILABLE);
    assert_eq!(rig.job.error_protocol().unwrap_err().code, Code::BG_E_PROTOCOL_NOT_AVAILABLE);
}

#[test]
fn a_time_slice_that_ends_stops_every_file_and_keeps_its_progress() {
    let mut rig = Rig::at_once(2, 2);
    queue_and_select(&mut rig);
    rig.progress(0, 5);
    let effects = rig.on(Event::Preempted);
    assert!(effects.contains(&Effect::Stop(FileIndex(0))) && effects.contains(&Effect::Stop(FileIndex(1))));
    assert_eq!(rig.job.progress().bytes_transferred, 5);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [0, 1]);
}

#[test]
fn the_size_limit_of_a_job_holds_for_what_is_known_and_for_what_has_come() {
    let limited = || {
        let mut rig = Rig::with(new_job(1));
        rig.set_property(Property::MaxDownloadSize(1000)).unwrap();
        rig.add(2);
        queue_and_select(&mut rig);
        rig
    };
    let mut rig = limited();
    rig.file(0, FileEvent::Learned(Learned { size: Some(1000), ..Learned::default() }));
    assert!(rig.job.state().is_running(), "the limit itself is fine");
    rig.file(1, FileEvent::Learned(Learned { size: Some(1), ..Learned::default() }));
    assert_eq!(rig.job.error().unwrap().code, Code::BG_E_MAX_DOWNLOAD_SIZE_LIMIT_REACHED);
    assert_eq!(rig.state(), JobState::Error);

    let mut rig = limited();
    rig.progress(0, 1001);
    assert_eq!(rig.state(), JobState::Error);
    assert!(rig.effects.contains(&Effect::Stop(FileIndex(1))));
}

#[test]
fn a_call_tells_its_records_before_its_work_and_its_words_last() {
    let mut rig = Rig::serial(1);
    rig.set(Setting::NotifyFlags(dray_jobs::NotifyFlags::from_bits(0x3b).unwrap()));
    queue_and_select(&mut rig);
    let effects = rig.done(0).to_vec();
    assert_eq!(
        effects,
        [
            Effect::Persist,
            Effect::PersistFile(FileIndex(0)),
            Effect::State { from: JobState::Connecting, to: JobState::Transferred },
            Effect::Notify(Notice::FileTransferred(FileIndex(0))),
            Effect::Notify(Notice::JobTransferred),
        ]
    );
}
