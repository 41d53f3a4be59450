//! Comparing the index with the files, in full: once in each run of the machine, and whenever the index is new. What a power
//! cut took from one of them, markers included, is found here.

use std::collections::BTreeSet;
use std::path::Path;

use dray_content::ContentId;
use dray_platform::identity_of::FileStamp;

use crate::error::CacheError;
use crate::index::ContentRow;
use crate::layout::{FileKind, Layout};
use crate::marker;
use crate::remove::remove;
use crate::settle::{Effort, Look};
use crate::store::Store;

impl Store {
    /// Compares if this has not been done since the machine started. A command skips it unless the index is empty, because a
    /// quota over an empty index is none.
    pub(crate) fn compare_once(&self, effort: Effort) -> Result<(), CacheError> {
        let (compared, contents) =
            self.keeper.with(|catalogue| Ok((catalogue.compared_in()?, catalogue.contents())))?;
        let compared_now = compared.as_deref() == Some(self.boot.as_bytes());
        let may_wait = effort == Effort::Brief && compared.is_some() && contents > 0;
        if compared_now || may_wait {
            return Ok(());
        }
        let on_disk = self.contents_on_disk();
        // The lock on the index is taken for one content at a time; each look may read a side file.
        let known: BTreeSet<ContentId> =
            self.keeper.with(|catalogue| Ok(catalogue.all()?.into_iter().map(|(id, _)| id).collect()))?;
        for id in on_disk.difference(&known) {
            match self.look_at(id, Effort::Brief, false) {
                Look::Settled(side) => {
                    let row = ContentRow {
                        size: side.table.size(),
                        adopted_ms: side.adopted_ms,
                        last_used_ms: self.last_used_ms(id, &side),
                    };
                    self.keeper.with(|catalogue| catalogue.put(id, &row, &side.names()))?;
                }
                Look::Nothing(_) => {}
                Look::Unsettled(_) | Look::Incomplete | Look::Later => marker::set(&self.layout, id, 0)?,
            }
        }
        let gone: Vec<ContentId> = known.difference(&on_disk).copied().collect();
        self.keeper.with(|catalogue| {
            gone.iter().try_for_each(|id| catalogue.remove(id, &[]))?;
            catalogue.set_compared_in(&self.boot)?;
            catalogue.flush()
        })
    }

    /// Every content of which there is an object or a side file. Old temporary files are removed on the way.
    pub(crate) fn contents_on_disk(&self) -> BTreeSet<ContentId> {
        let directories = std::fs::read_dir(self.layout.objects()).into_iter().flatten().flatten();
        directories.flat_map(|directory| list(&directory.path())).collect()
    }

    /// Removes temporary files that nobody can be writing any more.
    pub(crate) fn sweep(&self) {
        list(&self.layout.incoming());
    }
}

/// When the side file was written or its content last used, milliseconds since 1970.
pub(crate) fn side_file_time(layout: &Layout, id: &ContentId) -> Option<u64> {
    let stamp = FileStamp::of_path(&layout.side_file(id)).ok()?;
    u64::try_from(stamp.modified_ns / 1_000_000).ok()
}

/// The contents that files of this directory belong to. Removes temporary files that nobody can be writing any more.
fn list(directory: &Path) -> Vec<ContentId> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let kinds = entries.filter_map(|entry| {
        let kind = Layout::kind_of(entry.file_name().to_str()?);
        if kind == FileKind::Temporary
            && FileStamp::of_path(&entry.path()).is_ok_and(|stamp| marker::is_abandoned(&stamp))
        {
            remove(&entry.path());
        }
        Some(kind)
    });
    kinds
        .filter_map(|kind| match kind {
            FileKind::Object(id) | FileKind::SideFile(id) => Some(id),
            FileKind::Temporary | FileKind::Foreign => None,
        })
        .collect()
}
