//! The daemon's end: the services of dray, health and reflection on one listener, within limits that hold against a
//! hostile local user.

use std::{future::Future, time::Duration};

use tonic::transport::{Server, server::Router};
use tonic_health::server::HealthReporter;

use crate::{
    FILE_DESCRIPTOR_SET,
    transport::Listener,
    v1::{
        daemon_service_server::{DaemonService, DaemonServiceServer},
        delivery_optimization_service_server::{
            DeliveryOptimizationService, DeliveryOptimizationServiceServer,
        },
        job_service_server::{JobService, JobServiceServer},
    },
};

/// Largest request. Room for a thousand files in one AddFiles, or for one with 500 ranges many times over.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// Largest response: what gRPC libraries take by default. A page of a listing ends before it grows that large.
pub const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// Where a page of a listing ends, however many entries were asked for.
pub const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// Most calls at a time on one connection; further ones wait on the client's side. HTTP/2 clients take 100 for granted until they have read
/// the settings (RFC 9113, section 6.5.2), and would be refused what they send too early.
pub const MAX_CALLS_PER_CONNECTION: u32 = 128;

/// How long a call may take to its answer (for a stream: to its first sign of life). Whoever sends half a request and then
/// nothing is let go of after it.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// How long the calls under way have to end once the daemon shuts down. Streams never end by themselves.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// A client that has not answered a ping for this long is gone, or does not read.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// What one call and one connection may have under way unread. Messages are small; this bounds memory, not speed.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Largest headers of a request.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The compiled protos cannot be read: a broken build.
    #[error("cannot describe the services: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The server stopped.
    #[error("the server of the local API stopped: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves `jobs` and `daemon`, with health (`grpc.health.v1`) and reflection (v1 and v1alpha), until `shutdown` is done;
/// then takes no more calls, and gives those under way [`SHUTDOWN_GRACE`].
///
/// A handler may be dropped at any of its awaits: when its client goes away, or at [`CALL_TIMEOUT`].
pub async fn serve<J: JobService, D: DaemonService>(
    listener: Listener,
    jobs: J,
    daemon: D,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let router = router(jobs, daemon).await?.0;
    run(router, listener, shutdown).await
}

/// The same, with the downloads of Delivery Optimization besides.
pub async fn serve_all<J: JobService, D: DaemonService, O: DeliveryOptimizationService>(
    listener: Listener,
    jobs: J,
    daemon: D,
    downloads: O,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (router, reporter) = router(jobs, daemon).await?;
    reporter.set_serving::<DeliveryOptimizationServiceServer<O>>().await;
    let downloads =
        DeliveryOptimizationServiceServer::new(downloads).max_decoding_message_size(MAX_REQUEST_BYTES);
    run(router.add_service(downloads), listener, shutdown).await
}

async fn router<J: JobService, D: DaemonService>(
    jobs: J,
    daemon: D,
) -> Result<(Router, HealthReporter), ServeError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<JobServiceServer<J>>().await;
    reporter.set_serving::<DaemonServiceServer<D>>().await;

    let router = Server::builder()
        .max_concurrent_streams(MAX_CALLS_PER_CONNECTION)
        .timeout(CALL_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_keepalive_interval(Some(PING_INTERVAL))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(health)
        .add_service(JobServiceServer::new(jobs).max_decoding_message_size(MAX_REQUEST_BYTES))
        .add_service(DaemonServiceServer::new(daemon).max_decoding_message_size(MAX_REQUEST_BYTES));
    Ok((router, reporter))
}

async fn run(
    router: Router,
    listener: Listener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = router.serve_with_incoming_shutdown(listener.incoming(), async {
        // Dropped or sent: both mean the same.
        let _ = stopped.await;
    });
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        result = &mut serving => return Ok(result?),
        () = shutdown => {}
    }
    drop(stop);
    match tokio::time::timeout(SHUTDOWN_GRACE, serving).await {
        Ok(result) => Ok(result?),
        Err(_elapsed) => Ok(()),
    }
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
