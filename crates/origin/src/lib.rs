//! Files from HTTP servers: one attempt at a time, and every way in which a server can be wrong has a name.
//!
//! [`Client::open`] sends one request (and follows its redirects), judges the head of the answer, and gives the body as a stream that never
//! yields a byte more than was promised. It never retries, never decodes, never writes a file, and never decides which bytes are
//! wanted: the caller does, helped by [`Backoff`] and by the errors' own [`OriginError::is_transient`] and [`OriginError::needs_whole`].
//! It knows nothing of jobs, pieces, peers or caches, and it is the only crate that names the HTTP client.
//!
//! Start at [`Client`] in `client.rs`; `answer.rs` is the judgement of an answer's head, `body.rs` the stream behind it, `transport.rs` and
//! `cause.rs` the only files that touch the library beneath. What an answer means is decided in pure functions over its headers.

mod answer;
mod ask;
mod backoff;
mod body;
mod cause;
mod client;
mod coding;
mod config;
mod disposition;
mod error;
mod percent;
mod redirect;
mod request;
mod resolve;
mod retry_after;
mod safe_name;
mod sharing;
mod shown;
mod status;
mod transport;
mod trust;
mod validators;

pub use ask::{Ask, MAX_REQUEST_HEADERS, Wish, parse_url};
pub use backoff::{Backoff, BackoffSettings};
pub use body::Response;
pub use client::{Answer, Client};
pub use config::{ClientConfig, HttpVersion, ProxyChoice};
pub use error::{OriginError, Phase};
pub use redirect::{DEFAULT_REDIRECT_LIMIT, RedirectPolicy, RedirectTarget, Refusal};
pub use safe_name::SafeName;
pub use sharing::Sharing;
pub use shown::ShownUrl;
pub use validators::{Validators, Verdict};
