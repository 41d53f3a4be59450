//! What is remembered of files: where each came from and why, and how many bytes came from where over time.
//!
//! It answers `dray explain` and `dray status`, also after a restart and for a while after a job has ended. Nothing depends on it: it
//! is written lazily, a crash costs the last seconds of it, and what does not read is left behind. Job records, which cannot be
//! rebuilt, are elsewhere (`records/`).
//!
//! [`Story`] is one file's, [`stories`] keeps them and [`journal`] writes them down, [`totals`] are the sums.

mod journal;
mod stories;
mod story;
mod totals;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dray_jobs::JobId;
use tokio_util::sync::CancellationToken;

pub(crate) use story::{Account, MAX_ACCOUNTS, MAX_TOLD, Source, Story, Told};
pub(crate) use totals::{Bytes, Totals};

use journal::Journal;
use stories::Stories;

/// How often what is new is written down.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Names of the files in the state directory.
const STORIES: &str = "history.jsonl";
const TOTALS: &str = "totals.json";

/// All that is remembered. Cheap to clone.
#[derive(Clone)]
pub(crate) struct History(Arc<Mutex<Memory>>);

struct Memory {
    stories: Stories,
    /// What the journal does not have yet.
    unwritten: Vec<Arc<Story>>,
    totals: Totals,
    are_totals_new: bool,
    journal: Journal,
}

impl History {
    /// What the state directory remembers. `now` is in milliseconds since 1970.
    pub(crate) fn open(state_dir: &Path, now_ms: u64) -> History {
        let mut stories = Stories::default();
        let journal = Journal::open(state_dir.join(STORIES), |story| stories.tell(Arc::new(story)));
        stories.forget_old(now_ms);
        let totals = Totals::open(state_dir.join(TOTALS), now_ms);
        let memory = Memory { stories, unwritten: Vec::new(), totals, are_totals_new: false, journal };
        History(Arc::new(Mutex::new(memory)))
    }

    /// Remembers how a file stands, in place of what was remembered of it before.
    pub(crate) fn tell(&self, story: Story) {
        let mut memory = self.lock();
        let story = Arc::new(story);
        memory.stories.tell(story.clone());
        memory.unwritten.push(story);
        if memory.unwritten.len() > stories::MAX_STORIES {
            // Those that were told first are known in memory alone, until they are told again.
            memory.unwritten.remove(0);
        }
    }

    /// Bytes moved.
    pub(crate) fn count(&self, bytes: Bytes) {
        let mut memory = self.lock();
        memory.totals.add(bytes);
        memory.are_totals_new = true;
    }

    /// The files of a job, in order.
    pub(crate) fn of_job(&self, job: JobId) -> Vec<Arc<Story>> {
        self.lock().stories.of_job(job)
    }

    /// Every file that `is_meant`, the newest first, at most so many.
    pub(crate) fn find(&self, most: usize, is_meant: impl Fn(&Story) -> bool) -> Vec<Arc<Story>> {
        self.lock().stories.find(most, is_meant)
    }

    /// Bytes since the start of this process, and overall with when that began, in milliseconds since 1970.
    pub(crate) fn totals(&self) -> (Bytes, Bytes, u64) {
        let memory = self.lock();
        (memory.totals.since_start(), memory.totals.overall(), memory.totals.since_ms())
    }

    /// Writes down what is new.
    pub(crate) fn write(&self, now_ms: u64) {
        let (journal, mut stories, totals) = {
            let mut memory = self.lock();
            memory.stories.forget_old(now_ms);
            let stories = std::mem::take(&mut memory.unwritten);
            let all = memory.journal.is_due(stories.len()).then(|| memory.stories.all());
            let totals = std::mem::take(&mut memory.are_totals_new).then(|| memory.totals.clone());
            memory.journal.note(stories.len(), all.as_ref().map(Vec::len));
            (memory.journal.clone(), all.map_or(Part::New(stories), Part::All), totals)
        };
        let written = match &mut stories {
            Part::New(stories) => journal.append(stories),
            Part::All(stories) => journal.replace(stories),
        };
        let written = written.and_then(|()| totals.map_or(Ok(()), |totals| totals.save()));
        if let Err(error) = written {
            // It is for people to read; the downloads go on.
            tracing::debug!(%error, "the history was not written");
        }
    }

    /// Writes down what is new for as long as the daemon runs, and a last time at its end.
    pub(crate) async fn keep(
        self,
        stop: CancellationToken,
        now_ms: impl Fn() -> u64 + Send + Copy + 'static,
    ) {
        loop {
            let stopped = tokio::time::timeout(WRITE_EVERY, stop.cancelled()).await.is_ok();
            let history = self.clone();
            let writing = tokio::task::spawn_blocking(move || history.write(now_ms()));
            if writing.await.is_err() || stopped {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        // Every statement under this lock leaves whole things behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Part {
    New(Vec<Arc<Story>>),
    All(Vec<Arc<Story>>),
}

#[cfg(test)]
mod tests;
