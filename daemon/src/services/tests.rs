//! The services over a real socket, with a scripted origin behind them.

mod calls;

mod delivery;
mod looks;
mod members;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dray_api::client::{self, connect};
use dray_api::transport::{BindOptions, Listener};
use dray_api::v1::daemon_service_client::DaemonServiceClient;
use dray_api::v1::job_event::Event;
use dray_api::v1::job_service_client::JobServiceClient;
use dray_api::v1::{self, ErrorDetail, JobState, SuccessCode};
use dray_platform::peer;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use super::{About, Access, Daemon, Jobs};
use crate::config::{Mode, Setting, Source};
use crate::peering::Peering;
use crate::runner::wall;
use crate::testing::{Act, House, url};

type JobClient = JobServiceClient<Channel>;

/// A house with its door open.
struct Served {
    house: House,
    socket: PathBuf,
    _serving: JoinHandle<()>,
}

async fn serve() -> Served {
    serve_as(peer::this_process().unwrap().user).await
}

async fn serve_as(daemon_user: peer::UserId) -> Served {
    let house = House::new();
    let socket = house.folder.path().join(".s");
    let listener = Listener::bind(&socket, &BindOptions::default()).unwrap();
    let access = Access::new(daemon_user);
    let (runner, hub, metrics) = (house.runner.clone(), house.hub.clone(), house.metrics.clone());
    let jobs = Jobs { runner: runner.clone(), hub, access: access.clone(), metrics: metrics.clone() };
    let about = About {
        started: wall(),
        state_dir: "/state".into(),
        warnings: vec!["look out".to_owned()],
        settings: Vec::new(),
    };
    let off = Setting { value: Mode::Off, from: Source::Flag("--mode") };
    let daemon = Daemon {
        about: Arc::new(about),
        runner,
        cache: None,
        peering: Arc::new(Peering::off(&off, "")),
        history: house.history.clone(),
        access,
        metrics,
    };
    let serving = tokio::spawn(async move {
        let _ = dray_api::server::serve(listener, jobs, daemon, std::future::pending()).await;
    });
    Served { house, socket, _serving: serving }
}

impl Served {
    async fn jobs(&self) -> JobClient {
        client::jobs(connect(&self.socket).await.unwrap())
    }

    async fn daemon(&self) -> DaemonServiceClient<Channel> {
        client::daemon(connect(&self.socket).await.unwrap())
    }

    fn file(&self, name: &str) -> v1::NewFile {
        v1::NewFile {
            remote_url: url(name),
            local_path: self.house.path(name).to_str().unwrap().to_owned(),
            ..v1::NewFile::default()
        }
    }
}

fn named(name: &str) -> v1::CreateJobRequest {
    let properties = v1::JobProperties { display_name: Some(name.to_owned()), ..Default::default() };
    v1::CreateJobRequest { properties: Some(properties), ..Default::default() }
}

async fn create(jobs: &mut JobClient, name: &str) -> String {
    jobs.create_job(named(name)).await.unwrap().into_inner().job.unwrap().job_id
}

/// What a failed call says.
fn detail<T: std::fmt::Debug>(outcome: Result<T, tonic::Status>) -> (String, tonic::Code) {
    let status = outcome.unwrap_err();
    let detail = ErrorDetail::from_status(&status).unwrap();
    assert!(!detail.sentence.is_empty());
    (detail.name, status.code())
}

async fn next(events: &mut tonic::Streaming<v1::WatchEventsResponse>) -> Event {
    let wait = tokio::time::timeout(Duration::from_secs(20), events.message());
    wait.await.unwrap().unwrap().unwrap().event.unwrap().event.unwrap()
}

