//! Ranges: AddFileWithRanges (8.1), File6 and on-demand mode (8.4), remote names (8.6).

use dray_jobs::{
    Call, Code, Effect, Event, FileEvent, FileIndex, JobState, JobType, Learned, NewFile, Property,
    RemoteName,
};
use dray_ranges::RangeSpec;

use crate::rig::{Rig, SIZE, new_file, new_job};

const EOF: u64 = u64::MAX;

fn specs(ranges: &[(u64, u64)]) -> Vec<RangeSpec> {
    ranges.iter().map(|(offset, length)| RangeSpec::from_bits(*offset, *length)).collect()
}

fn with_ranges(ranges: &[(u64, u64)]) -> Call {
    Call::AddFiles(vec![NewFile { ranges: Some(specs(ranges)), ..new_file(0) }])
}

fn request(ranges: &[(u64, u64)]) -> Call {
    Call::RequestFileRanges { file: FileIndex(0), ranges: specs(ranges) }
}

fn size(bytes: u64) -> FileEvent {
    FileEvent::Learned(Learned { size: Some(bytes), ..Learned::default() })
}

#[test]
fn each_fault_of_a_list_of_ranges_has_its_code() {
    #[rustfmt::skip]
    let rows: &[(&[(u64, u64)], Code)] = &[
        (&[],                             Code::E_INVALIDARG),
        (&[(EOF, 1)],                     Code::BG_E_INVALID_RANGE),
        (&[(5, 0)],                       Code::BG_E_INVALID_RANGE),
        (&[(0, 10), (9, 1)],              Code::BG_E_OVERLAPPING_RANGES),
        (&[(0, 10), (0, 10)],             Code::BG_E_OVERLAPPING_RANGES),
        (&[(100, 5), (100, 2)],           Code::BG_E_OVERLAPPING_RANGES),
        (&[(0, EOF), (5, 1)],             Code::BG_E_OVERLAPPING_RANGES),
    ];
    for (ranges, code) in rows {
        let mut rig = Rig::with(new_job(1));
        assert_eq!(rig.refused(with_ranges(ranges)), *code, "{ranges:?}");
    }
}

#[test]
fn ranges_are_kept_in_the_order_given() {
    let mut rig = Rig::with(new_job(1));
    rig.ok(with_ranges(&[(24, 17), (111, EOF), (83, 7)]));
    rig.add(1);
    assert_eq!(rig.job.files()[0].ranges(), Some(&specs(&[(24, 17), (111, EOF), (83, 7)])[..]));
    assert_eq!(rig.job.files()[1].ranges(), None, "a whole file in the same job");
}

#[test]
fn the_total_of_a_ranged_file_is_the_sum_of_its_ranges() {
    let mut rig = Rig::with(new_job(1));
    rig.ok(with_ranges(&[(100, 100), (900, 100)]));
    assert_eq!(rig.job.progress().bytes_total, Some(200));
    let mut rig = Rig::with(new_job(1));
    rig.ok(with_ranges(&[(100, 100), (900, EOF)]));
    assert_eq!(rig.job.progress().bytes_total, None, "the end is not known");
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    rig.file(0, size(1000));
    assert_eq!(rig.job.progress().bytes_total, Some(200));
    rig.file(0, FileEvent::Done { size: 200, sources: Default::default() });
    let progress = rig.job.progress();
    assert_eq!((progress.bytes_total, progress.bytes_transferred), (Some(200), 200));
}

#[test]
fn uploads_and_dynamic_jobs_have_no_ranges() {
    let mut rig = Rig::with(dray_jobs::NewJob { job_type: JobType::Upload, ..new_job(1) });
    assert_eq!(rig.refused(with_ranges(&[(0, 1)])), Code::E_NOTIMPL);
    let mut rig = Rig::with(new_job(1));
    rig.set_property(Property::DynamicContent(true)).unwrap();
    assert_eq!(rig.refused(with_ranges(&[(0, 1)])), Code::BG_E_UNSUPPORTED_JOB_CONFIGURATION);
}

