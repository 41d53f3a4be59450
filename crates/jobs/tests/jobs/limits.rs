//! Every limit, at the limit (reference 1.5, 15.1).

use dray_jobs::limits::{MAX_FILES, MAX_LEARNED_TEXT, MAX_RANGES, MAX_REQUESTED_RANGES};
use dray_jobs::{
    Call, Caller, Code, Context, Event, FileEvent, FileIndex, Learned, Limits, NewFile, NewJob, Owner,
    Places, Queue, Rules, Setting,
};
use dray_ranges::RangeSpec;

use crate::rig::{Rig, alice, files, new_file, new_job, root, start};

#[test]
fn the_default_limits_are_60_300_200_500() {
    let limits = Limits::default();
    assert_eq!(
        (limits.jobs_per_owner, limits.jobs_per_machine, limits.files_per_job, limits.ranges_per_file),
        (60, 300, 200, 500)
    );
}

#[test]
fn a_user_has_60_jobs_and_one_more_when_one_has_ended() {
    let mut queue = Queue::new(Rules::default(), Places::default());
    let now = start();
    for number in 0..60 {
        let _ = queue.create(now, &alice(), new_job(number)).unwrap();
    }
    let refused = queue.create(now, &alice(), new_job(60)).unwrap_err();
    assert_eq!(refused.code, Code::BG_E_TOO_MANY_JOBS_PER_USER);
    assert!(refused.sentence.contains("60"), "{refused}");
    let bob = Caller::user(Owner::new("1001"));
    let _ = queue.create(now, &bob, new_job(60)).unwrap();
    let _ = queue.call(now, &alice(), crate::rig::job_id(0), Call::Cancel).unwrap();
    let _ = queue.create(now, &alice(), new_job(61)).unwrap();
}

#[test]
fn a_machine_has_300_jobs_and_administrators_have_more() {
    let mut queue = Queue::new(Rules::default(), Places::default());
    let now = start();
    for number in 0..300_u128 {
        let user = Caller::user(Owner::new((number % 5).to_string()));
        let _ = queue.create(now, &user, new_job(number)).unwrap();
    }
    let user = Caller::user(Owner::new("fresh"));
    let refused = queue.create(now, &user, new_job(300)).unwrap_err();
    assert_eq!(refused.code, Code::BG_E_TOO_MANY_JOBS_PER_MACHINE);
    for number in 300..400 {
        let _ = queue.create(now, &root(), new_job(number)).unwrap();
    }
}

#[test]
fn a_job_has_200_files_all_or_nothing() {
    let mut rig = Rig::with(new_job(1));
    rig.ok(Call::AddFiles(files(199)));
    assert_eq!(rig.refused(Call::AddFiles(files(2))), Code::BG_E_TOO_MANY_FILES_IN_JOB);
    rig.ok(Call::AddFiles(files(1)));
    assert_eq!(rig.refused(Call::AddFiles(files(1))), Code::BG_E_TOO_MANY_FILES_IN_JOB);
    assert_eq!(rig.refused(Call::AddFiles(Vec::new())), Code::E_INVALIDARG);
    assert_eq!(rig.call_as(&root(), Call::AddFiles(files(1000))), Ok(Code::S_OK));
    assert_eq!(rig.job.files().len(), 1200);
}

#[test]
fn even_an_administrator_has_a_largest_job() {
    let mut rig = Rig::with(new_job(1));
    assert_eq!(rig.call_as(&root(), Call::AddFiles(files(MAX_FILES))), Ok(Code::S_OK));
    let refused = rig.call_as(&root(), Call::AddFiles(files(1))).unwrap_err();
    assert_eq!(refused.code, Code::BG_E_TOO_MANY_FILES_IN_JOB);
}

#[test]
fn an_upload_has_exactly_one_file() {
    let upload = || Rig::with(NewJob { job_type: dray_jobs::JobType::Upload, ..new_job(1) });
    assert_eq!(upload().refused(Call::AddFiles(files(2))), Code::BG_E_TOO_MANY_FILES);
    let mut rig = upload();
    rig.add(1);
    assert_eq!(rig.refused(Call::AddFiles(files(1))), Code::BG_E_TOO_MANY_FILES);
}

fn with_ranges(count: usize) -> Call {
    let ranges = (0..count as u64).map(|number| RangeSpec::from_bits(number * 2, 1)).collect();
    Call::AddFiles(vec![NewFile { ranges: Some(ranges), ..new_file(0) }])
}

#[test]
fn a_file_has_500_ranges() {
    let mut rig = Rig::with(new_job(1));
    rig.ok(with_ranges(500));
    assert_eq!(rig.refused(with_ranges(501)), Code::BG_E_TOO_MANY_RANGES_IN_FILE);
    assert_eq!(rig.call_as(&root(), with_ranges(501)), Ok(Code::S_OK));
    assert_eq!(rig.call_as(&root(), with_ranges(MAX_RANGES)), Ok(Code::S_OK));
    let refused = rig.call_as(&root(), with_ranges(MAX_RANGES + 1)).unwrap_err();
    assert_eq!(refused.code, Code::BG_E_TOO_MANY_RANGES_IN_FILE);
}

#[test]
fn requested_ranges_are_bounded_after_merging() {
    let request = |count: usize, step: u64| {
        let ranges = (0..count as u64).map(|number| RangeSpec::from_bits(number * step, 1)).collect();
        Call::RequestFileRanges { file: FileIndex(0), ranges }
    };
    let mut rig = Rig::serial(1);
    rig.ok(request(MAX_REQUESTED_RANGES, 2));
    assert_eq!(rig.refused(request(MAX_REQUESTED_RANGES + 1, 2)), Code::BG_E_TOO_MANY_RANGES_IN_FILE);
    rig.ok(request(MAX_REQUESTED_RANGES * 2, 1));
    assert_eq!(rig.job.files()[0].requested().as_slice().len(), 1);
}

#[test]
fn names_have_256_and_1024_characters() {
    let long = |count| "n".repeat(count);
    let mut rig = Rig::with(NewJob { display_name: long(256), ..new_job(1) });
    rig.set(Setting::DisplayName(long(256)));
    let set = |setting| Call::Set(vec![setting]);
    assert_eq!(rig.refused(set(Setting::DisplayName(long(257)))), Code::BG_E_STRING_TOO_LONG);
    rig.set(Setting::Description(long(1024)));
    assert_eq!(rig.refused(set(Setting::Description(long(1025)))), Code::BG_E_STRING_TOO_LONG);
    let mut queue = Queue::new(Rules::default(), Places::default());
    let create = NewJob { display_name: long(257), ..new_job(1) };
    assert_eq!(queue.create(start(), &alice(), create).unwrap_err().code, Code::E_INVALIDARG);
}

#[test]
fn what_a_server_or_an_engine_says_is_bounded_too() {
    let mut rig = Rig::serial(1);
    rig.bring_to(dray_jobs::JobState::Transferring);
    let etag = |count| FileEvent::Learned(Learned { etag: Some("e".repeat(count)), ..Learned::default() });
    rig.file(0, etag(MAX_LEARNED_TEXT));
    rig.file(0, etag(MAX_LEARNED_TEXT + 1));
    assert_eq!(rig.job.files()[0].learned().etag.as_ref().map(String::len), Some(MAX_LEARNED_TEXT));
    let detail = "d".repeat(100_000);
    rig.on(Event::Failed { code: Code::E_FAIL, context: Context::Unknown, detail });
    assert_eq!(rig.job.error().unwrap().detail.len(), 1024);
}
