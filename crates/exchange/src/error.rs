//! Why something was not to be had from a peer.

use std::io;

use dray_identity::IdentityError;

/// Why the exchange did not start.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No certificate or configuration could be made from the node's key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The UDP socket could not be used for QUIC.
    #[error("the UDP socket cannot be used: {0}")]
    Socket(#[source] io::Error),
    /// The TLS configuration does not fit QUIC.
    #[error("QUIC cannot use the TLS configuration: {0}")]
    Quic(String),
    /// There is no tokio runtime to run on.
    #[error("the exchange needs a tokio runtime, and was started outside of one")]
    NoRuntime,
}

/// Why there is no session with a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// None of the addresses led to the peer.
    #[error("the peer cannot be reached: {0}")]
    Unreachable(String),
    /// The guard does not want this peer.
    #[error("the peer is not admitted here")]
    NotAdmitted,
    /// The peer ended the connection before or instead of an answer; the reason is its own.
    #[error("the peer ended the connection: {0}")]
    Rejected(String),
    /// The peer's proof of membership is missing or does not hold.
    #[error("the peer is not a member of this group")]
    NotMember,
    /// The peer has no such content, or does not give it to us.
    #[error("the peer does not offer this content")]
    NotOffered,
    /// The peer's content has another size than ours, so it cannot be the same.
    #[error("the peer knows this content with another size")]
    AnotherSize,
    /// A limit on sessions, here or there, is reached.
    #[error("there are too many sessions already")]
    TooMany,
    /// The peer did not answer in time.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// A content without names, with too many, or too large to be exchanged.
    #[error("this content cannot be asked for")]
    BadContent,
    /// The exchange is closed.
    #[error("the exchange is closed")]
    Closed,
}

/// Why a request did not give its bytes, or not all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The peer has not offered all of these bytes; nothing was sent.
    #[error("the peer has not offered these bytes")]
    NotOffered,
    /// The peer had offered them and has them no longer.
    #[error("the peer no longer has these bytes")]
    Gone,
    /// The peer has too many requests to answer, or we have too many open.
    #[error("the peer is busy")]
    Busy,
    /// The peer could not read its own file, or answered with a reason of a later version.
    #[error("the peer cannot give these bytes now")]
    Unavailable,
    /// No byte came in time.
    #[error("the peer did not send in time")]
    Stalled,
    /// What came is not what was asked for; the guard knows.
    #[error("the peer's answer is wrong: {0}")]
    WrongAnswer(&'static str),
    /// The session or its connection has ended.
    #[error("the session with the peer has ended")]
    Closed,
}
