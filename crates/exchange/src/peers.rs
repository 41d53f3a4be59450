//! At most one connection to each peer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dray_identity::{PeerId, Role};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::JoinError;
use crate::connection::Connection;

/// Two connections younger than this, one from each end, are one attempt from each; later, a second one means that the other end has lost
/// the first.
const SIMULTANEOUS: Duration = Duration::from_secs(10);

/// The connections, and whom we are calling.
pub(crate) struct Peers {
    state: Mutex<State>,
    /// A connection was added.
    pub(crate) added: Notify,
    limit: usize,
}

#[derive(Default)]
struct State {
    connected: BTreeMap<PeerId, Arc<Connection>>,
    calls: BTreeMap<PeerId, Arc<Call>>,
}

/// Calls to one peer are made one after the other, and those who wait share the outcome.
#[derive(Default)]
pub(crate) struct Call {
    pub(crate) last_failure: tokio::sync::Mutex<Option<(Instant, JoinError)>>,
}

/// What became of a new connection.
pub(crate) enum Added {
    /// It is the one; another may have had to go for it.
    Kept { instead_of: Option<Arc<Connection>> },
    /// There is another that stays.
    Duplicate,
    /// There are too many.
    TooMany,
}

impl Peers {
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), added: Notify::new(), limit }
    }

    pub(crate) fn get(&self, peer: &PeerId) -> Option<Arc<Connection>> {
        self.lock().connected.get(peer).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.lock().connected.values().cloned().collect()
    }

    /// The place where calls to a peer stand in line.
    pub(crate) fn call(&self, peer: PeerId) -> Arc<Call> {
        Arc::clone(self.lock().calls.entry(peer).or_default())
    }

    /// Forgets a line in which nobody else stands.
    pub(crate) fn end_call(&self, peer: &PeerId, call: Arc<Call>) {
        let mut state = self.lock();
        drop(call);
        if state.calls.get(peer).is_some_and(|call| Arc::strong_count(call) == 1) {
            state.calls.remove(peer);
        }
    }

    /// Decides about a connection whose other end has been judged. Both ends decide alike.
    pub(crate) fn add(&self, new: &Arc<Connection>) -> Added {
        let mut state = self.lock();
        let instead_of = match state.connected.get(&new.peer) {
            Some(old) if is_to_stay(old, new) => return Added::Duplicate,
            Some(old) => Some(Arc::clone(old)),
            None if state.connected.len() < self.limit => None,
            // A connection that nobody uses makes room for one that somebody wants.
            None => match state.connected.values().find(|old| old.is_unused()) {
                Some(old) => Some(Arc::clone(old)),
                None => return Added::TooMany,
            },
        };
        if let Some(old) = &instead_of {
            state.connected.remove(&old.peer);
        }
        state.connected.insert(new.peer, Arc::clone(new));
        drop(state);
        self.added.notify_waiters();
        Added::Kept { instead_of }
    }

    pub(crate) fn remove(&self, gone: &Arc<Connection>) {
        let mut state = self.lock();
        if state.connected.get(&gone.peer).is_some_and(|there| Arc::ptr_eq(there, gone)) {
            state.connected.remove(&gone.peer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When both ends called each other at the same moment, the call of the lesser name stands. Otherwise the newer one: whoever calls has no
/// connection any more.
fn is_to_stay(old: &Connection, new: &Connection) -> bool {
    if old.role == new.role || old.born.elapsed() > SIMULTANEOUS || old.is_over() {
        return false;
    }
    let lesser_is_me = old.hub.me < old.peer;
    (old.role == Role::Dialer) == lesser_is_me
}
