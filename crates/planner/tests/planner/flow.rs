//! A running request as its server sees it, and how it is going to end.

use dray_planner::{SourceId, Time};

use crate::server::Server;

/// A request as the server sees it.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) source: SourceId,
    pub(crate) start: u64,
    /// Offset of the byte that is sent next.
    pub(crate) next: u64,
    pub(crate) end: u64,
    /// How many bytes come at `due`.
    pub(crate) chunk: u64,
    pub(crate) due: Option<Time>,
    pub(crate) answered: bool,
    pub(crate) fate: Fate,
}

/// How a request ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// With the last byte.
    Well,
    /// The connection breaks there.
    Retry { at: u64 },
    /// Nothing comes from there on.
    Silent { at: u64 },
    /// It is reported finished there.
    Early { at: u64 },
    /// The server will never give it.
    Gone,
    /// The server has enough to do.
    TooMany,
    /// The server cannot start in the middle.
    NoRanges,
}

impl Fate {
    /// How a request for the `len` bytes from `start` will end, when its server has `running` others.
    pub(crate) fn roll(
        dice: &mut fastrand::Rng,
        server: &Server,
        start: u64,
        len: u64,
        running: usize,
    ) -> Self {
        if !server.does_ranges && start > 0 {
            return Self::NoRanges;
        }
        if running >= server.tolerates {
            return Self::TooMany;
        }
        let faults = server.faults;
        let at = start + if len == 0 { 0 } else { dice.u64(0..len) };
        let roll = dice.u8(0..100);
        let mut below = 0;
        let mut falls = |percent: u8| {
            below += percent;
            roll < below
        };
        if falls(faults.retry) {
            Self::Retry { at }
        } else if falls(faults.silent) {
            Self::Silent { at }
        } else if falls(faults.early) {
            Self::Early { at }
        } else if falls(faults.gone) {
            Self::Gone
        } else {
            Self::Well
        }
    }
}
