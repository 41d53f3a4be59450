//! Bytes on their way from a peer.

use bytes::Bytes;
use dray_ranges::ByteRange;

use crate::RequestError;

/// The answer to one request, as it comes. Dropping it cancels the request.
#[derive(Debug)]
pub struct Incoming {
    range: ByteRange,
}

impl Incoming {
    /// What was asked for.
    #[must_use]
    pub fn range(&self) -> ByteRange {
        self.range
    }

    /// The next bytes, in order, straight from the transport; `None` when exactly all have come. Never waits longer than the deadlines
    /// allow.
    ///
    /// # Errors
    /// [`RequestError`]; what was given before stays good.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        Err(RequestError::Closed)
    }
}
