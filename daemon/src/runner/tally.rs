//! What one transfer has brought so far, by who gave it, and what was decided on the way.

use dray_engine::{BytesBySource, Decision, Fetched, Gift, GivenBy};
use dray_jobs::BySource;

/// Decisions that are kept; the engine makes no more of one file.
const MAX_DECISIONS: usize = 64;

/// The tally of one transfer.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    bytes: BytesBySource,
    decisions: Vec<Decision>,
    gifts: Vec<Gift>,
}

impl Tally {
    /// Bytes came, and are kept.
    pub(super) fn add(&mut self, bytes: u64, from: GivenBy) {
        *self.of(from) += bytes;
    }

    /// Bytes that had come are of no use: what peers gave goes first, for that is what can prove wrong.
    pub(super) fn drop_bytes(&mut self, bytes: u64) {
        let mut left = bytes;
        for from in [GivenBy::GroupPeer, GivenBy::LanPeer, GivenBy::CacheHost, GivenBy::Origin] {
            let sum = self.of(from);
            let taken = left.min(*sum);
            *sum -= taken;
            left -= taken;
        }
        self.bytes.wasted += bytes - left;
    }

    /// All that came is of no use.
    pub(super) fn start_over(&mut self) {
        self.drop_bytes(u64::MAX);
        self.bytes.cache = 0;
    }

    pub(super) fn decide(&mut self, decision: Decision) {
        if self.decisions.len() < MAX_DECISIONS {
            self.decisions.push(decision);
        }
    }

    pub(super) fn give(&mut self, gifts: Vec<Gift>) {
        self.gifts = gifts;
    }

    /// The file is whole, and this is what counts.
    pub(super) fn settle(&mut self, fetched: &Fetched) {
        self.bytes = fetched.bytes;
        self.decisions.clone_from(&fetched.decisions);
        self.gifts.clone_from(&fetched.gifts);
    }

    pub(crate) fn bytes(&self) -> BytesBySource {
        self.bytes
    }

    pub(crate) fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    pub(crate) fn gifts(&self) -> &[Gift] {
        &self.gifts
    }

    fn of(&mut self, from: GivenBy) -> &mut u64 {
        let bytes = &mut self.bytes;
        match from {
            GivenBy::Cache => &mut bytes.cache,
            GivenBy::LanPeer => &mut bytes.lan_peers,
            GivenBy::GroupPeer => &mut bytes.group_peers,
            GivenBy::CacheHost => &mut bytes.cache_host,
            GivenBy::Origin => &mut bytes.origin,
        }
    }
}

/// The same as the job machine counts it.
pub(super) fn by_source(bytes: BytesBySource) -> BySource {
    BySource {
        origin: bytes.origin,
        peer: bytes.lan_peers.saturating_add(bytes.group_peers),
        cache_host: bytes.cache_host,
        local_cache: bytes.cache,
    }
}

/// What was kept of all sources.
pub(super) fn kept(bytes: BytesBySource) -> u64 {
    let BySource { origin, peer, cache_host, local_cache } = by_source(bytes);
    [origin, peer, cache_host, local_cache].into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_counted_once_whatever_becomes_of_it() {
        let mut tally = Tally::default();
        for (bytes, from) in [(5, GivenBy::Origin), (7, GivenBy::LanPeer), (11, GivenBy::GroupPeer)] {
            tally.add(bytes, from);
        }
        tally.drop_bytes(13);
        let bytes = tally.bytes();
        assert_eq!((bytes.origin, bytes.lan_peers, bytes.group_peers, bytes.wasted), (5, 5, 0, 13));
        assert_eq!((kept(bytes), by_source(bytes).peer), (10, 5));
        tally.start_over();
        assert_eq!((kept(tally.bytes()), tally.bytes().wasted), (0, 23));
    }
}
