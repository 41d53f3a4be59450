//! Properties, and the calls on files, names and owners.

use super::*;

fn refused(name: &str, code: tonic::Code) -> (String, tonic::Code) {
    (name.to_owned(), code)
}

async fn update(
    jobs: &mut JobClient,
    job_id: &str,
    properties: v1::JobProperties,
) -> Result<v1::JobProperties, tonic::Status> {
    let request = v1::UpdateJobRequest { job_id: job_id.to_owned(), properties: Some(properties) };
    Ok(jobs.update_job(request).await?.into_inner().job.unwrap().properties.unwrap())
}

async fn file(jobs: &mut JobClient, job_id: &str) -> v1::File {
    let request = v1::ListFilesRequest { job_id: job_id.to_owned(), ..Default::default() };
    jobs.list_files(request).await.unwrap().into_inner().files.remove(0)
}

/// A job with the file "a".
async fn with_file(served: &Served, jobs: &mut JobClient) -> String {
    let job_id = create(jobs, "one").await;
    let request = v1::AddFilesRequest { job_id: job_id.clone(), files: vec![served.file("a")] };
    jobs.add_files(request).await.unwrap();
    job_id
}

async fn arrived(served: &Served, jobs: &mut JobClient) -> String {
    let job_id = with_file(served, jobs).await;
    served.house.script.act(&url("a"), Act::Bring { bytes: 9, after: Duration::ZERO });
    jobs.resume_job(v1::ResumeJobRequest { job_id: job_id.clone() }).await.unwrap();
    served.house.wait_for(job_id.parse().unwrap(), dray_jobs::JobState::Transferred).await;
    job_id
}

#[tokio::test]
async fn a_new_job_shows_every_default() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let created = jobs.create_job(named("new")).await.unwrap().into_inner().job.unwrap();
    let expected = v1::JobProperties {
        display_name: Some("new".to_owned()),
        description: Some(String::new()),
        priority: Some(v1::JobPriority::Normal.into()),
        minimum_retry_delay_s: Some(600),
        no_progress_timeout_s: Some(1_209_600),
        maximum_download_time_s: Some(7_776_000),
        notify_flags: Some(3),
        dynamic_content: Some(false),
        high_performance: Some(false),
        minimum_notification_interval_ms: Some(500),
        on_demand_mode: Some(false),
        peer_caching_flags: Some(0),
        file_acl_flags: Some(0),
        ..Default::default()
    };
    assert_eq!(created.properties.unwrap(), expected);
}

#[tokio::test]
async fn every_property_reads_back_as_it_was_set_at_create_and_later() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let properties = v1::JobProperties {
        display_name: Some("all".to_owned()),
        description: Some("of them".to_owned()),
        priority: Some(v1::JobPriority::Foreground.into()),
        minimum_retry_delay_s: Some(60),
        no_progress_timeout_s: Some(0),
        maximum_download_time_s: Some(1),
        notify_flags: Some(0x3f),
        notify_command: Some(v1::NotifyCommand { program: "/bin/x".into(), parameters: "/bin/x y".into() }),
        cost_flags: Some(0x8000_0001),
        dynamic_content: Some(false),
        high_performance: Some(true),
        max_download_size_bytes: Some(u64::MAX),
        minimum_notification_interval_ms: Some(0),
        on_demand_mode: Some(true),
        peer_caching_flags: Some(7),
        file_acl_flags: Some(15),
        files_at_once: Some(64),
    };
    let request = v1::CreateJobRequest { properties: Some(properties.clone()), ..Default::default() };
    let created = jobs.create_job(request).await.unwrap().into_inner().job.unwrap();
    assert_eq!(created.properties.unwrap(), properties);
    let job_id = create(&mut jobs, "later").await;
    assert_eq!(update(&mut jobs, &job_id, properties.clone()).await.unwrap(), properties);
    let cleared = v1::JobProperties { notify_command: Some(v1::NotifyCommand::default()), ..properties };
    assert_eq!(update(&mut jobs, &job_id, cleared).await.unwrap().notify_command, None);
}

