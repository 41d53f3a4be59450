//! How fast one machine gives a content to another on loopback, and at which cost: `bulk MODE [GIB]`, where MODE is `quic`, `tcp`, or `bare`
//! for quinn alone with the same settings. Server and client are processes of their own with one thread each for the network. Run it with
//! `--release`; nothing else should run at the same time. Processor times are read from `/proc`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a measurement may stop where it stands, and prints its result"
)]

use std::collections::VecDeque;
use std::io::{self, BufRead as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dray_content::{Digest, PieceTable};
use dray_exchange::{
    Config, Exchange, Guard, Holding, Incident, PieceSet, Session, Shelf, Transport, Volume, door,
};
use dray_identity::{NodeKey, PeerId, tls};
use dray_ranges::ByteRange;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use tokio::sync::watch;

const GIB: u64 = 1 << 30;
const NAME: Digest = Digest::Blake3([7; 32]);
/// Bytes of one request, and requests at once.
const REQUEST: u64 = 4 << 20;
const AT_ONCE: usize = 4;

static BUFFER: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..16u64 << 20).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect());

struct Source {
    says: watch::Sender<Arc<Holding>>,
}

impl Source {
    fn new(holding: Holding) -> Arc<Self> {
        Arc::new(Self { says: watch::channel(Arc::new(holding)).0 })
    }
}

impl Volume for Source {
    fn ours(&self) -> watch::Receiver<Arc<Holding>> {
        self.says.subscribe()
    }

    fn table(&self) -> Option<Arc<PieceTable>> {
        None
    }

    fn read(&self, range: ByteRange, into: &mut Vec<u8>) -> io::Result<()> {
        let start = (range.start() % BUFFER.len() as u64) as usize;
        into.extend_from_slice(&BUFFER[start..start + range.len() as usize]);
        Ok(())
    }

    fn is_downloading(&self) -> bool {
        false
    }
}

struct Open(Arc<Source>);

impl Shelf for Open {
    fn find(&self, _digests: &[Digest], _peer: &PeerId) -> Option<Arc<dyn Volume>> {
        Some(Arc::clone(&self.0) as Arc<dyn Volume>)
    }

    fn joined(&self, _session: Session) {}
}

impl Guard for Open {
    fn admit(&self, _peer: &PeerId, _from: SocketAddr) -> bool {
        true
    }

