//! The loop that moves bytes of one version of a file: the planner decides, requests bring, the sink takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dray_content::{MIN_PIECE_LEN, piece_len};
use dray_origin::{Response, Validators};
use dray_planner::{
    Command, Failure, Has, OPEN_END, Planner, Ranges, RequestId, Settings, Source, SourceId, SourceKind,
    Wanted, WantedRanges,
};
use dray_ranges::{ByteRange, Layout, RangeSet};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::patience::Patience;
use crate::sink::Sink;
use crate::source::{End, Message, OPEN, Origin, Pump, Trouble};
use crate::{BytesBySource, Event, FetchError, Live, Retries, Watch, Wishes};

/// Chunks that wait for the loop: small, because the sink has a queue of its own.
const MAX_WAITING_CHUNKS: usize = 8;

/// The origin crate gives up a silent connection much earlier; this is for the case that it does not.
const LAST_RESORT_STALL: Duration = Duration::from_secs(120);

/// How the moving of one version ended.
pub(crate) enum Outcome {
    /// All wanted bytes were given to the sink; the remote file has that size.
    Complete { size: u64 },
    /// All that is wished for is there, and not the whole file.
    OnlyPart,
    /// The file at the origin is another one now.
    Changed,
    /// The connection broke, and nothing would tell whether the rest is of the same file.
    Unresumable,
}

/// Moves the missing bytes of one version of a file.
pub(crate) struct Transfer<'a> {
    pub(crate) origin: Origin,
    pub(crate) layout: &'a Layout,
    pub(crate) retries: Retries,
    pub(crate) watch: &'a dyn Watch,
    /// Who needs which bytes first.
    pub(crate) live: Option<&'a Live>,
    pub(crate) known: Validators,
    pub(crate) ranges: Ranges,
    pub(crate) bytes: &'a mut BytesBySource,
}

struct Running {
    end: Arc<AtomicU64>,
    task: AbortHandle,
}

struct Moving {
    planner: Planner,
    began: Instant,
    running: BTreeMap<RequestId, Running>,
    tasks: JoinSet<()>,
    out: mpsc::Sender<Message>,
    origin: SourceId,
    /// The answer that is already open; it serves the first request to the origin if that is what it was opened for.
    first: Option<Response>,
    patience: Patience,
    /// What others need first, the most urgent at the front.
    first_wanted: Vec<RangeSet>,
}

impl Moving {
    /// Tells the planner what is most urgent of what is missing.
    fn prefer(&mut self) {
        self.first_wanted.retain(|wanted| wanted.iter().any(|range| self.planner.missing().overlaps(&range)));
        let urgent = self.first_wanted.first().cloned().unwrap_or_default();
        self.planner.prefer(self.began.elapsed(), urgent);
    }
}

