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
    Wanted, WantedRanges, Wish,
};
use dray_ranges::{ByteRange, Layout, RangeSet};
use dray_swarm::Way;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::patience::Patience;
use crate::peers::{Crew, Decisions, Giver, Heard, MateId, Report, UseTable};
use crate::sink::Sink;
use crate::source::{End, Message, OPEN, Origin, Pump, Trouble};
use crate::{BytesBySource, Event, FetchError, GivenBy, Live, Retries, Watch, Wishes};

/// Chunks that wait for the loop: small, because the sink has a queue of its own.
const MAX_WAITING_CHUNKS: usize = 8;

/// The origin crate gives up a silent connection much earlier; this is for the case that it does not.
const LAST_RESORT_STALL: Duration = Duration::from_secs(120);

/// How long peers may give nothing while the origin does not answer either.
const SILENCE_PATIENCE: Duration = Duration::from_secs(60);

/// How long the origin is not asked for more than the beginning, while those who are connected are asked who has the file. They
/// mostly answer much sooner.
const FORMING_PATIENCE: Duration = Duration::from_millis(500);

/// Requests that the origin gets at once: one, and the next one before it ends where others wait for each piece.
const ORIGIN_REQUESTS: u16 = 1;
const ORIGIN_REQUESTS_IN_SWARM: u16 = 2;

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
    /// Who else has it or wants it.
    pub(crate) crew: Option<&'a mut Crew>,
    pub(crate) decisions: &'a mut Decisions,
}

struct Running {
    end: Arc<AtomicU64>,
    task: AbortHandle,
    from: From,
}

