//! A content that was found, and the lease that keeps it from being let go while it is in use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use dray_content::{ContentId, Digest, PieceTable};

use crate::side_file::{Audience, SideFile, UrlLink};

/// A content of the store. As long as it is held the store does not evict it.
#[derive(Debug, Clone)]
pub struct Entry {
    id: ContentId,
    side: Arc<SideFile>,
    object: PathBuf,
    is_untouched: bool,
    _lease: Arc<Lease>,
}

impl Entry {
    pub(crate) fn new(side: SideFile, object: PathBuf, is_untouched: bool, leases: &Leases) -> Entry {
        let id = side.id();
        let lease = Arc::new(leases.take(id));
        Entry { id, side: Arc::new(side), object, is_untouched, _lease: lease }
    }

    /// Its BLAKE3 root.
    pub fn id(&self) -> ContentId {
        self.id
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.side.table.size()
    }

    /// Its pieces.
    pub fn table(&self) -> &PieceTable {
        &self.side.table
    }

    /// Digests known besides the root.
    pub fn digests(&self) -> &[Digest] {
        &self.side.digests
    }

    /// URLs that led to it.
    pub fn urls(&self) -> &[UrlLink] {
        &self.side.urls
    }

    /// For whom it may be used. The store does not enforce it.
    pub fn audience(&self) -> &Audience {
        &self.side.audience
    }

    /// When it came into the store, milliseconds since 1970.
    pub fn adopted_ms(&self) -> u64 {
        self.side.adopted_ms
    }

    /// Where its bytes lie. Never to be opened for writing; and reading it directly proves nothing.
    pub fn path(&self) -> &Path {
        &self.object
    }

    /// Whether the file looks as it did when its bytes were last known to be right. If not they may still be: each is proven
    /// whenever it is handed out. Contents are announced to others only while this holds.
    pub fn is_untouched(&self) -> bool {
        self.is_untouched
    }

    pub(crate) fn side(&self) -> &SideFile {
        &self.side
    }
}

/// Who uses what, in this process. Other processes need no lease: a file that is open outlives its name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leases(Arc<Mutex<BTreeMap<ContentId, usize>>>);

#[derive(Debug)]
struct Lease {
    id: ContentId,
    leases: Leases,
}

impl Leases {
    fn take(&self, id: ContentId) -> Lease {
        *self.lock().entry(id).or_default() += 1;
        Lease { id, leases: self.clone() }
    }

    pub(crate) fn is_held(&self, id: &ContentId) -> bool {
        self.lock().contains_key(id)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ContentId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.leases.lock();
        if let Some(count) = held.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_held_until_the_last_entry_is_dropped() {
        let leases = Leases::default();
        let side = crate::side_file::tests::sample();
        let id = side.id();
        let first = Entry::new(side.clone(), PathBuf::new(), true, &leases);
        let second = first.clone();
        let third = Entry::new(side, PathBuf::new(), true, &leases);
        drop((first, third));
        assert!(leases.is_held(&id));
        drop(second);
        assert!(!leases.is_held(&id));
    }
}
