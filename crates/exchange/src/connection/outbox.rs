//! Messages on their way out: those that answer something first, news of sessions when there is nothing else.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Connection, End};
use crate::Incident;
use crate::link::{CloseCode, SendHalf};
use crate::wire::Message;

/// Messages that wait. A peer that lets more pile up is not reading.
const MAX_WAITING: usize = 256;
/// News that wait; whoever has more waits with it, and tells all of it at once later.
const MAX_NEWS: usize = 8;

pub(super) struct Outbox {
    replies: mpsc::Sender<Bytes>,
    news: mpsc::Sender<Bytes>,
}

/// The other end of the outbox.
pub(crate) struct Letters {
    replies: mpsc::Receiver<Bytes>,
    news: mpsc::Receiver<Bytes>,
}

pub(super) fn outbox() -> (Outbox, Letters) {
    let (reply_sender, replies) = mpsc::channel(MAX_WAITING);
    let (news_sender, news) = mpsc::channel(MAX_NEWS);
    (Outbox { replies: reply_sender, news: news_sender }, Letters { replies, news })
}

impl Connection {
    /// Queues a message. When too many wait already, the connection ends.
    pub(super) fn say(self: &Arc<Self>, message: &Message) {
        let sent = self.outbox.replies.try_send(message.to_frame().into());
        if let Err(mpsc::error::TrySendError::Full(_)) = sent {
            self.incident(Incident::NotReading);
            self.end(CloseCode::Silent);
        }
    }

    /// Waits for room for news.
    pub(super) async fn room_for_news(&self) -> Option<mpsc::Permit<'_, Bytes>> {
        self.outbox.news.reserve().await.ok()
    }

    pub(super) async fn write_messages(&self, mut send: SendHalf, mut letters: Letters) -> End {
        loop {
            let next = tokio::select! {
                biased;
                Some(reply) = letters.replies.recv() => reply,
                Some(news) = letters.news.recv() => news,
                else => return End { code: CloseCode::Done, incident: None },
            };
            match timeout(self.hub.timing.message, send.write(next)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.into(),
                Err(_) => return End { code: CloseCode::Silent, incident: Some(Incident::NotReading) },
            }
        }
    }
}
