//! What the tests of several modules share: a fetcher that follows a script, and a runner around it.

mod house;
mod script;

pub(crate) use house::{House, caller, url};
pub(crate) use script::Act;
