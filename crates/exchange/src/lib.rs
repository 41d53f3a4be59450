//! Pieces between two machines, over QUIC or TLS.
//!
//! An [`Exchange`] holds at most one connection to each peer. On it live sessions, one per content: both ends say what they have, what they
//! are fetching, whether they want more, and ask each other for ranges of bytes. The exchange authenticates, limits, shares
//! fairly among those who ask, and notices the dead. It never verifies bytes it hands out (the receiver does, who knows against what), never chooses
//! whom to ask for what, never looks for peers, and keeps no file: contents are lent to it as a [`Volume`], reputation as a [`Guard`].
//!
//! Start with `wire/mod.rs`, which is the protocol as another program would have to speak it. Then `exchange.rs` (connections), `connection/`
//! (what is said on one), `session.rs` (what its user sees), `serve/` (answers), `link/` (the two transports). Only `link` names quinn
//! and TLS.

mod calls;
mod config;
mod connection;
mod counts;
pub mod door;
mod doorman;
mod error;
mod exchange;
mod holding;
mod hub;
mod incident;
mod incoming;
mod link;
mod peers;
mod piece_set;
mod serve;
mod session;
mod volume;
pub mod wire;

pub use config::{
    Config, DEFAULT_CONNECTIONS, DEFAULT_HANDSHAKES, DEFAULT_REQUESTS_PER_PEER, DEFAULT_REQUESTS_PER_SESSION,
    DEFAULT_SESSIONS_PER_CONNECTION, DEFAULT_UPLOAD_QUEUE, DEFAULT_UPLOAD_SLOTS, Limits, READ_BYTES, Timing,
    Transport,
};
pub use counts::Counts;
pub use error::{ExchangeError, JoinError, RequestError};
pub use exchange::{Exchange, LinkView};
pub use holding::Holding;
pub use incident::Incident;
pub use incoming::Incoming;
pub use piece_set::{MAX_PIECES, PieceSet, piece_count};
pub use session::{Carrier, Session};
pub use volume::{Guard, Shelf, Volume};