#[tokio::test]
async fn a_property_out_of_range_is_refused_and_none_of_the_others_is_set() {
    use tonic::Code::{FailedPrecondition, InvalidArgument};
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let job_id = with_file(&served, &mut jobs).await;
    let none = v1::JobProperties::default;
    let command = |program: &str, parameters: &str| v1::JobProperties {
        notify_command: Some(v1::NotifyCommand { program: program.into(), parameters: parameters.into() }),
        ..v1::JobProperties::default()
    };
    let long = "x".repeat(4000);
    let rows = [
        (v1::JobProperties { notify_flags: Some(0x40), ..none() }, "E_NOTIMPL", InvalidArgument),
        (v1::JobProperties { peer_caching_flags: Some(8), ..none() }, "E_NOTIMPL", InvalidArgument),
        (v1::JobProperties { file_acl_flags: Some(16), ..none() }, "E_INVALIDARG", InvalidArgument),
        (v1::JobProperties { cost_flags: Some(0x100), ..none() }, "E_INVALIDARG", InvalidArgument),
        (v1::JobProperties { files_at_once: Some(0), ..none() }, "E_INVALIDARG", InvalidArgument),
        (v1::JobProperties { files_at_once: Some(65), ..none() }, "E_INVALIDARG", InvalidArgument),
        (v1::JobProperties { maximum_download_time_s: Some(0), ..none() }, "E_INVALIDARG", InvalidArgument),
        (
            v1::JobProperties { max_download_size_bytes: Some(0), ..none() },
            "BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE",
            InvalidArgument,
        ),
        (
            v1::JobProperties { high_performance: Some(true), ..none() },
            "BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE",
            FailedPrecondition,
        ),
        (
            v1::JobProperties { dynamic_content: Some(true), on_demand_mode: Some(true), ..none() },
            "BG_E_UNSUPPORTED_JOB_CONFIGURATION",
            FailedPrecondition,
        ),
        (command("", "x"), "E_INVALIDARG", InvalidArgument),
        (command("x", ""), "E_INVALIDARG", InvalidArgument),
        (command("/x", "/y"), "E_INVALIDARG", InvalidArgument),
        (command("/x", &format!("/x {long}")), "BG_E_STRING_TOO_LONG", InvalidArgument),
        (command(&format!("/{long}"), ""), "BG_E_STRING_TOO_LONG", InvalidArgument),
    ];
    for (properties, name, code) in rows {
        let properties = v1::JobProperties { description: Some("set".to_owned()), ..properties };
        let outcome = update(&mut jobs, &job_id, properties.clone()).await;
        assert_eq!(detail(outcome), refused(name, code), "{properties:?}");
    }
    let unchanged = update(&mut jobs, &job_id, none()).await.unwrap();
    assert_eq!(unchanged.description.as_deref(), Some(""));
}

#[tokio::test]
async fn a_remote_name_can_be_another_one() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let job_id = with_file(&served, &mut jobs).await;
    let name = |remote_url: &str, file_index| v1::SetRemoteNameRequest {
        job_id: job_id.clone(),
        file_index,
        remote_url: remote_url.to_owned(),
    };
    jobs.set_remote_name(name("https://other/b", 0)).await.unwrap();
    assert_eq!(file(&mut jobs, &job_id).await.remote_url, "https://other/b");
    let bad = detail(jobs.set_remote_name(name("ftp://other/b", 0)).await);
    assert_eq!(bad, refused("E_INVALIDARG", tonic::Code::InvalidArgument));
    let missing = detail(jobs.set_remote_name(name("ftp://other/b", 1)).await);
    assert_eq!(missing, refused("BG_E_FILE_NOT_FOUND", tonic::Code::NotFound));
}

