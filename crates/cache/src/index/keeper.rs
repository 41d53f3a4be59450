//! Owns the index: opens it on a thread of its own when it is first wanted, lends it to one user at a time, sets it aside when
//! it fails.
//!
//! The thread matters. sled runs `sync` for the whole machine while it opens, which takes as long as the slowest disk (or a
//! network mount that hangs) pleases; nobody but a patient caller may wait for that, and a process must be able to end.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dray_platform::lock::LockFile;

use super::catalogue::Catalogue;
use super::opening;
use super::store::IndexError;
use crate::error::CacheError;
use crate::layout::Layout;

pub(crate) struct Keeper {
    shared: Arc<Shared>,
    patience: Duration,
}

struct Shared {
    layout: Layout,
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    Closed {
        why: Option<CacheError>,
    },
    Opening,
    Open(Owned),
    /// The store was dropped; a thread that is still opening closes again.
    Abandoned,
}

/// Dropped in this order: the database first, then the right to it.
struct Owned {
    catalogue: Catalogue,
    _lock: LockFile,
}

impl Keeper {
    pub(crate) fn new(layout: Layout, patience: Duration) -> Keeper {
        let state = Mutex::new(State::Closed { why: None });
        Keeper { shared: Arc::new(Shared { layout, state, changed: Condvar::new() }), patience }
    }

    /// Begins to open the index, if it is not open, and does not wait.
    pub(crate) fn begin(&self) {
        self.begin_locked(&mut self.shared.lock());
    }

    fn begin_locked(&self, state: &mut State) {
        if !matches!(state, State::Closed { .. }) {
            return;
        }
        *state = State::Opening;
        let (shared, patience) = (Arc::clone(&self.shared), self.patience);
        let spawned = std::thread::Builder::new().name("dray-cache-index".to_owned()).spawn(move || {
            let opened = shared.open(patience);
            shared.opened(opened);
        });
        if let Err(error) = spawned {
            *state = State::Closed { why: Some(self.shared.failure(&error.to_string())) };
        }
    }

    /// Uses the index, opening it first if need be; `Busy` when it cannot be had within the store's patience. When `job` finds
    /// it damaged it is set aside, and a later call opens a new one.
    pub(crate) fn with<T>(
        &self,
        job: impl FnOnce(&mut Catalogue) -> Result<T, IndexError>,
    ) -> Result<T, CacheError> {
        let mut state = self.shared.lock();
        self.begin_locked(&mut state);
        let waiting = |state: &mut State| matches!(state, State::Opening);
        let (mut state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, self.patience, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Open(owned) => match job(&mut owned.catalogue) {
                Ok(outcome) => Ok(outcome),
                Err(error) => Err(self.shared.condemn(&mut state, &error)),
            },
            State::Closed { why } => Err(why.take().unwrap_or_else(|| self.shared.busy())),
            State::Opening | State::Abandoned => Err(self.shared.busy()),
        }
    }

    /// Looks into the index if it is open and nobody uses it; else there is no answer.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(&Catalogue) -> Result<T, IndexError>) -> Option<T> {
        let mut state = self.shared.state.try_lock().ok()?;
        let State::Open(owned) = &mut *state else { return None };
        match look(&owned.catalogue) {
            Ok(found) => Some(found),
            Err(error) => {
                self.shared.condemn(&mut state, &error);
                None
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *self.shared.lock(), State::Abandoned);
        drop(before);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of a lender's job leaves a database whose calls are guarded one by one; it is as good as before.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, patience: Duration) -> Result<Owned, CacheError> {
        // Half, so that whoever waits for us learns that the index is busy and not just slow.
        let lock = LockFile::acquire_within(&self.layout.lock(), patience / 2)?;
        let lock = lock.ok_or_else(|| self.busy())?;
        let catalogue = opening::open(&self.layout).map_err(|error| self.failure(&error.to_string()))?;
        Ok(Owned { catalogue, _lock: lock })
    }

    fn opened(&self, outcome: Result<Owned, CacheError>) {
        let mut state = self.lock();
        if matches!(*state, State::Opening) {
            *state = match outcome {
                Ok(owned) => State::Open(owned),
                Err(why) => State::Closed { why: Some(why) },
            };
        }
        self.changed.notify_all();
    }

    /// Closes a damaged index and moves it out of the way, still under its lock.
    fn condemn(&self, state: &mut State, error: &IndexError) -> CacheError {
        if let State::Open(Owned { catalogue, _lock }) = std::mem::replace(state, State::Closed { why: None })
        {
            drop(catalogue);
            opening::set_aside(&self.layout, &error.to_string());
        }
        self.failure(&error.to_string())
    }

    fn busy(&self) -> CacheError {
        CacheError::Busy(self.path())
    }

    fn failure(&self, reason: &str) -> CacheError {
        CacheError::Index { path: self.path(), reason: reason.to_owned() }
    }

    fn path(&self) -> PathBuf {
        self.layout.root().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::ContentRow;
    use dray_content::ContentId;

    fn keeper(dir: &tempfile::TempDir) -> Keeper {
        keeper_with_patience(dir, Duration::from_secs(60))
    }

    fn keeper_with_patience(dir: &tempfile::TempDir, patience: Duration) -> Keeper {
        let layout = Layout::new(dir.path());
        layout.create().unwrap();
        Keeper::new(layout, patience)
    }

    const ROW: ContentRow = ContentRow { size: 3, adopted_ms: 0, last_used_ms: 0 };

    #[test]
    fn a_second_owner_is_told_that_the_index_is_busy_until_the_first_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let first = keeper(&dir);
        first.with(|catalogue| catalogue.put(&ContentId([1; 32]), &ROW, &[])).unwrap();
        let second = keeper_with_patience(&dir, Duration::from_millis(20));
        assert!(matches!(second.with(|_| Ok(())), Err(CacheError::Busy(_))));
        drop(first);
        let second = keeper(&dir);
        assert_eq!(second.with(|catalogue| Ok(catalogue.contents())).unwrap(), 1);
    }

    #[test]
    fn a_damaged_index_is_replaced_by_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let keeper = keeper(&dir);
        keeper.with(|catalogue| catalogue.put(&ContentId([1; 32]), &ROW, &[])).unwrap();
        let failed = keeper.with(|_| Err::<(), _>(IndexError::BadRow));
        assert!(matches!(failed, Err(CacheError::Index { .. })));
        assert_eq!(keeper.with(|catalogue| Ok(catalogue.contents())).unwrap(), 0);
        assert_eq!(opening::already_set_aside(&keeper.shared.layout).len(), 1);
    }

    #[test]
    fn a_look_into_a_closed_index_finds_nothing_and_does_not_open_it() {
        let dir = tempfile::tempdir().unwrap();
        let keeper = keeper(&dir);
        assert_eq!(keeper.peek(|catalogue| Ok(catalogue.contents())), None);
        assert!(!keeper.shared.layout.index().exists());
        keeper.with(|_| Ok(())).unwrap();
        assert_eq!(keeper.peek(|catalogue| Ok(catalogue.contents())), Some(0));
    }

    #[test]
    fn dropping_does_not_wait_for_an_opening_that_hangs() {
        let dir = tempfile::tempdir().unwrap();
        let keeper = keeper(&dir);
        keeper.begin();
        drop(keeper);
    }
}
