//! Frames out of a stream's bytes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use crate::link::{LinkError, RecvHalf};
use crate::wire::{FRAME_HEAD, MAX_FRAME, WireError};

/// Why there is no next frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the rest of a message did not come in time")]
    Stalled,
    #[error("the stream ended")]
    Ended,
}

/// Reads frames. Nothing is lost when a future is dropped; nothing is allocated before it has come.
pub(crate) struct FrameReader {
    recv: RecvHalf,
    /// What was read last, when nothing older is left over.
    fresh: Bytes,
    /// What is left over from several reads.
    older: BytesMut,
    max: usize,
}

impl FrameReader {
    pub(crate) fn new(recv: RecvHalf) -> Self {
        Self { recv, fresh: Bytes::new(), older: BytesMut::new(), max: MAX_FRAME }
    }

    /// With a lower limit than messages have.
    pub(crate) fn with_max(recv: RecvHalf, max: usize) -> Self {
        Self { max, ..Self::new(recv) }
    }

    /// The type and body of the next frame. There may be any silence before it, but once it has begun the rest comes within `rest`.
    pub(crate) async fn next(&mut self, rest: Duration) -> Result<(u8, Bytes), FrameError> {
        if self.fresh.is_empty() && self.older.is_empty() {
            self.more().await?;
        }
        timeout(rest, self.whole()).await.unwrap_or(Err(FrameError::Stalled))
    }

    async fn whole(&mut self) -> Result<(u8, Bytes), FrameError> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(frame);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), FrameError> {
        let bytes = self.recv.read().await?.ok_or(FrameError::Ended)?;
        if self.older.is_empty() && self.fresh.is_empty() {
            self.fresh = bytes;
        } else {
            self.older.extend_from_slice(&std::mem::take(&mut self.fresh));
            self.older.extend_from_slice(&bytes);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<(u8, Bytes)>, WireError> {
        let there: &[u8] = if self.older.is_empty() { &self.fresh } else { &self.older };
        let Some((len, after)) = there.split_first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_be_bytes(*len) as usize;
        if len == 0 || len > self.max {
            return Err(WireError::Length);
        }
        if after.len() < len {
            return Ok(None);
        }
        let mut frame = if self.older.is_empty() {
            self.fresh.split_to(4 + len)
        } else {
            self.older.split_to(4 + len).freeze()
        };
        let body = frame.split_off(FRAME_HEAD);
        Ok(Some((frame[4], body)))
    }

    /// What came behind the last frame, and where more comes from.
    pub(crate) fn into_rest(self) -> (Bytes, RecvHalf) {
        let rest = if self.older.is_empty() { self.fresh } else { self.older.freeze() };
        (rest, self.recv)
    }
}
