//! What the other end says, and what follows from it.

use std::sync::Arc;

use super::frames::{FrameError, FrameReader};
use super::rate::Rate;
use super::{Connection, End};
use crate::Incident;
use crate::holding::Change;
use crate::link::CloseCode;
use crate::serve;
use crate::wire::{Message, WireError};

/// Messages a second, and at once. Sixty-four sessions with a change every hundredth of a second each come to 6,400.
const MESSAGES_PER_S: u32 = 8_000;
const MESSAGES_AT_ONCE: u32 = 16_000;
/// Joins a second, and at once: each means a search.
const JOINS_PER_S: u32 = 50;
const JOINS_AT_ONCE: u32 = 200;
/// Requests a second, and at once. Pieces of 256 KiB at 10 Gbit/s come to 4,768.
const REQUESTS_PER_S: u32 = 10_000;
const REQUESTS_AT_ONCE: u32 = 20_000;

impl Connection {
    pub(super) async fn read_messages(self: &Arc<Self>, mut reader: FrameReader) -> End {
        let mut messages = Rate::new(MESSAGES_PER_S, MESSAGES_AT_ONCE);
        let mut joins = Rate::new(JOINS_PER_S, JOINS_AT_ONCE);
        loop {
            let (kind, body) = match reader.next(self.hub.timing.message).await {
                Ok(frame) => frame,
                Err(FrameError::Link(error)) => return error.into(),
                Err(FrameError::Wire(error)) => return End::violation(malformed(error)),
                Err(FrameError::Ended) => return End { code: CloseCode::Done, incident: None },
                Err(FrameError::Stalled) => {
                    let incident = Some(Incident::Stalled("the rest of a message"));
                    return End { code: CloseCode::Violation, incident };
                }
            };
            let now = self.born.elapsed();
            if !messages.allows(now) {
                return End::violation(Incident::Flood("messages"));
            }
            let message = match Message::from_frame(kind, &body) {
                Ok(Some(message)) => message,
                Ok(None) => continue,
                Err(error) => return End::violation(malformed(error)),
            };
            if matches!(message, Message::Join { .. }) && !joins.allows(now) {
                return End::violation(Incident::Flood("joins"));
            }
            if let Err(incident) = self.take_in(message) {
                return End::violation(incident);
            }
        }
    }

    /// Each stream but the first is a request.
    pub(super) async fn accept_requests(self: &Arc<Self>) -> End {
        let mut requests = Rate::new(REQUESTS_PER_S, REQUESTS_AT_ONCE);
        loop {
            let (send, recv) = match self.link.accept().await {
                Ok(stream) => stream,
                Err(error) => return error.into(),
            };
            if !requests.allows(self.born.elapsed()) {
                return End::violation(Incident::Flood("requests"));
            }
            tokio::spawn(serve::answer(Arc::clone(self), send, recv));
        }
    }

    fn take_in(self: &Arc<Self>, message: Message) -> Result<(), Incident> {
        let makes_sense = match message {
            Message::Hello { .. } => return Err(Incident::Malformed("a second greeting")),
            Message::Join { session, digests, holding } => {
                self.expect_number(session)?;
                self.joined(session, digests, holding);
                true
            }
            Message::Welcome { session, holding } => self.welcomed(session, holding),
            Message::Refuse { session, why } => self.refused(session, why),
            Message::Update { session, change } => return self.updated(session, &change),
            Message::Leave { session } => self.left(session),
            Message::Ping(number) => {
                self.say(&Message::Pong(number));
                true
            }
            // That something came is all that counts, and that is known.
            Message::Pong(_) => true,
        };
        if makes_sense { Ok(()) } else { Err(Incident::Malformed("a session that was never asked for")) }
    }

    /// Numbers of sessions rise, and each end has its own.
    fn expect_number(&self, session: u32) -> Result<(), Incident> {
        let mut sessions = self.lock_sessions();
        if session % 2 != sessions.next_theirs % 2 || session < sessions.next_theirs {
            return Err(Incident::Malformed("a session number that is taken or not its own"));
        }
        sessions.next_theirs =
            session.checked_add(2).ok_or(Incident::Malformed("all session numbers are used"))?;
        Ok(())
    }

    fn updated(self: &Arc<Self>, id: u32, change: &Change) -> Result<(), Incident> {
        let session = {
            let sessions = self.lock_sessions();
            match sessions.open.get(&id) {
                Some(session) => Arc::clone(session),
                // It ended here while the news were on their way.
                None if sessions.is_known(id) => return Ok(()),
                None => return Err(Incident::Malformed("news of a session that was never opened")),
            }
        };
        let before = session.theirs().borrow().clone();
        let after = before.after(change).ok_or(Incident::Contradiction)?;
        let ours = session.volume.ours().borrow().size;
        let fits = ours.zip(after.size).is_none_or(|(ours, theirs)| ours == theirs);
        if !fits {
            // They may have learned it from another origin in good faith; there is nothing to exchange, though.
            session.leave();
            return Ok(());
        }
        session.set_theirs(after);
        if session.is_pointless() {
            session.leave();
        }
        Ok(())
    }

    fn left(&self, id: u32) -> bool {
        let mut sessions = self.lock_sessions();
        let session = sessions.open.remove(&id);
        let is_known = session.is_some() || sessions.is_known(id);
        drop(sessions);
        if let Some(session) = session {
            session.close();
        }
        is_known
    }
}

fn malformed(error: WireError) -> Incident {
    Incident::Malformed(match error {
        WireError::Malformed => "a message is cut off or malformed",
        WireError::Length => "a message has a length that is not allowed",
        WireError::UnknownType => "a message has a type that is not known",
        WireError::OutOfPlace => "a message is not allowed at its place",
    })
}
