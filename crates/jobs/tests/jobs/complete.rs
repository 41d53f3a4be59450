//! Complete and Cancel: what becomes of the files (reference 3.3).

use dray_jobs::{Call, Code, Effect, Event, Failure, FileIndex, JobState, JobType};

use crate::rig::{Rig, alice};

/// Files 0 and 1 have arrived, 2 is being transferred, 3 and 4 wait.
fn third_of_five() -> Rig {
    let mut rig = Rig::serial(5);
    rig.bring_to(JobState::Transferring);
    rig.done(0);
    rig.done(1);
    rig
}

#[test]
fn complete_in_the_middle_keeps_what_arrived_and_deletes_the_rest() {
    let mut rig = third_of_five();
    assert_eq!(rig.complete(), Ok(Code::BG_S_PARTIAL_COMPLETE));
    assert_eq!(rig.deleted(), [2, 3, 4]);
    assert_eq!(rig.effects.last(), Some(&Effect::Forget));
    assert!(rig.job.files()[1].progress().completed);
    assert!(!rig.job.files()[2].progress().completed);
}

#[test]
fn complete_stops_what_runs_before_it_renames() {
    let mut rig = third_of_five();
    let outcome = rig.job.call(rig.now, &alice(), Call::Complete).unwrap();
    assert!(outcome.needs_renames());
    let place = |wanted: &Effect| outcome.effects.iter().position(|effect| effect == wanted).unwrap();
    assert_eq!(outcome.effects[0], Effect::Persist);
    assert!(place(&Effect::Stop(FileIndex(2))) < place(&Effect::Rename(FileIndex(0))));
    assert_eq!(rig.state(), JobState::Suspended);
}

#[test]
fn nothing_may_be_called_between_the_two_steps_of_complete() {
    let mut rig = third_of_five();
    let _ = rig.job.call(rig.now, &alice(), Call::Complete).unwrap();
    for call in [Call::Resume, Call::Cancel, Call::Complete] {
        assert_eq!(rig.refused(call), Code::BG_E_INVALID_STATE);
    }
    assert_eq!(rig.on(Event::Timer), []);
    assert_eq!(rig.job.timeout(), None);
    let renamed = rig.job.renamed(rig.now, &[(FileIndex(0), Ok(())), (FileIndex(1), Ok(()))]);
    assert_eq!(renamed.result, Ok(Code::BG_S_PARTIAL_COMPLETE));
}

#[test]
fn a_rename_that_fails_leaves_the_job_and_completed_tells_which_files_are_done() {
    let mut rig = Rig::serial(2);
    rig.bring_to(JobState::Transferring);
    rig.done(0);
    rig.done(1);
    let denied = Failure::new(Code::E_ACCESSDENIED, "The directory is read-only.");
    let failure = rig
        .complete_with(|file| if file == FileIndex(1) { Err(denied.clone()) } else { Ok(()) })
        .unwrap_err();
    assert_eq!(failure.code, Code::E_ACCESSDENIED);
    assert!(failure.sentence.contains("1 of 2 files"), "{failure}");
    assert!(failure.sentence.contains("read-only"), "{failure}");
    assert_eq!(rig.state(), JobState::Transferred);
    assert!(rig.job.files()[0].progress().completed);
    assert!(!rig.job.files()[1].progress().completed);
    assert!(rig.deleted().is_empty());

    assert_eq!(rig.complete(), Ok(Code::S_OK), "complete again");
    assert_eq!(rig.state(), JobState::Acknowledged);
}

