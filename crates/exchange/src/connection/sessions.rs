//! The sessions of one connection.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dray_content::Digest;
use dray_identity::Role;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{Connection, lock};
use crate::wire::Message;
use crate::{Holding, JoinError, PieceSet, Session, Volume};

/// Open and half-open sessions, by number.
pub(super) struct Sessions {
    pub(super) open: BTreeMap<u32, Arc<SessionState>>,
    pub(super) pending: BTreeMap<u32, Pending>,
    /// Number of the next one that we ask for.
    pub(super) next: u32,
    /// Least number that the other end may ask for.
    pub(super) next_theirs: u32,
}

/// A session that we have asked for.
pub(super) struct Pending {
    pub(super) digests: Vec<Digest>,
    pub(super) volume: Arc<dyn Volume>,
    pub(super) told: Arc<Holding>,
    pub(super) waiting: Vec<oneshot::Sender<Result<Session, JoinError>>>,
}

impl Sessions {
    pub(super) fn new(role: Role) -> Self {
        let (next, next_theirs) = match role {
            Role::Dialer => (0, 1),
            Role::Listener => (1, 0),
        };
        Self { open: BTreeMap::new(), pending: BTreeMap::new(), next, next_theirs }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len() + self.pending.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The open session about a content with one of these names.
    pub(super) fn about(&self, digests: &[Digest]) -> Option<&Arc<SessionState>> {
        self.open.values().find(|session| share_one(&session.digests, digests))
    }

    /// The number under which we have asked for one.
    pub(super) fn pending_about(&self, digests: &[Digest]) -> Option<u32> {
        let found = self.pending.iter().find(|(_, pending)| share_one(&pending.digests, digests));
        found.map(|(id, _)| *id)
    }

    /// Whether a session of that number exists or may have existed.
    pub(super) fn is_known(&self, id: u32) -> bool {
        if id % 2 == self.next % 2 { id < self.next } else { id < self.next_theirs }
    }
}

fn share_one(one: &[Digest], other: &[Digest]) -> bool {
    one.iter().any(|digest| other.contains(digest))
}

/// One content on one connection.
pub(crate) struct SessionState {
    pub(crate) id: u32,
    pub(crate) connection: Arc<Connection>,
    pub(crate) volume: Arc<dyn Volume>,
    /// Our requests at once.
    pub(crate) requests: Arc<Semaphore>,
    /// Cancelled when it is over.
    pub(crate) over: CancellationToken,
    pub(super) digests: Vec<Digest>,
    pub(super) told: Mutex<Told>,
    theirs: Mutex<Option<watch::Sender<Arc<Holding>>>>,
    /// Kept so that the value can still be read when the session has ended.
    last: watch::Receiver<Arc<Holding>>,
    holders: AtomicUsize,
}

/// What we have said.
pub(super) struct Told {
    pub(super) last: Arc<Holding>,
    /// Every piece that was ever offered.
    pub(super) ever: PieceSet,
}

impl SessionState {
    pub(super) fn new(
        connection: &Arc<Connection>,
        id: u32,
        digests: Vec<Digest>,
        volume: Arc<dyn Volume>,
        told: Arc<Holding>,
        theirs: Holding,
    ) -> Arc<Self> {
        let (sender, last) = watch::channel(Arc::new(theirs));
        Arc::new(Self {
            id,
            connection: Arc::clone(connection),
            volume,
            requests: Arc::new(Semaphore::new(connection.hub.limits.requests_per_session)),
            over: connection.over.child_token(),
            digests,
            told: Mutex::new(Told { ever: told.have.clone(), last: told }),
            theirs: Mutex::new(Some(sender)),
            last,
            holders: AtomicUsize::new(0),
        })
    }

    pub(crate) fn theirs(&self) -> watch::Receiver<Arc<Holding>> {
        self.last.clone()
    }

    pub(super) fn set_theirs(&self, holding: Holding) {
        if let Some(sender) = &*lock(&self.theirs) {
            sender.send_replace(Arc::new(holding));
        }
    }

    /// Whether a range was offered at some time, to tell a late request from an insolent one.
    pub(crate) fn was_offered(&self, range: dray_ranges::ByteRange, size: u64) -> bool {
        lock(&self.told).ever.covers(range, size)
    }

    /// Ends it here; the other end is not told.
    pub(super) fn close(&self) {
        self.over.cancel();
        lock(&self.theirs).take();
    }

    /// Ends it for both ends.
    pub(crate) fn leave(&self) {
        let was_open = self.connection.lock_sessions().open.remove(&self.id).is_some();
        self.close();
        if was_open {
            self.connection.say(&Message::Leave { session: self.id });
        }
    }

    pub(crate) fn hold(&self) {
        self.holders.fetch_add(1, Ordering::AcqRel);
    }

    /// The last holder ends the session, unless it leaves it to the other end.
    pub(crate) fn release(&self, stays: bool) {
        let was_last = self.holders.fetch_sub(1, Ordering::AcqRel) == 1;
        if was_last && !(stays && self.last.borrow().wants) {
            self.leave();
        }
    }

    /// Whether nobody on either end has a use for it.
    pub(super) fn is_pointless(&self) -> bool {
        self.holders.load(Ordering::Acquire) == 0 && !self.last.borrow().wants
    }
}

impl Connection {
    /// The session of that number. Waits a little when we have asked for it and the answer is on its way, for the other end may be quicker
    /// to use a session than we to hear that it is open.
    pub(crate) async fn session(&self, id: u32) -> Option<Arc<SessionState>> {
        loop {
            let settled = self.session_settled.notified();
            {
                let sessions = self.lock_sessions();
                if let Some(session) = sessions.open.get(&id) {
                    return Some(Arc::clone(session));
                }
                if !sessions.pending.contains_key(&id) {
                    return None;
                }
            }
            settled.await;
        }
    }

    pub(super) fn end_all_sessions(&self) {
        let (open, pending) = {
            let mut sessions = self.lock_sessions();
            (std::mem::take(&mut sessions.open), std::mem::take(&mut sessions.pending))
        };
        open.values().for_each(|session| session.close());
        // Those who wait learn why from the connection.
        drop(pending);
        self.session_settled.notify_waiters();
    }
}
