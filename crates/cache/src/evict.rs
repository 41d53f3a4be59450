//! Keeping to the limits: letting contents go, without anybody waiting for it.

use dray_content::ContentId;
use dray_platform::identity_of::FileStamp;

use crate::error::CacheError;
use crate::eviction::{self, Candidate};
use crate::index::{Catalogue, ContentRow, IndexError};
use crate::marker;
use crate::reconcile::side_file_time;
use crate::remove::remove;
use crate::store::Store;

impl Store {
    /// Lets contents go until the quota holds and enough of the disk is free.
    pub(crate) fn evict(&self) -> Result<(usize, u64), CacheError> {
        let limit = self.limit_bytes();
        let total = self.keeper.with(|catalogue| Ok(catalogue.bytes()))?;
        let mut over = total.saturating_sub(limit);
        let mut missing = self.missing_free_bytes();
        if over == 0 && missing == 0 {
            return Ok((0, 0));
        }
        let (mut evicted, mut bytes) = (0, 0);
        for candidate in self.candidates()? {
            if over == 0 && missing == 0 {
                break;
            }
            let object = FileStamp::of_path(&self.layout.object(&candidate.id)).ok();
            // Removing one of two names of a file frees nothing.
            let frees = object.filter(|stamp| stamp.links == 1).map_or(0, |stamp| stamp.size);
            if self.leases.is_held(&candidate.id) || (over == 0 && frees == 0) {
                continue;
            }
            self.let_go(&candidate.id)?;
            over = over.saturating_sub(candidate.size);
            missing = missing.saturating_sub(frees);
            evicted += 1;
            bytes += candidate.size;
        }
        self.keeper.with(Catalogue::flush)?;
        if evicted > 0 {
            tracing::info!(
                contents = evicted,
                bytes,
                "contents were removed from the cache to keep its limits"
            );
        }
        Ok((evicted, bytes))
    }

    /// All contents in the order in which they should go, by their last use as the side files tell it.
    fn candidates(&self) -> Result<Vec<Candidate>, CacheError> {
        let rows = self.keeper.with(|catalogue| catalogue.all())?;
        let candidate = |(id, row): (ContentId, ContentRow)| {
            let last_used_ms = side_file_time(&self.layout, &id).unwrap_or(row.last_used_ms);
            Candidate { id, size: row.size, last_used_ms }
        };
        let mut candidates: Vec<Candidate> = rows.into_iter().map(candidate).collect();
        eviction::order(&mut candidates);
        Ok(candidates)
    }

    fn let_go(&self, id: &ContentId) -> Result<(), CacheError> {
        marker::set(&self.layout, id, 0)?;
        let names = self.remove_all(id);
        self.keeper.with(|catalogue| -> Result<(), IndexError> { catalogue.remove(id, &names) })?;
        remove(&self.layout.marker(id));
        Ok(())
    }
}
