//! TLS over TCP: from a stream of bytes to a [`MuxLink`].

use std::net::SocketAddr;
use std::sync::Arc;

use dray_identity::{NodeKey, PeerId, Role, tls};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::{LinkError, MuxLink, Shape};
use crate::ExchangeError;
use crate::wire::{ALPN, EXPORTER_LABEL};

/// Bytes taken from the kernel at once. The TLS library alone would take 4 KiB at a time.
const READ_BUFFER: usize = 128 << 10;
/// Encrypted bytes that wait for the kernel to take them, and go to it in one call.
const WRITE_BUFFER: usize = 256 << 10;

pub(crate) struct TlsEndpoint {
    server: Arc<ServerConfig>,
    key: NodeKey,
    shape: Shape,
}

impl TlsEndpoint {
    pub(crate) fn new(key: &NodeKey, shape: Shape) -> Result<Self, ExchangeError> {
        Ok(Self { server: tls::server_config(key, ALPN)?, key: key.clone(), shape })
    }

    /// The handshake of a connection that came in.
    pub(crate) async fn accept(&self, stream: TcpStream, from: SocketAddr) -> Result<MuxLink, LinkError> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.server));
        let stream = buffered(stream)?;
        let mut stream = acceptor.accept(stream).await.map_err(|error| LinkError::Lost(error.to_string()))?;
        stream.get_mut().1.set_buffer_limit(Some(WRITE_BUFFER));
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(LinkError::Violation("it speaks another protocol"));
        }
        self.link(stream.into(), from, Role::Listener)
    }

    pub(crate) async fn dial(&self, peer: PeerId, address: SocketAddr) -> Result<MuxLink, LinkError> {
        let lost = |error: &dyn std::fmt::Display| LinkError::Lost(error.to_string());
        let config: Arc<ClientConfig> =
            tls::client_config(&self.key, peer, ALPN).map_err(|error| lost(&error))?;
        let name = ServerName::try_from(tls::SERVER_NAME).map_err(|error| lost(&error))?;
        let stream = TcpStream::connect(address).await.map_err(|error| lost(&error))?;
        let connector = TlsConnector::from(config);
        let mut stream = connector.connect(name, buffered(stream)?).await.map_err(|error| lost(&error))?;
        stream.get_mut().1.set_buffer_limit(Some(WRITE_BUFFER));
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(LinkError::Violation("it speaks another protocol"));
        }
        self.link(stream.into(), address, Role::Dialer)
    }

    fn link(
        &self,
        stream: TlsStream<BufReader<TcpStream>>,
        address: SocketAddr,
        role: Role,
    ) -> Result<MuxLink, LinkError> {
        let mut exporter = [0; 32];
        let (peer, exported) = match &stream {
            TlsStream::Client(stream) => {
                let tls = stream.get_ref().1;
                (
                    name_in(tls.peer_certificates()),
                    tls.export_keying_material(&mut exporter, EXPORTER_LABEL, Some(b"")).is_ok(),
                )
            }
            TlsStream::Server(stream) => {
                let tls = stream.get_ref().1;
                (
                    name_in(tls.peer_certificates()),
                    tls.export_keying_material(&mut exporter, EXPORTER_LABEL, Some(b"")).is_ok(),
                )
            }
        };
        let peer = peer.ok_or(LinkError::Violation("it has no certificate"))?;
        if !exported {
            return Err(LinkError::Violation("no keying material can be exported"));
        }
        Ok(MuxLink::start(stream, peer, address, exporter, role, self.shape))
    }
}

fn name_in(certificates: Option<&[CertificateDer<'_>]>) -> Option<PeerId> {
    tls::peer_of(certificates?).ok()
}

fn buffered(stream: TcpStream) -> Result<BufReader<TcpStream>, LinkError> {
    // Messages are small and have been gathered already; waiting for more would only delay them.
    stream.set_nodelay(true).map_err(|error| LinkError::Lost(error.to_string()))?;
    Ok(BufReader::with_capacity(READ_BUFFER, stream))
}
