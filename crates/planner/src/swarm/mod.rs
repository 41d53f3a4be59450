//! Many machines that want the same file: what they have comes from them, what none has is divided among them.
//!
//! Once the planner knows who it is ([`Planner::set_me`]) and has a peer as a source, it works in pieces (of the
//! length of the alignment) instead of in long requests, because what one machine has a moment earlier another can
//! use. [`Board`] is what is known of every piece. `from_peers.rs` asks peers for what they have, the rarest first.
//! `from_origin.rs` asks the origin for what nobody has: each downloader its own share (`division.rs`) from the front,
//! then from the back of others' shares (`standing.rs` says whose turn it is). What a downloader takes from the origin is announced ([`Planner::fetching`])
//! and left alone by the others, until it is late.

mod bits;
mod board;
mod claims;
mod division;
mod events;
mod from_origin;
mod from_peers;
mod marks;
mod member;
mod plan;
mod standing;
mod stream;
mod yielding;

use std::time::Duration;

pub(crate) use bits::Bits;
pub(crate) use board::Board;
pub(crate) use claims::Claims;
pub(crate) use division::{Division, Owner};
pub use member::{FULL_VIEW, Member, NEAR, neighbours};

use crate::{SourceId, Time};

#[allow(unused_imports, reason = "named by the documentation")]
use crate::Planner;

/// What a peer says of itself as a downloader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its place in the division, while it is a downloader; `None` when it only gives.
    pub member: Option<Member>,
    /// What it takes from the origin now.
    pub fetching: dray_ranges::RangeSet,
}

/// What the planner knows of a peer beyond what it knows of every source.
#[derive(Debug, Default)]
pub(crate) struct PeerState {
    pub(crate) member: Option<Member>,
    /// The pieces it has, as it says.
    pub(crate) has: Bits,
    /// Whether they are counted: those of a peer that failed lately are not.
    pub(crate) is_counted: bool,
    /// What it takes from the origin.
    pub(crate) claims: Claims,
    /// What it said of that before the pieces were known.
    pub(crate) told: dray_ranges::RangeSet,
    /// Whether it is among those that may have something to give.
    pub(crate) is_fresh: bool,
    /// How fast its answers come, with the time that they wait: bytes per second over all requests to it.
    pub(crate) pace: Option<u64>,
}

/// What the planner knows of the swarm.
#[derive(Debug, Default)]
pub(crate) struct Swarm {
    pub(crate) me: Option<Member>,
    /// Until then, others are taken to be there although none is known yet.
    pub(crate) expected_until: Option<Time>,
    /// Downloaders with which a session is sought, and how many more there are.
    pub(crate) candidates: Vec<Member>,
    pub(crate) more: usize,
    /// Every piece, once the size of the file is known.
    pub(crate) board: Option<Board>,
    /// Whether the swarm had its way when last looked at.
    pub(crate) is_on: bool,
    /// Whether somebody came, went or changed since then.
    pub(crate) is_stale: bool,
    /// Whether a source is asked for long stretches even so.
    pub(crate) has_plain: bool,
    /// Whether there were peers, and not only the hope of them.
    pub(crate) had_peers: bool,
    /// Who takes what from the origin; `None` until it is needed after a change.
    pub(crate) division: Option<Division>,
    /// When it began to have its way.
    pub(crate) began: Time,
    /// When somebody last came or went.
    pub(crate) changed: Time,
    /// Peers that may have something to give.
    pub(crate) fresh: Vec<SourceId>,
    /// Where in that list the next look begins.
    pub(crate) turn: usize,
    /// Requests to peers, and to servers, that run.
    pub(crate) asked_of_peers: usize,
    pub(crate) asked_of_servers: usize,
    /// How often a stream from the start was dropped because peers had the rest.
    pub(crate) streams_left: u32,
    /// Whether the same was asked for twice.
    pub(crate) has_doubles: bool,
    /// Whether something happened by which the origin could be asked for something.
    pub(crate) origin_is_due: bool,
    /// When the origin may be asked for something that is left to others until then.
    pub(crate) origin_due: Option<Time>,
    /// When somebody's claim is late next.
    pub(crate) claims_due: Option<Time>,
    /// When a piece was last given up by one that had claimed it.
    pub(crate) opened: Time,
    /// Whether all that is missing is on its way.
    pub(crate) is_ending: bool,
    /// When a request to a peer may be doubled.
    pub(crate) double_due: Option<Time>,
    /// Whether bytes came that may make a request unnecessary.
    pub(crate) may_be_unneeded: bool,
    /// Since when nothing is asked of the origin.
    pub(crate) idle_since: Time,
    /// When a piece last became known to be somewhere.
    pub(crate) news: Time,
    /// The usual time from asking a peer for a piece to having it.
    pub(crate) usual: Option<Duration>,
    /// Whether the peers are so slow that the origin helps, and since when that is watched.
    pub(crate) help: Help,
}

/// Whether the origin helps peers that are slow.
#[derive(Debug, Default)]
pub(crate) struct Help {
    pub(crate) watched_since: Option<Time>,
    /// What had come from peers by then.
    pub(crate) bytes_before: u64,
    pub(crate) is_on: bool,
}
