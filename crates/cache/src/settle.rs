//! Maintenance: what came in becomes durable and known to the index, what is too much goes.
//!
//! The order is bytes, side file, index row, each on the disk before the next says so. Until the row is durable the marker
//! stands, so a crash anywhere leads back here.

use std::sync::PoisonError;

use dray_content::ContentId;
use dray_platform::identity_of::FileStamp;
use dray_platform::{FileError, durable, open};

use crate::config::{MAX_BATCH, SYNC_TOGETHER_FROM};
use crate::error::CacheError;
use crate::index::ContentRow;
use crate::marker::{self, Marker};
use crate::name::Name;
use crate::prove::{self, Proof};
use crate::remove::is_missing;
use crate::side_file::{self, Read, Settled, SideFile};
use crate::store::Store;

/// How much a round of maintenance may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// For a command: nothing is read in full. What would have to be waits for the other kind.
    Brief,
    /// For a daemon: contents in doubt are read and proven.
    Full,
}

/// What a round of maintenance did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Maintained {
    /// Contents that are durable and in the index now, and were not before.
    pub settled: usize,
    /// Contents that were gone or damaged, and are out of the index now.
    pub dropped: usize,
    /// Contents that had to give way.
    pub evicted: usize,
    /// Their bytes.
    pub evicted_bytes: u64,
    /// Another round would get further.
    pub more: bool,
}

/// What a look at a content comes to.
pub(crate) enum Look {
    /// Durable and right: it can be entered.
    Settled(Box<SideFile>),
    /// Right, but perhaps not on the disk yet.
    Unsettled(Box<SideFile>),
    /// There is nothing; names that may lead to it.
    Nothing(Vec<Name>),
    /// The bytes are there and the side file is still to come, or never will: to be looked at again, and no content until then.
    Incomplete,
    /// To be looked at again later.
    Later,
}

impl Store {
    /// Does one round: at most a thousand or so of what came in. [`CacheError::Busy`] when another process owns the index.
    pub fn maintain(&self, effort: Effort) -> Result<Maintained, CacheError> {
        let _one_at_a_time = self.maintaining.lock().unwrap_or_else(PoisonError::into_inner);
        self.compare_once(effort)?;
        let mut done = self.take_in(effort)?;
        (done.evicted, done.evicted_bytes) = self.evict()?;
        self.sweep();
        Ok(done)
    }

    /// Whether so much has come in, or so little room is left, that a command should do a round too.
    pub fn maintenance_is_due(&self) -> bool {
        let backlog = marker::backlog(&self.layout, crate::config::MAX_WAITING);
        backlog.contents >= crate::config::MAX_WAITING
            || backlog.bytes > self.limit_bytes() / 16
            || (backlog.contents > 0 && self.missing_free_bytes() > 0)
    }

    pub(crate) fn take_in(&self, effort: Effort) -> Result<Maintained, CacheError> {
        let markers = marker::all(&self.layout, MAX_BATCH);
        let mut done = Maintained { more: markers.len() == MAX_BATCH, ..Maintained::default() };
        let mut entered: Vec<(&Marker, Box<SideFile>)> = Vec::new();
        let mut unsettled: Vec<(&Marker, Box<SideFile>)> = Vec::new();
        let mut gone: Vec<(&Marker, Vec<Name>)> = Vec::new();
        let mut incomplete: Vec<ContentId> = Vec::new();
        for marker in &markers {
            match self.look_at(&marker.id, effort, marker.is_old()) {
                Look::Settled(side) => entered.push((marker, side)),
                Look::Unsettled(side) => unsettled.push((marker, side)),
                Look::Nothing(names) => gone.push((marker, names)),
                Look::Incomplete => incomplete.push(marker.id),
                Look::Later => {}
            }
        }
        done.dropped = gone.len();
        self.sync_all(&mut unsettled)?;
        done.settled = unsettled.len();
        entered.append(&mut unsettled);
        done.more &= !(entered.is_empty() && gone.is_empty());
        if entered.is_empty() && gone.is_empty() && incomplete.is_empty() {
            return Ok(done);
        }
        let used: Vec<u64> =
            entered.iter().map(|(marker, side)| self.last_used_ms(&marker.id, side)).collect();
        self.keeper.with(|catalogue| {
            for ((marker, side), last_used_ms) in entered.iter().zip(used) {
                let row = ContentRow { size: side.table.size(), adopted_ms: side.adopted_ms, last_used_ms };
                catalogue.put(&marker.id, &row, &side.names())?;
            }
            gone.iter().try_for_each(|(marker, names)| catalogue.remove(&marker.id, names))?;
            incomplete.iter().try_for_each(|id| catalogue.remove(id, &[]))?;
            catalogue.flush()
        })?;
        let gone = gone.iter().map(|(marker, _)| *marker);
        entered.iter().map(|(marker, _)| *marker).chain(gone).for_each(|marker| marker.clear(&self.layout));
        Ok(done)
    }

