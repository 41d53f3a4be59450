//! What all connections share.

use std::net::SocketAddr;
use std::sync::Arc;

use dray_identity::{Group, PeerId};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Limits, Timing, Transport};
use crate::counts::Counters;
use crate::link::Shape;
use crate::link::quic::QuicEndpoint;
use crate::link::tls::TlsEndpoint;
use crate::peers::Peers;
use crate::serve::Uploads;
use crate::{ExchangeError, Guard, Incident, Shelf};

pub(crate) struct Hub {
    pub(crate) me: PeerId,
    pub(crate) group: Option<Group>,
    pub(crate) limits: Limits,
    pub(crate) timing: Timing,
    pub(crate) transport: Transport,
    pub(crate) shelf: Arc<dyn Shelf>,
    pub(crate) quic: Option<QuicEndpoint>,
    pub(crate) tls: TlsEndpoint,
    pub(crate) uploads: Uploads,
    pub(crate) peers: Peers,
    /// Cancelled when everything is to end.
    pub(crate) over: CancellationToken,
    guard: Arc<dyn Guard>,
    pub(crate) counters: Counters,
}

impl Hub {
    pub(crate) fn new(config: Config, shelf: Arc<dyn Shelf>) -> Result<Self, ExchangeError> {
        let Config { key, group, udp, transport, limits, timing, guard, .. } = config;
        let shape = Shape::new(limits.requests_per_peer, &timing);
        let quic = udp.map(|socket| QuicEndpoint::new(&key, socket, shape)).transpose()?;
        Ok(Self {
            me: key.peer_id(),
            tls: TlsEndpoint::new(&key, shape)?,
            uploads: Uploads::new(&limits),
            peers: Peers::new(limits.connections),
            over: CancellationToken::new(),
            counters: Counters::default(),
            group,
            limits,
            timing,
            transport,
            shelf,
            quic,
            guard,
        })
    }

    pub(crate) fn admits(&self, peer: &PeerId, from: SocketAddr) -> bool {
        self.guard.admit(peer, from)
    }

    /// Counts what a peer did, and tells the guard.
    pub(crate) fn incident(&self, peer: &PeerId, from: SocketAddr, what: Incident) {
        tracing::debug!(%peer, %from, %what, "an incident with a peer");
        self.counters.incidents.add(1);
        self.counters.violations.add(u64::from(what.is_violation()));
        self.guard.incident(peer, from, what);
    }
}
