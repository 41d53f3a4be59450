//! A TLS server with a certificate authority of its own, speaking the HTTP version it is told to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use dray_origin::{Client, ClientConfig};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, pki_types::PrivateKeyDer};
use url::Url;

use crate::hostile::config;

/// A certificate authority that only the tests trust.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    roots: tempfile::NamedTempFile,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let roots = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(roots.path(), issuer.pem()).unwrap();
        Self { issuer, roots }
    }

    /// Client settings that trust it.
    pub(crate) fn trusted(&self) -> ClientConfig {
        ClientConfig { extra_roots: vec![self.roots.path().to_owned()], ..config() }
    }

    pub(crate) fn trusting_client(&self) -> Client {
        Client::new(self.trusted()).unwrap()
    }

    /// A server's settings, its certificate made from `params`.
    pub(crate) fn certify(&self, params: CertificateParams, alpn: &[&str]) -> rustls::ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

pub(crate) fn loopback() -> CertificateParams {
    CertificateParams::new(vec!["127.0.0.1".into(), "localhost".into()]).unwrap()
}

/// Which HTTP a server speaks, whatever ALPN says.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Speaks {
    Http1,
    Http2,
    /// What ALPN says.
    Either,
}

/// A server whose every file holds the HTTP version that it was asked with.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    /// `/cut` breaks off when told.
    pub(crate) may_break: Arc<Notify>,
    scheme: &'static str,
}

impl Server {
    pub(crate) async fn start(tls: Option<rustls::ServerConfig>, speaks: Speaks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let may_break = Arc::new(Notify::new());
        let (count, breaker) = (connections.clone(), may_break.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (acceptor, may_break) = (acceptor.clone(), breaker.clone());
                tokio::spawn(async move {
                    let Some(acceptor) = acceptor else {
                        return serve_plain(stream, speaks, may_break).await;
                    };
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let is_http2 = match speaks {
                        Speaks::Either => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
                        speaks => speaks == Speaks::Http2,
                    };
                    serve(stream, is_http2, may_break).await;
                });
            }
        });
        Self { address, connections, may_break, scheme }
    }

    pub(crate) fn url(&self, host: &str) -> Url {
        Url::parse(&format!("{}://{host}:{}/file", self.scheme, self.address.port())).unwrap()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// As nginx and nghttp2 do, an HTTP/2 server says SETTINGS before it has heard anything; hyper's does not.
async fn serve_plain(mut stream: TcpStream, speaks: Speaks, may_break: Arc<Notify>) {
    let mut first = [0; 3];
    while stream.peek(&mut first).await.is_ok_and(|read| read < first.len()) {
        stream.readable().await.unwrap();
    }
    if speaks == Speaks::Http2 && first != *b"PRI" {
        let settings_then_goaway = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01";
        let _ = stream.write_all(settings_then_goaway).await;
        return;
    }
    serve(stream, speaks == Speaks::Http2, may_break).await;
}

/// A body whose pieces, and whose breaking off, are decided elsewhere.
struct Pieces(mpsc::Receiver<std::io::Result<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

async fn answer(request: Request<Incoming>, may_break: Arc<Notify>) -> Response<Pieces> {
    let (pieces, body) = mpsc::channel(2);
    let mut answer = Response::new(Pieces(body));
    let broken = || Err(std::io::ErrorKind::Other.into());
    match request.uri().path() {
        "/reset" => pieces.send(broken()).await.unwrap(),
        "/cut" => {
            pieces.send(Ok("hello".into())).await.unwrap();
            tokio::spawn(async move {
                may_break.notified().await;
                pieces.send(broken()).await.unwrap();
            });
        }
        "/lying" => {
            answer.headers_mut().insert("content-length", 10.into());
            pieces.send(Ok("hello".into())).await.unwrap();
        }
        _ => pieces.send(Ok(format!("{:?}", request.version()).into())).await.unwrap(),
    }
    answer
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
    may_break: Arc<Notify>,
) {
    let service = service_fn(|request| {
        let may_break = may_break.clone();
        async move { Ok::<_, Infallible>(answer(request, may_break).await) }
    });
    let io = TokioIo::new(stream);
    // A client that leaves is not the server's failure.
    if is_http2 {
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(io, service)
            .await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
    }
}
