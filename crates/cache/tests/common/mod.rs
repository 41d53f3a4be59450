//! What the tests of the store share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use dray_cache::{Adopted, Audience, Config, Effort, Entry, NewContent, Store, StoredValidators};
use dray_content::{Algorithm, Digest, PieceTable, TableBuilder, WholeHasher};
use url::Url;

pub(crate) const PIECE: usize = 256 << 10;

/// A store in a temporary directory, and beside it a place for destinations on the same file system.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn store_dir(&self) -> PathBuf {
        self.at("store")
    }

    pub(crate) fn open(&self) -> Store {
        self.open_with(config())
    }

    pub(crate) fn open_with(&self, config: Config) -> Store {
        Store::open(&self.store_dir(), config).unwrap()
    }

    /// Writes a file and adopts it.
    pub(crate) fn adopt(&self, store: &Store, name: &str, bytes: &[u8], url: &str) -> Adopted {
        let path = self.at(name);
        std::fs::write(&path, bytes).unwrap();
        store.adopt(content(&path, bytes, url)).unwrap()
    }
}

/// Limits that the machine running the tests cannot get in the way of, and patience for a slow one.
pub(crate) fn config() -> Config {
    Config {
        max_disk_percent: 100,
        min_free_bytes: 0,
        index_patience: Duration::from_secs(120),
        ..Config::default()
    }
}

pub(crate) fn content<'a>(file: &'a Path, bytes: &[u8], url: &str) -> NewContent<'a> {
    NewContent {
        table: table(bytes),
        digests: vec![sha256(bytes)],
        urls: vec![(self::url(url), validators("\"1\""))],
        audience: Audience::Everyone,
        file,
    }
}

pub(crate) fn url(text: &str) -> Url {
    text.parse().unwrap()
}

pub(crate) fn validators(etag: &str) -> StoredValidators {
    StoredValidators { etag: Some(etag.to_owned()), last_modified: None }
}

pub(crate) fn table(bytes: &[u8]) -> PieceTable {
    let mut builder = TableBuilder::new(Some(bytes.len() as u64));
    builder.feed(0, bytes);
    builder.finish(bytes.len() as u64).unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = WholeHasher::new(&[Algorithm::Sha256], false);
    hasher.feed(0, bytes);
    hasher.finish().0[0]
}

/// Bytes that differ for each seed.
pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(len).collect()
}

/// Maintains until nothing is left to do.
pub(crate) fn maintain(store: &Store) -> dray_cache::Maintained {
    let mut sum = dray_cache::Maintained::default();
    loop {
        let done = store.maintain(Effort::Full).unwrap();
        sum.settled += done.settled;
        sum.dropped += done.dropped;
        sum.evicted += done.evicted;
        sum.evicted_bytes += done.evicted_bytes;
        if !done.more {
            return sum;
        }
    }
}

/// Delivers to a fresh path and gives back the bytes.
pub(crate) fn delivered(store: &Store, entry: &Entry, dest: &Path) -> Vec<u8> {
    store.deliver(entry, dest, &|_| ()).unwrap();
    std::fs::read(dest).unwrap()
}

/// Files below a directory.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path())
            } else {
                found.push(entry.path())
            }
        }
    }
    found.sort();
    found
}
