//! What peers do that they should not.

use std::fmt;

/// One thing that one peer did. `Display` is a sentence about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Incident {
    /// Bytes that are no message of the protocol, or a message where none may be.
    Malformed(&'static str),
    /// It gave no proof of membership in our group.
    NoMembership,
    /// Its proof of membership does not hold: another group, or a proof made for another connection.
    WrongMembership,
    /// It asked for bytes that were never offered to it.
    NotOffered,
    /// It took back or contradicted what it had said about a content.
    Contradiction,
    /// It sent more messages, joins or requests than anyone needs to.
    Flood(&'static str),
    /// It began something and did not go on in time: a handshake, a message, an answer.
    Stalled(&'static str),
    /// It asked for bytes and did not take them in time.
    NotReading,
    /// It gave another number of bytes than it announced, or a table that does not fit what it claimed.
    WrongAnswer(&'static str),
}

impl Incident {
    /// Whether a machine that keeps to the protocol, on a network that works, never does this. The others happen to honest peers too, when
    /// a machine sleeps or a cable is pulled.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        !matches!(self, Self::Stalled(_) | Self::NotReading)
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "it broke the protocol: {what}"),
            Self::NoMembership => f.write_str("it gave no proof of membership in this group"),
            Self::WrongMembership => f.write_str("its proof of membership in this group does not hold"),
            Self::NotOffered => f.write_str("it asked for bytes that were never offered to it"),
            Self::Contradiction => f.write_str("it contradicted what it had said about a content"),
            Self::Flood(what) => write!(f, "it sent too many {what}"),
            Self::Stalled(what) => write!(f, "it did not go on in time with {what}"),
            Self::NotReading => f.write_str("it asked for bytes and did not take them in time"),
            Self::WrongAnswer(what) => write!(f, "its answer is wrong: {what}"),
        }
    }
}