impl Transfer<'_> {
    /// Runs until all is there, the version changed, or nothing helps any more. `have` is what the sink holds already.
    ///
    /// Dropping the future stops every request; the sink keeps what it was given.
    pub(crate) async fn run(
        &mut self,
        first: Option<Response>,
        have: RangeSet,
        sink: &mut Sink,
    ) -> Result<Outcome, FetchError> {
        let ranges = match self.layout.specs() {
            None => WantedRanges::All,
            Some(_) => WantedRanges::Only(self.layout.wanted(self.known.size.unwrap_or(u64::MAX))?),
        };
        let mut planner = Planner::new(settings(), Wanted { size: self.known.size, ranges }, have);
        planner.set_alignment(self.known.size.map_or(MIN_PIECE_LEN, piece_len));
        let origin =
            Source { kind: SourceKind::Origin, ranges: self.ranges, has: Has::Everything, max_requests: 1 };
        let origin = planner.add_source(Duration::ZERO, origin);
        let (out, mut inbox) = mpsc::channel(MAX_WAITING_CHUNKS);
        let mut moving = Moving {
            planner,
            began: Instant::now(),
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            out,
            origin,
            first,
            patience: Patience::new(self.retries),
            first_wanted: Vec::new(),
        };
        let mut wishes = self.live.map(Live::wishes);
        let mut is_part = self.steer(&mut moving, wishes.as_mut())?;
        while !moving.planner.done() {
            self.obey(&mut moving);
            if moving.planner.stuck() {
                return Err(FetchError::NoRanges { host: self.origin.host() });
            }
            let timeout = moving.planner.timeout().map(|at| moving.began + at);
            let message = tokio::select! {
                Some(message) = inbox.recv() => Some(message),
                () = changed(wishes.as_mut()) => {
                    is_part = self.steer(&mut moving, wishes.as_mut())?;
                    continue;
                }
                () = sleep_until(timeout) => None,
            };
            let Some(message) = message else {
                moving.planner.handle_timeout(moving.began.elapsed());
                continue;
            };
            match message {
                Message::Chunk { request, offset, bytes } => {
                    self.take(&mut moving, request, offset, &bytes, sink).await?;
                }
                Message::Ended { request, result } => {
                    moving.running.remove(&request);
                    let size_was_known = self.known.size.is_some();
                    if let Some(outcome) = self.ended(&mut moving, request, result, is_part)? {
                        return Ok(outcome);
                    }
                    if !moving.first_wanted.is_empty() {
                        moving.prefer();
                    }
                    if is_part && !size_was_known {
                        is_part = self.steer(&mut moving, wishes.as_mut())?;
                    }
                }
            }
        }
        let whole = ByteRange::new(0, self.known.size.unwrap_or(OPEN_END));
        if is_part && whole.is_some_and(|whole| !moving.planner.have().contains_range(&whole)) {
            return Ok(Outcome::OnlyPart);
        }
        // Of packed ranges all is there even if the origin never says how long the file is.
        let end_of_wanted = || moving.planner.have().iter().next_back().map_or(0, |last| last.end());
        let size = self.known.size.unwrap_or_else(end_of_wanted);
        Ok(Outcome::Complete { size })
    }

    /// Tells the planner what is wished for now; whether that is only a part.
    fn steer(
        &self,
        moving: &mut Moving,
        wishes: Option<&mut watch::Receiver<Wishes>>,
    ) -> Result<bool, FetchError> {
        let Some(wishes) = wishes else { return Ok(false) };
        let mut wishes = wishes.borrow_and_update().clone();
        let now = moving.began.elapsed();
        let is_part = wishes.only.is_some();
        if let Some((only, beyond)) =
            wishes.only.as_mut().zip(self.known.size.and_then(|size| ByteRange::new(size, OPEN_END)))
        {
            only.remove(beyond);
        }
        if self.origin.can_recognise(&self.known) {
            moving.planner.want(now, wishes.only.map_or(WantedRanges::All, WantedRanges::Only));
            moving.first_wanted = wishes.first;
            moving.prefer();
        } else if is_part {
            return Err(FetchError::NoRandomAccess { host: self.origin.host() });
        }
        Ok(is_part)
    }

    /// Gives the sink what is wanted of a chunk.
    async fn take(
        &mut self,
        moving: &mut Moving,
        request: RequestId,
        offset: u64,
        bytes: &Bytes,
        sink: &mut Sink,
    ) -> Result<(), FetchError> {
        let end = offset + bytes.len() as u64;
        let mut at = offset;
        while let Some(rest) = ByteRange::new(at, end) {
            let Some(keep) = moving.planner.received(moving.began.elapsed(), request, rest) else { break };
            moving.patience.reset();
            self.bytes.wasted += keep.start() - at;
            self.bytes.origin += keep.len();
            self.watch.event(Event::Received { bytes: keep.len() });
            let index = |at: u64| usize::try_from(at - offset).expect("within the chunk");
            sink.write(keep.start(), bytes.slice(index(keep.start())..index(keep.end()))).await?;
            at = keep.end();
        }
        self.bytes.wasted += end - at;
        Ok(())
    }

    /// Does what the planner says.
    fn obey(&self, moving: &mut Moving) {
        while let Some(command) = moving.planner.poll(moving.began.elapsed()) {
            match command {
                Command::Fetch { request, source, range } => {
                    let end = Arc::new(AtomicU64::new(range.end.unwrap_or(OPEN)));
                    let pump = Pump { request, end: Arc::clone(&end), out: moving.out.clone() };
                    let first = moving.first.take_if(|_| source == moving.origin);
                    let fits = |first: &Response| first.start == range.start && reaches(first, range.end);
                    let task = match first.filter(fits) {
                        Some(response) => moving.tasks.spawn(pump.run(response)),
                        None => {
                            self.watch.event(Event::Connecting);
                            let whole = self.layout.specs().is_none() && range.end == self.known.size;
                            let range = (range.start, range.end.filter(|_| !whole));
                            moving.tasks.spawn(pump.open_and_run(
                                self.origin.clone(),
                                range,
                                self.known.clone(),
                            ))
                        }
                    };
                    moving.running.insert(request, Running { end, task });
                }
                Command::Shorten { request, end } => {
                    if let Some(running) = moving.running.get(&request) {
                        running.end.store(end, Ordering::Relaxed);
                    }
                }
                Command::Cancel { request, reason } => {
                    tracing::debug!(?reason, "a request is dropped");
                    if let Some(running) = moving.running.remove(&request) {
                        running.task.abort();
                    }
                }
            }
        }
    }

    /// Takes note of a request that is over.
    fn ended(
        &mut self,
        moving: &mut Moving,
        request: RequestId,
        result: Result<End, Trouble>,
        is_part: bool,
    ) -> Result<Option<Outcome>, FetchError> {
        let now = moving.began.elapsed();
        let is_cut = |end: &End| end.is_end_of_file && self.known.size.is_some_and(|size| end.at < size);
        let result = match result {
            Ok(end) if is_cut(&end) => Err(Trouble::Origin(self.origin.cut_off(end.at, self.known.size))),
            result => result,
        };
        match result {
            Ok(end) => {
                if self.known.size.is_none() && end.is_end_of_file {
                    self.known.size = Some(end.at);
                    // An answer without a size has no end that could contradict what is there.
                    let _ = moving.planner.learn_size(now, end.at);
                }
                moving.planner.finished(now, request);
            }
            Err(Trouble::Changed) => return Ok(Some(Outcome::Changed)),
            Err(Trouble::Unresumable) => return Ok(Some(Outcome::Unresumable)),
            Err(Trouble::NoRanges(_)) if is_part => {
                self.watch.event(Event::NoRanges);
                return Err(FetchError::NoRandomAccess { host: self.origin.host() });
            }
            Err(Trouble::NoRanges(error)) => {
                self.watch.event(Event::NoRanges);
                if self.layout.specs().is_some() {
                    return Err(error.map_or_else(
                        || FetchError::NoRanges { host: self.origin.host() },
                        FetchError::from,
                    ));
                }
                tracing::info!(host = %self.origin.host(), "the origin does not serve ranges; the file is fetched from its start");
                moving.planner.failed(now, request, Failure::NoRanges);
            }
            Err(Trouble::Origin(error)) => {
                let error = FetchError::from(error);
                let pause = moving.patience.pause_after(&error).ok_or_else(|| error.clone())?;
                self.watch.event(Event::Retrying { error, pause });
                moving.planner.failed(now, request, Failure::Retry { after: pause });
            }
        }
        Ok(None)
    }
}

/// The planner's numbers, where the engine's own patience and the origin's timeouts have the say.
fn settings() -> Settings {
    let shortest = Duration::from_millis(1);
    Settings {
        stall: LAST_RESORT_STALL,
        max_failures: u32::MAX,
        retry_floor: shortest,
        retry_ceiling: shortest,
        ..Settings::default()
    }
}

/// Whether an open answer goes as far as it is wanted.
fn reaches(answer: &Response, end: Option<u64>) -> bool {
    answer.range.zip(end).is_none_or(|(range, end)| end <= range.end())
}

async fn changed(wishes: Option<&mut watch::Receiver<Wishes>>) {
    let heard = match wishes {
        Some(wishes) => wishes.changed().await.is_ok(),
        None => false,
    };
    if !heard {
        std::future::pending().await
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
