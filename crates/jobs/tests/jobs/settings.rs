//! The Set methods and generic properties: defaults, limits, codes (reference 3.1, 4.1 to 4.4).

use dray_jobs::{
    AclFlags, Call, Code, Event, JobState, JobType, NewJob, NotifyCommand, NotifyFlags, PeerFlags, Priority,
    Property, PropertyId, Setting,
};

use crate::rig::{Rig, alice, new_job, root};

fn set(setting: Setting) -> Call {
    Call::Set(vec![setting])
}

fn fresh() -> Rig {
    Rig::with(new_job(1))
}

#[test]
fn a_new_job_has_the_values_of_2_1() {
    let rig = fresh();
    let job = &rig.job;
    assert_eq!(job.state(), JobState::Suspended);
    assert_eq!(job.priority(), Priority::Normal);
    assert_eq!(job.properties().notify_flags, NotifyFlags::DEFAULT);
    assert_eq!(job.properties().description, "");
    assert_eq!(job.properties().minimum_retry_delay_s, 600);
    assert_eq!(job.properties().no_progress_timeout_s, 1_209_600);
    assert_eq!(job.properties().notification_interval_ms, 500);
    assert_eq!(job.properties().peer_flags.bits(), 0);
    assert!(!job.properties().on_demand);
    assert_eq!(job.error_count(), 0);
    assert_eq!(job.times().transferred, None);
    assert!(job.files().is_empty());
}

#[test]
fn values_outside_an_enumeration_are_not_implemented() {
    assert_eq!(Priority::from_value(4).unwrap_err().code, Code::E_NOTIMPL);
    assert_eq!(NotifyFlags::from_bits(0x40).unwrap_err().code, Code::E_NOTIMPL);
    assert_eq!(PeerFlags::from_bits(8).unwrap_err().code, Code::E_NOTIMPL);
    assert_eq!(JobType::from_value(3).unwrap_err().code, Code::E_NOTIMPL);
    assert_eq!(AclFlags::from_bits(16).unwrap_err().code, Code::E_INVALIDARG);
    assert_eq!(NotifyFlags::from_bits(0x3f).unwrap().bits(), 0x3f);
    assert_eq!(AclFlags::from_bits(15).unwrap().bits(), 15);
    for (number, priority) in (0..).zip(Priority::ALL) {
        assert_eq!(Priority::from_value(number), Ok(priority));
    }
}

#[test]
fn the_ids_of_properties_are_those_of_1_3() {
    for id in [1, 3, 4, 5, 7, 9, 10] {
        assert_eq!(PropertyId::from_value(id).unwrap() as u32, id);
    }
    assert_eq!(PropertyId::from_value(2).unwrap_err().code, Code::E_NOTIMPL);
    for id in [0, 6, 8, 11] {
        assert_eq!(PropertyId::from_value(id).unwrap_err().code, Code::BG_E_UNKNOWN_PROPERTY_ID);
    }
}

#[test]
fn every_setter_is_refused_in_a_final_state() {
    for state in [JobState::Acknowledged, JobState::Cancelled] {
        for setting in [
            Setting::DisplayName("x".to_owned()),
            Setting::Priority(Priority::Low),
            Setting::NotifyFlags(NotifyFlags::DEFAULT),
            Setting::MinimumRetryDelay(60),
            Setting::Property(Property::CostFlags(0)),
        ] {
            let mut rig = Rig::in_state(JobType::Download, state);
            assert_eq!(rig.refused(set(setting)), Code::BG_E_INVALID_STATE);
        }
    }
}

#[test]
fn a_list_of_settings_is_set_as_a_whole_or_not_at_all() {
    let mut rig = fresh();
    let good = Setting::Priority(Priority::High);
    let bad = Setting::Description("x".repeat(1025));
    assert_eq!(rig.refused(Call::Set(vec![good.clone(), bad])), Code::BG_E_STRING_TOO_LONG);
    rig.ok(Call::Set(vec![good, Setting::Description("x".repeat(1024))]));
    assert_eq!(rig.job.priority(), Priority::High);
    assert_eq!(rig.job.properties().description.len(), 1024);
}

#[test]
fn a_job_can_be_created_with_settings() {
    let settings = vec![Setting::Priority(Priority::Foreground), Setting::MinimumRetryDelay(60)];
    let rig = Rig::with(NewJob { settings, ..new_job(1) });
    assert_eq!(rig.job.priority(), Priority::Foreground);
    assert_eq!(rig.job.properties().minimum_retry_delay_s, 60);
}

