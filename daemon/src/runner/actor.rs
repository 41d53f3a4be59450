//! The task that owns the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dray_engine::Checkpoint;
use dray_jobs::{Code, Failure, FileIndex, Job, JobId, JobState, Queue};
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::errand::{self, ErrandId, Work};
use super::fetcher::Fetcher;
use super::handle::Runner;
use super::message::{Answer, Ask, Message, Reply};
use super::place::Intent;
use super::restore::Restored;
use super::transfers::{FileId, Transfers};
use super::turn::{Turn, key, send};
use crate::events::{Happening, Hub};
use crate::metrics::Metrics;
use crate::records::{FileKey, Records, encode};

/// Messages taken in one turn, so that one transaction and one answer do not wait for an endless stream of others.
const MAX_PER_TURN: usize = 512;
/// How often watchers are told of progress, and the machine of bytes that moved.
const TICK: Duration = Duration::from_millis(500);
/// How long transfers have to let go of their files when the daemon stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// What the runner works with.
pub(crate) struct Parts {
    pub(crate) fetcher: Arc<dyn Fetcher>,
    pub(crate) records: Records,
    pub(crate) hub: Arc<Hub>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    /// Files that transfer at a time, all jobs together.
    pub(crate) transfers_at_once: usize,
    /// Told of every file that arrived.
    pub(crate) arrivals: Arc<Notify>,
}

/// An errand and what waits for it.
pub(super) struct Errand {
    pub(super) job: JobId,
    /// Gone once it runs.
    pub(super) work: Option<Work>,
    pub(super) files: BTreeSet<FileId>,
    pub(super) durable: bool,
    pub(super) forget: bool,
    pub(super) reply: Option<(Reply, Code)>,
}

/// The runner itself.
pub(crate) struct Actor {
    pub(super) queue: Queue,
    pub(super) transfers: Transfers,
    pub(super) errands: BTreeMap<ErrandId, Errand>,
    next_errand: ErrandId,
    /// Where transfers that are not running stand.
    pub(super) checkpoints: BTreeMap<FileId, Checkpoint>,
    /// What an earlier Complete was about to rename.
    pub(super) intents: BTreeMap<FileId, Intent>,
    /// Files that moved since watchers were last told.
    pub(super) moved: BTreeMap<JobId, BTreeSet<FileIndex>>,
    ticked: Instant,
    pub(super) turn: Turn,
    /// Things told to watchers so far.
    happenings: u64,
    pub(super) records: Records,
    pub(super) hub: Arc<Hub>,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) arrivals: Arc<Notify>,
    outbox: UnboundedSender<Message>,
    inbox: UnboundedReceiver<Message>,
    asks: mpsc::Receiver<Ask>,
}

impl Actor {
    /// The runner over what the records held.
    pub(crate) fn new(parts: Parts, restored: Restored) -> (Runner, Actor) {
        let (runner, asks) = Runner::new();
        let (outbox, inbox) = mpsc::unbounded_channel();
        let transfers =
            Transfers::new(parts.fetcher, parts.records.clone(), outbox.clone(), parts.transfers_at_once);
        let mut actor = Actor {
            queue: restored.queue,
            transfers,
            errands: BTreeMap::new(),
            next_errand: 0,
            checkpoints: restored.checkpoints,
            intents: restored.intents,
            moved: BTreeMap::new(),
            ticked: Instant::now(),
            turn: Turn::default(),
            // 0 is before everything.
            happenings: 1,
            records: parts.records,
            hub: parts.hub,
            metrics: parts.metrics,
            clock: parts.clock,
            arrivals: parts.arrivals,
            outbox,
            inbox,
            asks,
        };
        for state in JobState::ALL.into_iter().filter(|state| !state.is_final()) {
            let count = i64::try_from(actor.queue.count(state)).unwrap_or(i64::MAX);
            actor.metrics.jobs.with_label_values(&[state.name()]).set(count);
        }
        for (job, effects) in restored.effects {
            actor.perform(job, effects, None);
        }
        (runner, actor)
    }

