//! QUIC, by quinn. The settings are those that were measured best on a LAN.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dray_identity::{NodeKey, PeerId, tls};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ConnectionError, ReadError, StoppedError, VarInt, WriteError};
use socket2::SockRef;

use super::{CloseCode, LinkError, Shape};
use crate::ExchangeError;
use crate::wire::{ALPN, EXPORTER_LABEL};

/// Wanted size of the socket's buffers in the kernel, which may give less. With its default, bursts are lost at several Gbit/s.
const SOCKET_BUFFER: usize = 4 << 20;
/// Largest datagram that is tried. Beyond 6000 bytes a batch of segments no longer fits what the kernel takes at once.
const MAX_DATAGRAM: u16 = 6000;
/// Bytes on their way to us in one stream. Four requests fill 1 Gbit/s over 64 ms.
const STREAM_WINDOW: u32 = 2 << 20;
/// Bytes on their way to us beyond those of our own requests: messages, and requests of the other end.
const QUIET_WINDOW: u32 = 512 << 10;
/// The largest window that a number of this transport can say.
const MAX_WINDOW: u32 = (1 << 30) - 1;
/// Bytes on their way from us in all streams of a connection: what a peer that acknowledges nothing can keep in our memory.
const SEND_WINDOW: u64 = 8 << 20;
/// Chunks taken from a stream at once; each is a packet's worth. Joined they stay below what the allocator maps anew each time.
const CHUNKS: usize = 20;
/// Handshakes that are waiting to be looked at, beyond which the library refuses by itself.
const MAX_INCOMING: usize = 256;

pub(crate) struct QuicEndpoint {
    endpoint: quinn::Endpoint,
    transport: Arc<quinn::TransportConfig>,
    key: NodeKey,
}

impl QuicEndpoint {
    pub(crate) fn new(key: &NodeKey, socket: UdpSocket, shape: Shape) -> Result<Self, ExchangeError> {
        enlarge_buffers(&socket);
        let transport = Arc::new(transport(shape));
        let crypto = QuicServerConfig::try_from(tls::server_config(key, ALPN)?)
            .map_err(|error| ExchangeError::Quic(error.to_string()))?;
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        server.transport_config(Arc::clone(&transport)).max_incoming(MAX_INCOMING);
        let mut config = quinn::EndpointConfig::default();
        config.max_udp_payload_size(MAX_DATAGRAM).map_err(|error| ExchangeError::Quic(error.to_string()))?;
        socket.set_nonblocking(true).map_err(ExchangeError::Socket)?;
        let endpoint = quinn::Endpoint::new(config, Some(server), socket, Arc::new(quinn::TokioRuntime))
            .map_err(ExchangeError::Socket)?;
        Ok(Self { endpoint, transport, key: key.clone() })
    }

    /// The next connection attempt; `None` when the endpoint is closed.
    pub(crate) async fn accept(&self) -> Option<quinn::Incoming> {
        self.endpoint.accept().await
    }

    pub(crate) async fn dial(&self, peer: PeerId, address: SocketAddr) -> Result<QuicLink, LinkError> {
        let lost = |error: &dyn std::fmt::Display| LinkError::Lost(error.to_string());
        let config = tls::client_config(&self.key, peer, ALPN).map_err(|error| lost(&error))?;
        let crypto = QuicClientConfig::try_from(config).map_err(|error| lost(&error))?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(Arc::clone(&self.transport));
        let connecting =
            self.endpoint.connect_with(config, address, tls::SERVER_NAME).map_err(|error| lost(&error))?;
        QuicLink::new(connecting.await.map_err(ended)?)
    }

    pub(crate) fn close(&self) {
        self.endpoint.close(VarInt::from_u32(CloseCode::Done.number()), b"");
    }

    /// Waits until the other ends have heard of the close, or had time to.
    pub(crate) async fn wait_idle(&self) {
        self.endpoint.wait_idle().await;
    }
}

fn enlarge_buffers(socket: &UdpSocket) {
    let socket = SockRef::from(socket);
    for set in [socket.set_recv_buffer_size(SOCKET_BUFFER), socket.set_send_buffer_size(SOCKET_BUFFER)] {
        if let Err(error) = set {
            tracing::debug!(%error, "the UDP socket's buffers stay as they are");
        }
    }
    let given = socket.recv_buffer_size().unwrap_or(0);
    if given < SOCKET_BUFFER {
        tracing::info!(given, wanted = SOCKET_BUFFER, "the kernel limits the UDP socket's receive buffer");
    }
}

fn transport(shape: Shape) -> quinn::TransportConfig {
    let mut mtu = quinn::MtuDiscoveryConfig::default();
    mtu.upper_bound(MAX_DATAGRAM);
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(shape.streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(QUIET_WINDOW))
        .send_window(SEND_WINDOW)
        .mtu_discovery_config(Some(mtu))
        .max_idle_timeout(shape.idle.try_into().ok());
    transport
}