    fn incident(&self, peer: &PeerId, _from: SocketAddr, what: Incident) {
        println!("incident: {peer} {what}");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let mode = arguments.get(1).map_or("quic", String::as_str);
    let gib: u64 = arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(1);
    let is_server = arguments.get(3).is_some_and(|text| text == "serve");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if is_server {
        runtime.block_on(serve(mode, gib * GIB));
    } else {
        runtime.block_on(measure(mode, gib));
    }
}

async fn serve(mode: &str, size: u64) {
    let key = NodeKey::generate();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = udp.local_addr().unwrap();
    LazyLock::force(&BUFFER);
    let tcp = tokio::net::TcpListener::bind(address).await.unwrap();
    println!("{address} {}", key.peer_id());
    if mode == "bare" {
        return serve_bare(&key, udp, size).await;
    }
    let (tls, _other) = door::split(tcp);
    let open = Arc::new(Open(Source::new(Holding::complete(size, None))));
    let mut config = Config::new(key, Arc::clone(&open) as Arc<dyn Guard>);
    config.udp = Some(udp);
    config.tcp = Some(tls);
    let _exchange = Exchange::start(config, open).unwrap();
    std::future::pending().await
}

async fn measure(mode: &str, gib: u64) {
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args([mode, &gib.to_string(), "serve"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    io::BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let (address, peer) = line.trim().split_once(' ').unwrap();
    let (address, peer) = (address.parse().unwrap(), peer.parse().unwrap());
    let before = (cpu("self"), cpu(&server.id().to_string()));
    let begun = Instant::now();
    let (bytes, chunks) = match mode {
        "bare" => fetch_bare(address, peer).await,
        _ => fetch(mode, address, peer, gib * GIB).await,
    };
    let wall = begun.elapsed().as_secs_f64();
    let (client, served) = (cpu("self") - before.0, cpu(&server.id().to_string()) - before.1);
    let (client, served) = (client.as_secs_f64(), served.as_secs_f64());
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(bytes, gib * GIB);
    let gib = gib as f64;
    println!(
        "{mode}: {:.2} s/GiB, {:.1} Gbit/s, CPU-s/GiB client {:.2} server {:.2} total {:.2}, {:.0} KiB a chunk",
        wall / gib,
        gib * 8.59 / wall,
        client / gib,
        served / gib,
        (client + served) / gib,
        bytes as f64 / 1024.0 / chunks as f64,
    );
}

async fn fetch(mode: &str, address: SocketAddr, peer: PeerId, size: u64) -> (u64, u64) {
    let wanting = Source::new(Holding { have: PieceSet::new(), ..Holding::wanting(Some(size)) });
    let open = Arc::new(Open(Arc::clone(&wanting)));
    let mut config = Config::new(NodeKey::generate(), Arc::clone(&open) as Arc<dyn Guard>);
    config.udp = Some(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    config.transport = if mode == "tcp" { Transport::TcpOnly } else { Transport::QuicOnly };
    let exchange = Exchange::start(config, open).unwrap();
    let session = exchange.join(peer, &[address], &[NAME], wanting).await.unwrap();
    let mut running = VecDeque::new();
    let (mut next, mut bytes, mut chunks) = (0, 0, 0);
    loop {
        while running.len() < AT_ONCE && next < size {
            let range = ByteRange::new(next, (next + REQUEST).min(size)).unwrap();
            running.push_back(session.get(range).await.unwrap());
            next = range.end();
        }
        let Some(mut incoming) = running.pop_front() else { return (bytes, chunks) };
        while let Some(chunk) = incoming.chunk().await.unwrap() {
            bytes += chunk.len() as u64;
            chunks += 1;
        }
    }
}

fn bare_transport() -> Arc<quinn::TransportConfig> {
    let mut mtu = quinn::MtuDiscoveryConfig::default();
    mtu.upper_bound(6000);
    let mut transport = quinn::TransportConfig::default();
    transport
        .stream_receive_window((8u32 << 20).into())
        .receive_window((16u32 << 20).into())
        .send_window(16 << 20)
        .mtu_discovery_config(Some(mtu));
    Arc::new(transport)
}

fn bare_endpoint(socket: UdpSocket, server: Option<quinn::ServerConfig>) -> quinn::Endpoint {
    let buffers = socket2::SockRef::from(&socket);
    let _ = (buffers.set_recv_buffer_size(4 << 20), buffers.set_send_buffer_size(4 << 20));
    let mut config = quinn::EndpointConfig::default();
    config.max_udp_payload_size(6000).unwrap();
    socket.set_nonblocking(true).unwrap();
    quinn::Endpoint::new(config, server, socket, Arc::new(quinn::TokioRuntime)).unwrap()
}

async fn serve_bare(key: &NodeKey, socket: UdpSocket, size: u64) {
    let crypto = QuicServerConfig::try_from(tls::server_config(key, b"bare").unwrap()).unwrap();
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(bare_transport());
    let endpoint = bare_endpoint(socket, Some(config));
    let connection = endpoint.accept().await.unwrap().await.unwrap();
    let (mut send, _recv) = connection.accept_bi().await.unwrap();
    let buffer = Bytes::from_static(&BUFFER);
    let mut sent = 0;
    while sent < size {
        let start = (sent % buffer.len() as u64) as usize;
        send.write_chunk(buffer.slice(start..start + (1 << 20))).await.unwrap();
        sent += 1 << 20;
    }
    send.finish().unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

async fn fetch_bare(address: SocketAddr, peer: PeerId) -> (u64, u64) {
    let config = tls::client_config(&NodeKey::generate(), peer, b"bare").unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()));
    config.transport_config(bare_transport());
    let endpoint = bare_endpoint(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), None);
    let connection = endpoint.connect_with(config, address, tls::SERVER_NAME).unwrap().await.unwrap();
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(b"go").await.unwrap();
    let (mut bytes, mut chunks) = (0, 0);
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await.unwrap() {
        bytes += chunk.bytes.len() as u64;
        chunks += 1;
    }
    (bytes, chunks)
}

/// User and system time of a process, of all its threads; a hundredth of a second is the unit.
fn cpu(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
