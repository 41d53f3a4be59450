//! The stories in memory: the latest of each file, found by job and by what they say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dray_jobs::{FileIndex, JobId};

use super::story::Story;

/// Files that are remembered; beyond, those go that were told of longest ago.
pub(super) const MAX_STORIES: usize = 2000;
/// How long a file is remembered.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The latest story of each file.
#[derive(Default)]
pub(super) struct Stories {
    /// In the order of telling.
    told: BTreeMap<u64, Arc<Story>>,
    places: BTreeMap<(JobId, FileIndex), u64>,
    next: u64,
}

impl Stories {
    /// Takes the place of what was told of the same file.
    pub(super) fn tell(&mut self, story: Arc<Story>) {
        let place = self.next;
        self.next += 1;
        if let Some(before) = self.places.insert((story.job, story.file), place) {
            self.told.remove(&before);
        }
        self.told.insert(place, story);
        while self.told.len() > MAX_STORIES {
            self.forget_first();
        }
    }

    /// Forgets what is too old.
    pub(super) fn forget_old(&mut self, now_ms: u64) {
        let oldest = now_ms.saturating_sub(u64::try_from(MAX_AGE.as_millis()).unwrap_or(u64::MAX));
        while self.told.first_key_value().is_some_and(|(_, story)| story.at_ms < oldest) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, story)) = self.told.pop_first() {
            self.places.remove(&(story.job, story.file));
        }
    }

    pub(super) fn of_job(&self, job: JobId) -> Vec<Arc<Story>> {
        let files = (job, FileIndex(0))..=(job, FileIndex(u32::MAX));
        self.places.range(files).filter_map(|(_, place)| self.told.get(place).cloned()).collect()
    }

    /// Newest first.
    pub(super) fn find(&self, most: usize, is_meant: impl Fn(&Story) -> bool) -> Vec<Arc<Story>> {
        self.told.values().rev().filter(|story| is_meant(story)).take(most).cloned().collect()
    }

    /// In the order of telling.
    pub(super) fn all(&self) -> Vec<Arc<Story>> {
        self.told.values().cloned().collect()
    }
}
