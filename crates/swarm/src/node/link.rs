//! One connected peer.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use crate::bucket::{Bucket, Time};
use crate::frame::Item;
use crate::wishes::WishId;

/// One connection; for a moment a peer may have two.
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) since: Instant,
    /// This machine began it.
    pub(super) dialed: bool,
}

/// What is remembered of a peer while it is connected.
pub(super) struct Link {
    pub(super) connections: Vec<Connection>,
    /// It has shown that it is one of us.
    pub(super) proven: bool,
    pub(super) since: Instant,
    /// The other end of the connection.
    pub(super) remote: SocketAddr,
    /// The port on which it takes connections.
    pub(super) port: Option<u16>,
    pub(super) agent: String,
    pub(super) rtt: Option<Duration>,
    /// Searches it has not yet been asked about.
    pub(super) unasked: BTreeSet<WishId>,
    /// Searches it knows of that are over.
    pub(super) unended: BTreeSet<WishId>,
    pub(super) ask_neighbours: bool,
    /// The message it has not yet answered. There is one at a time: what comes up meanwhile goes into the next.
    pub(super) in_flight: Option<(OutboundRequestId, Vec<Item>)>,
    /// Nothing is said to it before.
    pub(super) not_before: Time,
    /// Messages in a row that it did not answer.
    pub(super) unanswered: u32,
    /// What it may still ask.
    pub(super) pace: Bucket,
    /// What it did that it should not have.
    pub(super) offences: u32,
}

impl Link {
    pub(super) fn listens_at(&self) -> Option<SocketAddr> {
        self.port.map(|port| SocketAddr::new(self.remote.ip(), port))
    }

    pub(super) fn has_something_to_say(&self) -> bool {
        self.proven
            && self.in_flight.is_none()
            && (!self.unasked.is_empty() || !self.unended.is_empty() || self.ask_neighbours)
    }
}
