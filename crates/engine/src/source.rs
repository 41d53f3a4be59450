//! One request to the origin: opened, held against what is known of the file, and pumped to the transfer chunk by chunk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use dray_exchange::{RequestError, Session};
use dray_origin::{Answer, Ask, Client, OriginError, Response, ShownUrl, Validators, Verdict, Wish};
use dray_planner::RequestId;
use dray_ranges::ByteRange;
use tokio::sync::mpsc;
use url::Url;

/// What a request brings to the transfer.
pub(crate) enum Message {
    /// Bytes of the remote file, in order within a request.
    Chunk { request: RequestId, offset: u64, bytes: Bytes },
    /// The request is over; no more of it comes.
    Ended { request: RequestId, result: Result<End, Trouble> },
}

/// How a request ended well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// The offset after its last byte.
    pub(crate) at: u64,
    /// Whether that is where the file ends: a whole answer of unknown length says so by ending.
    pub(crate) is_end_of_file: bool,
}

/// Why a request did not bring what it was sent for.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The origin or the network failed.
    Origin(OriginError),
    /// The file at the origin is another one now.
    Changed,
    /// The rest cannot be asked for, because nothing would tell whether it is of the same file.
    Unresumable,
    /// The origin answered a ranged request with something else than that range.
    NoRanges(Option<OriginError>),
    /// A peer did not give what it was asked for.
    Peer(RequestError),
}

/// What stays the same for all requests of one version of a file.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) client: Client,
    pub(crate) url: Url,
    pub(crate) headers: Arc<[(String, String)]>,
    /// A digest of the whole will tell in the end if bytes of two versions were mixed.
    pub(crate) has_digest: bool,
}

impl Origin {
    /// Sends one request for bytes.
    pub(crate) async fn open(
        &self,
        what: Wish,
        if_range: Option<&Validators>,
        unless: Option<&Validators>,
    ) -> Result<Answer, OriginError> {
        self.client.open(Ask { url: &self.url, what, if_range, unless, headers: &self.headers }).await
    }

    /// "Not modified", said to a request that named no version.
    pub(crate) fn unasked_304(&self) -> OriginError {
        OriginError::Protocol {
            url: ShownUrl::from(&self.url),
            why: "304 to a request without a condition".into(),
        }
    }

    /// An answer that ended properly, and too early.
    pub(crate) fn cut_off(&self, got: u64, want: Option<u64>) -> OriginError {
        OriginError::Truncated { url: ShownUrl::from(&self.url), got, want }
    }

    /// Whether bytes of two answers can be told to be of one version.
    pub(crate) fn can_recognise(&self, known: &Validators) -> bool {
        self.has_digest || known.if_range().is_some()
    }

    /// Whether an answer is of the version that `known` describes.
    ///
    /// A partial answer to a request with `If-Range` needs no further proof than that no validator speaks against it. Any other answer
    /// has to show the same validators, or a digest has to tell in the end.
    pub(crate) fn is_same(&self, known: &Validators, response: &Response) -> bool {
        match known.same_as(&response.validators) {
            Verdict::Same => true,
            Verdict::Different(_) => false,
            Verdict::Unknown => self.has_digest || (response.range.is_some() && known.if_range().is_some()),
        }
    }

    /// Whether an answer continues the version that `known` describes, at `start`.
    fn vet(&self, response: Response, start: u64, known: &Validators) -> Result<Response, Trouble> {
        match response.range {
            _ if start > 0 && !self.is_same(known, &response) => Err(Trouble::Changed),
            _ if matches!(known.same_as(&response.validators), Verdict::Different(_)) => {
                Err(Trouble::Changed)
            }
            // A server that ignores Range sends the file from its start: of use only when that is what was asked for.
            None if start > 0 => Err(Trouble::NoRanges(None)),
            _ => Ok(response),
        }
    }

