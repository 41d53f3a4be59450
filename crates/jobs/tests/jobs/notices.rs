//! What a client is told, and how often (reference 9.2 to 9.4).

use dray_jobs::{Call, Code, Effect, Event, FileIndex, JobState, JobType, Notice, NotifyFlags, Setting};

use crate::rig::Rig;

fn notices(rig: &Rig) -> Vec<Notice> {
    rig.effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Notify(notice) => Some(*notice),
            _ => None,
        })
        .collect()
}

fn with_flags(bits: u32, file_count: usize) -> Rig {
    let mut rig = Rig::serial(file_count);
    rig.set(Setting::NotifyFlags(NotifyFlags::from_bits(bits).unwrap()));
    rig
}

#[test]
fn a_new_job_tells_its_end_and_its_errors_and_nothing_else() {
    let mut rig = Rig::serial(1);
    assert_eq!(rig.job.properties().notify_flags.bits(), 0x03);
    assert_eq!(notices(&rig), []);
    rig.bring_to(JobState::Transferred);
    assert_eq!(notices(&rig), [Notice::JobTransferred]);
}

#[test]
fn each_flag_turns_on_its_notice_and_disable_turns_off_all() {
    for (bits, expected) in [
        (0x01, vec![Notice::JobTransferred]),
        (0x10, vec![Notice::FileTransferred(FileIndex(0))]),
        (0x11, vec![Notice::FileTransferred(FileIndex(0)), Notice::JobTransferred]),
        (0x02, vec![]),
        (0x08, vec![]),
        (0x3f, vec![]),
    ] {
        let mut rig = with_flags(bits, 1);
        rig.bring_to(JobState::Transferred);
        assert_eq!(notices(&rig), expected, "{bits:#x}");
    }
}

#[test]
fn modification_is_told_for_changes_but_not_for_the_change_to_error_or_transferred() {
    let mut rig = with_flags(0x08, 1);
    assert_eq!(notices(&rig), [Notice::JobModification]);
    rig.bring_to(JobState::Transferring);
    assert_eq!(notices(&rig), [Notice::JobModification]);
    rig.progress(0, 1);
    assert_eq!(notices(&rig), [Notice::JobModification]);
    rig.fail(0, Code::http(404));
    assert_eq!(notices(&rig), []);
}

#[test]
fn a_transient_error_raises_no_job_error() {
    let mut rig = Rig::in_state(JobType::Download, JobState::TransientError);
    assert_eq!(notices(&rig), []);
    assert_eq!(rig.job.undelivered(), []);
    rig.set(Setting::NoProgressTimeout(0));
    rig.on(Event::Timer);
    assert_eq!(notices(&rig), [Notice::JobError]);
}

#[test]
fn a_notice_is_owed_until_it_is_delivered_and_files_come_first() {
    let mut rig = with_flags(0x13, 2);
    rig.bring_to(JobState::Transferring);
    rig.done(0);
    rig.done(1);
    let file = |index| Notice::FileTransferred(FileIndex(index));
    assert_eq!(rig.job.undelivered(), [file(0), file(1), Notice::JobTransferred]);
    assert_eq!(rig.on(Event::Delivered(file(1))), [Effect::PersistFile(FileIndex(1))]);
    assert_eq!(rig.job.undelivered(), [file(0), Notice::JobTransferred]);
    rig.on(Event::Delivered(file(0)));
    assert_eq!(rig.on(Event::Delivered(Notice::JobError)), [], "not the notice that is owed");
    assert_eq!(rig.on(Event::Delivered(Notice::JobTransferred)), [Effect::Persist]);
    assert_eq!(rig.on(Event::Delivered(Notice::JobTransferred)), []);
    assert_eq!(rig.job.undelivered(), []);
    assert_eq!(rig.job.resting_notice(), Some(Notice::JobTransferred), "for a late subscriber");
}

#[test]
fn a_notice_is_no_longer_owed_when_the_job_goes_on() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Error);
    assert_eq!(rig.job.undelivered(), [Notice::JobError]);
    rig.ok(Call::Resume);
    assert_eq!(rig.job.undelivered(), []);
    assert_eq!(rig.job.resting_notice(), None);
}

#[test]
fn flags_that_are_set_late_bring_the_notice_of_the_past() {
    let mut rig = with_flags(0x04, 1);
    rig.bring_to(JobState::Transferred);
    assert_eq!(rig.job.undelivered(), []);
    rig.set(Setting::NotifyFlags(NotifyFlags::DEFAULT));
    assert_eq!(rig.job.undelivered(), [Notice::JobTransferred]);
}
