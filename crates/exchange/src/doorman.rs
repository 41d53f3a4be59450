//! Connections that come in: how many at once, who they are, and whether they may stay.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use dray_identity::Role;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::connection::{Connection, hello, lock};
use crate::hub::Hub;
use crate::link::{CloseCode, Link, LinkError, QuicLink};
use crate::peers::Added;

/// Handshakes at once from one address, as a share of all.
const SHARE_OF_ONE_ADDRESS: usize = 4;
/// When this share of all handshakes is taken, QUIC's callers must first show that they are at the address that they call from.
const SHARE_BEFORE_RETRY: usize = 2;

/// Handshakes under way, by address.
struct Waiting {
    addresses: Mutex<Vec<IpAddr>>,
    limit: usize,
}

/// One handshake; counted until dropped.
struct Place {
    waiting: Arc<Waiting>,
    address: IpAddr,
}

impl Waiting {
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let mut addresses = lock(&self.addresses);
        let of_this_one = addresses.iter().filter(|there| **there == address).count();
        if addresses.len() >= self.limit || of_this_one >= (self.limit / SHARE_OF_ONE_ADDRESS).max(1) {
            return None;
        }
        addresses.push(address);
        Some(Place { waiting: Arc::clone(self), address })
    }

    fn is_crowded(&self) -> bool {
        lock(&self.addresses).len() >= self.limit / SHARE_BEFORE_RETRY
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut addresses = lock(&self.waiting.addresses);
        if let Some(at) = addresses.iter().position(|address| *address == self.address) {
            addresses.swap_remove(at);
        }
    }
}

/// Takes what comes in on both transports, until everything ends.
pub(crate) async fn run(hub: Arc<Hub>, tcp: Option<mpsc::Receiver<(TcpStream, SocketAddr)>>) {
    let waiting = Arc::new(Waiting { addresses: Mutex::default(), limit: hub.limits.handshakes });
    tokio::select! {
        () = hub.over.cancelled() => {}
        ((), ()) = async { tokio::join!(take_quic(&hub, &waiting), take_tcp(&hub, &waiting, tcp)) } => {}
    }
    if let Some(quic) = &hub.quic {
        quic.close();
    }
}

async fn take_quic(hub: &Arc<Hub>, waiting: &Arc<Waiting>) {
    let Some(quic) = &hub.quic else { return };
    while let Some(incoming) = quic.accept().await {
        let from = incoming.remote_address();
        if waiting.is_crowded() && incoming.may_retry() && !incoming.remote_address_validated() {
            // It fails for those who have been sent one already, which was asked before.
            let _ = incoming.retry();
            continue;
        }
        let Some(place) = waiting.enter(from.ip()) else {
            incoming.refuse();
            continue;
        };
        let hub = Arc::clone(hub);
        tokio::spawn(async move {
            let handshake = async {
                let connection = incoming.await.map_err(|error| LinkError::Lost(error.to_string()))?;
                QuicLink::new(connection).map(Link::Quic)
            };
            receive(hub, handshake, place).await;
        });
    }
}

async fn take_tcp(
    hub: &Arc<Hub>,
    waiting: &Arc<Waiting>,
    tcp: Option<mpsc::Receiver<(TcpStream, SocketAddr)>>,
) {
    let Some(mut tcp) = tcp else { return };
    while let Some((stream, from)) = tcp.recv().await {
        let Some(place) = waiting.enter(from.ip()) else { continue };
        let hub = Arc::clone(hub);
        tokio::spawn(async move {
            let hub_there = Arc::clone(&hub);
            let handshake = async { hub_there.tls.accept(stream, from).await.map(Link::Tcp) };
            receive(hub, handshake, place).await;
        });
    }
}

/// One caller, from the handshake to the end of its connection.
async fn receive(hub: Arc<Hub>, handshake: impl Future<Output = Result<Link, LinkError>>, place: Place) {
    let link = tokio::select! {
        link = timeout(hub.timing.handshake, handshake) => link,
        () = hub.over.cancelled() => return,
    };
    let Ok(Ok(link)) = link else {
        // Nobody is known by name yet, so nobody can be blamed.
        hub.counters.failed_handshakes.add(1);
        tracing::debug!(from = %place.address, "a handshake failed or took too long");
        return;
    };
    let (peer, address) = (link.peer(), link.address());
    if peer == hub.me || !hub.admits(&peer, address) {
        hub.counters.refused_connections.add(1);
        return link.close(CloseCode::NotAdmitted);
    }
    let mut control = match hello::hear(&hub, &link).await {
        Ok(control) => control,
        Err(refused) => {
            if let Some(incident) = refused.incident {
                hub.incident(&peer, address, incident);
            }
            hub.counters.refused_connections.add(1);
            return link.close(refused.code);
        }
    };
    let agent = control.agent.clone();
    let (connection, letters) = Connection::new(Arc::clone(&hub), link, Role::Listener, agent);
    match hub.peers.add(&connection) {
        Added::Duplicate => return connection.link.close(CloseCode::Duplicate),
        Added::TooMany => {
            hub.counters.refused_connections.add(1);
            return connection.link.close(CloseCode::TooMany);
        }
        Added::Kept { instead_of: Some(other) } => other.end(CloseCode::Duplicate),
        Added::Kept { instead_of: None } => {}
    }
    if hello::answer(&hub, &connection.link, &mut control).await.is_err() {
        return connection.end(CloseCode::Silent);
    }
    drop(place);
    hub.counters.connections.add(1);
    connection.run(control, letters).await;
}