    /// Works until `stop`; then lets go of every transfer, with all that moved on record.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        self.end_turn();
        loop {
            let timer = self.next_timer();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(message) = self.inbox.recv() => self.take(message),
                Some(ask) = self.asks.recv() => self.answer(ask),
                () = sleep_until(timer) => {}
            }
            for _ in 0..MAX_PER_TURN {
                if let Ok(message) = self.inbox.try_recv() {
                    self.take(message);
                } else if let Ok(ask) = self.asks.try_recv() {
                    self.answer(ask);
                } else {
                    break;
                }
            }
            self.tick();
            self.end_turn();
        }
        self.stop().await;
    }

    async fn stop(mut self) {
        self.asks.close();
        self.transfers.stop_all();
        let patience = Instant::now() + STOP_PATIENCE;
        while self.transfers.count() > 0 || self.errands.values().any(|errand| errand.work.is_none()) {
            match tokio::time::timeout_at(patience, self.inbox.recv()).await {
                Ok(Some(message)) => self.take_while_stopping(message),
                _ => {
                    tracing::warn!(transfers = self.transfers.count(), "transfers did not stop in time");
                    break;
                }
            }
        }
        self.write_turn();
    }

    /// What the queue has to do by itself, then everything that gathered, to the disk.
    fn end_turn(&mut self) {
        let now = self.clock.now();
        while let Some(command) = self.queue.poll(now) {
            self.perform(command.job, command.effects, None);
        }
        self.start_transfers();
        self.write_turn();
    }

    fn write_turn(&mut self) {
        let turn = std::mem::take(&mut self.turn);
        if turn.is_empty() {
            return;
        }
        let writes = turn.writes();
        let Turn { jobs, files, mut change, forgotten, replies, happenings, errands } = turn;
        let now = self.clock.now();
        for id in jobs.into_iter().filter(|id| !forgotten.contains(id)) {
            if let Some(job) = self.queue.job(id) {
                change.job(key(id), encode(&job.record(now)));
            }
        }
        for (id, index) in files.into_iter().filter(|(id, _)| !forgotten.contains(id)) {
            if let Some(Ok(record)) = self.queue.job(id).map(|job| job.file_record(index)) {
                change.file(FileKey { job: key(id), index: index.0 }, encode(&record));
            }
        }
        let (hub, outbox) = (self.hub.clone(), self.outbox.clone());
        let finish = move |outcome: Result<(), crate::records::NotDurable>| {
            let refused = outcome.err().map(|error| {
                Failure::new(Code::ERROR_WRITE_FAULT, format!("The change may not last: {error}."))
            });
            for (reply, answer) in replies {
                send(reply, refused.clone().map_or(Ok(answer), Err));
            }
            hub.publish(&happenings);
            if !errands.is_empty() {
                // Work begins even so: on a full disk it is deletions that make room.
                drop(outbox.send(Message::Durable(errands)));
            }
        };
        if writes {
            change.then(finish);
            self.records.submit(change);
        } else {
            finish(Ok(()));
        }
    }

    fn answer(&mut self, ask: Ask) {
        let now = self.clock.now();
        match ask {
            Ask::Create { caller, new, reply } => {
                let id = new.id;
                match self.queue.create(now, &caller, new) {
                    Ok(outcome) => {
                        self.metrics.jobs.with_label_values(&[JobState::Suspended.name()]).inc();
                        self.tell(id, |job| Some(Happening::created(job)));
                        self.perform(id, outcome.effects, Some((reply, outcome.code)));
                    }
                    Err(failure) => send(reply, Err(failure)),
                }
            }
            Ask::Call { caller, job, call, reply } => {
                self.read_meters();
                let modifies = matches!(call, dray_jobs::Call::Set(_) | dray_jobs::Call::AddFiles(_));
                match self.queue.call(now, &caller, job, call) {
                    Ok(outcome) => {
                        if modifies {
                            self.tell(job, |job| Some(Happening::modified(job)));
                        }
                        self.perform(job, outcome.effects, Some((reply, outcome.code)));
                    }
                    Err(failure) => send(reply, Err(failure)),
                }
            }
            Ask::Look(look) => {
                self.read_meters();
                look(self);
            }
        }
    }

    /// The jobs, for whoever looks.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The number of the last happening: what a look sees is how things are after it.
    pub(crate) fn last_happening(&self) -> u64 {
        self.happenings
    }

    /// How far the file is, as its transfer last recorded.
    pub(crate) fn checkpoint(&self, file: FileId) -> Option<Checkpoint> {
        self.transfers.latest_checkpoint(file).or_else(|| self.checkpoints.get(&file).cloned())
    }

    /// Tells watchers, once this turn is on disk.
    pub(super) fn tell(&mut self, job: JobId, make: impl FnOnce(&Job) -> Option<Happening>) {
        if self.hub.is_empty() {
            return;
        }
        if let Some(happening) = self.queue.job(job).and_then(make) {
            self.happenings += 1;
            self.turn.happenings.push(happening.numbered(self.happenings));
        }
    }

    /// Gives an answer with how the job stands now, once this turn is on disk.
    pub(super) fn reply(&mut self, id: JobId, reply: Reply, code: Code) {
        let Some(job) = self.queue.job(id) else {
            return send(reply, Err(Code::BG_E_NOT_FOUND.into()));
        };
        let count = |files: usize| u32::try_from(files).unwrap_or(u32::MAX);
        let completed = match job.state() {
            JobState::Acknowledged => job.files().iter().filter(|file| file.progress().completed).count(),
            _ => 0,
        };
        let answer = Answer {
            job: id,
            code,
            state: job.state(),
            files_total: count(job.files().len()),
            files_completed: count(completed),
        };
        self.turn.replies.push((reply, answer));
    }

    /// Keeps an errand until it may begin.
    pub(super) fn add_errand(&mut self, job: JobId, work: Work, reply: Option<(Reply, Code)>) {
        let id = self.next_errand;
        self.next_errand += 1;
        let (files, forget) = (work.files(job), work.forget);
        self.turn.errands.push(id);
        self.errands.insert(id, Errand { job, work: Some(work), files, durable: false, forget, reply });
        self.hold_files();
    }

    /// Keeps transfers off the files that errands work on.
    pub(super) fn hold_files(&mut self) {
        self.transfers.hold(self.errands.values().flat_map(|errand| &errand.files).copied().collect());
    }

    /// Begins every errand whose time has come. Those of one job run one after the other.
    pub(super) fn begin_errands(&mut self) {
        let mut earlier = BTreeSet::new();
        for (id, errand) in &mut self.errands {
            let transfers = &self.transfers;
            let busy = match errand.forget {
                true => transfers.is_any_running(errand.job),
                false => errand.files.iter().any(|file| transfers.is_running(*file)),
            };
            if !earlier.insert(errand.job) || !errand.durable || busy {
                continue;
            }
            if let Some(work) = errand.work.take() {
                let (id, job, records, outbox) = (*id, errand.job, self.records.clone(), self.outbox.clone());
                tokio::spawn(async move {
                    let done = errand::run(job, work, records).await;
                    drop(outbox.send(Message::Ran(id, done)));
                });
            }
        }
    }

    /// When to act even if nobody asks.
    fn next_timer(&self) -> Option<Instant> {
        let queue = self.queue.timeout().map(|at| self.clock.at(at));
        let tick = (self.transfers.count() > 0 || !self.moved.is_empty()).then(|| self.ticked + TICK);
        queue.into_iter().chain(tick).min()
    }

    /// Twice a second while bytes move: the machine learns how far they are, and watchers too.
    fn tick(&mut self) {
        if self.ticked.elapsed() < TICK {
            return;
        }
        self.ticked = Instant::now();
        self.read_meters();
        for (id, files) in std::mem::take(&mut self.moved) {
            self.tell(id, |job| Some(Happening::progressed(job, &files)));
        }
    }
}

async fn sleep_until(timer: Option<Instant>) {
    match timer {
        Some(timer) => tokio::time::sleep_until(timer).await,
        None => std::future::pending().await,
    }
}
