//! Jobs, files and their life cycle, with the semantics of BITS.
//!
//! This crate decides: what state a job is in, what a call may do to it, what happens next, and when. It is
//! given calls, events and the time, and returns results and effects; it never opens a file, never talks to
//! anyone, never asks a clock and never rolls dice. It must not know how bytes travel (engine, origin,
//! swarm), how records are stored or how the API looks (daemon, api). The specification is
//! `bits-do-api.md`; section numbers in the comments are its.
//!
//! Start reading at [`code`] for the result codes.

pub mod code;

pub use code::{Code, Context, ErrorClass, Wait};
