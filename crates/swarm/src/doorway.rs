//! How libp2p gets its connections: those that arrive come through a channel, already accepted by the one listener on the
//! machine's port; those that it begins are plain TCP.
//!
//! Every socket is kept under watch by the kernel: a machine that dies, sleeps or loses its cable is noticed within
//! some ten seconds without this process being woken once.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::futures::future::BoxFuture;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::tcp::tokio::TcpStream as Stream;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// A quiet connection is tried after so long,
const KEEPALIVE_AFTER: Duration = Duration::from_secs(4);
/// again after so long,
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);
/// and given up after so many tries.
const KEEPALIVE_TRIES: u32 = 3;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "other systems have their own limit"))]
/// Nothing, not even a try, may stay unacknowledged longer than this. Five repeats fit in, so a network that loses one
/// packet in twenty is no dead machine.
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);
/// Addresses announced as one's own.
const MAX_OWN_ADDRESSES: usize = 16;

/// The connection itself failed, before anything was said on it.
#[derive(Debug, thiserror::Error)]
#[error("no connection")]
pub(crate) struct NoConnection(#[from] io::Error);

/// Changes of the addresses of this machine: which are announced now.
pub(crate) type OwnAddresses = mpsc::Receiver<Vec<SocketAddr>>;

/// The transport below encryption.
pub(crate) struct Doorway {
    inbound: Option<mpsc::Receiver<(TcpStream, SocketAddr)>>,
    own: OwnAddresses,
    announced: Vec<SocketAddr>,
    listener: Option<ListenerId>,
    events: VecDeque<TransportEvent<Ready<Result<Stream, NoConnection>>, NoConnection>>,
}

impl Doorway {
    pub(crate) fn new(inbound: mpsc::Receiver<(TcpStream, SocketAddr)>, own: OwnAddresses) -> Self {
        Self { inbound: Some(inbound), own, announced: Vec::new(), listener: None, events: VecDeque::new() }
    }

    fn announce(&mut self, listener_id: ListenerId, mut now: Vec<SocketAddr>) {
        now.truncate(MAX_OWN_ADDRESSES);
        for gone in self.announced.iter().filter(|old| !now.contains(old)) {
            let listen_addr = multiaddr(*gone);
            self.events.push_back(TransportEvent::AddressExpired { listener_id, listen_addr });
        }
        for new in now.iter().filter(|new| !self.announced.contains(new)) {
            let listen_addr = multiaddr(*new);
            self.events.push_back(TransportEvent::NewAddress { listener_id, listen_addr });
        }
        self.announced = now;
    }
}

impl libp2p::Transport for Doorway {
    type Output = Stream;
    type Error = NoConnection;
    type ListenerUpgrade = Ready<Result<Stream, NoConnection>>;
    type Dial = BoxFuture<'static, Result<Stream, NoConnection>>;

    /// There is one listener, whatever the address says; it was bound elsewhere.
    fn listen_on(&mut self, id: ListenerId, addr: Multiaddr) -> Result<(), TransportError<NoConnection>> {
        if self.listener.is_some() {
            return Err(TransportError::MultiaddrNotSupported(addr));
        }
        self.listener = Some(id);
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let ours = self.listener == Some(id);
        if ours {
            self.inbound = None;
            self.listener = None;
        }
        ours
    }

    fn dial(&mut self, addr: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<NoConnection>> {
        match socket_addr(&addr) {
            Some(to) if to.port() != 0 && !to.ip().is_unspecified() => Ok(Box::pin(async move {
                let stream = TcpStream::connect(to).await?;
                watch(&stream)?;
                Ok(Stream(stream))
            })),
            _ => Err(TransportError::MultiaddrNotSupported(addr)),
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, NoConnection>> {
        let Some(listener_id) = self.listener else { return Poll::Pending };
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            if let Poll::Ready(Some(now)) = self.own.poll_recv(cx) {
                self.announce(listener_id, now);
                continue;
            }
            let Some(inbound) = self.inbound.as_mut() else { return Poll::Pending };
            let (stream, from) = match inbound.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(arrived)) => arrived,
                Poll::Ready(None) => {
                    self.inbound = None;
                    return Poll::Pending;
                }
            };
            // A connection that is gone before it was looked at is no event.
            if let (Ok(local), Ok(())) = (stream.local_addr(), watch(&stream)) {
                return Poll::Ready(TransportEvent::Incoming {
                    listener_id,
                    upgrade: ready(Ok(Stream(stream))),
                    local_addr: multiaddr(local),
                    send_back_addr: multiaddr(from),
                });
            }
        }
    }
}

/// Has the kernel look after the connection while nobody speaks.
fn watch(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_TRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}

/// `/ip4/…/tcp/…`, out of IPv6 clothes.
pub(crate) fn multiaddr(address: SocketAddr) -> Multiaddr {
    let ip = match crate::net::plain(address.ip()) {
        IpAddr::V4(ip) => Protocol::Ip4(ip),
        IpAddr::V6(ip) => Protocol::Ip6(ip),
    };
    Multiaddr::empty().with(ip).with(Protocol::Tcp(address.port()))
}

/// The address in `/ip4/…/tcp/…` and `/ip6/…/tcp/…`, with or without a peer id behind it; nothing else is dialled.
pub(crate) fn socket_addr(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let Protocol::Tcp(port) = parts.next()? else { return None };
    match (parts.next(), parts.next()) {
        (None | Some(Protocol::P2p(_)), None) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}
