//! The HTTP clients beneath: one per way of speaking HTTP, and the memory of which host needs which.
//!
//! Bulk data goes over HTTP/1.1, so that is what is offered; a server that speaks only HTTP/2 refuses that offer in the TLS handshake, or
//! answers with something that is no HTTP/1 message (its SETTINGS frame). Then the request goes out again over the other version, once, and
//! what worked is remembered. Offering both by ALPN does not do: nearly every server that has both then takes HTTP/2.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::timeout;
use url::Url;

use crate::cause::{self, NoAnswer, OtherVersion};
use crate::config::{ClientConfig, HttpVersion, ProxyChoice};
use crate::error::{OriginError, Phase};
use crate::resolve::SystemResolver;
use crate::shown::ShownUrl;
use crate::trust;

/// Idle connections that are kept for one host.
const MAX_IDLE_PER_HOST: usize = 8;
/// How long an idle connection is kept; most servers close theirs after 15 to 75 seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// HTTP/2 flow control: how far one answer, and all of one connection, may run ahead of the reader.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// HTTP/2 response headers, unpacked.
const MAX_HEADER_LIST: u32 = 64 << 10;
/// How long a host that gave no sensible HTTP/1 answer may take to give an HTTP/2 one.
const OTHER_VERSION_WAIT: Duration = Duration::from_secs(5);
/// Hosts whose version is remembered; beyond it all are forgotten and learned again.
const MAX_LEARNED: usize = 1024;

/// A way of speaking HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// HTTP/1.1, the only one offered.
    Http1,
    /// What the server takes out of HTTP/2 and HTTP/1.1, by ALPN.
    Alpn,
    /// HTTP/2 and nothing else; without TLS that is prior knowledge (RFC 9113, 3.3).
    Http2,
}

pub(crate) struct Transport {
    config: ClientConfig,
    tls: rustls::ClientConfig,
    clients: [OnceLock<reqwest::Client>; 3],
    learned: Mutex<BTreeMap<String, Lane>>,
}

impl Transport {
    pub(crate) fn new(config: ClientConfig) -> Result<Self, OriginError> {
        let tls = trust::client_config(&config.extra_roots)?;
        let transport = Self { config, tls, clients: Default::default(), learned: Mutex::default() };
        // A setting that no client can be made from shows now, not with the first file.
        transport.client(Lane::Http1)?;
        Ok(transport)
    }

    pub(crate) fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Sends one GET and waits for the head of its answer.
    pub(crate) async fn send(&self, url: &Url, headers: HeaderMap) -> Result<reqwest::Response, OriginError> {
        let learned = self.learned(url);
        let first = learned.unwrap_or_else(|| self.preferred(url));
        let wait = self.config.first_byte_timeout;
        let failed = match self.send_over(first, url, headers.clone(), wait).await {
            Ok(response) => {
                self.learn(url, first);
                return Ok(response);
            }
            Err(failed) => failed,
        };
        if learned.is_some() {
            // A host that has answered this way before is only broken now; what was learned is tried anew next time.
            self.forget(url);
            return Err(failed.error);
        }
        if first != Lane::Http1 || failed.other_version == OtherVersion::No {
            return Err(failed.error);
        }
        let other = if url.scheme() == "https" { Lane::Alpn } else { Lane::Http2 };
        tracing::debug!(url = %ShownUrl::from(url), ?other, "no HTTP/1.1 answer, trying the other version");
        let is_sure = failed.other_version == OtherVersion::Surely;
        let wait = if is_sure { wait } else { wait.min(OTHER_VERSION_WAIT) };
        let second = self.send_over(other, url, headers, wait).await;
        if is_sure || second.is_ok() {
            self.learn(url, other);
        }
        // Where it was a guess, the first failure is the one that says what the server does.
        second.map_err(|second| if is_sure { second.error } else { failed.error })
    }

    async fn send_over(
        &self,
        lane: Lane,
        url: &Url,
        headers: HeaderMap,
        first_byte: Duration,
    ) -> Result<reqwest::Response, NoAnswer> {
        let only = |error| NoAnswer { error, other_version: OtherVersion::No };
        let request = self.client(lane).map_err(only)?.get(url.clone()).headers(headers);
        // Connecting has its own, inner time limit, so what runs out here is the wait for an answer.
        match timeout(self.config.connect_timeout + first_byte, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(cause::of_request(&error, url, &self.config)),
            Err(_) => Err(only(OriginError::Timeout {
                url: url.into(),
                phase: Phase::FirstByte,
                after: first_byte,
            })),
        }
    }

    fn preferred(&self, url: &Url) -> Lane {
        match self.config.http_version {
            HttpVersion::Auto if url.scheme() == "https" => Lane::Alpn,
            HttpVersion::Auto | HttpVersion::Http1 => Lane::Http1,
            HttpVersion::Http2 => Lane::Http2,
        }
    }

