//! How many bytes came from where, since the start and since the daemon was first started here.

use std::io::{Read as _, Result};
use std::ops::AddAssign;
use std::path::PathBuf;

use dray_platform::{durable, open};
use serde::{Deserialize, Serialize};

/// Larger than any file that is written here.
const MAX_FILE_BYTES: u64 = 4096;

/// Bytes by source and direction, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Bytes {
    pub(crate) origin: u64,
    pub(crate) cache_host: u64,
    pub(crate) lan_peers: u64,
    pub(crate) group_peers: u64,
    pub(crate) local_cache: u64,
    /// Received and thrown away.
    pub(crate) wasted: u64,
    /// Given to peers.
    pub(crate) sent: u64,
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, more: Bytes) {
        for (sum, more) in [
            (&mut self.origin, more.origin),
            (&mut self.cache_host, more.cache_host),
            (&mut self.lan_peers, more.lan_peers),
            (&mut self.group_peers, more.group_peers),
            (&mut self.local_cache, more.local_cache),
            (&mut self.wasted, more.wasted),
            (&mut self.sent, more.sent),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// The sums.
#[derive(Clone)]
pub(crate) struct Totals {
    path: PathBuf,
    since_start: Bytes,
    kept: Kept,
}

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    since_ms: u64,
    bytes: Bytes,
}

impl Totals {
    /// What was counted before. What does not read begins anew.
    pub(super) fn open(path: PathBuf, now_ms: u64) -> Totals {
        let mut text = Vec::new();
        let read = open::open_nofollow(&path)
            .ok()
            .and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut text).ok())
            .and_then(|_| serde_json::from_slice(&text).ok());
        let kept = read.unwrap_or(Kept { since_ms: now_ms, bytes: Bytes::default() });
        Totals { path, since_start: Bytes::default(), kept }
    }

    pub(super) fn add(&mut self, bytes: Bytes) {
        self.since_start += bytes;
        self.kept.bytes += bytes;
    }

    pub(super) fn since_start(&self) -> Bytes {
        self.since_start
    }

    pub(super) fn overall(&self) -> Bytes {
        self.kept.bytes
    }

    pub(super) fn since_ms(&self) -> u64 {
        self.kept.since_ms
    }

    pub(super) fn save(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.kept).expect("numbers are plain");
        durable::write_atomic_relaxed(&self.path, &text).map_err(std::io::Error::other)
    }
}
