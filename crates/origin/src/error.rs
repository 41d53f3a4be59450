//! What can go wrong between us and an origin, each case by its name and with one sentence for people.

use std::path::PathBuf;
use std::time::Duration;

use dray_ranges::ByteRange;

use crate::redirect::{RedirectTarget, Refusal};
use crate::shown::ShownUrl;
use crate::status;

/// Why one attempt brought no answer, or not all of its bytes.
///
/// Every variant names the URL it is about, as [`ShownUrl`]: without query, user and password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not a URL, or one without a host.
    #[error("\"{text}\" is not a URL that can be fetched: {why}")]
    BadUrl {
        /// What was given.
        text: ShownUrl,
        /// What is wrong with it.
        why: String,
    },
    /// A URL, but neither http nor https.
    #[error("cannot fetch {url}: only http and https are supported, not {scheme}")]
    UnsupportedScheme {
        /// What was given.
        url: ShownUrl,
        /// Its scheme.
        scheme: String,
    },
    /// A request header of the caller that cannot be sent.
    #[error("the request header {name:?} cannot be sent: {why}")]
    BadHeader {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file of additional certificate authorities that cannot be used.
    #[error("cannot use the certificates in {}: {why}", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A setting that no client can be made from.
    #[error("the HTTP client cannot be set up: {why}")]
    Config {
        /// What is wrong.
        why: String,
    },
    /// The host's name has no address.
    #[error("cannot find the host {host} (for {url}): {why}; check the name and the network")]
    Dns {
        /// What was fetched.
        url: ShownUrl,
        /// The name that was looked up; the proxy's, if one is used.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// Nothing listens there.
    #[error("the connection for {url} was refused: no server (or proxy) is listening there")]
    Refused {
        /// What was fetched.
        url: ShownUrl,
    },
    /// No connection, for another reason.
    #[error("cannot connect for {url}: {why}")]
    Connect {
        /// What was fetched.
        url: ShownUrl,
        /// What the system said.
        why: String,
    },
    /// The proxy did not let us through.
    #[error("the proxy gave no way to {url}: {why}")]
    Proxy {
        /// What was fetched.
        url: ShownUrl,
        /// What it said.
        why: String,
    },
    /// The TLS handshake failed; mostly the certificate.
    #[error("no secure connection for {url}: {why}")]
    Tls {
        /// What was fetched.
        url: ShownUrl,
        /// What is wrong.
        why: String,
    },
    /// Nothing happened for too long.
    #[error("{} {url} within {} s", phase.nothing_of(), after.as_secs_f32())]
    Timeout {
        /// What was fetched.
        url: ShownUrl,
        /// What was waited for.
        phase: Phase,
        /// How long.
        after: Duration,
    },
    /// The connection ended before any answer.
    #[error("the connection for {url} was closed before an answer came")]
    NoAnswer {
        /// What was fetched.
        url: ShownUrl,
    },
    /// An answer with a status that brings no file.
    #[error("{url}: the server answered {}", status::line(*status))]
    Status {
        /// What was fetched.
        url: ShownUrl,
        /// The HTTP status.
        status: u16,
        /// When the server wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// 416: the range begins at or behind the end of the file.
    #[error("{url}: the range lies beyond the end of the file{}", size.map_or(String::new(), |size| format!(", which has {size} bytes")))]
    RangeNotSatisfiable {
        /// What was fetched.
        url: ShownUrl,
        /// Size of the file in bytes, when the server says it.
        size: Option<u64>,
    },
    /// The chain of redirects does not end.
    #[error("{url}: more than {limit} redirects in a row")]
    TooManyRedirects {
        /// What the caller asked for.
        url: ShownUrl,
        /// How many were followed.
        limit: u8,
    },
    /// A redirect that the policy does not follow.
    #[error("{url}: the server redirects{}, {why}", target.as_ref().map_or(String::new(), |target| format!(" to {}", target.shown())))]
    RedirectRefused {
        /// Who redirects.
        url: ShownUrl,
        /// The HTTP status.
        status: u16,
        /// Where to; `None` when that is not a URL.
        target: Option<RedirectTarget>,
        /// Why it is not followed.
        why: Refusal,
    },
    /// 206 with other bytes than those that were asked for.
    #[error("{url}: asked for bytes {asked}, the server sends {got}")]
    WrongRange {
        /// What was fetched.
        url: ShownUrl,
        /// As in HTTP: `0-99`, or `100-` for "to the end".
        asked: String,
        /// What the server says it sends.
        got: ByteRange,
    },
    /// 206 with `multipart/byteranges`, though one range was asked for.
    #[error("{url}: the server sends several ranges at once, one was asked for")]
    Multipart {
        /// What was fetched.
        url: ShownUrl,
    },
    /// A partial answer that contradicts itself or the request.
    #[error("{url}: the server's partial answer is broken: {why}")]
    BadPartial {
        /// What was fetched.
        url: ShownUrl,
        /// What is wrong.
        why: &'static str,
    },
    /// The body ended too early.
    #[error("{url}: the connection ended after {got}{} bytes of the body", want.map_or(String::new(), |want| format!(" of {want}")))]
    Truncated {
        /// What was fetched.
        url: ShownUrl,
        /// Bytes that arrived.
        got: u64,
        /// Bytes that were promised, if any number was.
        want: Option<u64>,
    },
    /// More bytes than promised.
    #[error("{url}: the server sends more than the {want} bytes it promised")]
    TooLong {
        /// What was fetched.
        url: ShownUrl,
        /// Bytes that were promised.
        want: u64,
    },
    /// The body is compressed, though only the plain file was accepted.
    #[error("{url}: the server sends the file encoded as {coding}, though asked not to")]
    Encoded {
        /// What was fetched.
        url: ShownUrl,
        /// The coding.
        coding: String,
    },
    /// The file is not the one that the transfer began with.
    #[error("{url}: the file changed on the server: another {what}")]
    Changed {
        /// What was fetched.
        url: ShownUrl,
        /// What differs.
        what: &'static str,
    },
    /// Not HTTP as it is specified.
    #[error("{url}: the server's answer is not proper HTTP: {why}")]
    Protocol {
        /// What was fetched.
        url: ShownUrl,
        /// What is wrong.
        why: String,
    },
}

/// What a timeout waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Name, connection and TLS handshake.
    Connect,
    /// The head of the answer.
    FirstByte,
    /// The next byte of the body.
    Stall,
}

impl Phase {
    fn nothing_of(self) -> &'static str {
        match self {
            Phase::Connect => "no connection for",
            Phase::FirstByte => "no answer for",
            Phase::Stall => "no more bytes of",
        }
    }
}

