//! The client's end: a channel to the daemon, and the services on it.

use std::{
    io,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint};

use crate::{
    server::MAX_RESPONSE_BYTES,
    transport::{self, ClientStream, ConnectError},
    v1::{
        daemon_service_client::DaemonServiceClient,
        delivery_optimization_service_client::DeliveryOptimizationServiceClient,
        job_service_client::JobServiceClient,
    },
};

/// Jobs over a channel.
pub type JobClient = JobServiceClient<Channel>;

/// The daemon itself over a channel.
pub type DaemonClient = DaemonServiceClient<Channel>;

/// Downloads of Delivery Optimization over a channel.
pub type DownloadClient = DeliveryOptimizationServiceClient<Channel>;

/// A daemon that has not answered a ping for this long is taken for dead, and the calls under way fail.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Connects to the daemon that listens on `path`. The channel connects again by itself when the daemon was restarted: the
/// calls under way fail, the next one succeeds.
pub async fn connect(path: &Path) -> Result<Channel, ConnectError> {
    // The first connection is made here, where the reason of a failure still has its type.
    let first = Mutex::new(Some(transport::connect(path).await?));
    let connector = {
        let path = path.to_path_buf();
        tower::service_fn(move |_uri| {
            let first: Option<ClientStream> = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            let path = path.clone();
            async move {
                match first {
                    Some(stream) => Ok(TokioIo::new(stream)),
                    None => transport::connect(&path).await.map(TokioIo::new).map_err(io::Error::other),
                }
            }
        })
    };
    // The name is only what HTTP/2 wants to see; the way is the connector's.
    Endpoint::from_static("http://localhost")
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .connect_with_connector(connector)
        .await
        .map_err(|error| ConnectError::Protocol { path: path.to_path_buf(), reason: error.to_string() })
}

/// The job service on `channel`.
pub fn jobs(channel: Channel) -> JobClient {
    JobServiceClient::new(channel).max_decoding_message_size(MAX_RESPONSE_BYTES)
}

/// The service of Delivery Optimization on `channel`.
pub fn downloads(channel: Channel) -> DownloadClient {
    DeliveryOptimizationServiceClient::new(channel).max_decoding_message_size(MAX_RESPONSE_BYTES)
}

/// The daemon service on `channel`.
pub fn daemon(channel: Channel) -> DaemonClient {
    DaemonServiceClient::new(channel).max_decoding_message_size(MAX_RESPONSE_BYTES)
}
