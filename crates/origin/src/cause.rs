//! From the library's chain of errors to our own variants: the one place that knows what the layers below call things.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};
use url::Url;

use crate::config::ClientConfig;
use crate::error::{OriginError, Phase};
use crate::resolve::NoAddress;
use crate::shown::ShownUrl;

/// What the links of one chain say.
#[derive(Default)]
struct Facts<'a> {
    no_address: Option<&'a NoAddress>,
    tls: Option<&'a rustls::Error>,
    io: Option<io::ErrorKind>,
    /// The bytes that came are no HTTP/1 message.
    is_unparsable: bool,
    is_too_large: bool,
    is_incomplete: bool,
    /// The other end gave up an HTTP/2 stream or connection.
    is_reset: bool,
    tunnel: Option<String>,
    /// The innermost text.
    root: String,
}

impl<'a> Facts<'a> {
    fn of(error: &'a (dyn Error + 'static)) -> Self {
        let mut facts = Self::default();
        let mut next = Some(error);
        while let Some(link) = next {
            let text = link.to_string();
            if text.starts_with("tunnel error") {
                facts.tunnel = Some(text.clone());
            }
            // The HTTP/2 library's "stream error received: …"; what it finds wrong itself, it says is "detected".
            facts.is_reset |= text.contains(" error received");
            facts.root = text;
            facts.no_address = facts.no_address.or(link.downcast_ref());
            facts.tls = facts.tls.or(link.downcast_ref());
            if let Some(hyper) = link.downcast_ref::<hyper::Error>() {
                facts.is_unparsable |= hyper.is_parse();
                facts.is_too_large |= hyper.is_parse_too_large();
                facts.is_incomplete |=
                    hyper.is_incomplete_message() || hyper.is_canceled() || hyper.is_closed();
            }
            next = link.source();
            if let Some(io) = link.downcast_ref::<io::Error>() {
                facts.io = Some(io.kind());
                // An I/O error that wraps another one hides it from `source`.
                next = io.get_ref().map(|inner| inner as &(dyn Error + 'static)).or(next);
            }
        }
        facts
    }
}

/// No answer came.
pub(crate) struct NoAnswer {
    pub(crate) error: OriginError,
    pub(crate) other_version: OtherVersion,
}

/// Whether the other version of HTTP might fare better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherVersion {
    /// It would not.
    No,
    /// What came is no HTTP/1 message.
    Perhaps,
    /// The server says so: it refused the one that was offered (RFC 7301, 3.2).
    Surely,
}

/// Why a request brought no head of an answer.
pub(crate) fn of_request(error: &reqwest::Error, url: &Url, config: &ClientConfig) -> NoAnswer {
    let facts = Facts::of(error);
    let refuses_version =
        matches!(facts.tls, Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)));
    let other_version = match refuses_version {
        true => OtherVersion::Surely,
        false if facts.is_unparsable && !facts.is_too_large => OtherVersion::Perhaps,
        false => OtherVersion::No,
    };
    NoAnswer { other_version, error: name(&facts, error, ShownUrl::from(url), config) }
}

fn name(facts: &Facts<'_>, error: &reqwest::Error, url: ShownUrl, config: &ClientConfig) -> OriginError {
    if let Some(NoAddress { host, why }) = facts.no_address {
        return OriginError::Dns { url, host: host.clone(), why: why.clone() };
    }
    if error.is_timeout() && error.is_connect() {
        return OriginError::Timeout { url, phase: Phase::Connect, after: config.connect_timeout };
    }
    if let Some(error) = facts.tls {
        return OriginError::Tls { url, why: tls_sentence(error) };
    }
    if facts.io == Some(io::ErrorKind::ConnectionRefused) {
        return OriginError::Refused { url };
    }
    if let Some(tunnel) = &facts.tunnel {
        return OriginError::Proxy { url, why: tunnel.trim_start_matches("tunnel error: ").to_owned() };
    }
    if error.is_connect() {
        return OriginError::Connect { url, why: facts.root.clone() };
    }
    if facts.is_too_large {
        return OriginError::Protocol { url, why: "its headers are too long".into() };
    }
    if facts.is_unparsable {
        return OriginError::Protocol { url, why: format!("its head cannot be read ({})", facts.root) };
    }
    if facts.is_incomplete || facts.is_reset || is_cut(facts.io) {
        return OriginError::NoAnswer { url };
    }
    OriginError::Protocol { url, why: facts.root.clone() }
}

/// Why a body ended before its time, after `got` bytes.
pub(crate) fn of_body(error: &reqwest::Error, url: ShownUrl, got: u64, want: Option<u64>) -> OriginError {
    let facts = Facts::of(error);
    match facts.io {
        // A chunk whose length is not a number, for one.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            OriginError::Protocol { url, why: facts.root }
        }
        _ => OriginError::Truncated { url, got, want },
    }
}

fn is_cut(kind: Option<io::ErrorKind>) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    matches!(kind, Some(BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof))
}

fn tls_sentence(error: &rustls::Error) -> String {
    use CertificateError as Cert;
    let text = match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Cert::UnknownIssuer => "the certificate is not signed by an authority that this machine trusts",
            Cert::Expired | Cert::ExpiredContext { .. } => {
                "the certificate has expired (or this machine's clock is wrong)"
            }
            Cert::NotValidYet | Cert::NotValidYetContext { .. } => {
                "the certificate is not valid yet (or this machine's clock is wrong)"
            }
            Cert::NotValidForName | Cert::NotValidForNameContext { .. } => {
                "the certificate is for another host"
            }
            Cert::Revoked => "the certificate was revoked",
            other => return format!("the certificate is not acceptable ({other})"),
        },
        rustls::Error::InvalidMessage(_) => "there is no TLS on that port",
        rustls::Error::AlertReceived(alert) => {
            return format!("the server refused the handshake ({alert:?})");
        }
        other => return other.to_string(),
    };
    text.to_owned()
}
