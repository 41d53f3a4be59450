//! Which bytes from which source, when.
//!
//! The planner is given the bytes that are wanted, those that are there, and the sources that could give the
//! rest. It says what to ask of whom, takes back what is late, and moves work from those who are slow or dear to
//! those who are fast or cheap. It performs no I/O and has no clock, no randomness and no runtime: events and the
//! time come in, [`Command`]s and a timeout come out, so a whole transfer runs in virtual time. It must never
//! know what a source is beyond [`SourceKind`], name a transport, see a byte of content, or learn about digests and
//! files. A piece is to it a stretch as long as the alignment.
//!
//! How to drive it:
//!
//! 1. [`Planner::new`], then [`Planner::add_source`] for each source, now or later.
//! 2. After every event, [`Planner::poll`] until it returns `None`, and do what the commands say.
//! 3. Report everything: [`received`](Planner::received) for each chunk, then exactly one of
//!    [`finished`](Planner::finished) and [`failed`](Planner::failed) for each request that was not cancelled.
//! 4. Sleep at most until [`Planner::timeout`], then call [`Planner::handle_timeout`].
//! 5. Stop when [`Planner::done`]. When [`Planner::stuck`], add a source or give up.
//!
//! How it decides, in one paragraph: a source that has nothing to do gets the first missing bytes that nobody
//! brings yet, all of them in one request, because one long request is the cheapest thing there is. When no such
//! bytes are left, it takes over the tail of a running request, cut so that both end together. Cheaper kinds are
//! served first, and dearer ones keep off what a healthy cheaper one has unless they are much faster. A second
//! connection to one server is an experiment that has to show a gain.
//!
//! When others want the same file ([`Planner::set_me`], [`Planner::update_peer`]), it decides differently: in pieces,
//! the rarest first from those that have them, and what nobody has is divided so that the origin sends it once. See
//! `swarm/mod.rs`, and `tests/swarm` for what thousands of them do together; the example `simulate` runs ten thousand.
//!
//! Start reading at `planner.rs` (state and events), then `plan.rs` (what to ask next), `split.rs` (taking over a
//! tail), `overdue.rs` (timeouts), `probe.rs` (the experiment) and `connections.rs` (acting on it).

mod command;
mod connections;
mod overdue;
mod plan;
mod planner;
mod probe;
mod rate;
mod request;
mod settings;
mod source;
mod split;
mod steer;
mod swarm;
mod table;
mod wanted;

/// Time since any epoch the caller likes. It never goes back.
pub type Time = std::time::Duration;

pub use command::{CancelReason, Command, Failure, Wish};
pub use overdue::Due;
pub use planner::Planner;
pub use request::RequestId;
pub use settings::Settings;
pub use source::{Has, MAX_SOURCES, Ranges, Source, SourceId, SourceKind};
pub use swarm::{FULL_VIEW, Member, NEAR, Peer, neighbours};
pub use wanted::{OPEN_END, SizeError, Wanted, WantedRanges};
