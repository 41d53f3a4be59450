//! What may be configured, and the limits that may not.

use std::time::Duration;

/// How a store behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Most bytes of contents. Default: no limit of its own, so that the share of the disk counts.
    pub max_bytes: u64,
    /// Most bytes of contents as a share of the whole disk, in percent. Delivery Optimization's `MaxCacheSize` has the same
    /// default, 20.
    pub max_disk_percent: u8,
    /// Bytes of the disk that the store leaves to others. Below that, nothing is copied in and contents are let go.
    pub min_free_bytes: u64,
    /// Whether the store and a destination may be one file under two names where blocks cannot be shared. Without it each
    /// delivered byte is written twice on most file systems.
    pub hard_links: bool,
    /// Open the index in the background as soon as the store is opened (a daemon), or only when something asks for it (a
    /// command, which usually never does: opening costs several syncs, and sled runs `sync` for the whole machine).
    pub open_index_early: bool,
    /// How long an operation that needs the index waits for it.
    pub index_patience: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_bytes: u64::MAX,
            max_disk_percent: 20,
            min_free_bytes: 1 << 30,
            hard_links: true,
            open_index_early: false,
            index_patience: Duration::from_secs(2),
        }
    }
}

/// Contents that one round of maintenance takes in.
pub(crate) const MAX_BATCH: usize = 1024;
/// From this many contents on, one sync of the file system is cheaper than one sync for each.
pub(crate) const SYNC_TOGETHER_FROM: usize = 8;
/// Contents that may wait for the index before a command, too, should do maintenance.
pub(crate) const MAX_WAITING: usize = 64;
/// A temporary file, or a content that is not complete, is nobody's after this time.
pub(crate) const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);
/// Damaged files that are kept for a look.
pub(crate) const MAX_QUARANTINED: usize = 16;
/// Failed indexes that are kept for a look.
pub(crate) const MAX_SET_ASIDE: usize = 2;
/// Openings of the index that may end without a result (a crash in the database) before it is set aside unread.
pub(crate) const MAX_OPENING_TRIES: u32 = 3;
/// Memory for sled's own cache, in bytes.
pub(crate) const INDEX_CACHE_BYTES: usize = 16 << 20;

/// A side file of the largest content: 65,536 pieces of 32 bytes for 1 TiB, and eight times that.
pub(crate) const MAX_SIDE_FILE_LEN: u64 = 16 << 20;
/// URLs that lead to one content; the oldest give way.
pub(crate) const MAX_URLS: usize = 64;
/// Digests of one content.
pub(crate) const MAX_DIGESTS: usize = 8;
/// Bytes of a URL. A longer one is not remembered.
pub(crate) const MAX_URL_LEN: usize = 8 << 10;
/// Bytes of an ETag or a date. A longer one is not remembered.
pub(crate) const MAX_VALIDATOR_LEN: usize = 1 << 10;
/// Bytes read, hashed and written at a time: enough for wide SIMD, small enough for the second-level cache.
pub(crate) const CHUNK_LEN: usize = 256 << 10;
