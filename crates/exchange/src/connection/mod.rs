//! One connection to one peer: its messages, its sessions, its pulse.
//!
//! One task per connection runs everything that belongs to it ([`Connection::run`]); each request of the other end and the announcements of
//! each session have tasks of their own, which end with it. `hello.rs` is how it begins, `inbox.rs` what is said on it, `sessions.rs` what it is
//! said about, `pulse.rs` how it is noticed that nobody is there any more.

mod announce;
pub(crate) mod frames;
pub(crate) mod hello;
mod inbox;
mod open;
mod outbox;
mod pulse;
mod rate;
mod sessions;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_identity::{PeerId, Role};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::link::{CloseCode, Link, LinkError};
use crate::{Carrier, Incident, LinkView};
use hello::Control;
use outbox::{Letters, Outbox};
use sessions::Sessions;

pub(crate) use open::JoinFailure;
pub(crate) use sessions::SessionState;

/// Requests for what was never offered, on one connection, before it is closed.
const MAX_REFUSED: u32 = 64;

pub(crate) struct Connection {
    pub(crate) hub: Arc<Hub>,
    pub(crate) link: Link,
    pub(crate) peer: PeerId,
    pub(crate) address: SocketAddr,
    /// Which end this machine is.
    pub(crate) role: Role,
    pub(crate) born: Instant,
    pub(crate) agent: String,
    /// Cancelled when it is over.
    pub(crate) over: CancellationToken,
    outbox: Outbox,
    sessions: Mutex<Sessions>,
    /// A session was opened or refused.
    session_settled: Notify,
    /// Why it ended, for those who wait for something on it.
    why: Mutex<Option<LinkError>>,
    activity: Activity,
    refused: AtomicU32,
    sent: AtomicU64,
    received: AtomicU64,
}

/// What is under way, so that silence means something.
#[derive(Default)]
struct Activity {
    asking: AtomicU32,
    answering: AtomicU32,
    begun: Notify,
}

/// Why a part of a connection's work ended, and with it the connection.
struct End {
    code: CloseCode,
    incident: Option<Incident>,
}

impl End {
    fn violation(incident: Incident) -> Self {
        Self { code: CloseCode::Violation, incident: Some(incident) }
    }
}

impl From<LinkError> for End {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Violation(what) => Self::violation(Incident::Malformed(what)),
            _ => Self { code: CloseCode::Done, incident: None },
        }
    }
}

impl Connection {
    /// A connection whose other end has been judged, and what it needs to run.
    pub(crate) fn new(hub: Arc<Hub>, link: Link, role: Role, agent: String) -> (Arc<Self>, Letters) {
        let (outbox, letters) = outbox::outbox();
        let connection = Self {
            peer: link.peer(),
            address: link.address(),
            over: hub.over.child_token(),
            born: Instant::now(),
            sessions: Mutex::new(Sessions::new(role)),
            session_settled: Notify::new(),
            why: Mutex::default(),
            activity: Activity::default(),
            refused: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            hub,
            link,
            role,
            agent,
            outbox,
        };
        (Arc::new(connection), letters)
    }

    /// Everything that happens on it, until it is over.
    pub(crate) async fn run(self: Arc<Self>, control: Control, letters: Letters) {
        let Control { send, reader, .. } = control;
        let end = tokio::select! {
            end = self.read_messages(reader) => end,
            end = self.write_messages(send, letters) => end,
            end = self.accept_requests() => end,
            end = self.keep_pulse() => end,
            why = self.link.closed() => why.into(),
            () = self.over.cancelled() => End { code: CloseCode::Done, incident: None },
        };
        if let Some(incident) = end.incident {
            self.incident(incident);
        }
        self.end(end.code);
        tracing::debug!(peer = %self.peer, address = %self.address, code = %end.code, "a connection to a peer ended");
    }

    /// Ends it for this reason, if it is not over yet.
    pub(crate) fn end(self: &Arc<Self>, code: CloseCode) {
        self.link.close(code);
        lock(&self.why).get_or_insert(LinkError::ClosedHere(code));
        self.over.cancel();
        self.hub.peers.remove(self);
        self.end_all_sessions();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Why it ended; what the other end or the network said counts before what we said ourselves.
    async fn why(&self) -> LinkError {
        self.over.cancelled().await;
        let here = lock(&self.why).clone();
        match self.link.closed().await {
            LinkError::ClosedHere(_) => here.unwrap_or(LinkError::ClosedHere(CloseCode::Done)),
            theirs => theirs,
        }
    }

    pub(crate) fn incident(&self, what: Incident) {
        self.hub.incident(&self.peer, self.address, what);
    }

    /// A request that must not be answered was made. Too many of them end the connection.
    pub(crate) fn refuse(self: &Arc<Self>, what: Incident) {
        self.incident(what);
        if self.refused.fetch_add(1, Ordering::Relaxed) + 1 == MAX_REFUSED {
            self.incident(Incident::Flood("requests that had to be refused"));
            self.end(CloseCode::Violation);
        }
    }

    /// A request of ours is under way until the guard goes.
    pub(crate) fn asking(self: &Arc<Self>) -> Option<Asking> {
        let limit = u32::try_from(self.hub.limits.requests_per_peer).unwrap_or(u32::MAX);
        let asking = self.activity.asking.fetch_add(1, Ordering::Relaxed) + 1;
        let guard = Asking { connection: Arc::clone(self) };
        if asking > limit {
            return None;
        }
        self.link.expect_answers(asking);
        self.activity.begun.notify_one();
        Some(guard)
    }

    /// A request of theirs is under way until the guard goes; none when there are too many.
    pub(crate) fn answering(self: &Arc<Self>) -> Option<Answering> {
        let answering = self.activity.answering.fetch_add(1, Ordering::Relaxed) + 1;
        let guard = Answering { connection: Arc::clone(self) };
        self.activity.begun.notify_one();
        (answering as usize <= self.hub.limits.requests_per_peer).then_some(guard)
    }

    pub(crate) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.hub.counters.sent.add(bytes as u64);
    }

    pub(crate) fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.hub.counters.received.add(bytes as u64);
    }

    pub(crate) fn carrier(&self) -> Carrier {
        self.link.carrier()
    }

    pub(crate) fn view(&self) -> LinkView {
        LinkView {
            peer: self.peer,
            address: self.address,
            transport: self.carrier(),
            agent: self.agent.clone(),
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            rtt: self.link.rtt(),
            age: self.born.elapsed(),
            sessions: self.lock_sessions().len(),
        }
    }

    fn lock_sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }
}

/// Nothing in a critical section of this crate leaves its state half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a request of ours counted.
pub(crate) struct Asking {
    connection: Arc<Connection>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let left = self.connection.activity.asking.fetch_sub(1, Ordering::Relaxed) - 1;
        self.connection.link.expect_answers(left);
    }
}

/// Keeps a request of theirs counted.
pub(crate) struct Answering {
    connection: Arc<Connection>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.connection.activity.answering.fetch_sub(1, Ordering::Relaxed);
    }
}
