//! Calls between a real client and a real server over a real socket.
#![cfg(unix)]

mod stub;

use dray_api::{
    client,
    v1::{job_event::Event, *},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

#[tokio::test]
async fn a_failure_arrives_with_its_detail() {
    let served = stub::start();
    let mut jobs = client::jobs(client::connect(&served.socket).await.unwrap());
    let status = jobs.get_job(GetJobRequest { job_id: "7".to_owned() }).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert_eq!(ErrorDetail::from_status(&status), Some(stub::not_found("7")));
}

#[tokio::test]
async fn the_server_knows_its_caller_from_the_kernel() {
    let served = stub::start();
    let mut jobs = client::jobs(client::connect(&served.socket).await.unwrap());
    let created = jobs.create_job(CreateJobRequest::default()).await.unwrap().into_inner();
    let own = std::fs::metadata(&served.socket).unwrap();
    let own_uid = std::os::unix::fs::MetadataExt::uid(&own);
    assert_eq!(created.job.unwrap().owner, own_uid.to_string());
}

#[tokio::test]
async fn a_stream_starts_before_it_ends() {
    let served = stub::start();
    let mut jobs = client::jobs(client::connect(&served.socket).await.unwrap());
    let mut events = jobs.watch_events(WatchEventsRequest::default()).await.unwrap().into_inner();
    let first = events.message().await.unwrap().unwrap().event.unwrap();
    assert_eq!(first.event, Some(Event::CaughtUp(CaughtUp {})));
}

#[tokio::test]
async fn a_stream_that_never_ends_does_not_hold_up_the_shutdown() {
    let served = stub::start();
    let mut jobs = client::jobs(client::connect(&served.socket).await.unwrap());
    let mut events = jobs.watch_events(WatchEventsRequest::default()).await.unwrap().into_inner();
    events.message().await.unwrap();
    served.stop.send(()).unwrap();
    served.serving.await.unwrap().unwrap();
    assert!(!served.socket.exists());
}

#[tokio::test]
async fn a_channel_finds_the_daemon_again_after_its_restart() {
    let served = stub::start();
    let mut daemon = client::daemon(client::connect(&served.socket).await.unwrap());
    daemon.get_version(GetVersionRequest {}).await.unwrap();
    served.stop.send(()).unwrap();
    served.serving.await.unwrap().unwrap();

    let again = dray_api::transport::Listener::bind(&served.socket, &Default::default()).unwrap();
    tokio::spawn(dray_api::server::serve(again, stub::Jobs, stub::Daemon, std::future::pending()));
    let version = daemon.get_version(GetVersionRequest {}).await.unwrap().into_inner();
    assert_eq!(version.version, "1.2.3");
}

#[tokio::test]
async fn a_request_above_the_limit_is_refused() {
    let served = stub::start();
    let mut jobs = client::jobs(client::connect(&served.socket).await.unwrap());
    let job_id = "x".repeat(dray_api::server::MAX_REQUEST_BYTES);
    let status = jobs.get_job(GetJobRequest { job_id }).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::OutOfRange);
}

#[tokio::test]
async fn health_is_answered() {
    let served = stub::start();
    let mut health = HealthClient::new(client::connect(&served.socket).await.unwrap());
    let request = HealthCheckRequest { service: "dray.v1.JobService".to_owned() };
    let answer = health.check(request).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
}

#[tokio::test]
async fn reflection_lists_the_services_and_finds_the_error_detail() {
    let served = stub::start();
    let mut reflection = ServerReflectionClient::new(client::connect(&served.socket).await.unwrap());
    let ask = |message_request| ServerReflectionRequest {
        message_request: Some(message_request),
        ..Default::default()
    };
    let asked = tokio_stream::iter([
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("dray.v1.ErrorDetail".to_owned())),
    ]);
    let mut answers = reflection.server_reflection_info(asked).await.unwrap().into_inner();

    let Some(MessageResponse::ListServicesResponse(services)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list of services");
    };
    let names: Vec<_> = services.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["dray.v1.JobService", "dray.v1.DaemonService", "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert!(matches!(
        answers.message().await.unwrap().unwrap().message_response,
        Some(MessageResponse::FileDescriptorResponse(_))
    ));
}