#[test]
fn a_file_that_is_not_what_was_proven_is_fetched_anew_on_resume() {
    let mut rig = Rig::serial(3);
    rig.bring_to(JobState::Transferring);
    (0..3).for_each(|file| drop(rig.done(file).to_vec()));
    let lost = Failure::new(Code::BG_E_VALIDATION_FAILED, "It was replaced.");
    let failure =
        rig.complete_with(|file| if file == FileIndex(0) { Ok(()) } else { Err(lost.clone()) }).unwrap_err();
    assert_eq!(failure.code, Code::BG_E_VALIDATION_FAILED);
    assert!(failure.sentence.contains("2 of 3 files"), "{failure}");
    assert!(failure.sentence.contains("resume the job"), "{failure}");
    assert_eq!(rig.state(), JobState::Error);
    let error = rig.job.error().unwrap();
    assert_eq!((error.file, error.detail.as_str()), (Some(FileIndex(1)), "It was replaced."));
    assert_eq!(rig.deleted(), [1, 2]);
    assert!(rig.job.files()[0].progress().completed);
    assert_eq!(rig.job.files()[1].progress().bytes_transferred, 0);

    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [1]);
    rig.done(1);
    rig.done(2);
    assert_eq!(rig.complete(), Ok(Code::S_OK));
}

#[test]
fn cancel_after_a_failed_complete_spares_what_has_its_final_name() {
    let mut rig = Rig::serial(2);
    rig.bring_to(JobState::Transferring);
    rig.done(0);
    rig.done(1);
    rig.complete_with(|file| if file == FileIndex(1) { Err(Code::ERROR_DISK_FULL.into()) } else { Ok(()) })
        .unwrap_err();
    rig.ok(Call::Cancel);
    assert_eq!(rig.deleted(), [1]);
}

#[test]
fn a_rename_without_an_answer_counts_as_failed() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Transferred);
    let _ = rig.job.call(rig.now, &alice(), Call::Complete).unwrap();
    let renamed = rig.job.renamed(rig.now, &[]);
    assert_eq!(renamed.result.unwrap_err().code, Code::E_FAIL);
    assert_eq!(rig.state(), JobState::Transferred);
    let again = rig.job.renamed(rig.now, &[(FileIndex(0), Ok(()))]);
    assert_eq!(again.result.unwrap_err().code, Code::BG_E_INVALID_STATE, "nobody asked");
}

#[test]
fn a_partial_complete_whose_rename_fails_can_be_resumed() {
    let mut rig = third_of_five();
    rig.complete_with(|_| Err(Code::ERROR_SHARING_VIOLATION.into())).unwrap_err();
    assert_eq!(rig.state(), JobState::Suspended);
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [2]);
}

#[test]
fn cancel_deletes_every_temporary_file_after_stopping_what_runs() {
    let mut rig = third_of_five();
    let effects = rig.ok(Call::Cancel).to_vec();
    let stop = effects.iter().position(|effect| *effect == Effect::Stop(FileIndex(2))).unwrap();
    let delete = effects.iter().position(|effect| *effect == Effect::DeleteTemp(FileIndex(2))).unwrap();
    assert!(stop < delete);
    assert_eq!(rig.deleted(), [0, 1, 2, 3, 4]);
    assert_eq!(rig.state(), JobState::Cancelled);
}

#[test]
fn a_job_that_was_never_resumed_has_nothing_to_delete() {
    let mut rig = Rig::serial(3);
    rig.ok(Call::Cancel);
    assert!(rig.deleted().is_empty());
}

#[test]
fn files_that_could_not_be_deleted_are_a_success_code() {
    let mut rig = third_of_five();
    let outcome = rig.job.call(rig.now, &alice(), Call::Cancel).unwrap();
    assert_eq!(outcome.code_after_deleting(true), Code::S_OK);
    assert_eq!(outcome.code_after_deleting(false), Code::BG_S_UNABLE_TO_DELETE_FILES);
}

#[test]
fn an_upload_is_completed_without_renames() {
    for job_type in [JobType::Upload, JobType::UploadReply] {
        let mut rig = Rig::in_state(job_type, JobState::Transferred);
        let outcome = rig.job.call(rig.now, &alice(), Call::Complete).unwrap();
        assert!(!outcome.needs_renames());
        assert_eq!(outcome.code, Code::S_OK);
        assert_eq!(rig.state(), JobState::Acknowledged);
    }
}
