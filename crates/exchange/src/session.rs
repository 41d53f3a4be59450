//! One content between two peers, as its user sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use dray_content::{PieceTable, piece_len};
use dray_identity::PeerId;
use dray_ranges::ByteRange;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use crate::connection::{Asking, SessionState};
use crate::incoming::Answer;
use crate::wire::Ask;
use crate::{Holding, Incident, Incoming, RequestError, Volume};

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
pub struct Session {
    state: Arc<SessionState>,
    stays: bool,
}

/// What keeps a request counted while it is open.
pub(crate) struct Tickets {
    _session: OwnedSemaphorePermit,
    _connection: Asking,
}

impl Session {
    pub(crate) fn new(state: Arc<SessionState>) -> Self {
        state.hold();
        Self { state, stays: false }
    }

    /// The other end's name.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.state.connection.peer
    }

    /// The other end's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.state.connection.address
    }

    /// What the connection beneath runs on.
    #[must_use]
    pub fn transport(&self) -> Carrier {
        self.state.connection.carrier()
    }

    /// What the other end says about the content, kept current. The sender is gone when the session has ended.
    #[must_use]
    pub fn theirs(&self) -> watch::Receiver<Arc<Holding>> {
        self.state.theirs()
    }

    /// Our volume that it is about, the very one that was lent.
    #[must_use]
    pub fn volume(&self) -> Arc<dyn Volume> {
        Arc::clone(&self.state.volume)
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.state.over.is_cancelled()
    }

    /// Asks for bytes that the other end has. Returns when the request is sent.
    ///
    /// # Errors
    /// [`RequestError::NotOffered`] at once when the other end does not have all of them; [`RequestError::Busy`] with too many requests open.
    pub async fn get(&self, range: ByteRange) -> Result<Incoming, RequestError> {
        let theirs = self.state.theirs().borrow().clone();
        if !theirs.size.is_some_and(|size| theirs.have.covers(range, size)) {
            return Err(RequestError::NotOffered);
        }
        let answer = self.ask(Ask::Range { session: self.state.id, range }, range.len()).await?;
        Ok(Incoming::new(range, answer))
    }

    /// Asks for the piece table. It has the size that the other end claims, and its root where it claims one; whether those are the
    /// content's is the caller's to know.
    ///
    /// # Errors
    /// [`RequestError::NotOffered`] when there is none to have.
    pub async fn table(&self) -> Result<PieceTable, RequestError> {
        let theirs = self.state.theirs().borrow().clone();
        let size = theirs.size.ok_or(RequestError::NotOffered)?;
        let len = 8 + 32 * size.div_ceil(piece_len(size));
        let mut answer = self.ask(Ask::Table { session: self.state.id }, len).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        let fits =
            |table: &PieceTable| table.size() == size && theirs.root.is_none_or(|root| root == table.root());
        PieceTable::from_bytes(&bytes).ok().filter(fits).ok_or_else(|| {
            let what = "a table that does not fit the size and root it claimed";
            self.state.connection.incident(Incident::WrongAnswer(what));
            RequestError::WrongAnswer(what)
        })
    }

    /// Ends the session now, for both ends.
    pub fn leave(&self) {
        self.state.leave();
    }

    /// Lets the session go on without anyone here who holds it: the volume is served until the other end leaves or wants nothing more.
    pub fn detach(mut self) {
        self.stays = true;
    }

    async fn ask(&self, ask: Ask, len: u64) -> Result<Answer, RequestError> {
        if !self.is_open() {
            return Err(RequestError::Closed);
        }
        let connection = &self.state.connection;
        let permit = Arc::clone(&self.state.requests).try_acquire_owned();
        let tickets = Tickets {
            _session: permit.map_err(|_| RequestError::Busy)?,
            _connection: connection.asking().ok_or(RequestError::Busy)?,
        };
        let sent = async {
            let (mut send, recv) = connection.link.open().await?;
            send.write(ask.to_frame().into()).await?;
            send.finish();
            Ok(recv)
        };
        match timeout(connection.hub.timing.message, sent).await {
            Ok(Ok(recv)) => Ok(Answer::new(Arc::clone(&self.state), recv, len, tickets)),
            Ok(Err::<_, crate::link::LinkError>(_)) => Err(RequestError::Closed),
            Err(_) => Err(RequestError::Stalled),
        }
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.state))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.state.release(self.stays);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({} at {} over {})", self.peer(), self.address(), self.transport())
    }
}