#[tokio::test]
async fn a_job_goes_from_create_to_complete() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let created = jobs.create_job(named("updates")).await.unwrap().into_inner().job.unwrap();
    assert_eq!(created.state(), JobState::Suspended);
    assert_eq!(created.properties.unwrap().minimum_retry_delay_s, Some(600));
    let job_id = created.job_id;
    served.house.script.act(&url("a"), Act::Bring { bytes: 9, after: Duration::ZERO });
    let files = vec![served.file("a")];
    let request = v1::AddFilesRequest { job_id: job_id.clone(), files };
    assert_eq!(jobs.add_files(request).await.unwrap().into_inner().file_indexes, [0]);
    let resumed = jobs.resume_job(v1::ResumeJobRequest { job_id: job_id.clone() }).await.unwrap();
    assert_ne!(resumed.into_inner().state(), JobState::Suspended);

    let request = v1::WatchEventsRequest { job_ids: vec![job_id.clone()], ..Default::default() };
    let mut events = jobs.watch_events(request).await.unwrap().into_inner();
    loop {
        match next(&mut events).await {
            Event::Snapshot(shown) if shown.job.as_ref().unwrap().state() == JobState::Transferred => break,
            Event::JobTransferred(_) => break,
            _ => {}
        }
    }
    let request = v1::ListFilesRequest { job_id: job_id.clone(), ..Default::default() };
    let file = jobs.list_files(request).await.unwrap().into_inner().files.pop().unwrap();
    assert!(file.progress.unwrap().transferred && !file.progress.unwrap().completed);
    assert!(PathBuf::from(file.temporary_path).exists());
    let request = v1::GetFilledFileRangesRequest { job_id: job_id.clone(), file_index: 0 };
    let filled = jobs.get_filled_file_ranges(request).await.unwrap().into_inner().ranges;
    assert_eq!(filled, [v1::FileRange { offset: 0, length: Some(9) }]);

    let completed = jobs.complete_job(v1::CompleteJobRequest { job_id: job_id.clone() }).await.unwrap();
    let completed = completed.into_inner();
    assert_eq!(completed.code(), SuccessCode::SOk);
    assert_eq!((completed.files_completed, completed.files_total), (1, 1));
    assert_eq!(served.house.delivered(), ["a"]);
    let gone = detail(jobs.get_job(v1::GetJobRequest { job_id }).await);
    assert_eq!(gone, ("BG_E_NOT_FOUND".to_owned(), tonic::Code::NotFound));
}

#[tokio::test]
async fn a_watcher_sees_what_is_there_and_then_what_happens_in_order() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let first = create(&mut jobs, "first").await;
    let mut events = jobs.watch_events(v1::WatchEventsRequest::default()).await.unwrap().into_inner();
    assert!(
        matches!(next(&mut events).await, Event::Snapshot(shown) if shown.job.as_ref().unwrap().job_id == first)
    );
    assert!(matches!(next(&mut events).await, Event::CaughtUp(_)));

    let second = create(&mut jobs, "second").await;
    assert!(
        matches!(next(&mut events).await, Event::Snapshot(shown) if shown.job.as_ref().unwrap().job_id == second)
    );
    let files = vec![served.file("a")];
    jobs.add_files(v1::AddFilesRequest { job_id: second.clone(), files }).await.unwrap();
    assert!(matches!(next(&mut events).await, Event::Modified(modified) if modified.files_total == 1));
    served.house.script.act(&url("a"), Act::Bring { bytes: 9, after: Duration::from_millis(20) });
    jobs.resume_job(v1::ResumeJobRequest { job_id: second.clone() }).await.unwrap();
    let mut states = Vec::new();
    let mut arrived = false;
    loop {
        match next(&mut events).await {
            Event::StateChanged(changed) => states.push(changed.state()),
            Event::FileTransferred(_) => arrived = true,
            Event::JobTransferred(transferred) => {
                assert!(arrived, "the file comes before the job");
                assert_eq!(transferred.progress.unwrap().bytes_transferred, 9);
                break;
            }
            _ => {}
        }
    }
    use JobState::{Connecting, Queued, Transferred, Transferring};
    assert_eq!(states, [Queued, Connecting, Transferring, Transferred]);
    jobs.cancel_job(v1::CancelJobRequest { job_id: second }).await.unwrap();
    assert!(
        matches!(next(&mut events).await, Event::StateChanged(changed) if changed.state() == JobState::Cancelled)
    );
}

#[tokio::test]
async fn a_watcher_that_does_not_read_loses_events_and_is_told_and_shown_the_present() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let job_id = create(&mut jobs, "0").await;
    let mut events = jobs.watch_events(v1::WatchEventsRequest::default()).await.unwrap().into_inner();
    // More than the mailbox, the stream's window and all buffers between hold.
    let description = Some("\u{1D54F}".repeat(1024));
    for number in 1..1500 {
        let display_name = Some(number.to_string());
        let description = description.clone();
        let properties = v1::JobProperties { display_name, description, ..Default::default() };
        let request = v1::UpdateJobRequest { job_id: job_id.clone(), properties: Some(properties) };
        jobs.update_job(request).await.unwrap();
    }
    while !matches!(next(&mut events).await, Event::EventsLost(_)) {}
    let Event::Snapshot(shown) = next(&mut events).await else { panic!("a snapshot follows") };
    assert_eq!(shown.job.unwrap().properties.unwrap().display_name.as_deref(), Some("1499"));
    assert!(matches!(next(&mut events).await, Event::CaughtUp(_)));
}

