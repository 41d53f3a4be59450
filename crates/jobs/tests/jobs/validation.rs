//! SetValidationState: the cases of reference 9.7.

use dray_jobs::{
    BySource, Call, Code, Effect, Event, FileEvent, FileIndex, JobState, Notice, NotifyFlags, Setting,
};

use crate::rig::{Rig, SIZE};

fn verdict(valid: bool) -> Call {
    Call::SetValidationState { file: FileIndex(0), valid }
}

fn arrived(sources: BySource) -> Rig {
    let mut rig = Rig::serial(1);
    rig.bring_to(JobState::Transferring);
    rig.file(0, FileEvent::Done { size: SIZE, sources });
    assert_eq!(rig.state(), JobState::Transferred);
    rig
}

const ORIGIN: BySource = BySource { origin: SIZE, peer: 0, cache_host: 0, local_cache: 0 };
const SOME_PEER: BySource = BySource { origin: SIZE - 1, peer: 1, cache_host: 0, local_cache: 0 };

#[test]
fn before_the_file_has_arrived_the_answer_is_pending() {
    let mut rig = Rig::serial(1);
    assert_eq!(rig.refused(verdict(true)), Code::E_PENDING);
    rig.bring_to(JobState::Transferring);
    assert_eq!(rig.refused(verdict(false)), Code::E_PENDING);
    let unknown = Call::SetValidationState { file: FileIndex(1), valid: true };
    assert_eq!(rig.refused(unknown), Code::BG_E_FILE_NOT_FOUND);
}

#[test]
fn valid_content_is_remembered() {
    let mut rig = arrived(ORIGIN);
    assert_eq!(rig.job.files()[0].validation(), None);
    let effects = rig.ok(verdict(true));
    assert!(effects.contains(&Effect::PersistFile(FileIndex(0))));
    assert_eq!(rig.job.files()[0].validation(), Some(true));
    assert_eq!(rig.state(), JobState::Transferred);
}

#[test]
fn invalid_content_of_the_origin_is_an_error_and_resume_fetches_it_again() {
    let mut rig = arrived(ORIGIN);
    rig.ok(verdict(false));
    assert_eq!(rig.state(), JobState::Error);
    let error = rig.job.error().unwrap();
    assert_eq!((error.code, error.file), (Code::BG_E_VALIDATION_FAILED, Some(FileIndex(0))));
    assert_eq!(rig.job.progress().bytes_transferred, 0);
    assert_eq!(rig.deleted(), [0]);
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [0]);
    rig.done(0);
    assert_eq!(rig.state(), JobState::Transferred);
}

#[test]
fn invalid_content_of_a_peer_comes_again_from_the_origin_without_an_error() {
    let mut rig = arrived(SOME_PEER);
    rig.set(Setting::NotifyFlags(NotifyFlags::FILE_TRANSFERRED));
    rig.ok(verdict(false));
    assert_eq!(rig.state(), JobState::Queued);
    assert!(rig.job.error().is_err());
    assert!(rig.job.files()[0].origin_only());
    assert_eq!(rig.deleted(), [0]);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [0]);
    let effects = rig.done(0);
    assert!(effects.contains(&Effect::Notify(Notice::FileTransferred(FileIndex(0)))), "raised again");
}

#[test]
fn invalid_content_of_a_peer_comes_again_at_once_while_the_job_runs() {
    let mut rig = Rig::at_once(2, 2);
    rig.bring_to(JobState::Transferring);
    rig.file(0, FileEvent::Done { size: SIZE, sources: SOME_PEER });
    rig.ok(verdict(false));
    assert_eq!(rig.state(), JobState::Transferring);
    let delete = rig.effects.iter().position(|effect| *effect == Effect::DeleteTemp(FileIndex(0))).unwrap();
    let start = rig.effects.iter().position(|effect| matches!(effect, Effect::Start { .. })).unwrap();
    assert!(delete < start);
}

#[test]
fn a_digest_that_does_not_match_leaves_nothing_to_build_upon() {
    let mut rig = Rig::serial(1);
    rig.bring_to(JobState::Transferring);
    rig.progress(0, SIZE);
    rig.fail(0, Code::BG_E_VALIDATION_FAILED);
    assert_eq!(rig.state(), JobState::Error);
    assert_eq!(rig.deleted(), [0]);
    assert_eq!(rig.job.progress().bytes_transferred, 0);
}
