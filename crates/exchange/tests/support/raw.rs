//! A peer that says whatever a test wants it to say. It is written from the protocol's page alone: the codec of the crate is not used.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dray_exchange::wire::{ALPN, EXPORTER_LABEL};
use dray_exchange::{Carrier, Incident};
use dray_identity::{Group, NodeKey, PeerId, Role, tls};
use quinn::crypto::rustls::QuicClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{Machine, PATIENCE, eventually};

pub fn number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7F) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

pub fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() + 1) as u32;
    [&len.to_be_bytes()[..], &[kind], body].concat()
}

/// A Hello with or without a proof.
pub fn hello(proof: Option<[u8; 32]>) -> Vec<u8> {
    let proof = proof.map_or(vec![0], |proof| [&[1][..], &proof].concat());
    frame(1, &[&[0][..], &proof, &[4], b"evil"].concat())
}

/// A holding: all pieces that `runs` says, as (skipped, length) each, and a wish for more.
pub fn holding(size: u64, runs: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes = [vec![1 | 2], number(size), vec![0], number(runs.len() as u64)].concat();
    for (skip, len) in runs {
        bytes.extend(number(*skip));
        bytes.extend(number(len - 1));
    }
    bytes.extend([0, 0]);
    bytes
}

/// A Join about a BLAKE3 digest.
pub fn join(session: u64, digest: &[u8], holding: &[u8]) -> Vec<u8> {
    frame(2, &[&number(session)[..], &[1, 3], digest, holding].concat())
}

pub fn get(session: u64, start: u64, len: u64) -> Vec<u8> {
    frame(32, &[number(session), number(start), number(len)].concat())
}

enum Wire {
    Quic { connection: quinn::Connection, streams: BTreeMap<u32, (quinn::SendStream, quinn::RecvStream)> },
    Tcp { writer: WriteHalf<TlsStream<TcpStream>>, seen: Arc<Mutex<Seen>> },
}

/// What the other end of a TLS connection has sent.
#[derive(Default)]
struct Seen {
    streams: BTreeMap<u32, VecDeque<u8>>,
    credit: BTreeMap<u32, usize>,
    ended: BTreeSet<u32>,
    closed: Option<u32>,
    gone: bool,
    paused: bool,
}

/// A connection of the hostile kind. Stream 0 carries messages.
pub struct Raw {
    pub key: NodeKey,
    pub exporter: [u8; 32],
    pub server: PeerId,
    wire: Wire,
    next: u32,
    rest: Vec<u8>,
}

impl Raw {
    pub async fn connect(carrier: Carrier, server: &Machine) -> Self {
        Self::named(NodeKey::generate(), carrier, server.peer(), server.address, ALPN).await.unwrap()
    }

    pub async fn named(
        key: NodeKey,
        carrier: Carrier,
        server: PeerId,
        address: SocketAddr,
        alpn: &[u8],
    ) -> Result<Self, String> {
        let config = tls::client_config(&key, server, alpn).unwrap();
        let mut exporter = [0; 32];
        let wire = match carrier {
            Carrier::Quic => {
                let crypto = QuicClientConfig::try_from(config).unwrap();
                let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
                let connecting = endpoint
                    .connect_with(quinn::ClientConfig::new(Arc::new(crypto)), address, tls::SERVER_NAME)
                    .unwrap();
                let connection = connecting.await.map_err(|error| error.to_string())?;
                connection.export_keying_material(&mut exporter, EXPORTER_LABEL, b"").unwrap();
                Wire::Quic { connection, streams: BTreeMap::new() }
            }
            Carrier::Tcp => {
                let stream = TcpStream::connect(address).await.unwrap();
                let name = tls::SERVER_NAME.try_into().unwrap();
                let connector = tokio_rustls::TlsConnector::from(config);
                let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
                let tls = stream.get_ref().1;
                tls.export_keying_material(&mut exporter, EXPORTER_LABEL, Some(b"")).unwrap();
                let (reader, writer) = tokio::io::split(stream);
                let seen = Arc::new(Mutex::new(Seen::default()));
                tokio::spawn(watch(reader, Arc::clone(&seen)));
                Wire::Tcp { writer, seen }
            }
        };
        let mut raw = Self { key, exporter, server, wire, next: 0, rest: Vec::new() };
        if carrier == Carrier::Quic {
            // The stream is opened by what is written first; hostile peers may write nothing.
            raw.open().await;
        } else {
            raw.next = 2;
        }
        Ok(raw)
    }