impl OriginError {
    /// Whether the same request may well succeed later (BITS reference, 7.4 and 10.4).
    ///
    /// 429 and 425 are younger than that list and mean just this. A changed file counts: fetched from its start it is whole.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Dns { .. }
            | Self::Refused { .. }
            | Self::Connect { .. }
            | Self::Proxy { .. }
            | Self::Timeout { .. }
            | Self::NoAnswer { .. }
            | Self::Truncated { .. }
            | Self::Changed { .. } => true,
            Self::Status { status, .. } => status::is_transient(*status),
            _ => false,
        }
    }

    /// Whether this server's ranges are of no use, so that only [`Wish::Whole`](crate::Wish::Whole) can help.
    #[must_use]
    pub fn needs_whole(&self) -> bool {
        matches!(self, Self::WrongRange { .. } | Self::Multipart { .. } | Self::BadPartial { .. })
    }

    /// When the server wants to be asked again, counted from its answer. Never longer than a day.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The HTTP status behind this error, where an answer was the reason.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } | Self::RedirectRefused { status, .. } => Some(*status),
            Self::RangeNotSatisfiable { .. } => Some(416),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> OriginError {
        OriginError::Status { url: ShownUrl::from_text("http://host/file"), status, retry_after: None }
    }

    #[test]
    fn messages_are_one_sentence_with_the_url_and_a_hint() {
        assert_eq!(
            status(404).to_string(),
            "http://host/file: the server answered 404 Not Found: there is no such file; check the URL"
        );
        let error = OriginError::Timeout {
            url: ShownUrl::from_text("http://host/file"),
            phase: Phase::Connect,
            after: Duration::from_secs(15),
        };
        assert_eq!(error.to_string(), "no connection for http://host/file within 15 s");
        assert_eq!(status(799).to_string(), "http://host/file: the server answered 799");
    }

    #[test]
    fn an_error_stays_small_enough_to_be_returned() {
        assert!(size_of::<OriginError>() <= 96, "{}", size_of::<OriginError>());
    }
}
