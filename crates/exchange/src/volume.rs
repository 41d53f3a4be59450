//! What the rest of the house lends to the exchange: contents to give, and a say in whom to talk to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use dray_content::{Digest, PieceTable};
use dray_identity::PeerId;
use dray_ranges::ByteRange;
use tokio::sync::watch;

use crate::{Holding, Incident, Session};

/// One content on this machine, complete or growing.
pub trait Volume: Send + Sync + 'static {
    /// What we say about it, kept current. Changes travel to the other ends of its sessions at most every
    /// [`crate::Timing::announce`]. When the sender is gone, the sessions end.
    fn ours(&self) -> watch::Receiver<Arc<Holding>>;

    /// The piece table, as far as it is there to be given away.
    fn table(&self) -> Option<Arc<PieceTable>>;

    /// Appends exactly the bytes of `range` to `into`, which is empty, or fails. Called on a blocking thread, only for bytes in pieces that
    /// `ours` has, and never for more than [`crate::READ_BYTES`] at once; whole pieces, where those are not longer. The bytes go out as they
    /// are: whether they are still right is the volume's to know.
    ///
    /// # Errors
    /// Any: the asker is denied, and the session goes on.
    fn read(&self, range: ByteRange, into: &mut Vec<u8>) -> io::Result<()>;

    /// Whether we want to hear of those who join: then they come to [`Shelf::joined`].
    fn is_downloading(&self) -> bool;
}

/// All contents that may be asked for.
pub trait Shelf: Send + Sync + 'static {
    /// The content of which one of `digests` is a name, if this peer may have it. Must not block.
    fn find(&self, digests: &[Digest], peer: &PeerId) -> Option<Arc<dyn Volume>>;

    /// A peer has opened a session about a volume that is downloading. Must not block.
    fn joined(&self, session: Session);
}

/// Who may talk to us, and what becomes of those who misbehave.
pub trait Guard: Send + Sync + 'static {
    /// Whether to talk to this peer at this address. Asked once a connection has proven the peer's name, in both directions. Must not
    /// block.
    fn admit(&self, peer: &PeerId, from: SocketAddr) -> bool;

    /// That peer did that. Must not block.
    fn incident(&self, peer: &PeerId, from: SocketAddr, what: Incident);
}