    /// The origin's name for people.
    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or("the origin");
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// Smaller parts of a peer's answer are gathered up to this many bytes.
const GATHER: usize = 64 << 10;

/// The end of a request that runs to the end of a file of unknown size.
pub(crate) const OPEN: u64 = u64::MAX;

/// A request on its way: where to stop may be lowered while it runs.
pub(crate) struct Pump {
    pub(crate) request: RequestId,
    pub(crate) end: Arc<AtomicU64>,
    pub(crate) out: mpsc::Sender<Message>,
}

impl Pump {
    /// Opens `range` of the version that `known` describes, then pumps it.
    pub(crate) async fn open_and_run(self, origin: Origin, range: (u64, Option<u64>), known: Validators) {
        let what = match range {
            (0, None) => Wish::Whole,
            (start, None) => Wish::From(start),
            (start, Some(end)) => ByteRange::new(start, end).map_or(Wish::From(start), Wish::Range),
        };
        if range.0 > 0 && !origin.can_recognise(&known) {
            let result = Err(Trouble::Unresumable);
            let _ = self.out.send(Message::Ended { request: self.request, result }).await;
            return;
        }
        let result = match origin.open(what, Some(&known), None).await {
            Ok(Answer::Body(response)) => origin.vet(response, range.0, &known),
            Ok(Answer::Unchanged) => Err(Trouble::Origin(origin.unasked_304())),
            Err(OriginError::Changed { .. }) => Err(Trouble::Changed),
            // The file may have shrunk.
            Err(OriginError::RangeNotSatisfiable { .. }) => Err(Trouble::Changed),
            Err(error) if error.needs_whole() => Err(Trouble::NoRanges(Some(error))),
            Err(error) => Err(Trouble::Origin(error)),
        };
        match result {
            Ok(response) => self.run(response).await,
            Err(trouble) => {
                let _ = self.out.send(Message::Ended { request: self.request, result: Err(trouble) }).await;
            }
        }
    }

    /// Asks a peer for `range` and pumps what comes.
    pub(crate) async fn ask_and_run(self, session: Session, range: ByteRange) {
        let result = self.pull(&session, range).await.map_err(Trouble::Peer);
        let _ = self.out.send(Message::Ended { request: self.request, result }).await;
    }

    async fn pull(&self, session: &Session, range: ByteRange) -> Result<End, RequestError> {
        let mut incoming = session.get(range).await?;
        let mut offset = range.start();
        let mut gathered = BytesMut::new();
        let result = loop {
            if offset + gathered.len() as u64 >= self.end.load(Ordering::Relaxed) {
                break Ok(());
            }
            match incoming.chunk().await {
                // What comes in small parts is passed on in larger ones.
                Ok(Some(bytes)) if gathered.is_empty() && bytes.len() >= GATHER => {
                    if !self.pass(&mut offset, bytes).await {
                        break Ok(());
                    }
                }
                Ok(Some(bytes)) => {
                    gathered.extend_from_slice(&bytes);
                    if gathered.len() >= GATHER && !self.pass(&mut offset, gathered.split().freeze()).await {
                        break Ok(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if !gathered.is_empty() {
            self.pass(&mut offset, gathered.freeze()).await;
        }
        result.map(|()| End { at: offset, is_end_of_file: false })
    }

    /// Gives bytes to the transfer; false when it wants none any more.
    async fn pass(&self, offset: &mut u64, bytes: Bytes) -> bool {
        let len = bytes.len() as u64;
        let chunk = Message::Chunk { request: self.request, offset: *offset, bytes };
        *offset += len;
        self.out.send(chunk).await.is_ok()
    }

    /// Whether an answer that ends at `offset` ends too early.
    fn is_short(&self, offset: u64) -> bool {
        let end = self.end.load(Ordering::Relaxed);
        end != OPEN && offset < end
    }

    /// Pumps an answer that was held good.
    pub(crate) async fn run(self, mut response: Response) {
        let mut offset = response.start;
        let result = loop {
            if offset >= self.end.load(Ordering::Relaxed) {
                break Ok(End { at: offset, is_end_of_file: false });
            }
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    let len = bytes.len() as u64;
                    let chunk = Message::Chunk { request: self.request, offset, bytes };
                    if self.out.send(chunk).await.is_err() {
                        return;
                    }
                    offset += len;
                }
                Ok(None) if self.is_short(offset) => {
                    let url = ShownUrl::from(&response.final_url);
                    let (got, want) = (response.received(), None);
                    break Err(Trouble::Origin(OriginError::Truncated { url, got, want }));
                }
                Ok(None) => break Ok(End { at: offset, is_end_of_file: response.range.is_none() }),
                Err(error) => break Err(Trouble::Origin(error)),
            }
        };
        let is_whole = response.promised() == Some(response.received());
        let _ = self.out.send(Message::Ended { request: self.request, result }).await;
        if is_whole {
            // The connection serves the next file of this host only once the end of this one was read.
            response.finish().await;
        }
    }
}