    /// A peer that has been let in.
    pub async fn greeted(carrier: Carrier, server: &Machine) -> Self {
        let mut raw = Self::connect(carrier, server).await;
        raw.write(0, &hello(None)).await;
        assert_eq!(raw.message().await.0, 1);
        raw
    }

    pub fn peer(&self) -> PeerId {
        self.key.peer_id()
    }

    pub fn proof(&self, group: &Group) -> [u8; 32] {
        group.prove(&self.exporter, Role::Dialer, &self.peer(), &self.server)
    }

    /// A new stream's number.
    pub async fn open(&mut self) -> u32 {
        let id = self.next;
        self.next += 2;
        if let Wire::Quic { connection, streams } = &mut self.wire {
            streams.insert(id, connection.open_bi().await.unwrap());
        }
        id
    }

    /// Writes, whether the other end likes it or not.
    pub async fn write(&mut self, stream: u32, bytes: &[u8]) {
        match &mut self.wire {
            Wire::Quic { streams, .. } => {
                let _ = streams.get_mut(&stream).unwrap().0.write_all(bytes).await;
            }
            Wire::Tcp { .. } => {
                for part in bytes.chunks(6_000) {
                    self.wait_for_credit(stream, part.len()).await;
                    self.mux(0, stream, part.len() as u32, part).await;
                }
            }
        }
    }

    /// Keeps to the rules of the streams, so that what is refused is what is said in them.
    async fn wait_for_credit(&self, stream: u32, len: usize) {
        if let Wire::Tcp { seen, .. } = &self.wire {
            let first = if stream.is_multiple_of(2) { 64 << 10 } else { 1 << 20 };
            eventually("credit", || {
                let mut seen = seen.lock().unwrap();
                let is_over = seen.gone || seen.closed.is_some();
                let credit = seen.credit.entry(stream).or_insert(first);
                (*credit >= len || is_over).then(|| *credit = credit.saturating_sub(len))
            })
            .await;
        }
    }

    /// A frame of the streams over TLS as it is.
    pub async fn mux(&mut self, kind: u8, stream: u32, value: u32, data: &[u8]) {
        if let Wire::Tcp { writer, .. } = &mut self.wire {
            let head = [&[kind][..], &stream.to_be_bytes(), &value.to_be_bytes(), data].concat();
            let _ = writer.write_all(&head).await;
            let _ = writer.flush().await;
        }
    }

    pub async fn finish(&mut self, stream: u32) {
        match &mut self.wire {
            Wire::Quic { streams, .. } => {
                let _ = streams.get_mut(&stream).unwrap().0.finish();
            }
            Wire::Tcp { .. } => self.mux(1, stream, 0, &[]).await,
        }
    }

    /// Bytes of a stream, exactly so many; fewer when it ends.
    pub async fn read(&mut self, stream: u32, len: usize) -> Vec<u8> {
        match &mut self.wire {
            Wire::Quic { streams, .. } => {
                let mut bytes = vec![0; len];
                let recv = &mut streams.get_mut(&stream).unwrap().1;
                let read = tokio::time::timeout(PATIENCE, recv.read_exact(&mut bytes)).await.unwrap();
                if let Err(quinn::ReadExactError::FinishedEarly(len)) = read {
                    bytes.truncate(len);
                }
                bytes
            }
            Wire::Tcp { seen, .. } => {
                eventually("bytes", || {
                    let mut seen = seen.lock().unwrap();
                    let is_over = seen.gone || seen.ended.contains(&stream);
                    let there = seen.streams.entry(stream).or_default();
                    (there.len() >= len || is_over).then(|| there.drain(..len.min(there.len())).collect())
                })
                .await
            }
        }
    }

