//! One peer of a download: what it has, what it gave, and its place among the downloaders.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use dray_content::{Algorithm, Digest, WholeHasher};
use dray_exchange::{Holding, Session};
use dray_identity::PeerId;
use dray_planner::{Member, Peer, SourceId};
use dray_swarm::Way;

/// One peer of this download. It stays in the list after it has gone, for the books.
pub(super) struct Mate {
    pub(super) peer: PeerId,
    pub(super) session: Option<Session>,
    pub(super) address: SocketAddr,
    pub(super) way: Way,
    pub(super) holding: Arc<Holding>,
    pub(super) source: Option<SourceId>,
    /// Why it is not asked any more.
    pub(super) is_out: bool,
    pub(super) failures: u32,
    /// Pieces of it that did not fit a table that is not proven, or to which another gave as well: one of the two lied.
    pub(super) doubted: BTreeSet<u32>,
    pub(super) given: u64,
    pub(super) wasted: u64,
}

impl Mate {
    pub(super) fn is_complete(&self) -> bool {
        let count = self.holding.size.and_then(dray_exchange::piece_count);
        count.is_some_and(|count| self.holding.have.is_full(count))
    }

    /// Whether it may be asked for a content of that size. One that has not heard of the size yet has nothing.
    pub(super) fn is_of_use(&self, size: u64) -> bool {
        !self.is_out && self.session.is_some() && self.holding.size.is_none_or(|claimed| claimed == size)
    }

    pub(super) fn as_peer(&self, size: u64) -> Peer {
        Peer {
            member: self.holding.wants.then(|| member(&self.peer, size)),
            fetching: self.holding.fetching.to_ranges(size),
        }
    }
}

/// A machine's place among the downloaders of a content. The size stands for the content, because not all know it by the same digest.
pub(super) fn member(peer: &PeerId, size: u64) -> Member {
    let mut hasher = WholeHasher::new(&[Algorithm::Sha256], false);
    let mut text = size.to_be_bytes().to_vec();
    text.extend_from_slice(&peer.to_bytes());
    hasher.feed(0, &text);
    match hasher.finish().0.first() {
        Some(Digest::Sha256(hash)) => Member(*hash),
        _ => Member([0; 32]),
    }
}

pub(super) fn name_of(way: Way) -> &'static str {
    match way {
        Way::Lan => "lan",
        Way::Group => "group",
    }
}
