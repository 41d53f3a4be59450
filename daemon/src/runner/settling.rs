//! Brings finished files to the disk, many at once, and takes the stamp that each is known by from then on.
//!
//! This happens before the queue hears that a file has arrived, so a file that does not get to the disk is the failure
//! of that file and of nothing else. No sync is tried twice: after an error the system takes the bytes for written,
//! and a second sync would say so. Such a file is fetched again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dray_engine::FetchError;
use dray_platform::identity_of::FileStamp;
use dray_platform::{FileError, durable, open};
use tokio::sync::oneshot;

use super::proven::Proven;

/// From this many files on, one sync of the whole file system is cheaper than one for each.
const TOGETHER_FROM: usize = 8;
/// Files that are synced together, and open meanwhile.
const MOST_TOGETHER: usize = 256;
/// As long as files keep coming within this time of each other they are waited for, so many times at most: a sync costs about the same
/// for one small file as for a hundred.
const GATHER_FOR: Duration = Duration::from_millis(5);
const GATHER_TIMES: u32 = 8;

/// A file whose bytes have all come and been proven.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) is_synced: bool,
}

type Outcome = Result<Proven, FetchError>;

struct Request {
    file: Finished,
    answer: oneshot::Sender<Outcome>,
}

/// Settles files; one batch at a time, and what comes meanwhile is the next one.
#[derive(Default)]
pub(crate) struct Settler {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    requests: Vec<Request>,
    is_working: bool,
}

impl Settler {
    /// Waits until the file is on the disk; what it is known by then.
    pub(crate) async fn settle(self: Arc<Self>, file: Finished) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        let begins = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.requests.push(Request { file, answer });
            !std::mem::replace(&mut waiting.is_working, true)
        };
        if begins {
            tokio::task::spawn_blocking(move || {
                self.gather();
                while self.settle_next() {
                    self.gather();
                }
            });
        }
        outcome.await.unwrap_or(Err(FetchError::Interrupted))
    }

    /// Waits while more files keep coming.
    fn gather(&self) {
        let count = || self.waiting.lock().unwrap_or_else(PoisonError::into_inner).requests.len();
        let mut seen = count();
        for _ in 0..GATHER_TIMES {
            if seen == 0 || seen >= MOST_TOGETHER {
                return;
            }
            std::thread::sleep(GATHER_FOR);
            let now = count();
            if now == seen {
                return;
            }
            seen = now;
        }
    }

    /// Settles what waits; false when nothing did.
    fn settle_next(&self) -> bool {
        let batch: Vec<Request> = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.is_working = !waiting.requests.is_empty();
            let most = waiting.requests.len().min(MOST_TOGETHER);
            waiting.requests.drain(..most).collect()
        };
        let (files, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|request| (request.file, request.answer)).unzip();
        let outcomes = settle_all(&files);
        let is_any = !answers.is_empty();
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever does not wait any more has no use for it.
            drop(answer.send(outcome));
        }
        is_any
    }
}

/// What became of each of these files.
fn settle_all(files: &[Finished]) -> Vec<Outcome> {
    let mut opened: Vec<Result<(File, FileStamp), FetchError>> = files.iter().map(open_finished).collect();
    let mut volumes: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (place, file) in opened.iter().enumerate() {
        if let Ok((_, stamp)) = file
            && !files[place].is_synced
        {
            volumes.entry(stamp.volume).or_default().push(place);
        }
    }
    for places in volumes.into_values() {
        let is_together = durable::SYNCS_WHOLE_FILESYSTEM && places.len() >= TOGETHER_FROM;
        // All of them are open by now, so an error of the whole is seen again at each file that it concerns.
        let is_done = is_together
            && places.first().and_then(|place| opened[*place].as_ref().ok()).is_some_and(|(file, _)| {
                durable::sync_filesystem(file)
                    .inspect_err(|error| tracing::warn!(%error, "syncing each file by itself"))
                    .is_ok()
            });
        for place in places {
            let Ok((file, _)) = &opened[place] else { continue };
            // Another sync of the file system may have been told of the error; each file still knows its own.
            let outcome = if is_done { durable::check_written(file) } else { durable::sync_data(file) };
            if let Err(error) = outcome {
                opened[place] = Err(local("sync", &files[place].path, error));
            }
        }
    }
    opened.into_iter().map(|file| file.map(|(_, stamp)| Proven::of(stamp))).collect()
}

fn open_finished(finished: &Finished) -> Result<(File, FileStamp), FetchError> {
    let path = &finished.path;
    let file = open::open_nofollow_writable(path).map_err(|error| of_file(path, &error))?;
    let stamp = FileStamp::of(&file).map_err(|error| local("look at", path, error))?;
    if stamp.size != finished.size {
        let change = format!("it had {} bytes and has {} now", finished.size, stamp.size);
        return Err(local("keep", path, Error::other(change)));
    }
    Ok((file, stamp))
}

fn of_file(path: &Path, error: &FileError) -> FetchError {
    let reason = match error.io().raw_os_error() {
        Some(code) => Error::from_raw_os_error(code),
        None => Error::new(error.kind(), error.io().to_string()),
    };
    local("open", path, reason)
}

fn local(act: &'static str, path: &Path, error: Error) -> FetchError {
    FetchError::Local { act, path: path.to_owned(), error: Arc::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(path: PathBuf) -> Finished {
        Finished { path, size: 1, is_synced: false }
    }

    fn files(folder: &Path, count: usize) -> Vec<Finished> {
        let paths = (0..count).map(|number| folder.join(number.to_string()));
        paths.inspect(|path| std::fs::write(path, b"x").unwrap()).map(finished).collect()
    }

    #[test]
    fn a_file_that_cannot_be_opened_or_has_changed_fails_alone_among_few_and_many() {
        let folder = tempfile::tempdir().unwrap();
        for count in [1, TOGETHER_FROM - 1, TOGETHER_FROM, 3 * TOGETHER_FROM] {
            let mut files = files(folder.path(), count);
            files.push(finished(folder.path().join("gone")));
            files.push(finished(folder.path().to_owned()));
            files.push(Finished { size: 2, ..files[0].clone() });
            let outcomes = settle_all(&files);
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), count, "{outcomes:?}");
            assert!(outcomes[..count].iter().all(Result::is_ok));
        }
    }

    #[tokio::test]
    async fn what_comes_while_a_batch_is_under_way_is_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let settler = Arc::new(Settler::default());
        let all = files(folder.path(), 3 * MOST_TOGETHER);
        let tasks: Vec<_> = all.into_iter().map(|file| tokio::spawn(settler.clone().settle(file))).collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let late = finished(folder.path().join("0"));
        let proven = settler.settle(late.clone()).await.unwrap();
        assert!(proven.is(&FileStamp::of_path(&late.path).unwrap()));
    }
}
