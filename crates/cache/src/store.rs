//! The store: opened, asked what it holds, closed by dropping it.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use dray_content::ContentId;
use dray_platform::identity_of::{self, FileStamp};
use dray_platform::{clone, open, process, space, times};

use crate::config::Config;
use crate::entry::Leases;
use crate::error::CacheError;
use crate::index::Keeper;
use crate::layout::Layout;
use crate::marker;
use crate::reconcile::side_file_time;
use crate::settle::Effort;
use crate::side_file::{self, Read, SideFile};

/// A content store. Cheap to clone; usable from any thread; dropping the last clone closes it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

/// What all clones share.
pub struct Inner {
    pub(crate) layout: Layout,
    pub(crate) config: Config,
    pub(crate) keeper: Keeper,
    pub(crate) leases: Leases,
    pub(crate) counters: Counters,
    /// The run of the machine; where the system cannot tell, the run of this process, which is part of one.
    pub(crate) boot: String,
    /// Held while a side file is read, changed and written.
    pub(crate) editing: Mutex<()>,
    /// Held for a round of maintenance.
    pub(crate) maintaining: Mutex<()>,
    disk_bytes: u64,
    cannot_reflink: AtomicBool,
}

/// One content of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its root.
    pub id: ContentId,
    /// Bytes.
    pub size: u64,
    /// When it came in, milliseconds since 1970.
    pub adopted_ms: u64,
    /// When it was last handed out, milliseconds since 1970.
    pub last_used_ms: u64,
}

/// The store in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Contents.
    pub contents: u64,
    /// Sum of their sizes.
    pub bytes: u64,
    /// What that sum may be.
    pub limit_bytes: u64,
    /// Free on the disk.
    pub free_bytes: u64,
    /// Contents that proved wrong since the store was opened.
    pub condemned: u64,
    /// Whether the index is on disk; if not it lives in memory, because the disk would not have it.
    pub index_is_lasting: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    condemned: AtomicU64,
}

impl Counters {
    pub(crate) fn condemned(&self) {
        self.condemned.fetch_add(1, Ordering::Relaxed);
    }
}

impl std::ops::Deref for Store {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.layout.root()).finish()
    }
}

impl Store {
    /// Opens the store in this directory, and makes it if there is none. Takes well under a millisecond: nothing is read, and
    /// the index is not waited for.
    pub fn open(directory: &Path, config: Config) -> Result<Store, CacheError> {
        let layout = Layout::new(directory);
        layout.create()?;
        if !identity_of::only_we_can_write_dir(directory)? {
            return Err(CacheError::NotOurs(directory.to_owned()));
        }
        let keeper = Keeper::new(layout.clone(), config.index_patience);
        if config.open_index_early {
            keeper.begin();
        }
        Ok(Store(Arc::new(Inner {
            disk_bytes: space::space(directory)?.total,
            keeper,
            layout,
            config,
            leases: Leases::default(),
            counters: Counters::default(),
            boot: process::boot_id()
                .unwrap_or_else(|| format!("process {} at {}", std::process::id(), now_ms())),
            editing: Mutex::default(),
            maintaining: Mutex::default(),
            cannot_reflink: AtomicBool::new(false),
        })))
    }

    /// Every content, after what came in has been entered. Where another process owns the index the side files are read
    /// instead, which takes longer.
    pub fn list(&self) -> Result<Vec<Listed>, CacheError> {
        let entered = self.maintain_index();
        match entered.and_then(|()| self.keeper.with(|catalogue| catalogue.all())) {
            Ok(rows) => Ok(rows
                .into_iter()
                .map(|(id, row)| {
                    let last_used_ms = side_file_time(&self.layout, &id).unwrap_or(row.last_used_ms);
                    Listed { id, size: row.size, adopted_ms: row.adopted_ms, last_used_ms }
                })
                .collect()),
            Err(CacheError::Busy(_)) => Ok(self.list_files()),
            Err(error) => Err(error),
        }
    }

    fn list_files(&self) -> Vec<Listed> {
        let listed = |id: ContentId| {
            let Read::Good(side) = side_file::read(&self.layout, &id) else { return None };
            let last_used_ms = self.last_used_ms(&id, &side);
            Some(Listed { id, size: side.table.size(), adopted_ms: side.adopted_ms, last_used_ms })
        };
        self.contents_on_disk().into_iter().filter_map(listed).collect()
    }

    fn maintain_index(&self) -> Result<(), CacheError> {
        self.compare_once(Effort::Brief)?;
        while self.take_in(Effort::Brief)?.more {}
        Ok(())
    }

    /// The store in numbers. Needs the index.
    pub fn stats(&self) -> Result<Stats, CacheError> {
        let (contents, bytes, index_is_lasting) = self
            .keeper
            .with(|catalogue| Ok((catalogue.contents(), catalogue.bytes(), catalogue.is_lasting())))?;
        Ok(Stats {
            contents,
            bytes,
            limit_bytes: self.limit_bytes(),
            free_bytes: space::space(self.layout.root())?.free,
            condemned: self.counters.condemned.load(Ordering::Relaxed),
            index_is_lasting,
        })
    }

    /// The most bytes that contents may have in sum.
    pub fn limit_bytes(&self) -> u64 {
        let share = self.disk_bytes / 100 * u64::from(self.config.max_disk_percent.min(100));
        self.config.max_bytes.min(share)
    }

    /// By how much the disk is fuller than the configuration wants.
    pub(crate) fn missing_free_bytes(&self) -> u64 {
        let free = space::space(self.layout.root()).map_or(u64::MAX, |space| space.free);
        self.config.min_free_bytes.saturating_sub(free)
    }

    pub(crate) fn check_free_space(&self, size: u64) -> Result<(), CacheError> {
        let free = space::space(self.layout.root())?.free;
        let wanted = self.config.min_free_bytes.saturating_add(size);
        if free >= wanted {
            Ok(())
        } else {
            Err(CacheError::NoSpace { path: self.layout.root().to_owned(), free, wanted })
        }
    }

    /// Notes that a content was used: its side file's modification time is the clock that eviction goes by.
    pub(crate) fn touch(&self, id: &ContentId) {
        if let Ok(side) = open::open_nofollow_writable(&self.layout.side_file(id)) {
            // A clock that is not set forward costs the content some standing, no more.
            let _ = times::set_modified(&side, SystemTime::now());
        }
    }

    pub(crate) fn last_used_ms(&self, id: &ContentId, side: &SideFile) -> u64 {
        side_file_time(&self.layout, id).unwrap_or(side.adopted_ms)
    }

    pub(crate) fn can_reflink(&self) -> bool {
        !self.cannot_reflink.load(Ordering::Relaxed)
    }

    /// Clones if the file system can; once it has said no to two of its own files it is not asked again.
    pub(crate) fn reflink(&self, from: &File, to: &File) -> io::Result<bool> {
        if !self.can_reflink() {
            return Ok(false);
        }
        let cloned = clone::reflink(from, to)?;
        if !cloned && FileStamp::of(from)?.volume == FileStamp::of(to)?.volume {
            self.cannot_reflink.store(true, Ordering::Relaxed);
        }
        Ok(cloned)
    }

    /// How many contents wait to be made durable and entered into the index, counted up to a few dozen.
    pub fn waiting(&self) -> usize {
        marker::backlog(&self.layout, crate::config::MAX_WAITING).contents
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(times::to_nanos(SystemTime::now()) / 1_000_000).unwrap_or(0)
}
