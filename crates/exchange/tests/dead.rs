//! Machines that are gone without a word: a wire that is cut in the middle of a transfer.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dray_exchange::{Incident, RequestError, Transport, Volume};
use support::{Machine, Memory, eventually, range};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A wire between a client and a server, which can be cut: then nothing passes, and nobody is told.
struct Wire {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
}

impl Wire {
    async fn to(server: SocketAddr) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&is_cut);
        tokio::spawn(async move {
            let mut client = None;
            let mut datagram = [0; 65_536];
            loop {
                let Ok((len, from)) = udp.recv_from(&mut datagram).await else { continue };
                let to = if from == server { client } else { Some(server) };
                if from != server {
                    client = Some(from);
                }
                if let Some(to) = to.filter(|_| !cut.load(Ordering::Relaxed)) {
                    let _ = udp.send_to(&datagram[..len], to).await;
                }
            }
        });
        let cut = Arc::clone(&is_cut);
        tokio::spawn(async move {
            loop {
                let (near, _) = tcp.accept().await.unwrap();
                let far = TcpStream::connect(server).await.unwrap();
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                tokio::spawn(carry(near_read, far_write, Arc::clone(&cut)));
                tokio::spawn(carry(far_read, near_write, Arc::clone(&cut)));
            }
        });
        Self { address, is_cut }
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    is_cut: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 16_384];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if is_cut.load(Ordering::Relaxed) {
            // Both ends stay open and hear nothing.
            return std::future::pending().await;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn machine(transport: Transport) -> Machine {
    Machine::with(transport, |config| {
        config.timing.probe = Duration::from_millis(200);
        config.timing.dead = Duration::from_millis(800);
    })
    .await
}

#[tokio::test]
async fn a_peer_that_is_gone_in_the_middle_of_a_transfer_is_noticed_by_both_ends() {
    for transport in [Transport::QuicOnly, Transport::TcpOnly] {
        let (server, client) = (machine(transport).await, machine(transport).await);
        let content = Memory::complete(vec![3; 64 << 20]);
        server.puts(&content);
        let wire = Wire::to(server.address).await;
        let lent = Memory::wanting(content.bytes.clone()) as Arc<dyn Volume>;
        let joined = client.exchange.join(server.peer(), &[wire.address], &[content.digest], lent).await;
        let session = joined.unwrap();
        let mut incoming = session.get(range(0, 64 << 20)).await.unwrap();
        let mut got = 0;
        let error = loop {
            match incoming.chunk().await {
                Ok(Some(chunk)) => got += chunk.len(),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
            if got > 1 << 20 {
                wire.is_cut.store(true, Ordering::Relaxed);
            }
        };
        // The connection's pulse is quicker than the request's own deadline.
        assert_eq!(error, Some(RequestError::Closed), "after {got} bytes over {transport:?}");
        assert!(!session.is_open());
        client.guard.wait_for(server.peer(), |what| matches!(what, Incident::Stalled(_))).await;
        let is_gone = || server.exchange.links().is_empty().then_some(());
        eventually("the server to notice", is_gone).await;
    }
}

#[tokio::test]
async fn an_idle_connection_lives_as_long_as_the_other_end_answers_and_then_goes() {
    for transport in [Transport::QuicOnly, Transport::TcpOnly] {
        let change = |config: &mut dray_exchange::Config| {
            config.timing.keep_alive = Duration::from_millis(100);
            config.timing.idle = Duration::from_millis(500);
        };
        let (server, client) = (Machine::new(transport).await, Machine::with(transport, change).await);
        let content = Memory::complete(vec![3; 1 << 20]);
        server.puts(&content);
        let wire = Wire::to(server.address).await;
        let lent = Memory::wanting(content.bytes.clone()) as Arc<dyn Volume>;
        let joined = client.exchange.join(server.peer(), &[wire.address], &[content.digest], lent).await;
        let session = joined.unwrap();
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert!(session.is_open(), "over {transport:?}");
        wire.is_cut.store(true, Ordering::Relaxed);
        eventually("the end", || (!session.is_open()).then_some(())).await;
    }
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_given_up() {
    for transport in [Transport::QuicOnly, Transport::TcpOnly] {
        let change = |config: &mut dray_exchange::Config| config.timing.linger = Duration::from_millis(200);
        let (server, client) = (Machine::new(transport).await, Machine::with(transport, change).await);
        let content = Memory::complete(vec![3; 1000]);
        server.puts(&content);
        let session = client.join(&server, &Memory::wanting(content.bytes.clone())).await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(session.is_open());
        drop(session);
        let none =
            || (client.exchange.links().is_empty() && server.exchange.links().is_empty()).then_some(());
        eventually("the end of the connection", none).await;
        assert!(server.guard.is_empty() && client.guard.is_empty());
    }
}
