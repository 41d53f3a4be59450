//! Calling peers: a connection when there is none, and a session on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dray_content::Digest;
use dray_identity::{PeerId, Role};
use tokio::time::{Instant, timeout};

use crate::connection::hello::{self, join_error};
use crate::connection::{Connection, JoinFailure};
use crate::hub::Hub;
use crate::link::dial::{Ways, dial};
use crate::link::{CloseCode, LinkError};
use crate::peers::Added;
use crate::{JoinError, MAX_PIECES, Session, Volume, piece_count, wire};

/// How often a session is tried for when connections end under it, as the lesser of two does when both ends call at once.
const TRIES: usize = 3;
/// How long the other connection is waited for, of which the other end has said that it stays.
const OTHER_COMES: Duration = Duration::from_secs(2);

pub(crate) async fn join(
    hub: &Arc<Hub>,
    peer: PeerId,
    addresses: &[SocketAddr],
    digests: &[Digest],
    volume: Arc<dyn Volume>,
) -> Result<Session, JoinError> {
    let is_too_large = volume.ours().borrow().size.is_some_and(|size| piece_count(size).is_none());
    if is_too_large || digests.is_empty() || digests.len() > wire::MAX_DIGESTS || peer == hub.me {
        tracing::debug!(
            max_pieces = MAX_PIECES,
            digests = digests.len(),
            "a content that cannot be asked for"
        );
        return Err(JoinError::BadContent);
    }
    let mut last = JoinError::Closed;
    for _ in 0..TRIES {
        let connection = connect(hub, peer, addresses).await?;
        match connection.join(digests, Arc::clone(&volume)).await {
            Ok(session) => return Ok(session),
            Err(JoinFailure::Refused(error)) => return Err(error),
            Err(JoinFailure::Gone(error)) => last = join_error(&error),
        }
    }
    Err(last)
}

async fn connect(
    hub: &Arc<Hub>,
    peer: PeerId,
    addresses: &[SocketAddr],
) -> Result<Arc<Connection>, JoinError> {
    if let Some(connection) = hub.peers.get(&peer) {
        return Ok(connection);
    }
    let arrived = Instant::now();
    let call = hub.peers.call(peer);
    let outcome = {
        let mut line = call.last_failure.lock().await;
        match (hub.peers.get(&peer), &*line) {
            (Some(connection), _) => Ok(connection),
            // It failed while we stood in line: it would fail again.
            (None, Some((when, error))) if *when >= arrived => Err(error.clone()),
            (None, _) => {
                let outcome = tokio::select! {
                    outcome = call_up(hub, peer, addresses) => outcome,
                    () = hub.over.cancelled() => Err(JoinError::Closed),
                };
                *line = outcome.as_ref().err().map(|error| (Instant::now(), error.clone()));
                outcome
            }
        }
    };
    hub.peers.end_call(&peer, call);
    outcome
}

async fn call_up(
    hub: &Arc<Hub>,
    peer: PeerId,
    addresses: &[SocketAddr],
) -> Result<Arc<Connection>, JoinError> {
    let ways = Ways { quic: hub.quic.as_ref(), tls: &hub.tls, transport: hub.transport };
    let link = dial(ways, peer, addresses, &hub.timing).await?;
    if !hub.admits(&peer, link.address()) {
        link.close(CloseCode::NotAdmitted);
        return Err(JoinError::NotAdmitted);
    }
    let control = match hello::call(hub, &link).await {
        Ok(control) => control,
        Err(refused) => {
            // What the other end said of the connection counts before what became of the stream.
            let why = timeout(Duration::ZERO, link.closed()).await.ok();
            link.close(refused.code);
            if why == Some(LinkError::ClosedByPeer(CloseCode::Duplicate)) {
                return other_connection(hub, peer).await;
            }
            if let Some(incident) = refused.incident {
                hub.incident(&peer, link.address(), incident);
            }
            return Err(why.map_or(refused.error, |why| join_error(&why)));
        }
    };
    let agent = control.agent.clone();
    let (connection, letters) = Connection::new(Arc::clone(hub), link, Role::Dialer, agent);
    match hub.peers.add(&connection) {
        Added::Kept { instead_of } => {
            hub.counters.connections.add(1);
            if let Some(other) = instead_of {
                other.end(CloseCode::Duplicate);
            }
            tokio::spawn(Arc::clone(&connection).run(control, letters));
            Ok(connection)
        }
        Added::Duplicate => {
            connection.link.close(CloseCode::Duplicate);
            other_connection(hub, peer).await
        }
        Added::TooMany => {
            connection.link.close(CloseCode::TooMany);
            Err(JoinError::TooMany)
        }
    }
}

/// The connection that the other end made while we made ours.
async fn other_connection(hub: &Hub, peer: PeerId) -> Result<Arc<Connection>, JoinError> {
    let comes = async {
        loop {
            let added = hub.peers.added.notified();
            if let Some(connection) = hub.peers.get(&peer) {
                return connection;
            }
            added.await;
        }
    };
    timeout(OTHER_COMES, comes).await.map_err(|_| JoinError::Rejected(CloseCode::Duplicate.to_string()))
}
