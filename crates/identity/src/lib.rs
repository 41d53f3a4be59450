//! Who this machine is to other machines: its key, its name made from it, and proof that it belongs to a group.
//!
//! A [`NodeKey`] is one ed25519 key in one private file. Its [`PeerId`] is the machine's name on both planes. [`tls`] makes TLS 1.3
//! configurations from it, in which each side proves its name in the handshake. A [`Group`] is a name and a shared key; its members prove
//! to each other that they hold the key, in a way that is worth nothing on any other connection.
//!
//! This crate opens no socket and keeps no list of peers: whom to believe, and what follows from it, is decided by its users. It never shows a
//! secret, neither in `Debug` nor in an error.
//!
//! Start with `node_key.rs`; `tls/verifier.rs` is what a certificate is believed for, `group.rs` what membership means.

mod error;
mod group;
mod key_file;
mod key_text;
mod node_key;
pub mod tls;

pub use error::{GroupError, IdentityError};
pub use group::{Group, MAX_GROUP_NAME, Role};
pub use libp2p_identity::PeerId;
pub use node_key::{NodeKey, verify};
