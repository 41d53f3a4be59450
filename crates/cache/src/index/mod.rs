//! The index: which contents there are, how big, how old, and which names lead to them.
//!
//! It is a cache of the side files, made for the questions that would otherwise need all of them: how much is there, what was
//! not used for longest. Any failure of it is answered by setting it aside and making it again. `rows` knows the keys and
//! values, `store` what a database must be able to do, `sled_store` and `memory_store` do it, `keeper` opens and owns it.

mod catalogue;
mod keeper;
mod memory_store;
mod opening;
mod rows;
mod sled_store;
mod store;

pub(crate) use catalogue::Catalogue;
pub(crate) use keeper::Keeper;
pub(crate) use rows::ContentRow;
pub(crate) use store::IndexError;
