//! The machines of one LAN find each other by multicast DNS, over IPv4.
//!
//! Not libp2p's: its service name is shared with every libp2p program, what it remembers has no limit, and everybody
//! answers everybody's question over and over, which grows with the square of the machines. Here a machine says three
//! times that it is there when it comes, then now and then, and goodbye when it goes; only newcomers ask. So two hundred
//! machines make about two small packets a second. The announcement names the swarm (by a tag that tells nothing of the
//! group's key), so that machines of other groups are not dialled at all.

mod census;
mod packet;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use libp2p::PeerId;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::bucket::Time;
use crate::net::LocalAddress;
use crate::view::Counters;
use census::Census;
use packet::{MAX_PACKET, Machine};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
/// When a newcomer says that it is there, and asks who else is, after its start.
const FIRST: [Duration; 3] = [Duration::from_millis(20), Duration::from_secs(1), Duration::from_secs(3)];
/// After that it says it so often, give or take a tenth;
const ANNOUNCE_EVERY: Duration = Duration::from_secs(90);
/// and is believed for so long.
const TTL_SECONDS: u32 = 300;
/// Those who are asked answer within this time, so that not all speak at once,
const ANSWER_WITHIN: Duration = Duration::from_millis(120);
/// and not more often than this, however many ask (RFC 6762, 6).
const ANSWER_EVERY: Duration = Duration::from_secs(1);
/// Without a socket (another program holds the port alone) it is tried again so often.
const TRY_AGAIN: Duration = Duration::from_secs(60);
/// Interfaces on which it speaks.
const MAX_INTERFACES: usize = 32;

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A machine of this swarm is there.
    Here(PeerId, SocketAddr),
    /// It said goodbye.
    Gone(PeerId),
}

/// Speaks and listens.
pub(crate) struct Beacon {
    me: Machine,
    socket: Option<UdpSocket>,
    local: Vec<LocalAddress>,
    census: Census,
    epoch: Instant,
    /// The next of [`FIRST`], then the regular ones.
    turn: usize,
    speak_at: Time,
    answer_at: Option<Time>,
    spoken_at: Option<Time>,
    pending: Vec<Heard>,
    counters: std::sync::Arc<Counters>,
}

impl Beacon {
    /// `tag` names the swarm.
    pub(crate) fn new(me: PeerId, port: u16, tag: String, counters: std::sync::Arc<Counters>) -> Self {
        Self {
            me: Machine { peer: me, port, tag, ttl: TTL_SECONDS },
            socket: None,
            local: Vec::new(),
            census: Census::new(Duration::ZERO),
            epoch: Instant::now(),
            turn: 0,
            speak_at: Duration::ZERO,
            answer_at: None,
            spoken_at: None,
            pending: Vec::new(),
            counters,
        }
    }

    /// The addresses of this machine that are used from now on. It introduces itself anew.
    pub(crate) fn set_local(&mut self, local: &[LocalAddress]) {
        self.local =
            local.iter().filter(|local| local.address.is_ipv4()).take(MAX_INTERFACES).cloned().collect();
        self.turn = 0;
        self.open();
    }

