//! One running request.

use std::time::Duration;

use dray_ranges::ByteRange;

use crate::{OPEN_END, SourceId, Time};

/// Names a request. Never used twice by one planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A request that was decided on and is neither over nor cancelled.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) source: SourceId,
    /// Offset of the first byte asked for.
    start: u64,
    /// Offset of the byte that comes next.
    next: u64,
    /// Offset behind the last byte expected; [`OPEN_END`] when it goes to an end nobody knows.
    end: u64,
    /// When it last gave a sign of life.
    pub(crate) heard: Time,
    /// Whether the driver was told to start it.
    pub(crate) announced: bool,
    /// Since when, and how many bytes, for the next look at its rate.
    pub(crate) look: Look,
    /// When it was decided on.
    pub(crate) started: Time,
    /// How long it may stay silent.
    pub(crate) patience: Duration,
    /// Requests of its source that ran when it was decided on, itself among them.
    pub(crate) queue: usize,
    /// Another downloader was late with these bytes.
    pub(crate) is_takeover: bool,
    /// It brings the file from its start, and what it has passed over or not reached cannot be asked for alone.
    pub(crate) is_stream: bool,
}

/// The stretch of time over which a request's rate is judged.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) since: Time,
    pub(crate) bytes: u64,
}

impl Request {
    pub(crate) fn new(now: Time, source: SourceId, range: ByteRange, patience: Duration) -> Self {
        Self {
            source,
            start: range.start(),
            next: range.start(),
            end: range.end(),
            heard: now,
            announced: false,
            look: Look { since: now, bytes: 0 },
            started: now,
            patience,
            queue: 1,
            is_takeover: false,
            is_stream: false,
        }
    }

    /// The bytes it will still bring; `None` when all have come.
    pub(crate) fn left(&self) -> Option<ByteRange> {
        ByteRange::new(self.next, self.end)
    }

    /// The same, when it is known where it ends.
    pub(crate) fn known_left(&self) -> Option<ByteRange> {
        self.left().filter(|left| left.end() != OPEN_END)
    }

    /// What it was asked for, as last shortened.
    pub(crate) fn asked_range(&self) -> Option<ByteRange> {
        ByteRange::new(self.start, self.end)
    }

    /// How many bytes it was asked for, as last shortened.
    pub(crate) fn asked_len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Offset of the byte that comes next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Whether not one byte of it came.
    pub(crate) fn is_silent(&self) -> bool {
        self.next == self.start
    }

    /// Whether it goes to the end of the file, and nobody knows where that is.
    pub(crate) fn is_open(&self) -> bool {
        self.end == OPEN_END
    }

    /// The part of `range` that was asked for and not taken back since.
    pub(crate) fn asked(&self, range: ByteRange) -> Option<ByteRange> {
        ByteRange::new(range.start().max(self.start), range.end().min(self.end))
    }

    /// Bytes up to `offset` came.
    pub(crate) fn advance(&mut self, now: Time, offset: u64, bytes: u64) {
        self.next = self.next.max(offset);
        self.heard = now;
        self.look.bytes = self.look.bytes.saturating_add(bytes);
    }

    /// It ends at `end` now, if that is earlier than before.
    pub(crate) fn shorten(&mut self, end: u64) {
        self.end = self.end.min(end);
    }
}
