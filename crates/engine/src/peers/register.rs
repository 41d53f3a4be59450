//! The downloads that run now and take part in the swarm, by the digests of their contents.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_content::Digest;
use dray_exchange::Session;
use tokio::sync::mpsc;

use crate::peers::Offer;

/// Sessions that others have opened and that a download has not yet looked at. Beyond, they are refused.
const MAX_WAITING_SESSIONS: usize = 64;

/// One running download.
struct Running {
    number: u64,
    offer: Arc<Offer>,
    joined: mpsc::Sender<Session>,
}

#[derive(Default)]
struct List {
    next: u64,
    by_digest: BTreeMap<Digest, Vec<Arc<Running>>>,
}

/// All running downloads that others may know of.
#[derive(Default)]
pub(crate) struct Register(Mutex<List>);

/// A place in the register; it is given up when this goes.
pub(crate) struct Registered {
    register: Arc<Register>,
    number: u64,
    digests: Vec<Digest>,
}

impl Register {
    /// Enters a download. Sessions that others open about it come out of the channel.
    pub(crate) fn enter(
        self: &Arc<Self>,
        digests: &[Digest],
        offer: &Arc<Offer>,
    ) -> (Registered, mpsc::Receiver<Session>) {
        let (joined, waiting) = mpsc::channel(MAX_WAITING_SESSIONS);
        let mut list = self.lock();
        let number = list.next;
        list.next += 1;
        let running = Arc::new(Running { number, offer: Arc::clone(offer), joined });
        for digest in digests {
            list.by_digest.entry(*digest).or_default().push(Arc::clone(&running));
        }
        drop(list);
        let register = Arc::clone(self);
        (Registered { register, number, digests: digests.to_vec() }, waiting)
    }

    /// What a running download of this content offers.
    pub(crate) fn find(&self, digests: &[Digest]) -> Option<Arc<Offer>> {
        let list = self.lock();
        let running = digests.iter().find_map(|digest| list.by_digest.get(digest)?.first())?;
        Some(Arc::clone(&running.offer))
    }

    /// A peer has joined the download that offers what its session is about.
    pub(crate) fn joined(&self, session: Session) {
        let volume = session.volume();
        let is_it =
            |running: &&Arc<Running>| std::ptr::addr_eq(Arc::as_ptr(&running.offer), Arc::as_ptr(&volume));
        let list = self.lock();
        let running = list.by_digest.values().flatten().find(is_it);
        if let Some(running) = running
            && let Err(error) = running.joined.try_send(session)
        {
            // It goes by being dropped.
            tracing::debug!(%error, "a session finds no place");
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut list = self.register.lock();
        for digest in &self.digests {
            if let Some(running) = list.by_digest.get_mut(digest) {
                running.retain(|running| running.number != self.number);
                if running.is_empty() {
                    list.by_digest.remove(digest);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_is_found_by_each_of_its_digests_until_it_goes() {
        let register = Arc::new(Register::default());
        let [one, two] = [Digest::Sha256([1; 32]), Digest::Blake3([2; 32])];
        let (first, second) = (Offer::new(), Offer::new());
        let (place, _) = register.enter(&[one, two], &first);
        let (other, _) = register.enter(&[two], &second);
        assert!(Arc::ptr_eq(&register.find(&[Digest::Sha256([9; 32]), two]).unwrap(), &first));
        drop(place);
        assert!(register.find(&[one]).is_none());
        assert!(Arc::ptr_eq(&register.find(&[two]).unwrap(), &second));
        drop(other);
        assert!(register.find(&[two]).is_none());
        assert!(register.lock().by_digest.is_empty());
    }
}
