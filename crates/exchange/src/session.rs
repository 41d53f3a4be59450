//! One content between two peers, as its user sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use dray_content::PieceTable;
use dray_identity::PeerId;
use dray_ranges::ByteRange;
use tokio::sync::watch;

use crate::{Holding, Incoming, RequestError};

/// What a connection runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// QUIC over UDP.
    Quic,
    /// TLS over TCP.
    Tcp,
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
        })
    }
}

/// One content between this machine and one peer. Cheap to clone; when the last clone goes, the session ends as by [`Session::leave`], unless
/// it was [detached](Session::detach).
#[derive(Clone)]
pub struct Session {
    peer: PeerId,
    address: SocketAddr,
    carrier: Carrier,
    theirs: watch::Receiver<Arc<Holding>>,
}

impl Session {
    /// The other end's name.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// The other end's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the connection beneath runs on.
    #[must_use]
    pub fn transport(&self) -> Carrier {
        self.carrier
    }

    /// What the other end says about the content, kept current. The sender is gone when the session has ended.
    #[must_use]
    pub fn theirs(&self) -> watch::Receiver<Arc<Holding>> {
        self.theirs.clone()
    }

    /// Asks for bytes that the other end has. Returns when the request is sent.
    ///
    /// # Errors
    /// [`RequestError::NotOffered`] at once when the other end does not have all of them; [`RequestError::Busy`] with too many requests open.
    pub async fn get(&self, range: ByteRange) -> Result<Incoming, RequestError> {
        let _ = range;
        Err(RequestError::Closed)
    }

    /// Asks for the piece table. It has the size that the other end claims, and its root where it claims one; whether those are the
    /// content's is the caller's to know.
    ///
    /// # Errors
    /// [`RequestError::NotOffered`] when there is none to have.
    pub async fn table(&self) -> Result<PieceTable, RequestError> {
        Err(RequestError::Closed)
    }

    /// Ends the session now, for both ends.
    pub fn leave(&self) {}

    /// Lets the session go on without anyone here who holds it: the volume is served until the other end leaves or wants nothing more.
    pub fn detach(self) {}
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({} at {} over {})", self.peer, self.address, self.carrier)
    }
}
