//! A fetcher without a network: each URL does what the test says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dray_engine::{
    BytesBySource, Checkpoint, Decision, Event, FetchError, Fetched, FileTask, GivenBy, Watch, source_of,
};
use dray_origin::Validators;
use dray_ranges::{ByteRange, RangeSet};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::runner::Fetcher;

/// What one fetch does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Brings this many bytes, after a while.
    Bring { bytes: u64, after: Duration },
    /// Brings a half, records it, and waits to be stopped.
    Half { bytes: u64 },
    /// As `Bring`, and then something else takes the place of the file.
    Spoil { bytes: u64 },
    /// Fails in a way that may pass.
    FailForNow,
    /// Fails in a way that does not.
    FailForGood,
    /// The bytes are not what they should be.
    Lie,
    /// Has a bug.
    Panic,
}

/// What was asked of the fetcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) url: String,
    pub(crate) resumed: u64,
}

/// The fetcher. A URL without an act left waits until it is stopped.
#[derive(Default)]
pub(crate) struct Script {
    acts: Mutex<BTreeMap<String, VecDeque<Act>>>,
    asked: Mutex<Vec<Asked>>,
    running: Mutex<(usize, usize)>,
}

impl Script {
    pub(crate) fn act(&self, url: &str, act: Act) {
        self.acts.lock().unwrap().entry(url.to_owned()).or_default().push_back(act);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The most fetches that ran at the same time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.running.lock().unwrap().1
    }

    async fn play(
        &self,
        task: FileTask,
        watch: &dyn Watch,
        stop: CancellationToken,
    ) -> Result<Fetched, FetchError> {
        let url = task.url.to_string();
        let resumed = task.resume.as_ref().map_or(0, |checkpoint| checkpoint.filled.len_bytes());
        self.asked.lock().unwrap().push(Asked { url: url.clone(), resumed });
        let act = self.acts.lock().unwrap().get_mut(&url).and_then(VecDeque::pop_front);
        watch.event(Event::Connecting);
        let decision = if task.use_peers { Decision::PeersOff } else { Decision::PeersDeclined };
        watch.event(Event::Decided(decision.clone()));
        match act {
            Some(Act::Bring { bytes, after }) => {
                tokio::select! {
                    () = tokio::time::sleep(after) => {}
                    () = stop.cancelled() => return Err(FetchError::Interrupted),
                }
                watch.event(known(bytes, resumed));
                std::fs::write(&task.temp, vec![b'x'; usize::try_from(bytes).unwrap()]).unwrap();
                watch.event(Event::Received { bytes: bytes - resumed, from: GivenBy::Origin });
                Ok(Fetched { decisions: vec![decision], ..fetched(bytes, resumed) })
            }
            Some(Act::Half { bytes }) => {
                watch.event(known(bytes, resumed));
                std::fs::write(&task.temp, vec![b'x'; usize::try_from(bytes / 2).unwrap()]).unwrap();
                watch.event(Event::Received {
                    bytes: (bytes / 2).saturating_sub(resumed),
                    from: GivenBy::Origin,
                });
                let filled: RangeSet = ByteRange::new(0, bytes / 2).into_iter().collect();
                if let Some(live) = &task.live {
                    live.stand(0, Some(bytes), filled.clone(), false);
                }
                let checkpoint = Checkpoint {
                    source: source_of(&task.url),
                    ranges: Vec::new(),
                    sink: 0,
                    size: Some(bytes),
                    etag: None,
                    last_modified: None,
                    published: Vec::new(),
                    crc32c: None,
                    filled,
                    unproven: Default::default(),
                    for_everyone: true,
                };
                watch.checkpoint(&checkpoint).unwrap();
                stop.cancelled().await;
                Err(FetchError::Interrupted)
            }
            Some(Act::Spoil { bytes }) => {
                watch.event(known(bytes, resumed));
                std::fs::create_dir(&task.temp).unwrap();
                watch.event(Event::Received { bytes, from: GivenBy::Origin });
                Ok(fetched(bytes, resumed))
            }
            Some(Act::FailForNow) => Err(FetchError::Unresumable { host: "127.0.0.1".into(), times: 1 }),
            Some(Act::FailForGood) => Err(FetchError::NoRanges { host: "host".to_owned() }),
            Some(Act::Lie) => Err(FetchError::Integrity(dray_engine::Mismatch {
                expected: "sha256:1".to_owned(),
                got: "sha256:2".to_owned(),
                author: "asked for".to_owned(),
                source: "host".to_owned(),
            })),
            Some(Act::Panic) => panic!("a bug in a transfer"),
            None => {
                stop.cancelled().await;
                Err(FetchError::Interrupted)
            }
        }
    }
}

fn known(size: u64, resumed: u64) -> Event {
    Event::Known {
        local_size: Some(size),
        resumed,
        file_name: None,
        validators: Validators { size: Some(size), ..Validators::default() },
        has_ranges: None,
    }
}

fn fetched(size: u64, resumed: u64) -> Fetched {
    Fetched {
        size,
        remote_size: size,
        id: None,
        digests: Vec::new(),
        bytes: BytesBySource { resumed, origin: size - resumed, ..BytesBySource::default() },
        validators: Validators {
            size: Some(size),
            last_modified: Some("Sun, 09 Sep 2001 01:46:40 GMT".to_owned()),
            ..Validators::default()
        },
        file_name: None,
        is_cached: false,
        is_synced: false,
        decisions: Vec::new(),
        gifts: Vec::new(),
    }
}

/// Counts a fetch as running for as long as it lives.
struct Place<'a>(&'a Script);

impl<'a> Place<'a> {
    fn take(script: &'a Script) -> Place<'a> {
        let mut running = script.running.lock().unwrap();
        running.0 += 1;
        running.1 = running.1.max(running.0);
        Place(script)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Ok(mut running) = self.0.running.lock() {
            running.0 -= 1;
        }
    }
}

impl Fetcher for Script {
    fn fetch(
        self: Arc<Self>,
        task: FileTask,
        watch: Arc<dyn Watch>,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<Fetched, FetchError>> {
        async move {
            let _place = Place::take(&self);
            self.play(task, &*watch, stop).await
        }
        .boxed()
    }
}