    /// The next frame of a stream.
    pub async fn frame(&mut self, stream: u32) -> (u8, Vec<u8>) {
        let head = self.read(stream, 5).await;
        let len = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        (head[4], self.read(stream, len - 1).await)
    }

    pub async fn message(&mut self) -> (u8, Vec<u8>) {
        self.frame(0).await
    }

    /// One request as it should be, and the head of the answer.
    pub async fn ask(&mut self, request: &[u8]) -> (u32, u8, Vec<u8>) {
        let stream = self.open().await;
        self.write(stream, request).await;
        self.finish(stream).await;
        let (kind, body) = self.frame(stream).await;
        (stream, kind, body)
    }

    /// The next stream that the other end opens; its numbers are odd, from one on.
    pub async fn accept(&mut self, id: u32) {
        match &mut self.wire {
            Wire::Quic { connection, streams } => {
                let stream = tokio::time::timeout(PATIENCE, connection.accept_bi()).await.unwrap().unwrap();
                streams.insert(id, stream);
            }
            Wire::Tcp { seen, .. } => {
                eventually("a stream", || seen.lock().unwrap().streams.contains_key(&id).then_some(())).await;
            }
        }
    }

    /// Takes nothing any more.
    pub fn stop_reading(&mut self) {
        if let Wire::Tcp { seen, .. } = &self.wire {
            seen.lock().unwrap().paused = true;
        }
    }

    /// The code with which the other end closed the connection.
    pub async fn closed(&mut self) -> u64 {
        match &mut self.wire {
            Wire::Quic { connection, .. } => {
                match tokio::time::timeout(PATIENCE, connection.closed()).await.expect("it is not closed") {
                    quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
                    other => panic!("{other}"),
                }
            }
            Wire::Tcp { seen, .. } => {
                let code = eventually("the end of the connection", || {
                    let seen = seen.lock().unwrap();
                    seen.closed.map(Some).or(seen.gone.then_some(None))
                });
                u64::from(code.await.expect("it was closed without a word"))
            }
        }
    }

    /// Refused for that, told to the guard, and closed with that code.
    pub async fn must_be_refused(&mut self, server: &Machine, code: u64, what: impl Fn(&Incident) -> bool) {
        server.guard.wait_for(self.peer(), what).await;
        assert_eq!(self.closed().await, code);
        let peer = self.peer();
        eventually("the connection to be forgotten", || {
            server.exchange.links().iter().all(|link| link.peer != peer).then_some(())
        })
        .await;
    }
}

/// Reads everything, and gives no credit.
async fn watch(mut reader: ReadHalf<TlsStream<TcpStream>>, seen: Arc<Mutex<Seen>>) {
    loop {
        while seen.lock().unwrap().paused {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut head = [0; 9];
        if reader.read_exact(&mut head).await.is_err() {
            seen.lock().unwrap().gone = true;
            return;
        }
        let stream = u32::from_be_bytes(head[1..5].try_into().unwrap());
        let value = u32::from_be_bytes(head[5..].try_into().unwrap());
        let mut data = vec![0; if head[0] == 0 { value as usize } else { 0 }];
        let _ = reader.read_exact(&mut data).await;
        let mut seen = seen.lock().unwrap();
        match head[0] {
            0 => seen.streams.entry(stream).or_default().extend(data),
            1 | 2 => drop(seen.ended.insert(stream)),
            4 => *seen.credit.entry(stream).or_insert(64 << 10) += value as usize,
            5 => seen.closed = Some(value),
            _ => {}
        }
    }
}
