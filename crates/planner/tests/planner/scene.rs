//! What a world is made of, before it runs.

use dray_planner::{Settings, Time};
use dray_ranges::{ByteRange, RangeSet};

use crate::server::Server;

/// What a driver reads at once.
const CHUNK: u64 = 64 * 1024;

/// Something a person or a verifier does in the middle of it.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Prefer(RangeSet),
    /// What is there of this proves wrong.
    Reject(ByteRange),
}

/// What a world is made of.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) settings: Settings,
    pub(crate) size: u64,
    /// Whether the planner knows the size from the start.
    pub(crate) size_is_known: bool,
    /// Whether the first answer tells the size.
    pub(crate) size_is_announced: bool,
    /// `None` is everything.
    pub(crate) wanted: Option<RangeSet>,
    pub(crate) have: RangeSet,
    pub(crate) servers: Vec<Server>,
    pub(crate) acts: Vec<(Time, Act)>,
    pub(crate) seed: u64,
    pub(crate) chunk: u64,
}

impl Scene {
    /// A whole file of known size from these servers, under the default settings.
    pub(crate) fn new(size: u64, servers: impl IntoIterator<Item = Server>) -> Self {
        Self {
            settings: Settings::default(),
            size,
            size_is_known: true,
            size_is_announced: true,
            wanted: None,
            have: RangeSet::new(),
            servers: servers.into_iter().collect(),
            acts: Vec::new(),
            seed: 0,
            chunk: CHUNK,
        }
    }
}