#[derive(Clone)]
pub(crate) struct QuicLink {
    connection: quinn::Connection,
    peer: PeerId,
    exporter: [u8; 32],
}

impl QuicLink {
    pub(crate) fn new(connection: quinn::Connection) -> Result<Self, LinkError> {
        let certificates = connection
            .peer_identity()
            .and_then(|identity| identity.downcast::<Vec<rustls::pki_types::CertificateDer<'static>>>().ok());
        let peer = certificates.and_then(|certificates| tls::peer_of(&certificates).ok());
        let peer = peer.ok_or(LinkError::Violation("it has no certificate"))?;
        let mut exporter = [0; 32];
        connection
            .export_keying_material(&mut exporter, EXPORTER_LABEL, b"")
            .map_err(|_| LinkError::Violation("no keying material can be exported"))?;
        Ok(Self { connection, peer, exporter })
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.peer
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    pub(crate) fn exporter(&self) -> [u8; 32] {
        self.exporter
    }

    pub(crate) async fn open(&self) -> Result<(QuicSend, QuicRecv), LinkError> {
        self.connection.open_bi().await.map(halves).map_err(ended)
    }

    pub(crate) async fn accept(&self) -> Result<(QuicSend, QuicRecv), LinkError> {
        self.connection.accept_bi().await.map(halves).map_err(ended)
    }

    pub(crate) fn close(&self, code: CloseCode) {
        self.connection.close(VarInt::from_u32(code.number()), b"");
    }

    pub(crate) async fn closed(&self) -> LinkError {
        ended(self.connection.closed().await)
    }

    pub(crate) fn rtt(&self) -> Duration {
        self.connection.rtt()
    }

    pub(crate) fn heard(&self) -> u64 {
        self.connection.stats().udp_rx.datagrams
    }

    pub(crate) fn expect_answers(&self, requests: u32) {
        let window = requests.saturating_mul(STREAM_WINDOW).saturating_add(QUIET_WINDOW);
        self.connection.set_receive_window(VarInt::from_u32(window.min(MAX_WINDOW)));
    }
}

fn halves((send, recv): (quinn::SendStream, quinn::RecvStream)) -> (QuicSend, QuicRecv) {
    (QuicSend { stream: send, finished: false }, QuicRecv { stream: recv, ended: false })
}

pub(crate) struct QuicSend {
    stream: quinn::SendStream,
    finished: bool,
}

impl QuicSend {
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), LinkError> {
        self.stream.write_chunk(bytes).await.map_err(|error| match error {
            WriteError::Stopped(_) => LinkError::Stopped,
            WriteError::ConnectionLost(error) => ended(error),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => LinkError::Reset,
        })
    }

    pub(crate) fn finish(&mut self) {
        // It fails when the stream is over already, which is what was wanted.
        let _ = self.stream.finish();
        self.finished = true;
    }

    pub(crate) async fn settled(&mut self) -> Result<(), LinkError> {
        match self.stream.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(LinkError::Stopped),
            Err(StoppedError::ConnectionLost(error)) => Err(ended(error)),
            Err(StoppedError::ZeroRttRejected) => Err(LinkError::Reset),
        }
    }

    pub(crate) fn make_urgent(&mut self) {
        let _ = self.stream.set_priority(1);
    }
}

/// The library finishes a stream that is dropped, as if nothing were missing.
impl Drop for QuicSend {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.stream.reset(VarInt::from_u32(0));
        }
    }
}

pub(crate) struct QuicRecv {
    stream: quinn::RecvStream,
    ended: bool,
}

impl QuicRecv {
    /// A packet holds little, and whoever hashes or writes the bytes is quicker with many at once: what is there is joined. A single
    /// chunk passes as it is.
    pub(crate) async fn read(&mut self) -> Result<Option<Bytes>, LinkError> {
        if self.ended {
            return Ok(None);
        }
        let mut chunks = [const { Bytes::new() }; CHUNKS];
        let read = self.stream.read_chunks(&mut chunks).await.map_err(|error| match error {
            ReadError::ConnectionLost(error) => ended(error),
            _ => LinkError::Reset,
        })?;
        Ok(match read {
            None => {
                self.ended = true;
                None
            }
            Some(0 | 1) => Some(std::mem::take(&mut chunks[0])),
            Some(count) => {
                let chunks = &chunks[..count];
                let mut joined = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
                chunks.iter().for_each(|chunk| joined.extend_from_slice(chunk));
                Some(joined.freeze())
            }
        })
    }
}

fn ended(error: ConnectionError) -> LinkError {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            LinkError::ClosedByPeer(CloseCode::from_number(close.error_code.into_inner()))
        }
        ConnectionError::LocallyClosed => LinkError::ClosedHere(CloseCode::Unknown),
        error => LinkError::Lost(error.to_string()),
    }
}