#[tokio::test]
async fn a_prefix_that_no_file_has_is_success_with_a_remark() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let job_id = with_file(&served, &mut jobs).await;
    let prefix = |old: &str, new: &str| v1::ReplaceRemotePrefixRequest {
        job_id: job_id.clone(),
        old_prefix: old.to_owned(),
        new_prefix: new.to_owned(),
    };
    let nothing = jobs.replace_remote_prefix(prefix("HTTP://host/", "http://other/")).await.unwrap();
    assert_eq!(nothing.into_inner().code(), SuccessCode::SFalse);
    let replaced = jobs.replace_remote_prefix(prefix("http://host/", "http://other/x/")).await.unwrap();
    assert_eq!(replaced.into_inner().code(), SuccessCode::SOk);
    assert_eq!(file(&mut jobs, &job_id).await.remote_url, "http://other/x/a");
    for (old, new) in [("", "http://x/"), ("http://", ""), ("http://other", "ftp://other")] {
        let bad = detail(jobs.replace_remote_prefix(prefix(old, new)).await);
        assert_eq!(bad, refused("E_INVALIDARG", tonic::Code::InvalidArgument), "{old} {new}");
    }
}

#[tokio::test]
async fn a_verdict_waits_for_the_file_and_a_bad_one_fails_the_job() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let job_id = arrived(&served, &mut jobs).await;
    let says = |job_id: &str, valid| v1::SetValidationStateRequest {
        job_id: job_id.to_owned(),
        file_index: 0,
        valid,
    };
    assert_eq!(file(&mut jobs, &job_id).await.validation_state, None);
    jobs.set_validation_state(says(&job_id, true)).await.unwrap();
    assert_eq!(file(&mut jobs, &job_id).await.validation_state, Some(true));
    let state = jobs.set_validation_state(says(&job_id, false)).await.unwrap().into_inner().state();
    assert_eq!(state, JobState::Error);
    let shown = file(&mut jobs, &job_id).await;
    assert_eq!((shown.validation_state, shown.progress.unwrap().bytes_transferred), (Some(false), 0));
    let request = v1::GetJobErrorRequest { job_id: job_id.clone() };
    let error = jobs.get_job_error(request).await.unwrap().into_inner().error.unwrap();
    assert_eq!((error.detail.unwrap().name.as_str(), error.file_index), ("BG_E_VALIDATION_FAILED", Some(0)));
    let early = with_file(&served, &mut jobs).await;
    let pending = detail(jobs.set_validation_state(says(&early, true)).await);
    assert_eq!(pending, refused("E_PENDING", tonic::Code::FailedPrecondition));
    let request = v1::GetJobErrorRequest { job_id: early };
    let none = detail(jobs.get_job_error(request).await);
    assert_eq!(none, refused("BG_E_ERROR_INFORMATION_UNAVAILABLE", tonic::Code::FailedPrecondition));
}

