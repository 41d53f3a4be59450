//! What the planner tells its driver to do, and how a request can fail.

use std::time::Duration;

use crate::{RequestId, SourceId};

/// Something to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ask `source` for `range`.
    Fetch {
        /// Names this request in every later event and command.
        request: RequestId,
        /// Whom to ask.
        source: SourceId,
        /// What to ask for.
        range: Wish,
    },
    /// Stop the request at `end`, which is before the end it had: read up to there, then report it finished. If
    /// bytes beyond are already read, `received` declines them.
    Shorten {
        /// The request.
        request: RequestId,
        /// Offset just behind the last byte still wanted from it.
        end: u64,
    },
    /// Drop the request. Nothing more is expected of it, and events about it are ignored.
    Cancel {
        /// The request.
        request: RequestId,
        /// Why, for logs and for the opinion others have of the source.
        reason: CancelReason,
    },
}

/// The bytes to ask for: from `start` up to but not including `end`, or to the end of the file, wherever that is.
/// A source that cannot start in the middle is always asked for `0..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset just behind the last byte; `None` is the end of the file.
    pub end: Option<u64>,
}

/// Why a request is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// Nothing came for [`Settings::stall`](crate::Settings::stall).
    Stalled,
    /// It is slow and another source is ready to do better.
    Slow,
    /// Its source is gone.
    SourceGone,
    /// The extra connection did not raise the rate.
    NoGain,
    /// A reader waits for other bytes of the same source.
    Preempted,
    /// What it would bring is there already.
    NotNeeded,
}

/// How a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Something that may pass. The source is not asked again before `after` has gone by, nor before its own
    /// back-off, which grows with every failure that follows another without a useful byte between them.
    Retry {
        /// What the source asked for (`Retry-After`), or zero.
        after: Duration,
    },
    /// The source will never give anything: it is removed, and its other requests are cancelled.
    Gone,
    /// The source ignores or refuses ranges: from now on it is only asked for the whole.
    NoRanges,
}