/// Where the bytes of a request come from.
#[derive(Clone, Copy)]
enum From {
    Origin,
    Peer(MateId, Way),
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
    /// Since when nothing came, and why, while the origin does not answer and peers are relied on.
    silence: Option<(Instant, FetchError)>,
    /// Until when the origin is left alone at most, because peers are about to say what they have.
    held_until: Option<Instant>,
    /// Whether a request ended since others were told of what is fetched.
    has_ended: bool,
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
        let began = Instant::now();
        let is_held = first.is_none() && self.known.size.is_some();
        let is_held = is_held && self.crew.as_deref().is_some_and(Crew::is_forming);
        let origin = planner.add_source(Duration::ZERO, self.origin_as_source(is_held));
        if let (Some(crew), Some(size)) = (self.crew.as_deref_mut(), self.known.size) {
            sink.share(Arc::clone(crew.offer()), crew.reports()).await?;
            crew.enlist(&mut planner, Duration::ZERO, size);
        }
        let (out, mut inbox) = mpsc::channel(MAX_WAITING_CHUNKS);
        let mut moving = Moving {
            planner,
            began,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            out,
            origin,
            first,
            patience: Patience::new(self.retries),
            first_wanted: Vec::new(),
            silence: None,
            held_until: is_held.then(|| began + FORMING_PATIENCE),
            has_ended: false,
        };
        let mut wishes = self.live.map(Live::wishes);
        let mut is_part = self.steer(&mut moving, wishes.as_mut())?;
        while !self.is_done(&mut moving, sink).await? {
            self.obey(&mut moving);
            if moving.planner.stuck() && moving.held_until.is_none() {
                return Err(moving
                    .silence
                    .take()
                    .map_or_else(|| FetchError::NoRanges { host: self.origin.host() }, |(_, error)| error));
            }
            let silent_until = moving.silence.as_ref().map(|(since, _)| *since + SILENCE_PATIENCE);
            let timeout = moving.planner.timeout().map(|at| moving.began + at);
            let message = tokio::select! {
                Some(message) = inbox.recv() => Some(message),
                heard = heard(self.crew.as_deref_mut()) => {
                    self.hear(&mut moving, heard, sink).await?;
                    continue;
                }
                () = sleep_until(moving.held_until) => {
                    self.release(&mut moving);
                    continue;
                }
                () = sleep_until(silent_until) => {
                    return Err(moving.silence.take().map_or(FetchError::Interrupted, |(_, error)| error));
                }
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
                    moving.has_ended = true;
                    let from = moving.running.remove(&request).map(|running| running.from);
                    let size_was_known = self.known.size.is_some();
                    if let Some(outcome) = self.ended(&mut moving, request, from, result, is_part)? {
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

    /// Whether all is there. With peers it is only once the sink has judged it.
    async fn is_done(&mut self, moving: &mut Moving, sink: &mut Sink) -> Result<bool, FetchError> {
        if !moving.planner.done() || self.crew.is_none() {
            return Ok(moving.planner.done());
        }
        sink.flush().await?;
        while let Some(report) = self.crew.as_deref_mut().and_then(Crew::report) {
            self.hear(moving, Heard::Report(report), sink).await?;
        }
        Ok(moving.planner.done())
    }

    /// Takes note of what happened among the peers.
    async fn hear(&mut self, moving: &mut Moving, heard: Heard, sink: &mut Sink) -> Result<(), FetchError> {
        if let (Heard::Report(Report::Dropped { dropped, .. }), Some(crew)) = (&heard, self.crew.as_deref()) {
            crew.recount(dropped, self.bytes);
        }
        let Some(crew) = self.crew.as_deref_mut() else { return Ok(()) };
        let now = moving.began.elapsed();
        let table = crew.take(heard, Some((&mut moving.planner, now)));
        let is_forming = crew.is_forming();
        if !is_forming || moving.held_until.is_none() {
            self.release(moving);
        }
        self.decided();
        match table {
            Some(UseTable { table, is_proven, author }) => sink.use_table(table, is_proven, author).await,
            None => Ok(()),
        }
    }

    /// Lets the planner ask the origin, with as many requests as suit the company.
    fn release(&self, moving: &mut Moving) {
        moving.held_until = None;
        let about = self.origin_as_source(false);
        moving.planner.update_source(moving.began.elapsed(), moving.origin, about);
    }

    fn origin_as_source(&self, is_held: bool) -> Source {
        let in_swarm = self.crew.as_ref().is_some_and(|crew| crew.has_sources());
        let max_requests = match (is_held, in_swarm) {
            (true, _) => 0,
            (false, true) => ORIGIN_REQUESTS_IN_SWARM,
            (false, false) => ORIGIN_REQUESTS,
        };
        Source { kind: SourceKind::Origin, ranges: self.ranges, has: Has::Everything, max_requests }
    }

    /// Tells what was decided about peers.
    fn decided(&mut self) {
        for decision in self.crew.as_deref_mut().map(Crew::decisions).unwrap_or_default() {
            self.decisions.decide(decision, self.watch);
        }
    }

    /// Tells the planner what is wished for now; whether that is only a part.
    fn steer(
        &mut self,
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
        if let Some(crew) = self.crew.as_deref_mut() {
            let awaited =
                wishes.first.iter().chain(&wishes.only).fold(RangeSet::new(), |all, one| all.union(one));
            crew.reserve(awaited, &mut moving.planner, now);
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
        let from = moving.running.get(&request).map(|running| running.from);
        let mut at = offset;
        let (mut kept, mut wasted) = (0, 0);
        while let (Some(rest), Some(from)) = (ByteRange::new(at, end), from) {
            let Some(keep) = moving.planner.received(moving.began.elapsed(), request, rest) else { break };
            wasted += keep.start() - at;
            kept += keep.len();
            self.watch.event(Event::Received { bytes: keep.len(), from: from.name() });
            let index = |at: u64| usize::try_from(at - offset).expect("within the chunk");
            let part = bytes.slice(index(keep.start())..index(keep.end()));
            sink.write(keep.start(), part, from.giver()).await?;
            at = keep.end();
        }
        wasted += end - at;
        self.bytes.wasted += wasted;
        match from {
            Some(From::Origin) => {
                self.bytes.origin += kept;
                if kept > 0 {
                    moving.patience.reset();
                    moving.silence = None;
                }
            }
            Some(From::Peer(mate, way)) => {
                *self.bytes.by_way(way) += kept;
                if let Some(crew) = self.crew.as_deref_mut() {
                    crew.received(mate, kept, wasted);
                }
                if let Some((since, _)) = moving.silence.as_mut().filter(|_| kept > 0) {
                    *since = Instant::now();
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Does what the planner says.
    fn obey(&mut self, moving: &mut Moving) {
        // What was fetched and is over is said too.
        let mut is_news = std::mem::take(&mut moving.has_ended);
        while let Some(command) = moving.planner.poll(moving.began.elapsed()) {
            is_news = true;
            match command {
                Command::Fetch { request, source, range } if source != moving.origin => {
                    self.ask_peer(moving, request, source, range);
                }
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
                    moving.running.insert(request, Running { end, task, from: From::Origin });
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
        if let Some(crew) = self.crew.as_deref().filter(|_| is_news) {
            crew.offer().fetching(&moving.planner.fetching(), moving.planner.have());
        }
    }

    /// Asks a peer for what the planner wants of it.
    fn ask_peer(&self, moving: &mut Moving, request: RequestId, source: SourceId, range: Wish) {
        let asked = self.crew.as_deref().and_then(|crew| crew.session(source));
        let range = range.end.and_then(|end| ByteRange::new(range.start, end));
        let (Some((mate, session, way)), Some(range)) = (asked, range) else {
            // It has gone, and the planner is about to hear of it.
            let now = moving.began.elapsed();
            return moving.planner.failed(now, request, Failure::Gone);
        };
        let end = Arc::new(AtomicU64::new(range.end()));
        let pump = Pump { request, end: Arc::clone(&end), out: moving.out.clone() };
        let task = moving.tasks.spawn(pump.ask_and_run(session, range));
        moving.running.insert(request, Running { end, task, from: From::Peer(mate, way) });
    }

    /// Takes note of a request that is over.
    fn ended(
        &mut self,
        moving: &mut Moving,
        request: RequestId,
        from: Option<From>,
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
                let pause = match moving.patience.pause_after(&error) {
                    Some(pause) => {
                        self.watch.event(Event::Retrying { error, pause });
                        pause
                    }
                    None => self.rely_on_peers(moving, error)?,
                };
                moving.planner.failed(now, request, Failure::Retry { after: pause });
            }
            Err(Trouble::Peer(error)) => {
                tracing::debug!(%error, "a peer did not give what it was asked for");
                let pause = match (from, self.crew.as_deref_mut()) {
                    (Some(From::Peer(mate, _)), Some(crew)) => {
                        crew.request_failed(mate, &mut moving.planner, now)
                    }
                    _ => Duration::ZERO,
                };
                moving.planner.failed(now, request, Failure::Retry { after: pause });
                self.decided();
            }
        }
        Ok(None)
    }

    /// Goes on without the origin while peers have all that is missing; else its error is the end. Returns how long it is left alone.
    fn rely_on_peers(&mut self, moving: &mut Moving, error: FetchError) -> Result<Duration, FetchError> {
        let crew = self.crew.as_deref_mut().filter(|crew| crew.can_give(moving.planner.missing()));
        let Some(crew) = crew else { return Err(error) };
        if moving.silence.is_none() {
            crew.do_without_origin(error.to_string(), &mut moving.planner, moving.began.elapsed());
            moving.silence = Some((Instant::now(), error));
        }
        self.decided();
        Ok(self.retries.longest_pause.max(Duration::from_secs(1)))
    }
}

impl From {
    fn giver(self) -> Giver {
        match self {
            Self::Origin => Giver::Origin,
            Self::Peer(mate, _) => Giver::Peer(mate),
        }
    }

    fn name(self) -> GivenBy {
        match self {
            Self::Origin => GivenBy::Origin,
            Self::Peer(_, Way::Lan) => GivenBy::LanPeer,
            Self::Peer(_, Way::Group) => GivenBy::GroupPeer,
        }
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

/// The next thing that happens among the peers.
async fn heard(crew: Option<&mut Crew>) -> Heard {
    match crew {
        Some(crew) => crew.heard().await,
        None => std::future::pending().await,
    }
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