#[test]
fn each_property_can_be_set_as_long_as_4_4_says() {
    type Make = fn() -> Rig;
    type Row = (Property, [(&'static str, Make, Code); 5]);
    let with_file: Make = || Rig::serial(1);
    let resumed: Make = || Rig::in_state(JobType::Download, JobState::Queued);
    let suspended_again: Make = || {
        let mut rig = Rig::in_state(JobType::Download, JobState::Queued);
        rig.ok(Call::Suspend);
        rig
    };
    let upload: Make = || Rig::in_state(JobType::Upload, JobState::Suspended);
    const AFTER_ADD: Code = Code::BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE;
    const AFTER_RESUME: Code = Code::BG_E_READ_ONLY_PROPERTY_AFTER_RESUME;
    const DOWNLOADS: Code = Code::BG_E_PROPERTY_SUPPORTED_FOR_DOWNLOAD_JOBS_ONLY;
    #[rustfmt::skip]
    let rows: &[Row] = &[
        (Property::CostFlags(1), [
            ("new",             fresh,           Code::S_OK),
            ("with a file",     with_file,       Code::S_OK),
            ("resumed",         resumed,         Code::S_OK),
            ("suspended again", suspended_again, Code::S_OK),
            ("upload",          upload,          Code::S_OK)]),
        (Property::DynamicContent(true), [
            ("new",             fresh,           Code::S_OK),
            ("with a file",     with_file,       Code::S_OK),
            ("resumed",         resumed,         AFTER_RESUME),
            ("suspended again", suspended_again, AFTER_RESUME),
            ("upload",          upload,          DOWNLOADS)]),
        (Property::HighPerformance(true), [
            ("new",             fresh,           Code::S_OK),
            ("with a file",     with_file,       AFTER_ADD),
            ("resumed",         resumed,         AFTER_ADD),
            ("suspended again", suspended_again, AFTER_ADD),
            ("upload",          upload,          DOWNLOADS)]),
        (Property::MaxDownloadSize(1), [
            ("new",             fresh,           Code::S_OK),
            ("with a file",     with_file,       Code::S_OK),
            ("resumed",         resumed,         AFTER_RESUME),
            ("suspended again", suspended_again, AFTER_RESUME),
            ("upload",          upload,          DOWNLOADS)]),
        (Property::MinimumNotificationIntervalMs(0), [
            ("new",             fresh,           Code::S_OK),
            ("with a file",     with_file,       Code::S_OK),
            ("resumed",         resumed,         Code::S_OK),
            ("suspended again", suspended_again, Code::S_OK),
            ("upload",          upload,          Code::S_OK)]),
        (Property::OnDemandMode(true), [
            ("new",             fresh,           Code::S_OK),
            ("with a file",     with_file,       Code::S_OK),
            ("resumed",         resumed,         Code::S_OK),
            ("suspended again", suspended_again, Code::S_OK),
            ("upload",          upload,          DOWNLOADS)]),
    ];
    for (property, cells) in rows {
        for (name, make, expected) in cells {
            let code = make().set_property(*property).unwrap_or_else(|failure| failure.code);
            assert_eq!(code, *expected, "{property:?} / {name}");
        }
    }
}

#[test]
fn values_of_properties_are_checked() {
    let mut rig = fresh();
    let property = |property| set(Setting::Property(property));
    let too_small = rig.refused(property(Property::MaxDownloadSize(0)));
    assert_eq!(too_small, Code::BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE);
    assert_eq!(rig.set_property(Property::MaxDownloadSize(u64::MAX)), Ok(Code::S_OK));
    for (states, code) in [(0x100, Code::E_INVALIDARG), (0x2000_0000, Code::E_INVALIDARG)] {
        assert_eq!(rig.refused(property(Property::CostFlags(states))), code, "{states:#x}");
    }
    assert_eq!(rig.set_property(Property::CostFlags(0xC000_00FF)), Ok(Code::S_OK));
    for target in [0, 1, 3] {
        let refused = rig.refused(property(Property::UseStoredCredentials(target)));
        assert_eq!(refused, Code::BG_E_USE_STORED_CREDENTIALS_NOT_SUPPORTED);
    }
    assert_eq!(rig.set_property(Property::UseStoredCredentials(2)), Ok(Code::S_OK));
    rig.set_property(Property::OnDemandMode(true)).unwrap();
    let conflict = rig.refused(property(Property::DynamicContent(true)));
    assert_eq!(conflict, Code::BG_E_UNSUPPORTED_JOB_CONFIGURATION);
    assert_eq!(rig.refused(set(Setting::MaximumDownloadTime(0))), Code::E_INVALIDARG);
    assert_eq!(rig.refused(set(Setting::FilesAtOnce(0))), Code::E_INVALIDARG);
    assert_eq!(rig.refused(set(Setting::FilesAtOnce(65))), Code::E_INVALIDARG);
    rig.set(Setting::FilesAtOnce(64));
    assert_eq!(rig.job.files_at_once(), 64);
}

#[test]
fn dynamic_content_is_ready_in_the_foreground_only() {
    let mut rig = Rig::serial(1);
    rig.set_property(Property::DynamicContent(true)).unwrap();
    rig.ok(Call::Resume);
    assert!(!rig.job.is_ready());
    assert_eq!(rig.on(Event::Selected), []);
    rig.set(Setting::Priority(Priority::Foreground));
    assert!(rig.job.is_ready());
    rig.on(Event::Selected);
    rig.set(Setting::Priority(Priority::High));
    assert_eq!(rig.state(), JobState::Queued);
    assert!(!rig.job.is_ready());
}

#[test]
fn acl_flags_are_set_before_the_files_have_arrived() {
    let mut rig = Rig::in_state(JobType::Download, JobState::Transferring);
    rig.set(Setting::FileAclFlags(AclFlags::from_bits(15).unwrap()));
    rig.done(0);
    let late = set(Setting::FileAclFlags(AclFlags::OWNER));
    assert_eq!(rig.refused(late), Code::BG_E_INVALID_STATE);
}

#[test]
fn a_notify_command_names_its_program_in_full_and_again_in_its_parameters() {
    let command = |program: &str, parameters: &str| {
        let command = NotifyCommand { program: program.to_owned(), parameters: parameters.to_owned() };
        set(Setting::NotifyCommand(Some(command)))
    };
    let mut rig = fresh();
    rig.ok(command("/bin/done", ""));
    rig.ok(command("/bin/done", "/bin/done --job 1"));
    rig.ok(command("/bin/all done", "\"/bin/all done\" --job 1"));
    for (program, parameters) in
        [("done", ""), ("", "/bin/done"), ("/bin/done", "other"), ("/bin/done", "--job")]
    {
        assert_eq!(rig.refused(command(program, parameters)), Code::E_INVALIDARG, "{program} {parameters}");
    }
    let long = format!("/{}", "d/".repeat(129)) + "x";
    assert_eq!(long.len(), 260);
    rig.ok(command(&long, ""));
    assert_eq!(rig.refused(command(&format!("{long}x"), "")), Code::BG_E_STRING_TOO_LONG);
    let parameters = format!("/a {}", "x".repeat(3997));
    rig.ok(command("/a", &parameters));
    assert_eq!(rig.refused(command("/a", &format!("{parameters}x"))), Code::BG_E_STRING_TOO_LONG);
    rig.set(Setting::NotifyCommand(None));
    assert_eq!(rig.job.properties().notify_command, None);
}

#[test]
fn an_administrator_takes_a_job_over_and_the_command_line_goes() {
    let mut rig = fresh();
    let command = NotifyCommand { program: "/bin/done".to_owned(), parameters: String::new() };
    rig.set(Setting::NotifyCommand(Some(command)));
    assert_eq!(rig.refused(Call::TakeOwnership), Code::E_ACCESSDENIED);
    assert_eq!(*rig.job.owner(), alice().owner);
    assert_eq!(rig.call_as(&root(), Call::TakeOwnership), Ok(Code::S_OK));
    assert_eq!(*rig.job.owner(), root().owner);
    assert_eq!(rig.job.properties().notify_command, None);
}

#[test]
fn every_call_refreshes_the_modification_time() {
    let calls = [
        Call::Suspend,
        set(Setting::Priority(Priority::Low)),
        Call::AddFiles(vec![crate::rig::new_file(3)]),
        Call::Resume,
        Call::Cancel,
    ];
    let mut rig = Rig::serial(1);
    for call in calls {
        rig.wait(crate::rig::SECOND);
        rig.ok(call);
        assert_eq!(rig.job.times().modified, rig.now.wall);
    }
    assert_eq!(rig.job.times().created, crate::rig::start().wall);
}
