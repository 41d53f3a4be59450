//! Evidence for what a file must hash to, found before its bytes come.
//!
//! So far: what the address of a file says by itself ([`address`]). What an origin says in its answer is read by
//! [`published`](crate::published).

pub mod address;

use crate::Digest;

/// A digest, and the rule by which it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What the whole file must hash to.
    pub digest: Digest,
    /// Names the rule for people, as in "named by the address of a registry blob".
    pub rule: &'static str,
}
