//! One attempt: a request, its redirects, and the answer at the end of them.

use std::sync::Arc;
use std::time::SystemTime;

use url::Url;

use crate::answer::{Asked, Meaning, Received, judge};
use crate::ask::Ask;
use crate::body::{Response, discard};
use crate::config::ClientConfig;
use crate::error::OriginError;
use crate::redirect::{is_redirect, may_keep_credentials};
use crate::request::Request;
use crate::shown::ShownUrl;
use crate::transport::Transport;

/// Fetches files from HTTP servers. Clones share connections, so one client for all files of one configuration.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
}

/// What came back.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one per request, and nearly always the large one")]
pub enum Answer {
    /// The file, or a part of it.
    Body(Response),
    /// 304: the version in [`Ask::unless`] is still the current one.
    Unchanged,
}

/// Where the chain of redirects stands.
struct Hop {
    url: Url,
    /// Whether every redirect so far stayed with the first URL's origin. Once lost it does not come back.
    may_have_credentials: bool,
    is_secure: bool,
    followed: u8,
}

impl Client {
    /// Makes a client. Nothing is connected and the system's certificates are not read until they are needed.
    ///
    /// # Errors
    /// [`OriginError::Roots`] and [`OriginError::Config`] for settings that cannot be used.
    pub fn new(config: ClientConfig) -> Result<Self, OriginError> {
        Ok(Self { transport: Arc::new(Transport::new(config)?) })
    }

    /// Sends one request, follows its redirects, and judges the answer. Never retries; may be dropped at any time.
    ///
    /// # Errors
    /// [`OriginError`] for everything that brings no byte of the file, also for answers that cannot be believed.
    pub async fn open(&self, ask: Ask<'_>) -> Result<Answer, OriginError> {
        let request = Request::new(&ask)?;
        let mut hop = Hop {
            url: request.url.clone(),
            may_have_credentials: true,
            is_secure: request.url.scheme() == "https",
            followed: 0,
        };
        loop {
            let headers = request.headers(hop.may_have_credentials);
            let response = self.transport.send(&hop.url, headers).await?;
            tracing::debug!(url = %ShownUrl::from(&hop.url), status = response.status().as_u16(), "answer");
            if !is_redirect(response.status()) {
                return self.answer(&ask, &request, hop, response).await;
            }
            let policy = self.transport.config().redirect;
            let next = policy.next(&hop.url, hop.followed, response.status(), response.headers());
            discard(response).await;
            hop = hop.follow(next?);
        }
    }

    async fn answer(
        &self,
        ask: &Ask<'_>,
        request: &Request,
        hop: Hop,
        response: reqwest::Response,
    ) -> Result<Answer, OriginError> {
        let received = Received {
            url: &hop.url,
            status: response.status(),
            headers: response.headers(),
            length: response.content_length(),
            now: SystemTime::now(),
        };
        let asked = Asked {
            ask,
            is_conditional: request.is_conditional,
            with_credentials: request.has_credentials(),
        };
        match judge(&asked, &received) {
            Ok(Meaning::Body(head)) => {
                let stall = self.transport.config().stall_timeout;
                Ok(Answer::Body(Response::new(head, response, hop.url, hop.is_secure, stall)))
            }
            Ok(Meaning::Unchanged) => {
                discard(response).await;
                Ok(Answer::Unchanged)
            }
            Err(error) => {
                discard(response).await;
                Err(error)
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Client").field(self.transport.config()).finish()
    }
}

impl Hop {
    fn follow(self, url: Url) -> Self {
        Self {
            may_have_credentials: self.may_have_credentials && may_keep_credentials(&self.url, &url),
            is_secure: self.is_secure && url.scheme() == "https",
            followed: self.followed + 1,
            url,
        }
    }
}
