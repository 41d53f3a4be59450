//! A content whose side file is lost still carries its name: the root. If its bytes say the same, a new side file is made.

use std::sync::PoisonError;

use dray_content::{ContentId, TableBuilder};
use dray_platform::identity_of::FileStamp;
use dray_platform::{open, positioned};

use crate::config::CHUNK_LEN;
use crate::side_file::{Audience, Settled, SideFile};
use crate::store::{Store, now_ms};

impl Store {
    /// Reads the object and makes a side file if its root is right. The names that led to it are lost, and so is the knowledge
    /// for whom it was: it is nobody's but the store's until it is adopted anew.
    pub(crate) fn salvage(&self, id: &ContentId) -> Option<SideFile> {
        let file = open::open_nofollow(&self.layout.object(id)).ok()?;
        let stamp = FileStamp::of(&file).ok()?;
        let mut builder = TableBuilder::new(Some(stamp.size));
        let mut buffer = vec![0; CHUNK_LEN];
        let mut at = 0;
        while at < stamp.size {
            let read = positioned::read_at(&file, &mut buffer, at).ok().filter(|read| *read > 0)?;
            builder.feed(at, &buffer[..read]);
            at += read as u64;
        }
        let table = builder.finish(stamp.size)?;
        if table.root() != *id {
            return None;
        }
        let side = SideFile {
            table,
            digests: Vec::new(),
            urls: Vec::new(),
            audience: Audience::Only(String::new()),
            stamp,
            adopted_ms: now_ms(),
            settled: Settled::SinceBoot(self.boot.clone()),
        };
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        side.write_relaxed(&self.layout).ok()?;
        tracing::info!(%id, "a cached content without a side file was read and is right; it is kept");
        Some(side)
    }
}
