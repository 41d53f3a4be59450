//! sled as the index. The only file that names it.
//!
//! The rules that keep this release safe: a fan-out of 128, no background flusher, one user at a time (the keeper's mutex),
//! small values, the cookie synced after the first creation (it is written without, and a database without it cannot be
//! opened), and every call guarded against a panic. Changes go in one by one and become durable together by one flush:
//! batches have known deadlocks in this release, and an index that lags behind is made good by the markers anyway.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dray_platform::{durable, open};

use super::store::{IndexError, IndexStore, Visit};
use crate::config::INDEX_CACHE_BYTES;

/// Keys per leaf. Part of sled's format: a database made with another number cannot be opened.
const LEAF_FANOUT: usize = 128;
/// The file that holds the fan-out.
const COOKIE: &str = "durability_cookie";

pub(crate) struct SledStore {
    db: Option<sled::Db<LEAF_FANOUT>>,
}

impl SledStore {
    pub(crate) fn open(directory: &Path) -> Result<SledStore, IndexError> {
        let is_new = !directory.join(COOKIE).exists();
        mend(&directory.join("metadata"))?;
        let config =
            sled::Config::new().path(directory).flush_every_ms(None).cache_capacity_bytes(INDEX_CACHE_BYTES);
        let db = guard("open", || config.open::<LEAF_FANOUT>())?;
        let store = SledStore { db: Some(db) };
        if is_new {
            open::open_nofollow(&directory.join(COOKIE))
                .map_err(std::io::Error::from)
                .and_then(|cookie| cookie.sync_all())
                .and_then(|()| durable::sync_dir(directory).map_err(std::io::Error::from))?;
        }
        Ok(store)
    }

    fn db(&self) -> &sled::Db<LEAF_FANOUT> {
        self.db.as_ref().expect("the database is only taken out by drop")
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Dropping flushes, and a damaged database may panic on that; the drop of a drop must not.
        let db = self.db.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
    }
}

impl IndexStore for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        guard("read", || Ok(self.db().get(key)?.map(|value| value.to_vec())))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        guard("write", || self.db().insert(key, value).map(drop))
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), IndexError> {
        guard("remove", || self.db().remove(key).map(drop))
    }

    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), IndexError> {
        let mut pairs = guard("scan", || Ok(self.db().range(prefix.to_vec()..)))?;
        loop {
            match guard("scan", || pairs.next().transpose())? {
                Some((key, value)) if key.starts_with(prefix) => visit(&key, &value)?,
                _ => return Ok(()),
            }
        }
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        guard("flush", || self.db().flush().map(drop))
    }
}

/// Makes it safe to open a database whose last opening was cut off.
///
/// sled opens by writing snapshot `n` from snapshot `m` and the logs up to `n`, removing those logs, removing snapshot `m`, and
/// creating log `n + 1`. Cut off before the end, it leaves a snapshot without a later log; the next opening then finds `n` equal
/// to `m`, and removes the snapshot that it has just written. Or it leaves two snapshots, of which the older is never removed
/// and comes back when the newer is lost. An empty log `n + 1` and the removal of older snapshots prevent both. (Found by
/// killing: `tests/kill.rs`.)
fn mend(metadata: &Path) -> std::io::Result<()> {
    let names: Vec<String> = match std::fs::read_dir(metadata) {
        Ok(entries) => entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let numbers = |prefix: &str| -> Vec<u64> {
        let digits = names.iter().filter_map(|name| name.strip_prefix(prefix));
        digits.filter_map(|digits| u64::from_str_radix(digits, 16).ok()).collect()
    };
    let snapshots = numbers("snapshot_");
    let Some(newest) = snapshots.iter().max() else { return Ok(()) };
    for older in snapshots.iter().filter(|number| *number < newest) {
        std::fs::remove_file(metadata.join(format!("snapshot_{older:016x}")))?;
    }
    if numbers("log_").iter().all(|log| log <= newest) {
        let next = newest.checked_add(1).ok_or(std::io::ErrorKind::InvalidData)?;
        open::create_new_private(&metadata.join(format!("log_{next:016x}")))?;
    }
    Ok(())
}

/// Runs one call into the database. Half-changed state behind a panic does not matter: after any error the database is closed
/// and set aside.
fn guard<T>(doing: &'static str, call: impl FnOnce() -> std::io::Result<T>) -> Result<T, IndexError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(IndexError::Panicked(doing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sled_behaves_as_a_map() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(&dir.path().join("index")).unwrap();
        super::super::store::tests::behaves_as_a_map(&mut store);
    }

    #[test]
    fn what_was_flushed_is_there_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(dir.path()).unwrap();
        store.put(b"key", b"value").unwrap();
        store.flush().unwrap();
        drop(store);
        let store = SledStore::open(dir.path()).unwrap();
        assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
    }

    #[test]
    fn an_opening_that_was_cut_off_loses_nothing_and_brings_nothing_back() {
        let dir = tempfile::tempdir().unwrap();
        let files = |prefix: &str| -> Vec<std::path::PathBuf> {
            let entries = std::fs::read_dir(dir.path().join("metadata")).unwrap();
            let paths = entries.map(|entry| entry.unwrap().path());
            paths.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix)).collect()
        };
        let mut store = SledStore::open(dir.path()).unwrap();
        store.put(b"key", b"value").unwrap();
        drop(store);
        let old = files("snapshot_").remove(0);
        let bytes = std::fs::read(&old).unwrap();
        drop(SledStore::open(dir.path()).unwrap());
        for round in 0..3 {
            files("log_").iter().for_each(|log| std::fs::remove_file(log).unwrap());
            std::fs::write(&old, &bytes).unwrap();
            let store = SledStore::open(dir.path()).unwrap();
            assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"value"[..]), "round {round}");
            drop(store);
            assert_eq!(files("snapshot_").len(), 1);
        }
    }

    #[test]
    fn a_panic_in_the_database_is_an_error() {
        let outcome: Result<(), _> = guard("try", || panic!("inside"));
        assert!(matches!(outcome, Err(IndexError::Panicked("try"))));
    }
}
