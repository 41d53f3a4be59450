//! Ranges of bytes: one range, a set of them, the ranges a caller may ask for, and how HTTP writes them.
//!
//! Everything in the house that says "these bytes" says it with the types of this crate, so the rules about
//! empty, overlapping and overflowing ranges are decided here once. It is pure arithmetic: it never knows
//! about files, sockets, pieces, jobs or time.
//!
//! Start reading at [`ByteRange`], then [`RangeSet`]. [`RangeSpec`], [`check_request`] and [`Layout`] are what
//! a caller of a job may ask for; [`http`] is the syntax of `Range` and `Content-Range`.

mod byte_range;
pub mod http;
mod layout;
mod range_set;
mod request;

pub use byte_range::ByteRange;
pub use layout::{Layout, Segment};
pub use range_set::{MAX_STORED_RANGES, RangeSet};
pub use request::{RangeError, RangeSpec, check_request};
