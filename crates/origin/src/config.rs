//! What a client is made from.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::redirect::RedirectPolicy;

/// The settings of a [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `User-Agent`.
    pub user_agent: String,
    /// For name, connection (through the proxy) and TLS handshake together.
    pub connect_timeout: Duration,
    /// From the connection to the head of the answer.
    pub first_byte_timeout: Duration,
    /// Between two arrivals of body bytes, while someone wants them.
    pub stall_timeout: Duration,
    /// Which proxy.
    pub proxy: ProxyChoice,
    /// PEM files of certificate authorities to trust besides the system's.
    pub extra_roots: Vec<PathBuf>,
    /// What to do with redirects.
    pub redirect: RedirectPolicy,
    /// Which HTTP to prefer.
    pub http_version: HttpVersion,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            user_agent: concat!("dray/", env!("CARGO_PKG_VERSION")).into(),
            connect_timeout: Duration::from_secs(15),
            first_byte_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            proxy: ProxyChoice::System,
            extra_roots: Vec::new(),
            redirect: RedirectPolicy::default(),
            http_version: HttpVersion::default(),
        }
    }
}

/// Which proxy a client goes through.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// What the system says: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, or the system's settings.
    #[default]
    System,
    /// Straight to the origin.
    None,
    /// This one, for everything but what `bypass` lists.
    Explicit {
        /// `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`; user and password may be in it.
        proxy: Url,
        /// Hosts, domains and networks separated by commas, as in `no_proxy`; empty for none.
        bypass: String,
    },
}

/// The proxy's user and password are not for logs.
impl std::fmt::Debug for ProxyChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::None => f.write_str("None"),
            Self::Explicit { proxy, bypass } => f
                .debug_struct("Explicit")
                .field("proxy", &crate::ShownUrl::from(proxy))
                .field("bypass", bypass)
                .finish(),
        }
    }
}

/// Which HTTP a client prefers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.1: for bulk data HTTP/2 costs 1.7 times the CPU per byte, and one TCP connection per range spreads over cores and paths.
    /// A server that shows that it speaks only HTTP/2 is served too.
    #[default]
    Http1,
    /// What the server prefers, by ALPN: many small requests share one connection. Without TLS it is as `Http1`.
    Auto,
    /// HTTP/2 only, also without TLS: for servers that close the connection on anything else.
    Http2,
}
