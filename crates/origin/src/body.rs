//! The bytes behind an answer's head.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dray_content::Published;
use dray_ranges::ByteRange;
use tokio::time::{Instant, Sleep, sleep, timeout};
use url::Url;

use crate::answer::Head;
use crate::cause;
use crate::error::{OriginError, Phase};
use crate::safe_name::SafeName;
use crate::sharing::Sharing;
use crate::shown::ShownUrl;
use crate::validators::Validators;

/// What is read of an unwanted rest so that its connection can serve the next request; a new connection costs about as much.
const MAX_LEFTOVER: u64 = 64 << 10;
/// How long such a rest is waited for.
const LEFTOVER_WAIT: Duration = Duration::from_millis(250);

/// An answer that brings bytes of the file. Dropping it closes its connection unless everything was read.
pub struct Response {
    /// Offset in the file of the first byte that [`Self::chunk`] yields. Zero although a range was asked for means that the server
    /// sends the whole file: it has no ranges, or the version of `if_range` is gone.
    pub start: u64,
    /// The part that the body is; `None` when it is the whole file. It begins where it was asked to, and may end earlier.
    pub range: Option<ByteRange>,
    /// Size of the whole file in bytes, when the server knows it.
    pub size: Option<u64>,
    /// How to recognise this version again.
    pub validators: Validators,
    /// When the file changed last, strong validator or not.
    pub last_modified: Option<SystemTime>,
    /// Digests of the whole file that the server publishes; only as good as the connection, see [`Self::is_secure`].
    pub published: Published,
    /// The name that the server proposes.
    pub file_name: Option<SafeName>,
    /// Where the bytes come from, behind all redirects; without user and password.
    pub final_url: Url,
    /// Whether every hop from the caller's URL to the final one was https.
    pub is_secure: bool,
    /// Whether the server says, or shows, that it can send parts.
    pub accepts_ranges: bool,
    /// Whether it says, or shows, that it cannot. Neither is the answer of a server that says nothing.
    pub refuses_ranges: bool,
    /// Who else may have the bytes.
    pub sharing: Sharing,
    body: Body,
}

struct Body {
    inner: reqwest::Response,
    url: ShownUrl,
    promised: Option<u64>,
    received: u64,
    stall: Stall,
    is_over: bool,
}

/// The stall timer. It is set only when there is nothing to read, so a fast body never touches it.
struct Stall {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Response {
    pub(crate) fn new(
        head: Head,
        inner: reqwest::Response,
        final_url: Url,
        is_secure: bool,
        stall: Duration,
    ) -> Self {
        Self {
            start: head.start,
            range: head.range,
            size: head.size,
            validators: head.validators,
            last_modified: head.last_modified,
            published: head.published,
            file_name: head.file_name,
            is_secure,
            accepts_ranges: head.accepts_ranges,
            refuses_ranges: head.refuses_ranges,
            sharing: head.sharing,
            body: Body {
                inner,
                url: ShownUrl::from(&final_url),
                promised: head.promised,
                received: 0,
                stall: Stall { limit: stall, timer: Box::pin(sleep(stall)) },
                is_over: false,
            },
            final_url,
        }
    }

    /// The next bytes, as they come off the connection; `None` at the end. May be dropped and called again without losing any.
    ///
    /// # Errors
    /// [`OriginError::Truncated`] when the body ends before its promise, [`OriginError::TooLong`] when it goes on behind it (what is
    /// too much is not yielded), [`OriginError::Timeout`] when nothing comes, [`OriginError::Protocol`] when its framing is broken.
    /// After an error it is over.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OriginError> {
        self.body.chunk().await
    }

    /// How many bytes the body must have; `None` when the server did not say.
    #[must_use]
    pub fn promised(&self) -> Option<u64> {
        self.body.promised
    }

    /// How many bytes [`Self::chunk`] has yielded.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.body.received
    }

    /// Gives the rest up. A short one is read and thrown away so that the connection can be used again.
    pub async fn finish(self) {
        let body = self.body;
        let is_short = body.promised.is_some_and(|promised| promised - body.received <= MAX_LEFTOVER);
        if !body.is_over && is_short {
            discard(body.inner).await;
        }
    }
}

/// Without headers and queries, which may hold secrets.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("url", &self.body.url)
            .field("start", &self.start)
            .field("range", &self.range)
            .field("size", &self.size)
            .field("received", &self.body.received)
            .finish_non_exhaustive()
    }
}

impl Body {
    async fn chunk(&mut self) -> Result<Option<Bytes>, OriginError> {
        if self.is_over {
            return Ok(None);
        }
        if self.promised == Some(self.received) {
            return self.end().await;
        }
        let next = self.next().await;
        self.is_over = !matches!(next, Ok(Some(_)));
        next
    }

    async fn next(&mut self) -> Result<Option<Bytes>, OriginError> {
        loop {
            let bytes = match self.stall.guard(self.inner.chunk()).await {
                None => {
                    let after = self.stall.limit;
                    return Err(OriginError::Timeout { url: self.url.clone(), phase: Phase::Stall, after });
                }
                Some(Err(error)) => {
                    return Err(cause::of_body(&error, self.url.clone(), self.received, self.promised));
                }
                Some(Ok(bytes)) => bytes,
            };
            let Some(bytes) = bytes else {
                return match self.promised {
                    Some(_) => Err(self.truncated()),
                    None => Ok(None),
                };
            };
            let received = self.received + bytes.len() as u64;
            if let Some(want) = self.promised.filter(|promised| received > *promised) {
                return Err(OriginError::TooLong { url: self.url.clone(), want });
            }
            self.received = received;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// All bytes are there. What may still come is the end mark of a chunked body, which frees the connection, or a byte too many.
    /// A connection that breaks or hangs here has done its work.
    async fn end(&mut self) -> Result<Option<Bytes>, OriginError> {
        self.is_over = true;
        loop {
            match timeout(LEFTOVER_WAIT, self.inner.chunk()).await {
                Ok(Ok(Some(bytes))) if bytes.is_empty() => {}
                Ok(Ok(Some(_))) => {
                    return Err(OriginError::TooLong { url: self.url.clone(), want: self.received });
                }
                Ok(Ok(None) | Err(_)) | Err(_) => return Ok(None),
            }
        }
    }

    fn truncated(&self) -> OriginError {
        OriginError::Truncated { url: self.url.clone(), got: self.received, want: self.promised }
    }
}

impl Stall {
    /// Waits for `work`, but not longer than the limit; `None` when that is over.
    async fn guard<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut is_set = false;
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            if !is_set {
                is_set = true;
                self.timer.as_mut().reset(Instant::now() + self.limit);
            }
            self.timer.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

/// Reads a body that nobody wants, if it is short, so that its connection can be used again.
pub(crate) async fn discard(mut response: reqwest::Response) {
    if response.content_length().is_some_and(|length| length > MAX_LEFTOVER) {
        return;
    }
    let read = async {
        let mut left = MAX_LEFTOVER;
        while let Ok(Some(bytes)) = response.chunk().await {
            match left.checked_sub(bytes.len() as u64) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Running out of time only costs the connection.
    let _ = timeout(LEFTOVER_WAIT, read).await;
}
