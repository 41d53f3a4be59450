//! One file's transfer: from the sources to the sink, verified.
//!
//! The engine asks the cache, the origin and other machines, lets the planner say who gives which bytes, hashes and writes what arrives,
//! proves the whole, and hands the proven content to the cache. It knows nothing of jobs, queues, owners, users or the local API: a
//! [`FileTask`] goes in, a [`Fetched`] or a [`FetchError`] comes out, and a [`Watch`] is told what happens in between. It never
//! gives a file its final name: that is the caller's act, once it has decided that the file is wanted.
//!
//! Start at [`Engine::fetch`] in `fetch.rs`; `download.rs` is one download (`company.rs` its dealings with other machines), `transfer.rs`
//! is the loop that moves bytes, `sink.rs` and `writer.rs` where they land (`small.rs` for files of one piece), `proof.rs` what must hold
//! before a file counts as whole, `live.rs` how a file is steered and read while it is fetched, [`peers`] everything about other machines.

#![cfg_attr(test, allow(clippy::cast_possible_truncation))] // Test data is small.

mod blocking;
mod cached;
mod checkpoint;
mod company;
mod download;
mod error;
mod fetch;
mod live;
mod opening;
mod patience;
pub mod peers;
mod placement;
mod proof;
mod sink;
mod small;
mod source;
mod task;
mod temp;
mod transfer;
mod writer;

pub use checkpoint::{Checkpoint, CheckpointError, MAX_CHECKPOINT_LEN, source_of};
pub use error::{FetchError, Mismatch};
pub use fetch::Engine;
pub use live::{Live, ReadError, Standing, Wishes};
pub use peers::{Decision, Peers, PeersConfig, PeersError};
pub use task::{BytesBySource, Event, Fetched, FileTask, Gift, GivenBy, Retries, Watch};
