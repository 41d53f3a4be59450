//! The content store: what was downloaded once is found again, proven again, and given away again.
//!
//! A content is two files: `objects/ab/<root>` with the bytes, and beside it `<root>.meta`, the *side file*, which says all
//! that is known about them. The side files are the truth. Everything else can be made again from them: the links under
//! `names/` that lead from a URL or digest to a root, and the sled index that knows sizes and ages for listing and quota.
//! So lookups, [`Store::deliver`] and [`Store::adopt`] need files only. They work at once, in any number of processes side by
//! side, whatever state the index is in; one process at a time owns the index and does [`Store::maintain`].
//!
//! This crate must never know where bytes come from (no network), what a job is, or who may have what: it stores the
//! [`Audience`] of a content, its callers respect it. It never hands out a byte that it has not just compared with the piece
//! table.
//!
//! Start reading with [`Store`], then `side_file` (the truth), `settle` (how a content becomes durable and known) and `index`.

#![cfg_attr(test, allow(clippy::cast_possible_truncation))] // Test data is small.

mod adopt;
mod config;
mod deliver;
mod entry;
mod error;
mod evict;
mod eviction;
mod index;
mod layout;
mod lookup;
mod marker;
mod name;
mod prove;
mod reconcile;
mod remove;
mod salvage;
mod settle;
mod side_codec;
mod side_file;
mod store;

pub use adopt::{Adopted, NewContent};
pub use config::Config;
pub use deliver::PieceReader;
pub use entry::Entry;
pub use error::CacheError;
pub use settle::{Effort, Maintained};
pub use side_file::{Audience, StoredValidators, UrlLink};
pub use store::{Listed, Stats, Store};

pub use dray_platform::clone::Placed;
