//! The exchange as its user sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dray_content::Digest;
use dray_identity::PeerId;

use crate::hub::Hub;
use crate::link::CloseCode;
use crate::{Carrier, Config, Counts, ExchangeError, JoinError, Session, Shelf, Volume, calls, doorman};

/// For the other ends to hear that everything ends here.
const GOODBYE: Duration = Duration::from_millis(500);

/// All connections to peers. Cheap to clone; everything ends when the last clone goes.
#[derive(Clone)]
pub struct Exchange {
    owner: Arc<Owner>,
}

struct Owner {
    hub: Arc<Hub>,
}

/// One connection, for people to look at.
#[derive(Clone, Debug)]
pub struct LinkView {
    /// The other end's name.
    pub peer: PeerId,
    /// Its address.
    pub address: SocketAddr,
    /// What the connection runs on.
    pub transport: Carrier,
    /// What the other end calls its software.
    pub agent: String,
    /// Bytes of content sent on it.
    pub sent: u64,
    /// Bytes of content received on it.
    pub received: u64,
    /// Round-trip time, where the transport knows it.
    pub rtt: Option<Duration>,
    /// How long it lives already.
    pub age: Duration,
    /// Sessions on it.
    pub sessions: usize,
}

impl Exchange {
    /// Begins to listen on what `config` gives, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// When the sockets or the key cannot be used, or there is no runtime.
    pub fn start(mut config: Config, shelf: Arc<dyn Shelf>) -> Result<Self, ExchangeError> {
        tokio::runtime::Handle::try_current().map_err(|_| ExchangeError::NoRuntime)?;
        let tcp = config.tcp.take();
        let hub = Arc::new(Hub::new(config, shelf)?);
        tokio::spawn(doorman::run(Arc::clone(&hub), tcp));
        Ok(Self { owner: Arc::new(Owner { hub }) })
    }

    /// Opens a session about the content that has these names, on the connection to that peer, which is made if there is none. When there is such a
    /// session already, that one is given.
    ///
    /// # Errors
    /// [`JoinError`]; [`JoinError::NotOffered`] is the peer's ordinary answer.
    pub async fn join(
        &self,
        peer: PeerId,
        addresses: &[SocketAddr],
        digests: &[Digest],
        volume: Arc<dyn Volume>,
    ) -> Result<Session, JoinError> {
        calls::join(&self.owner.hub, peer, addresses, digests, volume).await
    }

    /// The connections of this moment.
    #[must_use]
    pub fn links(&self) -> Vec<LinkView> {
        self.owner.hub.peers.all().iter().map(|connection| connection.view()).collect()
    }

    /// What has happened since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.owner.hub.counters.now()
    }

    /// Changes the limit on what all uploads together send each second.
    pub fn set_upload_limit(&self, bytes_per_s: Option<u64>) {
        self.owner.hub.uploads.set_limit(bytes_per_s);
    }

    /// Ends the connection to a peer, as when it was banned. Does nothing without one.
    pub fn disconnect(&self, peer: &PeerId) {
        if let Some(connection) = self.owner.hub.peers.get(peer) {
            connection.end(CloseCode::NotAdmitted);
        }
    }

    /// Ends everything, and gives the other ends a moment to hear of it.
    pub async fn close(&self) {
        let hub = &self.owner.hub;
        hub.peers.all().iter().for_each(|connection| connection.end(CloseCode::Done));
        hub.over.cancel();
        if let Some(quic) = &hub.quic {
            quic.close();
            let _ = tokio::time::timeout(GOODBYE, quic.wait_idle()).await;
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.hub.over.cancel();
    }
}