#[test]
fn a_job_on_demand_ends_suspended_when_only_a_part_was_asked_for() {
    let mut rig = Rig::serial(1);
    rig.set_property(Property::OnDemandMode(true)).unwrap();
    rig.ok(request(&[(0, 10), (5, 20)]));
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [0]);
    rig.progress(0, 25);
    rig.file(0, FileEvent::RequestedDone);
    assert_eq!(rig.state(), JobState::Suspended);

    rig.ok(request(&[(100, 10)]));
    assert_eq!(rig.state(), JobState::Suspended, "a request does not start an idle job");
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [0]);
    rig.done(0);
    assert_eq!(rig.state(), JobState::Transferred, "that happened to be all of it");
}

#[test]
fn a_job_on_demand_that_nothing_was_asked_of_goes_back_to_rest() {
    let mut rig = Rig::serial(1);
    rig.set_property(Property::OnDemandMode(true)).unwrap();
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert!(rig.started().is_empty());
    assert_eq!(rig.state(), JobState::Suspended);
    rig.set_property(Property::OnDemandMode(false)).unwrap();
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    assert_eq!(rig.started(), [0]);
}

#[test]
fn leaving_on_demand_mode_fetches_the_rest() {
    let mut rig = Rig::at_once(2, 2);
    rig.set_property(Property::OnDemandMode(true)).unwrap();
    rig.ok(request(&[(0, 10)]));
    rig.ok(Call::RequestFileRanges { file: FileIndex(1), ranges: specs(&[(0, 10)]) });
    rig.ok(Call::Resume);
    rig.on(Event::Selected);
    rig.file(0, FileEvent::RequestedDone);
    assert!(rig.job.state().is_running());
    rig.set_property(Property::OnDemandMode(false)).unwrap();
    assert_eq!(rig.started(), [0]);
}

#[test]
fn a_request_to_a_running_file_changes_its_order() {
    let mut rig = Rig::serial(1);
    rig.bring_to(JobState::Transferring);
    rig.ok(request(&[(500, 100), (550, 100)]));
    let wanted = [dray_ranges::ByteRange::new(500, 650).unwrap()].into_iter().collect();
    assert!(rig.effects.contains(&Effect::Prefer { file: FileIndex(0), ranges: wanted }));

    rig.file(0, size(SIZE));
    rig.ok(Call::UpdateDownloadPosition { file: FileIndex(0), offset: 900 });
    let rest = [dray_ranges::ByteRange::new(900, SIZE).unwrap()].into_iter().collect();
    assert!(rig.effects.contains(&Effect::Prefer { file: FileIndex(0), ranges: rest }));
}

#[test]
fn a_request_beyond_a_known_end_is_refused_and_one_made_before_is_cut() {
    let mut rig = Rig::serial(1);
    rig.bring_to(JobState::Transferring);
    rig.ok(request(&[(SIZE - 1, EOF)]));
    rig.file(0, size(SIZE));
    assert_eq!(rig.job.files()[0].requested().len_bytes(), 1);
    assert_eq!(rig.refused(request(&[(SIZE - 1, 2)])), Code::BG_E_INVALID_RANGE);
    assert_eq!(rig.refused(request(&[(SIZE, EOF)])), Code::BG_E_INVALID_RANGE);
    assert_eq!(rig.refused(request(&[(0, 0)])), Code::BG_E_INVALID_RANGE);
    assert_eq!(rig.refused(request(&[])), Code::E_INVALIDARG);
    let beyond = Call::UpdateDownloadPosition { file: FileIndex(0), offset: SIZE };
    assert_eq!(rig.refused(beyond), Code::BG_E_INVALID_RANGE);
}

#[test]
fn files_that_allow_no_random_access_say_so() {
    let mut rig = Rig::with(new_job(1));
    rig.ok(with_ranges(&[(0, 10)]));
    assert_eq!(rig.refused(request(&[(0, 1)])), Code::BG_E_RANDOM_ACCESS_NOT_SUPPORTED);

    let mut rig = Rig::in_state(JobType::Upload, JobState::Suspended);
    assert_eq!(rig.refused(request(&[(0, 1)])), Code::BG_E_RANDOM_ACCESS_NOT_SUPPORTED);

    let mut rig = Rig::serial(1);
    rig.bring_to(JobState::Transferring);
    rig.file(0, FileEvent::Learned(Learned { has_ranges: Some(false), ..Learned::default() }));
    assert_eq!(rig.refused(request(&[(0, 1)])), Code::BG_E_RANDOM_ACCESS_NOT_SUPPORTED);
}