    /// Looks at one content on the disk. `is_old`: nobody can still be busy bringing it in.
    pub(crate) fn look_at(&self, id: &ContentId, effort: Effort, is_old: bool) -> Look {
        let object = self.layout.object(id);
        let side = match side_file::read(&self.layout, id) {
            Read::Good(side) => side,
            Read::Bad(_) => {
                self.condemn_side_file(id);
                return self.look_at_bare(id, effort);
            }
            Read::Unreadable => return Look::Later,
            Read::Missing if is_missing(&object) => return Look::Nothing(Vec::new()),
            Read::Missing if is_old => return self.look_at_bare(id, effort),
            Read::Missing => return Look::Incomplete,
        };
        if is_missing(&object) {
            return Look::Nothing(self.object_is_missing(id));
        }
        let Ok(stamp) = FileStamp::of_path(&object) else { return Look::Later };
        let untouched = stamp.unchanged_since(&side.stamp);
        match &side.settled {
            Settled::Durable if untouched => Look::Settled(side),
            Settled::SinceBoot(boot) if untouched && *boot == self.boot => Look::Unsettled(side),
            _ if effort == Effort::Brief => Look::Later,
            _ => self.look_into(id, side),
        }
    }

    /// Reads a content that is in doubt.
    fn look_into(&self, id: &ContentId, mut side: Box<SideFile>) -> Look {
        let Ok(file) = open::open_nofollow(&self.layout.object(id)) else { return Look::Later };
        let Ok(before) = FileStamp::of(&file) else { return Look::Later };
        match prove::prove_only(&file, &side.table, &|_| ()) {
            Ok(Proof::Right) => {
                side.stamp = before;
                Look::Unsettled(side)
            }
            Ok(Proof::Wrong) => Look::Nothing(self.condemn_object(id, &file)),
            Err(_) => Look::Later,
        }
    }

    /// An object without a side file.
    fn look_at_bare(&self, id: &ContentId, effort: Effort) -> Look {
        if effort == Effort::Brief {
            return Look::Later;
        }
        match self.salvage(id) {
            Some(side) => Look::Unsettled(Box::new(side)),
            None => {
                crate::remove::remove(&self.layout.object(id));
                Look::Nothing(Vec::new())
            }
        }
    }

    /// Brings bytes to the disk, then the side files that say so; with one sync of the file system for many, or one each for
    /// a few. What changed or vanished meanwhile is left to the next round.
    fn sync_all(&self, contents: &mut Vec<(&Marker, Box<SideFile>)>) -> Result<(), CacheError> {
        if contents.is_empty() {
            return Ok(());
        }
        let together = contents.len() >= SYNC_TOGETHER_FROM && durable::SYNCS_WHOLE_FILESYSTEM;
        if together {
            self.sync_filesystem()?;
        }
        contents.retain(|(marker, side)| self.settle_one(&marker.id, &side.stamp, together).unwrap_or(false));
        if together {
            self.sync_filesystem()?;
        } else {
            durable::sync_dir(&self.layout.objects())?;
        }
        Ok(())
    }

    fn settle_one(
        &self,
        id: &ContentId,
        proven: &FileStamp,
        bytes_are_synced: bool,
    ) -> Result<bool, FileError> {
        let path = self.layout.object(id);
        let object = open::open_nofollow(&path)?;
        if !bytes_are_synced {
            durable::sync_data(&object).map_err(|error| FileError::new("sync", &path, error))?;
        }
        let stamp = FileStamp::of(&object).map_err(|error| FileError::new("look at", &path, error))?;
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        // Read again: names may have been added since.
        let Read::Good(mut side) = side_file::read(&self.layout, id) else { return Ok(false) };
        if !stamp.unchanged_since(proven) {
            return Ok(false);
        }
        side.stamp = stamp;
        side.settled = Settled::Durable;
        if bytes_are_synced {
            side.write_relaxed(&self.layout)?
        } else {
            side.write_durable(&self.layout)?
        }
        Ok(true)
    }

    fn sync_filesystem(&self) -> Result<(), CacheError> {
        let path = self.layout.incoming().join(open::temp_name());
        let file = open::create_new_private(&path)?;
        let synced = durable::sync_filesystem(&file);
        crate::remove::remove(&path);
        Ok(synced.map_err(|error| FileError::new("sync the file system of", &path, error))?)
    }
}
