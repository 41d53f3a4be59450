//! What the operating system does for dray, behind one small module per concern.
//!
//! This is the only crate that names an operating system: `unix` and `windows` stand side by side inside a module, the
//! rest of the house sees one function. It knows files, directories, processes and callers; it must never know what a
//! job, a content or a peer of the swarm is, and it decides nothing: policy belongs to its callers.
//!
//! Start reading with [`durable`] (what it takes for bytes to outlive a power cut) and [`clone`] (how a file gets a
//! second name or a second body without its bytes being written twice).

pub mod clone;
pub mod durable;
mod file_error;
pub mod identity_of;
pub mod launch;
pub mod lock;
pub mod open;
pub mod paths;
pub mod peer;
pub mod positioned;
pub mod process;
pub mod space;
pub mod times;
pub mod value_link;
#[cfg(windows)]
mod wide;

pub use file_error::FileError;