fn url(text: &str) -> RemoteName {
    RemoteName::parse(text).unwrap()
}

#[test]
fn a_new_remote_name_is_recorded_with_resume_only() {
    let mut rig = Rig::serial(1);
    rig.ok(Call::SetRemoteName { file: FileIndex(0), remote: url("https://other/0") });
    let recorded = |rig: &Rig| rig.job.file_record(FileIndex(0)).unwrap().remote;
    assert_eq!(rig.job.files()[0].remote().as_str(), "https://other/0");
    assert_eq!(recorded(&rig).as_str(), "http://origin/0");
    let effects = rig.ok(Call::Resume);
    assert!(effects.contains(&Effect::PersistFile(FileIndex(0))));
    assert_eq!(recorded(&rig).as_str(), "https://other/0");
}

#[test]
fn resume_of_a_running_job_moves_the_transfer_to_the_new_name() {
    let mut rig = Rig::serial(1);
    rig.bring_to(JobState::Transferring);
    rig.ok(Call::SetRemoteName { file: FileIndex(0), remote: url("https://other/0") });
    rig.ok(Call::Resume);
    let stop = rig.effects.iter().position(|effect| *effect == Effect::Stop(FileIndex(0))).unwrap();
    let start = rig.effects.iter().position(|effect| matches!(effect, Effect::Start { .. })).unwrap();
    assert!(stop < start);
    assert_eq!(rig.state(), JobState::Transferring);
}

#[test]
fn a_replaced_prefix_moves_the_transfer_at_once() {
    let mut rig = Rig::serial(1);
    rig.bring_to(JobState::Transferring);
    let replace =
        |new: &str| Call::ReplaceRemotePrefix { old: "http://origin".to_owned(), new: new.to_owned() };
    let effects = rig.ok(replace("http://origin"));
    assert!(!effects.contains(&Effect::Stop(FileIndex(0))), "the name is the same");
    let effects = rig.ok(replace("https://mirror"));
    let stop = effects.iter().position(|effect| *effect == Effect::Stop(FileIndex(0))).unwrap();
    let start = effects.iter().position(|effect| matches!(effect, Effect::Start { .. })).unwrap();
    assert!(stop < start);
    assert_eq!(rig.state(), JobState::Transferring);
}

#[test]
fn a_prefix_is_replaced_letter_by_letter_in_the_files_that_have_it() {
    let replace =
        |old: &str, new: &str| Call::ReplaceRemotePrefix { old: old.to_owned(), new: new.to_owned() };
    let mut rig = Rig::serial(2);
    assert_eq!(rig.call(replace("HTTP://origin/", "http://mirror/")), Ok(Code::S_FALSE));
    assert_eq!(rig.call(replace("http://origin/1", "https://mirror/x?1=")), Ok(Code::S_OK));
    assert_eq!(rig.job.files()[0].remote().as_str(), "http://origin/0");
    assert_eq!(rig.job.files()[1].remote().as_str(), "https://mirror/x?1=");
    assert!(rig.effects.contains(&Effect::PersistFile(FileIndex(1))));
    for (old, new) in
        [("", "http://x/"), ("http://", ""), ("http://", "ftp://"), ("http://origin", "http://")]
    {
        assert_eq!(rig.refused(replace(old, new)), Code::E_INVALIDARG, "{old} {new}");
    }
    let mut rig = Rig::in_state(JobType::Upload, JobState::Suspended);
    assert_eq!(rig.refused(replace("http://", "https://")), Code::E_NOTIMPL);
    let rename = Call::SetRemoteName { file: FileIndex(0), remote: url("http://x/") };
    assert_eq!(rig.refused(rename), Code::E_NOTIMPL);
}
