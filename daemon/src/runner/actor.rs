//! The task that owns the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dray_engine::Checkpoint;
use dray_jobs::{Delivery, FileIndex, JobId, JobState, Queue};
use dray_ranges::RangeSet;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clients::first_delivery;
use super::clock::Clock;
use super::errand::ErrandId;
use super::errands::Errand;
use super::fetcher::Fetcher;
use super::handle::Runner;
use super::message::{Ask, Message};
use super::proven::Proven;
use super::readers::{Followed, ReaderId};
use super::restore::Restored;
use super::transfers::{FileId, Transfers};
use super::turn::{Turn, send};
use crate::events::{Happening, Hub};
use crate::history::{History, Told};
use crate::metrics::Metrics;
use crate::notify::Commands;
use crate::records::Records;

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
    /// Runs notify commands.
    pub(crate) commands: Commands,
    /// Told where each file came from.
    pub(crate) history: History,
    /// Why there are no peers, when there are none.
    pub(crate) peers_off: Option<Told>,
}

/// The runner itself.
pub(crate) struct Actor {
    pub(super) queue: Queue,
    pub(super) transfers: Transfers,
    pub(super) errands: BTreeMap<ErrandId, Errand>,
    pub(super) next_errand: ErrandId,
    /// Where transfers that are not running stand.
    pub(super) checkpoints: BTreeMap<FileId, Checkpoint>,
    /// What files that have arrived are known by.
    pub(super) proven: BTreeMap<FileId, Proven>,
    /// Files that moved since watchers were last told.
    pub(super) moved: BTreeMap<JobId, BTreeSet<FileIndex>>,
    ticked: Instant,
    pub(super) turn: Turn,
    /// Things told to watchers so far.
    pub(super) happenings: u64,
    pub(super) records: Records,
    pub(super) hub: Arc<Hub>,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) arrivals: Arc<Notify>,
    /// What clients that acknowledge are told.
    pub(super) delivery: Delivery,
    pub(super) commands: Commands,
    pub(super) history: History,
    pub(super) peers_off: Option<Told>,
    /// The bytes that are told to be readable, of files under way whose job wants it told.
    pub(super) readable: BTreeMap<FileId, RangeSet>,
    /// Files that are fetched or read, and what is needed of them.
    pub(super) followed: BTreeMap<FileId, Followed>,
    pub(super) next_reader: ReaderId,
    pub(super) outbox: UnboundedSender<Message>,
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
            proven: restored.proven,
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
            delivery: first_delivery(),
            commands: parts.commands,
            history: parts.history,
            peers_off: parts.peers_off,
            readable: BTreeMap::new(),
            followed: BTreeMap::new(),
            next_reader: 0,
            outbox,
            inbox,
            asks,
        };
        for state in JobState::ALL.into_iter().filter(|state| !state.is_final()) {
            let count = i64::try_from(actor.queue.count(state)).unwrap_or(i64::MAX);
            actor.metrics.jobs.with_label_values(&[state.name()]).set(count);
        }
        actor.owe_all();
        for (job, effects) in restored.effects {
            actor.perform(job, effects, None);
        }
        (runner, actor)
    }

    /// Works until `stop`; then lets go of every transfer, with all that moved on record.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        self.go_on();
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
            self.go_on();
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

    /// What the queue has to do by itself.
    fn go_on(&mut self) {
        let now = self.clock.now();
        while let Some(command) = self.queue.poll(now) {
            self.perform(command.job, command.effects, None);
        }
        self.start_transfers();
        self.tell_clients();
        self.end_turn();
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
                let modifies = call.modifies();
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
            Ask::Acknowledge { caller, event, rejected, reply } => {
                self.acknowledge(&caller, event, rejected, reply);
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

    /// When to act even if nobody asks.
    fn next_timer(&self) -> Option<Instant> {
        let queue = self.queue.timeout().map(|at| self.clock.at(at));
        let tick = (self.transfers.count() > 0 || !self.moved.is_empty()).then(|| self.ticked + TICK);
        let clients = self.delivery.timeout().map(|at| self.clock.at(at));
        queue.into_iter().chain(tick).chain(clients).chain(self.turn.due()).min()
    }

    /// Twice a second while bytes move: the machine learns how far they are, and watchers too.
    fn tick(&mut self) {
        if self.ticked.elapsed() < TICK {
            return;
        }
        self.ticked = Instant::now();
        self.read_meters();
        self.tell_readable();
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
