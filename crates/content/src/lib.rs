//! What a file *is*: its digests, its pieces and the table that proves each piece.
//!
//! Everything here is pure arithmetic over bytes that the caller hands in. This crate never knows where bytes came from, where they
//! go, what a job is, or what time it is. A content is named by the BLAKE3 root of its bytes (what `b3sum` prints); the pieces of
//! its table are subtrees of that same tree, so a table proves itself against the root and a piece proves itself against the table.
//!
//! Start at [`PieceTable`], then [`TableBuilder`], which makes one while bytes arrive; [`Digest`] is what people and origins publish.

#![cfg_attr(test, allow(clippy::cast_possible_truncation))] // Test data is small.

mod builder;
mod digest;
pub mod evidence;
mod piece;
pub mod published;
mod table;
mod whole;

pub use builder::{PieceHasher, TableBuilder};
pub use digest::{Algorithm, ContentId, Digest, DigestError};
pub use piece::{MAX_PIECE_LEN, MIN_PIECE_LEN, PieceIndex, piece_len};
pub use published::Published;
pub use table::{PieceTable, TableError};
pub use whole::WholeHasher;