#[tokio::test]
async fn ranges_are_asked_for_at_any_time_but_only_of_a_whole_file() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let job_id = with_file(&served, &mut jobs).await;
    let range = |offset, length| v1::FileRange { offset, length };
    let ask = |file_index, ranges: &[v1::FileRange]| v1::RequestFileRangesRequest {
        job_id: job_id.clone(),
        file_index,
        ranges: ranges.to_vec(),
    };
    let at =
        |file_index, offset| v1::UpdateDownloadPositionRequest { job_id: job_id.clone(), file_index, offset };
    let asked = [range(100, Some(50)), range(120, Some(80))];
    let state = jobs.request_file_ranges(ask(0, &asked)).await.unwrap().into_inner().state();
    assert_eq!(state, JobState::Suspended);
    assert_eq!(file(&mut jobs, &job_id).await.requested_ranges, [range(100, Some(100))]);
    jobs.update_download_position(at(0, 70)).await.unwrap();

    use tonic::Code::{FailedPrecondition, InvalidArgument, NotFound};
    for (asked, name) in [
        (vec![], "E_INVALIDARG"),
        (vec![range(0, Some(0))], "BG_E_INVALID_RANGE"),
        (vec![range(u64::MAX, Some(1))], "BG_E_INVALID_RANGE"),
        (vec![range(u64::MAX - 1, Some(9))], "BG_E_INVALID_RANGE"),
    ] {
        let bad = detail(jobs.request_file_ranges(ask(0, &asked)).await);
        assert_eq!(bad, refused(name, InvalidArgument), "{asked:?}");
    }
    let bad = detail(jobs.update_download_position(at(0, u64::MAX)).await);
    assert_eq!(bad, refused("BG_E_INVALID_RANGE", InvalidArgument));
    let missing = detail(jobs.request_file_ranges(ask(7, &[range(0, None)])).await);
    assert_eq!(missing, refused("BG_E_FILE_NOT_FOUND", NotFound));
    let missing = detail(jobs.update_download_position(at(7, 0)).await);
    assert_eq!(missing, refused("BG_E_FILE_NOT_FOUND", NotFound));

    let packed = v1::NewFile { ranges: vec![range(0, Some(9))], ..served.file("b") };
    jobs.add_files(v1::AddFilesRequest { job_id: job_id.clone(), files: vec![packed] }).await.unwrap();
    let random = refused("BG_E_RANDOM_ACCESS_NOT_SUPPORTED", FailedPrecondition);
    assert_eq!(detail(jobs.request_file_ranges(ask(1, &[range(0, None)])).await), random);
    assert_eq!(detail(jobs.update_download_position(at(1, 0)).await), random);
}

#[tokio::test]
async fn who_takes_a_job_over_owns_it_without_its_command() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    // The house's own caller is somebody else.
    let job_id = served.house.job(&["a"]).await;
    let command = dray_jobs::NotifyCommand { program: "/bin/x".into(), parameters: String::new() };
    let set = dray_jobs::Call::Set(vec![dray_jobs::Setting::NotifyCommand(Some(command))]);
    served.house.call(job_id, set).await.unwrap();
    let request = v1::TakeOwnershipRequest { job_id: job_id.to_string() };
    let taken = jobs.take_ownership(request).await.unwrap().into_inner().job.unwrap();
    let own = match peer::this_process().unwrap().user {
        peer::UserId::Unix { uid, .. } => uid.to_string(),
        peer::UserId::Windows { sid } => sid,
    };
    assert_eq!((taken.owner, taken.properties.unwrap().notify_command), (own, None));
}

#[tokio::test]
async fn every_call_on_a_job_that_is_not_there_says_so() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let nowhere = refused("BG_E_NOT_FOUND", tonic::Code::NotFound);
    for job_id in ["", "x", "00000000-0000-4000-8000-000000000000"].map(str::to_owned) {
        let ask = v1::RequestFileRangesRequest { job_id: job_id.clone(), ..Default::default() };
        assert_eq!(detail(jobs.request_file_ranges(ask).await), nowhere);
        let ask = v1::UpdateDownloadPositionRequest { job_id: job_id.clone(), ..Default::default() };
        assert_eq!(detail(jobs.update_download_position(ask).await), nowhere);
        let ask = v1::SetRemoteNameRequest { job_id: job_id.clone(), ..Default::default() };
        assert_eq!(detail(jobs.set_remote_name(ask).await), nowhere);
        let ask = v1::ReplaceRemotePrefixRequest { job_id: job_id.clone(), ..Default::default() };
        assert_eq!(detail(jobs.replace_remote_prefix(ask).await), nowhere);
        let ask = v1::SetValidationStateRequest { job_id: job_id.clone(), ..Default::default() };
        assert_eq!(detail(jobs.set_validation_state(ask).await), nowhere);
        let ask = v1::TakeOwnershipRequest { job_id: job_id.clone() };
        assert_eq!(detail(jobs.take_ownership(ask).await), nowhere);
        assert_eq!(detail(jobs.get_job_error(v1::GetJobErrorRequest { job_id }).await), nowhere);
    }
}