    /// Waits until someone is heard. Safe to drop while waiting.
    pub(crate) async fn heard(&mut self) -> Heard {
        let mut buffer = [0; MAX_PACKET];
        loop {
            if let Some(heard) = self.pending.pop() {
                return heard;
            }
            let due = self.answer_at.map_or(self.speak_at, |at| at.min(self.speak_at));
            let wake = tokio::time::sleep_until(self.epoch + due);
            let received = async {
                match &self.socket {
                    Some(socket) => socket.recv_from(&mut buffer).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wake => self.speak(),
                received = received => match received {
                    Ok((length, from)) => self.read(buffer.get(..length).unwrap_or_default(), from),
                    Err(error) => {
                        tracing::debug!(%error, "mDNS failed once");
                        self.socket = None;
                        self.speak_at = self.epoch.elapsed() + TRY_AGAIN;
                    }
                },
            }
        }
    }

    /// Tells all that this machine leaves.
    pub(crate) fn goodbye(&mut self) {
        self.me.ttl = 0;
        self.announce();
    }

    fn open(&mut self) {
        self.socket = None;
        if self.local.is_empty() {
            self.speak_at = self.epoch.elapsed() + TRY_AGAIN;
            return;
        }
        match socket(&self.local) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.speak_at = self.epoch.elapsed() + FIRST[0].mul_f64(fastrand::f64());
            }
            Err(error) => {
                tracing::warn!(%error, "cannot listen for machines on the LAN (mDNS, UDP port {PORT}); trying again later");
                self.speak_at = self.epoch.elapsed() + TRY_AGAIN;
            }
        }
    }

    /// Does what is due.
    fn speak(&mut self) {
        let now = self.epoch.elapsed();
        if self.socket.is_none() {
            self.open();
            return;
        }
        if self.answer_at.is_some_and(|at| at <= now) {
            self.announce();
        }
        if self.speak_at <= now {
            if self.turn < FIRST.len() {
                self.send_on_all(|_| packet::question());
            }
            self.announce();
            self.turn += 1;
            let wait = match FIRST.get(self.turn) {
                Some(at) => at.saturating_sub(FIRST[self.turn - 1]),
                None => ANNOUNCE_EVERY.mul_f64(0.9 + 0.2 * fastrand::f64()),
            };
            self.speak_at = now + wait;
        }
    }

    fn announce(&mut self) {
        self.answer_at = None;
        self.spoken_at = Some(self.epoch.elapsed());
        let me = self.me.clone();
        self.send_on_all(|ip| packet::announcement(&me, ip));
    }

    fn send_on_all(&self, packet: impl Fn(Ipv4Addr) -> Vec<u8>) {
        let Some(socket) = &self.socket else { return };
        for local in &self.local {
            let IpAddr::V4(ip) = local.address else { continue };
            let to = SocketAddr::V4(SocketAddrV4::new(GROUP, PORT));
            let sent = socket2::SockRef::from(socket)
                .set_multicast_if_v4(&ip)
                .and_then(|()| socket.try_send_to(&packet(ip), to));
            if let Err(error) = sent {
                tracing::debug!(interface = %local.name, %error, "cannot speak by multicast");
            }
        }
    }

    fn read(&mut self, packet: &[u8], from: SocketAddr) {
        // Whoever is not on a subnet of this machine cannot have sent it, or should not have.
        if !self.local.iter().any(|local| local.subnet().contains(from.ip())) || from.port() != PORT {
            return;
        }
        let Ok(said) = packet::read(packet) else {
            self.counters.count(&self.counters.refused_announcements);
            return;
        };
        let now = self.epoch.elapsed();
        if said.asks && self.answer_at.is_none() {
            let soonest = self.spoken_at.map_or(now, |spoken| now.max(spoken + ANSWER_EVERY));
            self.answer_at = Some(soonest + ANSWER_WITHIN.mul_f64(fastrand::f64()));
        }
        for machine in said.machines {
            if machine.peer == self.me.peer || machine.tag != self.me.tag || machine.port == 0 {
                continue;
            }
            let ttl = Duration::from_secs(u64::from(machine.ttl));
            if machine.ttl == 0 {
                if self.census.leave(&machine.peer, from.ip()) {
                    self.pending.push(Heard::Gone(machine.peer));
                }
            } else if self.census.hear(now, machine.peer, from.ip(), ttl) {
                self.pending.push(Heard::Here(machine.peer, SocketAddr::new(from.ip(), machine.port)));
            } else {
                self.counters.count(&self.counters.refused_announcements);
            }
        }
    }
}

/// One socket for all interfaces: with one for each, every packet would come to each of them.
fn socket(local: &[LocalAddress]) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_nonblocking(true)?;
    let mut joined = Err(io::Error::other("no interface takes part in multicast"));
    for local in local {
        let IpAddr::V4(ip) = local.address else { continue };
        match socket.join_multicast_v4(&GROUP, &ip) {
            Ok(()) => joined = Ok(()),
            // Two addresses of one interface.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => joined = Ok(()),
            Err(error) => {
                tracing::debug!(interface = %local.name, %error, "cannot listen by multicast");
                if joined.is_err() {
                    joined = Err(error);
                }
            }
        }
    }
    joined?;
    UdpSocket::from_std(socket.into())
}
