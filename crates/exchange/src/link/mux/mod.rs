//! Streams over one TLS connection.
//!
//! # The frames
//! Nine bytes of head, then data for the first kind only: `kind: u8`, `stream: u32`, `value: u32`, big endian.
//!
//! | kind | name | value |
//! |---|---|---|
//! | 0 | Data | number of bytes that follow, 1 to 65,527 |
//! | 1 | Fin | nothing: the sender's half is complete |
//! | 2 | Reset | nothing: the sender's half ends here, incomplete |
//! | 3 | Stop | nothing: the other half is not wanted; it is answered by Reset, unless that half had ended already |
//! | 4 | Credit | so many more bytes may be sent in this stream |
//! | 5 | Close | code of why the connection ends; stream is zero |
//!
//! Streams of the dialer are even, those of the listener odd, in rising order; the first frame of a new number opens it. An end may have
//! as many streams open as the other allows requests, and eight more. In a stream, its opener may send 64 KiB and the other
//! end 1 MiB before credit is given; credit grows as the reader reads. So what a peer can put into our memory is bounded by the requests that we
//! allow and those that we make.
//!
//! `state.rs` is all of this without a socket; `driver.rs` moves it; `stream.rs` and this file are what users hold.

mod driver;
mod frame;
mod state;
mod stream;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_identity::{PeerId, Role};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use super::{CloseCode, LinkError, Shape};
use state::State;
pub(crate) use stream::{MuxRecv, MuxSend};

/// A connection whose streams are made here. Ends when the last clone goes.
#[derive(Clone)]
pub(crate) struct MuxLink {
    owner: Arc<Owner>,
}

struct Owner {
    shared: Arc<Shared>,
    peer: PeerId,
    address: SocketAddr,
    exporter: [u8; 32],
}

/// What users, reader and writer of one connection share.
struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    to_write: Notify,
    /// The other end has opened a stream.
    arrived: Notify,
    /// A stream of ours is over, so another may be opened.
    room: Notify,
    /// It is over.
    over: Notify,
    heard: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in a critical section leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection for its users. Whoever is first says why.
    fn end(&self, why: LinkError) {
        self.lock().end(why);
        for all in [&self.to_write, &self.arrived, &self.room, &self.over] {
            all.notify_waiters();
            all.notify_one();
        }
    }
}

impl MuxLink {
    pub(super) fn start(
        io: impl AsyncRead + AsyncWrite + Send + 'static,
        peer: PeerId,
        address: SocketAddr,
        exporter: [u8; 32],
        role: Role,
        shape: Shape,
    ) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(role, shape.streams)),
            to_write: Notify::new(),
            arrived: Notify::new(),
            room: Notify::new(),
            over: Notify::new(),
            heard: AtomicU64::new(0),
        });
        tokio::spawn(driver::run(io, Arc::clone(&shared)));
        Self { owner: Arc::new(Owner { shared, peer, address, exporter }) }
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.owner.peer
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.owner.address
    }

    pub(crate) fn exporter(&self) -> [u8; 32] {
        self.owner.exporter
    }

    pub(crate) async fn open(&self) -> Result<(MuxSend, MuxRecv), LinkError> {
        loop {
            let room = self.shared().room.notified();
            if let Some(id) = self.shared().lock().open()? {
                return Ok(stream::halves(self.shared(), id));
            }
            room.await;
        }
    }

    pub(crate) async fn accept(&self) -> Result<(MuxSend, MuxRecv), LinkError> {
        loop {
            let arrived = self.shared().arrived.notified();
            if let Some(id) = self.shared().lock().accept()? {
                return Ok(stream::halves(self.shared(), id));
            }
            arrived.await;
        }
    }

    pub(crate) fn close(&self, code: CloseCode) {
        self.shared().end(LinkError::ClosedHere(code));
    }

    pub(crate) async fn closed(&self) -> LinkError {
        loop {
            let over = self.shared().over.notified();
            if let Some(why) = self.shared().lock().ended() {
                return why;
            }
            over.await;
        }
    }

    pub(crate) fn heard(&self) -> u64 {
        self.shared().heard.load(Ordering::Relaxed)
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.end(LinkError::ClosedHere(CloseCode::Done));
    }
}