#[tokio::test]
async fn a_listing_in_pages_has_every_job_once_and_none_that_came_later() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let mut created = Vec::new();
    for number in 0..7 {
        created.push(create(&mut jobs, &number.to_string()).await);
    }
    let mut request = v1::ListJobsRequest { page_size: 3, ..Default::default() };
    let mut listed = Vec::new();
    loop {
        let page = jobs.list_jobs(request.clone()).await.unwrap().into_inner();
        listed.extend(page.jobs.into_iter().map(|job| job.job_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
        tokio::time::sleep(Duration::from_millis(2)).await;
        create(&mut jobs, "late").await;
    }
    created.sort();
    listed.sort();
    assert_eq!(listed, created);
}

#[tokio::test]
async fn every_refusal_is_typed() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let refused = |name: &str, code| (name.to_owned(), code);
    use tonic::Code::{FailedPrecondition, InvalidArgument, NotFound, Unimplemented};

    let nameless = jobs.create_job(v1::CreateJobRequest::default()).await;
    assert_eq!(detail(nameless), refused("E_INVALIDARG", InvalidArgument));
    assert_eq!(
        detail(jobs.create_job(named(&"x".repeat(257))).await),
        refused("E_INVALIDARG", InvalidArgument)
    );
    let upload = v1::CreateJobRequest { r#type: v1::JobType::Upload.into(), ..named("up") };
    assert_eq!(detail(jobs.create_job(upload).await), refused("E_NOTIMPL", Unimplemented));

    for job_id in ["", "7", "00000000-0000-4000-8000-000000000000"] {
        let unknown = jobs.suspend_job(v1::SuspendJobRequest { job_id: job_id.to_owned() }).await;
        assert_eq!(detail(unknown), refused("BG_E_NOT_FOUND", NotFound));
    }
    let job_id = create(&mut jobs, "empty").await;
    let empty = jobs.resume_job(v1::ResumeJobRequest { job_id: job_id.clone() }).await;
    assert_eq!(detail(empty), refused("BG_E_EMPTY", FailedPrecondition));
    let request = v1::GetFileRangesRequest { job_id: job_id.clone(), file_index: 3 };
    assert_eq!(detail(jobs.get_file_ranges(request).await), refused("BG_E_FILE_NOT_FOUND", NotFound));

    let nowhere = v1::NewFile { local_path: "/nowhere/at/all".to_owned(), ..served.file("a") };
    let request = v1::AddFilesRequest { job_id: job_id.clone(), files: vec![nowhere] };
    assert_eq!(detail(jobs.add_files(request).await), refused("ERROR_PATH_NOT_FOUND", NotFound));
    let overlap = [0, 5].map(|offset| v1::FileRange { offset, length: Some(10) }).to_vec();
    let overlapping = v1::NewFile { ranges: overlap, ..served.file("a") };
    let request = v1::AddFilesRequest { job_id: job_id.clone(), files: vec![overlapping] };
    assert_eq!(detail(jobs.add_files(request).await), refused("BG_E_OVERLAPPING_RANGES", InvalidArgument));
    let request = v1::ListJobsRequest { page_token: "x".to_owned(), ..Default::default() };
    assert_eq!(detail(jobs.list_jobs(request).await), refused("E_INVALIDARG", InvalidArgument));
    let request = v1::WatchEventsRequest { job_ids: vec!["7".to_owned()], ..Default::default() };
    assert_eq!(detail(jobs.watch_events(request).await), refused("BG_E_NOT_FOUND", NotFound));
}

#[cfg(unix)]
#[tokio::test]
async fn a_daemon_of_another_user_serves_only_that_user_and_root() {
    let peer::UserId::Unix { uid: own, gid } = peer::this_process().unwrap().user else { return };
    // Somebody else's daemon, and one that we may use.
    let served = serve_as(peer::UserId::Unix { uid: own + 1, gid }).await;
    let created = served.jobs().await.create_job(named("mine")).await;
    if own == 0 {
        assert_eq!(created.unwrap().into_inner().job.unwrap().owner, "0");
    } else {
        assert_eq!(detail(created), ("E_ACCESSDENIED".to_owned(), tonic::Code::PermissionDenied));
        let status = served.daemon().await.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
        assert_eq!((status.state_dir.as_str(), status.warnings.len()), ("", 0));
    }
}

#[tokio::test]
async fn the_daemon_says_how_it_is() {
    let served = serve().await;
    create(&mut served.jobs().await, "one").await;
    let mut daemon = served.daemon().await;
    let status = daemon.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.jobs, [v1::JobCount { state: JobState::Suspended.into(), count: 1 }]);
    assert_eq!(status.state_dir, "/state");
    assert_eq!(status.warnings, ["look out"]);
    assert_eq!(status.pid, std::process::id());
    let version = daemon.get_version(v1::GetVersionRequest {}).await.unwrap().into_inner();
    assert_eq!(version.version, env!("CARGO_PKG_VERSION"));
}
