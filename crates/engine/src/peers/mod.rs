//! Peers as a source of a transfer, and what this machine gives to them.
//!
//! [`Peers`] joins the two planes: the swarm says who has or wants a content, the exchange moves pieces. Neither knows of the other, and
//! neither knows what to believe: that is decided here. Without evidence of what a file must hash to no peer is asked
//! (`evidence.rs`); what a peer gives is unproven until its piece or the whole file proves it, and who gave wrong bytes is found and banned
//! (`ledger.rs`, `reputation.rs`). Others are given what the cache holds for everyone (`stored.rs`) and the proven pieces of running
//! downloads (`offer.rs`). This module must never give a content away that its origin did not give to everyone.
//!
//! Start with `hunt.rs` (the search for peers of one file), then `crew.rs` (how they become sources) and `pieces.rs` (how what they
//! give is judged).

mod config;
mod crew;
mod decision;
pub(crate) mod evidence;
mod ground;
mod hunt;
mod ledger;
mod offer;
mod pieces;
mod proven_pieces;
mod register;
mod reputation;
mod rows;
mod stored;

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use dray_exchange::{Exchange, Guard, Shelf};
use dray_identity::PeerId;
use dray_swarm::{Directory, Swarm, Way};

pub use config::{PeersConfig, PeersError};
pub use decision::Decision;
pub use ground::Admit;
pub use reputation::{Banned, Offence, Reputation};
pub use rows::PeerRow;

pub(crate) use crate::Gift;
pub(crate) use crew::{Crew, Heard, UseTable};
pub(crate) use decision::Decisions;
pub(crate) use ground::Ground;
pub(crate) use ledger::{Dropped, Giver, Liars, MateId};
pub(crate) use offer::Offer;
pub(crate) use pieces::{Books, Judged, Pieces, Report};
pub(crate) use stored::Stored;

/// How many ports are tried when any will do: TCP gives one, and UDP must have the same.
const MAX_PORTS: usize = 16;

/// The peers of this machine. Cheap to clone; when the last clone goes, both planes end.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    ground: Arc<Ground>,
    swarm: Swarm,
    exchange: Exchange,
    me: PeerId,
    port: u16,
}

impl Peers {
    /// Binds the one port of both planes and starts them, on the tokio runtime of the caller.
    ///
    /// # Errors
    /// [`PeersError`]: the port cannot be had, or a plane does not start.
    pub fn start(config: PeersConfig) -> Result<Self, PeersError> {
        let me = config.key.peer_id();
        let (listener, udp) = bind(config.bind, config.port, config.quic)?;
        let port = listener.local_addr().map_err(PeersError::Listen)?.port();
        listener.set_nonblocking(true).map_err(PeersError::Listen)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(PeersError::Listen)?;
        let (for_exchange, for_swarm) = dray_exchange::door::split(listener);
        let ground = Arc::new(Ground::new(config.cache, config.admit, config.min_file_size));

        let guard: Arc<dyn Guard> = Arc::clone(&ground) as _;
        let shelf: Arc<dyn Shelf> = Arc::clone(&ground) as _;
        let exchange = Exchange::start(
            dray_exchange::Config {
                group: config.group.clone(),
                udp,
                tcp: Some(for_exchange),
                transport: config.transport,
                limits: config.exchange_limits,
                timing: config.exchange_timing,
                ..dray_exchange::Config::new(config.key.clone(), guard)
            },
            shelf,
        )?;
        let directory: Arc<dyn Directory> = Arc::clone(&ground) as _;
        let swarm = Swarm::start(dray_swarm::Config {
            group: config.group,
            mode: config.mode,
            reach: config.reach,
            port,
            interfaces: config.interfaces,
            mdns: config.mdns,
            bootstrap: config.bootstrap,
            memory: config.memory,
            limits: config.swarm_limits,
            ..dray_swarm::Config::new(config.key, for_swarm, directory)
        })?;
        Ok(Self(Arc::new(Inner { ground, swarm, exchange, me, port })))
    }

    /// The port of both planes.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Who this machine is to others.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.0.me
    }

    /// Who is there.
    #[must_use]
    pub fn swarm(&self) -> &Swarm {
        &self.0.swarm
    }

    /// The connections over which pieces go.
    #[must_use]
    pub fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    /// Who is banned, and why.
    #[must_use]
    pub fn reputation(&self) -> &Reputation {
        &self.0.ground.reputation
    }

    /// Ends both planes, and lets the others know.
    pub async fn stop(&self) {
        tokio::join!(self.0.swarm.stop(), self.0.exchange.close());
    }

    pub(crate) fn ground(&self) -> &Ground {
        &self.0.ground
    }

    /// A peer offended: it is banned, and neither plane speaks with it any more.
    pub(crate) fn ban(&self, peer: &PeerId, address: Option<IpAddr>, offence: &Offence) {
        self.0.ground.reputation.offend(peer, address, offence);
        self.0.exchange.disconnect(peer);
        self.0.swarm.disconnect(*peer, &offence.to_string());
    }

    /// How a peer that came by itself is reached.
    pub(crate) fn way_to(&self, peer: &PeerId) -> Way {
        let known = self.0.swarm.peers().into_iter().find(|view| view.peer == *peer);
        known.map_or(Way::Lan, |view| view.way)
    }
}

/// The listener and, unless QUIC is not wanted, the socket of the same port.
fn bind(address: IpAddr, port: u16, with_udp: bool) -> Result<(TcpListener, Option<UdpSocket>), PeersError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let failed = |error| PeersError::Bind { address: SocketAddr::new(address, port), error };
        let listener = TcpListener::bind((address, port)).map_err(failed)?;
        if !with_udp {
            return Ok((listener, None));
        }
        let given = listener.local_addr().map_err(failed)?.port();
        match UdpSocket::bind((address, given)) {
            Ok(socket) => return Ok((listener, Some(socket))),
            Err(error) if port != 0 || tries == MAX_PORTS => return Err(failed(error)),
            Err(_) => {}
        }
    }
}