    fn learned(&self, url: &Url) -> Option<Lane> {
        self.memory().get(&place(url)).copied()
    }

    fn learn(&self, url: &Url, lane: Lane) {
        let mut memory = self.memory();
        let place = place(url);
        if memory.len() >= MAX_LEARNED && !memory.contains_key(&place) {
            memory.clear();
        }
        memory.insert(place, lane);
    }

    fn forget(&self, url: &Url) {
        self.memory().remove(&place(url));
    }

    fn memory(&self) -> MutexGuard<'_, BTreeMap<String, Lane>> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self, lane: Lane) -> Result<&reqwest::Client, OriginError> {
        let slot = &self.clients[lane as usize];
        match slot.get() {
            Some(client) => Ok(client),
            // Two callers may both build; the first one's is used.
            None => {
                let built = self.build(lane)?;
                Ok(slot.get_or_init(|| built))
            }
        }
    }

    fn build(&self, lane: Lane) -> Result<reqwest::Client, OriginError> {
        let mut tls = self.tls.clone();
        let builder = reqwest::Client::builder()
            .user_agent(&self.config.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.config.connect_timeout)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .dns_resolver(SystemResolver);
        let builder = match lane {
            Lane::Http1 => {
                tls.alpn_protocols = vec![b"http/1.1".into()];
                builder.http1_only()
            }
            Lane::Alpn => {
                tls.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
                builder
            }
            Lane::Http2 => {
                tls.alpn_protocols = vec![b"h2".into()];
                builder.http2_prior_knowledge()
            }
        };
        let builder = builder
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_header_list_size(MAX_HEADER_LIST)
            .tls_backend_preconfigured(tls);
        let builder = match &self.config.proxy {
            ProxyChoice::System => builder,
            ProxyChoice::None => builder.no_proxy(),
            ProxyChoice::Explicit { proxy, bypass } => builder.proxy(explicit_proxy(proxy, bypass)?),
        };
        builder.build().map_err(|error| config_error(&error.without_url()))
    }
}

fn explicit_proxy(proxy: &Url, bypass: &str) -> Result<reqwest::Proxy, OriginError> {
    if !matches!(proxy.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h")
        || !proxy.has_host()
    {
        let why = format!("{} is not a proxy: it must be an http, https or socks URL", ShownUrl::from(proxy));
        return Err(OriginError::Config { why });
    }
    let bypass = reqwest::NoProxy::from_string(bypass);
    Ok(reqwest::Proxy::all(proxy.clone())
        .map_err(|error| config_error(&error.without_url()))?
        .no_proxy(bypass))
}

/// The innermost text of the chain says what is wrong; the outer ones that something is.
fn config_error(error: &(dyn std::error::Error + 'static)) -> OriginError {
    let root = std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error);
    OriginError::Config { why: root.to_string() }
}

/// Scheme, host and port.
fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(http_version: HttpVersion) -> Transport {
        Transport::new(ClientConfig { http_version, proxy: ProxyChoice::None, ..ClientConfig::default() })
            .unwrap()
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn http_1_is_offered_unless_the_server_may_choose() {
        assert_eq!(transport(HttpVersion::Http1).preferred(&url("https://a/x")), Lane::Http1);
        assert_eq!(transport(HttpVersion::Auto).preferred(&url("https://a/x")), Lane::Alpn);
        assert_eq!(transport(HttpVersion::Auto).preferred(&url("http://a/x")), Lane::Http1);
        assert_eq!(transport(HttpVersion::Http2).preferred(&url("http://a/x")), Lane::Http2);
    }

    #[test]
    fn a_host_is_remembered_with_its_scheme_and_port_up_to_a_limit() {
        let transport = transport(HttpVersion::Http1);
        transport.learn(&url("https://a/x"), Lane::Alpn);
        assert_eq!(transport.learned(&url("https://a:443/y")), Some(Lane::Alpn));
        assert_eq!(transport.learned(&url("https://a:444/y")), None);
        assert_eq!(transport.learned(&url("http://a/y")), None);
        for n in 1..MAX_LEARNED {
            transport.learn(&url(&format!("https://host{n}/")), Lane::Http1);
        }
        transport.learn(&url("https://host1/"), Lane::Http1);
        assert_eq!(transport.memory().len(), MAX_LEARNED);
        transport.learn(&url("https://one.more/"), Lane::Http1);
        assert_eq!(transport.memory().len(), 1);
        transport.forget(&url("https://one.more/x"));
        assert_eq!(transport.learned(&url("https://one.more/")), None);
    }

    #[test]
    fn a_proxy_that_is_none_is_refused_without_its_password() {
        let proxy = ProxyChoice::Explicit { proxy: url("ftp://me:secret@proxy/"), bypass: String::new() };
        assert!(!format!("{proxy:?}").contains("secret"));
        let error = Transport::new(ClientConfig { proxy, ..ClientConfig::default() }).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("ftp://proxy/") && !text.contains("secret"), "{text}");
    }
}
