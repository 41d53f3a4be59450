//! Who may connect. A libp2p behaviour that speaks no protocol and only says no: before the handshake by address, after it
//! by peer.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent,
    ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use crate::bucket::{Bucket, Time};
use crate::config::{Directory, Limits, Reach};
use crate::doorway::socket_addr;
use crate::net::{LocalAddress, plain};
use crate::view::Counters;

/// Addresses whose pace is remembered. When there are more, newcomers share one bucket.
const MAX_PACED_ADDRESSES: usize = 4096;
/// Peers shut out at the same time; beyond it the one whose time ends first is let go.
const MAX_SHUT_OUT: usize = 4096;

/// Why a connection is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its address is not one of those that peers may have.
    OutOfReach(IpAddr),
    /// It arrived on an interface that is not used.
    WrongInterface(IpAddr),
    /// Too many connections with that address, or too often.
    AddressLimit(IpAddr),
    /// It misbehaved a short while ago.
    ShutOut(String),
    /// The rest of the house does not want it.
    NotAdmitted(String),
    /// Not an address that can be spoken to.
    NoAddress,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfReach(ip) => write!(f, "its address {ip} is outside the subnets that peers may have"),
            Self::WrongInterface(ip) => write!(f, "it came to {ip}, an interface that is not used for peers"),
            Self::AddressLimit(ip) => write!(f, "there are too many connections from {ip}"),
            Self::ShutOut(why) | Self::NotAdmitted(why) => f.write_str(why),
            Self::NoAddress => f.write_str("it has no address that this machine can use"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The behaviour.
pub(crate) struct Gate {
    limits: Limits,
    reach: Reach,
    directory: Arc<dyn Directory>,
    counters: Arc<Counters>,
    local: Vec<LocalAddress>,
    pace: BTreeMap<IpAddr, Bucket>,
    strangers_pace: Bucket,
    pending: HashMap<ConnectionId, IpAddr>,
    established: BTreeMap<IpAddr, u32>,
    shut_out: BTreeMap<PeerId, (Time, String)>,
    epoch: Instant,
}

impl Gate {
    pub(crate) fn new(
        limits: &Limits,
        reach: Reach,
        directory: Arc<dyn Directory>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            reach,
            directory,
            counters,
            local: Vec::new(),
            pace: BTreeMap::new(),
            strangers_pace: Bucket::full(Duration::ZERO, limits.dials_per_address),
            pending: HashMap::new(),
            established: BTreeMap::new(),
            shut_out: BTreeMap::new(),
            epoch: Instant::now(),
            limits: limits.clone(),
        }
    }

    /// The addresses of this machine that are used from now on.
    pub(crate) fn set_local(&mut self, local: Vec<LocalAddress>) {
        self.local = local;
    }

    /// Whether `ip` is on a subnet that this machine is on.
    pub(crate) fn is_near(&self, ip: IpAddr) -> bool {
        self.local.iter().any(|local| local.subnet().contains(ip))
    }

    /// Whether a peer may have this address.
    pub(crate) fn in_reach(&self, ip: IpAddr) -> bool {
        match &self.reach {
            Reach::Anywhere => true,
            Reach::Subnets => self.is_near(ip),
            Reach::Listed(subnets) => subnets.iter().any(|subnet| subnet.contains(ip)),
        }
    }

    /// Lets nothing of this peer in for a while.
    pub(crate) fn shut_out(&mut self, peer: PeerId, why: String, how_long: Duration) {
        let now = self.epoch.elapsed();
        self.shut_out.retain(|_, (until, _)| *until > now);
        if self.shut_out.len() >= MAX_SHUT_OUT {
            let first = self.shut_out.iter().min_by_key(|(_, (until, _))| *until).map(|(peer, _)| *peer);
            first.and_then(|peer| self.shut_out.remove(&peer));
        }
        self.shut_out.insert(peer, (now + how_long, why));
    }

    fn welcome(&mut self, peer: &PeerId, ip: IpAddr) -> Result<(), Refusal> {
        let now = self.epoch.elapsed();
        if let Some((until, why)) = self.shut_out.get(peer)
            && *until > now
        {
            return Err(Refusal::ShutOut(why.clone()));
        }
        if !self.in_reach(ip) {
            return Err(Refusal::OutOfReach(ip));
        }
        if self.established.get(&ip).is_some_and(|count| *count >= self.limits.connections_per_address) {
            return Err(Refusal::AddressLimit(ip));
        }
        self.directory.admit(peer, ip).map_err(Refusal::NotAdmitted)
    }

    fn knock(&mut self, local: IpAddr, ip: IpAddr) -> Result<(), Refusal> {
        if !self.local.iter().any(|own| plain(own.address) == local) {
            return Err(Refusal::WrongInterface(local));
        }
        if !self.in_reach(ip) {
            return Err(Refusal::OutOfReach(ip));
        }
        let pending = self.pending.values().filter(|other| **other == ip).count();
        let established = self.established.get(&ip).copied().unwrap_or(0);
        if pending >= self.limits.pending_per_address as usize
            || established >= self.limits.connections_per_address
        {
            return Err(Refusal::AddressLimit(ip));
        }
        let (now, rate) = (self.epoch.elapsed(), self.limits.dials_per_address);
        if self.pace.len() >= MAX_PACED_ADDRESSES && !self.pace.contains_key(&ip) {
            self.pace.retain(|_, bucket| !bucket.is_full(now, rate));
        }
        let bucket = if self.pace.len() >= MAX_PACED_ADDRESSES && !self.pace.contains_key(&ip) {
            &mut self.strangers_pace
        } else {
            self.pace.entry(ip).or_insert_with(|| Bucket::full(now, rate))
        };
        if bucket.take(now, rate, 1) { Ok(()) } else { Err(Refusal::AddressLimit(ip)) }
    }

    fn refuse(&self, why: Refusal) -> ConnectionDenied {
        self.counters.count(&self.counters.refused_connections);
        ConnectionDenied::new(why)
    }
}

fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    socket_addr(address).map(|address| plain(address.ip()))
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let (Some(local), Some(ip)) = (ip_of(local), ip_of(remote)) else {
            return Err(self.refuse(Refusal::NoAddress));
        };
        self.knock(local, ip).map_err(|why| self.refuse(why))?;
        self.pending.insert(id, ip);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&id);
        let ip = ip_of(remote).ok_or_else(|| self.refuse(Refusal::NoAddress))?;
        self.welcome(&peer, ip).map_err(|why| self.refuse(why))?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let ip = ip_of(remote).ok_or_else(|| self.refuse(Refusal::NoAddress))?;
        self.welcome(&peer, ip).map_err(|why| self.refuse(why))?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                if let Some(ip) = ip_of(event.endpoint.get_remote_address()) {
                    *self.established.entry(ip).or_insert(0) += 1;
                }
            }
            FromSwarm::ConnectionClosed(event) => {
                if let Some(ip) = ip_of(event.endpoint.get_remote_address())
                    && let Some(count) = self.established.get_mut(&ip)
                {
                    *count -= 1;
                    if *count == 0 {
                        self.established.remove(&ip);
                    }
                }
            }
            FromSwarm::ListenFailure(event) => {
                self.pending.remove(&event.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
