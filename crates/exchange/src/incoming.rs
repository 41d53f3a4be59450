//! Bytes on their way from a peer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dray_ranges::ByteRange;
use tokio::time::timeout;

use crate::connection::SessionState;
use crate::connection::frames::{FrameError, FrameReader};
use crate::link::{LinkError, RecvHalf};
use crate::session::Tickets;
use crate::wire::{Denial, Reply};
use crate::{Incident, RequestError};

/// The answer to one request, as it comes. Dropping it cancels the request.
pub struct Incoming {
    range: ByteRange,
    answer: Answer,
}

impl Incoming {
    pub(crate) fn new(range: ByteRange, answer: Answer) -> Self {
        Self { range, answer }
    }

    /// What was asked for.
    #[must_use]
    pub fn range(&self) -> ByteRange {
        self.range
    }

    /// The next bytes, in order, straight from the transport; `None` when exactly all have come. Never waits longer than the deadlines
    /// allow. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// [`RequestError`]; what was given before stays good.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        self.answer.chunk().await
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({}, {} bytes left)", self.range, self.answer.left)
    }
}

/// So many bytes behind one frame.
pub(crate) struct Answer {
    session: Arc<SessionState>,
    from: From,
    left: u64,
    _tickets: Tickets,
}

enum From {
    /// The frame has not come yet.
    Head(FrameReader),
    /// What came with the frame, then the rest of the stream.
    Body(Bytes, RecvHalf),
    /// It has failed for good.
    Nowhere(RequestError),
}

impl Answer {
    pub(crate) fn new(session: Arc<SessionState>, recv: RecvHalf, len: u64, tickets: Tickets) -> Self {
        Self { session, from: From::Head(FrameReader::new(recv)), left: len, _tickets: tickets }
    }

    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        let over = self.session.over.clone();
        let outcome = tokio::select! {
            biased;
            outcome = self.next() => outcome,
            () = over.cancelled() => Err(RequestError::Closed),
        };
        if let Err(error) = &outcome {
            self.from = From::Nowhere(error.clone());
        }
        outcome
    }

    async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        if let From::Head(reader) = &mut self.from {
            let wait = self.session.connection.hub.timing.first_byte;
            read_head(reader, wait, self.left).await.map_err(|error| self.blame(error))?;
            let from = std::mem::replace(&mut self.from, From::Nowhere(RequestError::Closed));
            if let From::Head(reader) = from {
                let (rest, recv) = reader.into_rest();
                self.from = From::Body(rest, recv);
            }
        }
        let (rest, recv) = match &mut self.from {
            From::Body(rest, recv) => (rest, recv),
            From::Nowhere(error) => return Err(error.clone()),
            From::Head(_) => return Err(RequestError::Closed),
        };
        if self.left == 0 {
            return Ok(None);
        }
        let bytes = if rest.is_empty() {
            let stall = self.session.connection.hub.timing.stall;
            match timeout(stall, recv.read()).await {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) => return Err(self.blame(RequestError::WrongAnswer("it is too short"))),
                // It could not go on, for a reason of its own.
                Ok(Err(LinkError::Reset)) => return Err(RequestError::Unavailable),
                Ok(Err(_)) => return Err(RequestError::Closed),
                Err(_) => return Err(self.blame(RequestError::Stalled)),
            }
        } else {
            std::mem::take(rest)
        };
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => self.left = left,
            None => return Err(self.blame(RequestError::WrongAnswer("it is too long"))),
        }
        self.session.connection.count_received(bytes.len());
        Ok(Some(bytes))
    }

    /// Tells the guard what the error is the other end's fault for.
    fn blame(&self, error: RequestError) -> RequestError {
        match error {
            RequestError::WrongAnswer(what) => {
                self.session.connection.incident(Incident::WrongAnswer(what));
            }
            RequestError::Stalled => self.session.connection.incident(Incident::Stalled("an answer")),
            _ => {}
        }
        error
    }
}

async fn read_head(reader: &mut FrameReader, wait: Duration, expected: u64) -> Result<(), RequestError> {
    let (kind, body) = match timeout(wait, reader.next(wait)).await.unwrap_or(Err(FrameError::Stalled)) {
        Ok(frame) => frame,
        Err(FrameError::Stalled) => return Err(RequestError::Stalled),
        Err(FrameError::Wire(_)) => return Err(RequestError::WrongAnswer("its head is malformed")),
        Err(FrameError::Ended) => return Err(RequestError::WrongAnswer("it has no head")),
        Err(FrameError::Link(LinkError::Reset)) => return Err(RequestError::Busy),
        Err(FrameError::Link(_)) => return Err(RequestError::Closed),
    };
    match Reply::from_frame(kind, &body) {
        Ok(Reply::Data(len)) if len == expected => Ok(()),
        Ok(Reply::Data(_)) => Err(RequestError::WrongAnswer("it announces another number of bytes")),
        Ok(Reply::Denied(why)) => Err(match why {
            Denial::NotOffered => RequestError::NotOffered,
            Denial::Gone => RequestError::Gone,
            Denial::Busy => RequestError::Busy,
            Denial::NoSession => RequestError::Closed,
            Denial::CannotRead | Denial::NotNow => RequestError::Unavailable,
        }),
        Err(_) => Err(RequestError::WrongAnswer("its head is malformed")),
    }
}
