//! Opening sessions: ours, theirs, and both at once.

use std::sync::Arc;

use dray_content::Digest;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::sessions::Pending;
use super::{Connection, SessionState};
use crate::link::LinkError;
use crate::wire::{Message, Refusal};
use crate::{Holding, JoinError, Session, Volume};
use dray_identity::Role;

/// Why a session was not opened on a connection.
pub(crate) enum JoinFailure {
    /// The connection ended; another one may be had.
    Gone(LinkError),
    /// The answer is no.
    Refused(JoinError),
}

impl Connection {
    /// Opens a session, or gives the one that there is about the same content.
    pub(crate) async fn join(
        self: &Arc<Self>,
        digests: &[Digest],
        volume: Arc<dyn Volume>,
    ) -> Result<Session, JoinFailure> {
        let (answer, answered) = oneshot::channel();
        let mut asked = None;
        {
            let mut sessions = self.lock_sessions();
            if self.is_over() {
                drop(sessions);
                return Err(JoinFailure::Gone(self.why().await));
            }
            if let Some(session) = sessions.about(digests) {
                return Ok(Session::new(Arc::clone(session)));
            }
            if let Some(pending) =
                sessions.pending_about(digests).and_then(|id| sessions.pending.get_mut(&id))
            {
                pending.waiting.push(answer);
            } else if sessions.len() >= self.hub.limits.sessions_per_connection {
                return Err(JoinFailure::Refused(JoinError::TooMany));
            } else {
                let session = sessions.next;
                sessions.next = session.checked_add(2).ok_or(JoinFailure::Refused(JoinError::TooMany))?;
                let told = volume.ours().borrow().clone();
                let message =
                    Message::Join { session, digests: digests.to_vec(), holding: Holding::clone(&told) };
                let pending = Pending { digests: digests.to_vec(), volume, told, waiting: vec![answer] };
                sessions.pending.insert(session, pending);
                asked = Some((session, message));
            }
        }
        if let Some((_, message)) = &asked {
            self.say(message);
        }
        match timeout(self.hub.timing.join, answered).await {
            Ok(Ok(Ok(session))) => Ok(session),
            Ok(Ok(Err(error))) => Err(JoinFailure::Refused(error)),
            Ok(Err(_)) => Err(JoinFailure::Gone(self.why().await)),
            Err(_) => {
                if let Some((session, _)) = asked {
                    self.lock_sessions().pending.remove(&session);
                    self.say(&Message::Leave { session });
                }
                Err(JoinFailure::Refused(JoinError::TimedOut))
            }
        }
    }

    /// The other end opens a session.
    pub(super) fn joined(self: &Arc<Self>, session: u32, digests: Vec<Digest>, theirs: Holding) {
        let crossed = {
            let mut sessions = self.lock_sessions();
            match sessions.pending_about(&digests) {
                // Both ends asked at once: the dialer's question stands.
                Some(_) if self.role == Role::Dialer => {
                    drop(sessions);
                    return self.say(&Message::Refuse { session, why: Refusal::Crossed });
                }
                Some(ours) => sessions.pending.remove(&ours),
                None if sessions.about(&digests).is_some()
                    || sessions.len() >= self.hub.limits.sessions_per_connection =>
                {
                    drop(sessions);
                    return self.say(&Message::Refuse { session, why: Refusal::TooMany });
                }
                None => None,
            }
        };
        let (volume, waiting) = match crossed {
            Some(pending) => (Some(pending.volume), pending.waiting),
            None => (self.hub.shelf.find(&digests, &self.peer), Vec::new()),
        };
        let Some(volume) = volume else {
            return self.say(&Message::Refuse { session, why: Refusal::NotOffered });
        };
        let told = volume.ours().borrow().clone();
        if sizes_differ(&told, &theirs) {
            tell_all(waiting, || Err(JoinError::AnotherSize));
            return self.say(&Message::Refuse { session, why: Refusal::AnotherSize });
        }
        self.say(&Message::Welcome { session, holding: Holding::clone(&told) });
        let is_crossed = !waiting.is_empty();
        let state = self.open(session, digests, volume, told, theirs);
        if is_crossed {
            tell_all(waiting, || Ok(Session::new(Arc::clone(&state))));
        } else if state.volume.is_downloading() {
            self.hub.shelf.joined(Session::new(state));
        }
    }

    /// The other end has opened the session that we asked for. False when that makes no sense.
    pub(super) fn welcomed(self: &Arc<Self>, id: u32, theirs: Holding) -> bool {
        let Some(pending) = self.lock_sessions().pending.remove(&id) else {
            return self.is_ours_and_known(id);
        };
        let Pending { digests, volume, told, waiting } = pending;
        if sizes_differ(&told, &theirs) {
            self.say(&Message::Leave { session: id });
            tell_all(waiting, || Err(JoinError::AnotherSize));
        } else {
            let state = self.open(id, digests, volume, told, theirs);
            // Held until all who wait have their own hold on it; with nobody left it ends here.
            let session = Session::new(state);
            tell_all(waiting, || Ok(session.clone()));
        }
        self.session_settled.notify_waiters();
        true
    }

    /// The other end does not open the session that we asked for. False when that makes no sense.
    pub(super) fn refused(&self, id: u32, why: Refusal) -> bool {
        let Some(pending) = self.lock_sessions().pending.remove(&id) else {
            return self.is_ours_and_known(id);
        };
        let error = match why {
            Refusal::TooMany => JoinError::TooMany,
            Refusal::AnotherSize => JoinError::AnotherSize,
            Refusal::NotOffered | Refusal::Crossed | Refusal::NotNow => JoinError::NotOffered,
        };
        tell_all(pending.waiting, || Err(error.clone()));
        self.session_settled.notify_waiters();
        true
    }

    /// An answer to a question that we have given up.
    fn is_ours_and_known(&self, id: u32) -> bool {
        let sessions = self.lock_sessions();
        id % 2 == sessions.next % 2 && id < sessions.next
    }

    fn open(
        self: &Arc<Self>,
        id: u32,
        digests: Vec<Digest>,
        volume: Arc<dyn Volume>,
        told: Arc<Holding>,
        theirs: Holding,
    ) -> Arc<SessionState> {
        let state = SessionState::new(self, id, digests, volume, told, theirs);
        self.lock_sessions().open.insert(id, Arc::clone(&state));
        if self.is_over() {
            // It ended meanwhile, and nobody would close this one.
            self.end_all_sessions();
        }
        tokio::spawn(Arc::clone(&state).announce());
        state
    }
}

fn tell_all(
    waiting: Vec<oneshot::Sender<Result<Session, JoinError>>>,
    answer: impl Fn() -> Result<Session, JoinError>,
) {
    for waiter in waiting {
        // Whoever has given up lets go of the session by not taking it.
        let _ = waiter.send(answer());
    }
}

fn sizes_differ(ours: &Holding, theirs: &Holding) -> bool {
    ours.size.zip(theirs.size).is_some_and(|(ours, theirs)| ours != theirs)
}
