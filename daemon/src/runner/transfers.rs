//! Which files move bytes now, which wait for a place, and which wait for their last transfer to let go.
//!
//! A file has at most one transfer, one piece of disk work or neither. Whatever is asked of it meanwhile waits here,
//! so that no two hands are ever on one temporary file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use dray_engine::{FetchError, Fetched, FileTask};
use dray_jobs::{BySource, FileIndex, JobId, RunId};
use futures_util::FutureExt;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::fetcher::Fetcher;
use super::message::Message;
use super::meter::{Meter, Transfer};
use super::proven::Proven;
use super::settling::{Finished, Settler};
use crate::records::Records;

/// Files that wait for the disk, all jobs together; at this many the network waits for it too.
const MOST_SETTLING: usize = 1024;

/// A file of a job.
pub(crate) type FileId = (JobId, FileIndex);

struct Running {
    transfer: Transfer,
    meter: Arc<Meter>,
    stop: CancellationToken,
    /// Only waits for the disk, and needs no place.
    is_settling: bool,
}

/// The transfers of all jobs.
pub(crate) struct Transfers {
    fetcher: Arc<dyn Fetcher>,
    records: Records,
    outbox: UnboundedSender<Message>,
    /// Transfers at a time.
    most: usize,
    running: BTreeMap<FileId, Running>,
    /// To be started, in this order, when there is a place and the file is free.
    waiting: VecDeque<(FileId, RunId)>,
    /// Files that disk work is done on.
    held: BTreeSet<FileId>,
    settler: Arc<Settler>,
}

/// What a transfer ended with.
#[allow(clippy::large_enum_variant, reason = "it travels in a box")]
pub(crate) enum Ending {
    /// The file is proven, and on the disk as this.
    Whole(Fetched, Proven),
    /// What is there can be gone on from.
    Broken(FetchError),
    /// The bytes came, and did not get to the disk or did not stay there. Nothing of them counts.
    Unsettled(FetchError),
}

impl Transfers {
    pub(crate) fn new(
        fetcher: Arc<dyn Fetcher>,
        records: Records,
        outbox: UnboundedSender<Message>,
        most: usize,
    ) -> Transfers {
        Transfers {
            fetcher,
            records,
            outbox,
            most,
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            held: BTreeSet::new(),
            settler: Arc::default(),
        }
    }

    /// Asks for a start; [`Transfers::next_start`] gives it back when it may happen.
    pub(crate) fn want(&mut self, file: FileId, run: RunId) {
        self.forget_start(file);
        self.waiting.push_back((file, run));
    }

    /// The next start that may happen now.
    pub(crate) fn next_start(&mut self) -> Option<(FileId, RunId)> {
        let moving = self.running.values().filter(|running| !running.is_settling).count();
        if moving >= self.most || self.running.len() - moving >= MOST_SETTLING {
            return None;
        }
        let free = |file: &FileId| !self.running.contains_key(file) && !self.held.contains(file);
        let place = self.waiting.iter().position(|(file, _)| free(file))?;
        self.waiting.remove(place)
    }

    /// Starts a transfer that goes on from `before`.
    pub(crate) fn launch(&mut self, transfer: Transfer, before: (u64, BySource), task: FileTask) {
        let stop = CancellationToken::new();
        let wake = {
            let outbox = self.outbox.clone();
            move |transfer| drop(outbox.send(Message::Wake(transfer)))
        };
        let meter = Meter::new(transfer, before, task.resume.clone(), self.records.clone(), wake);
        let span = tracing::info_span!("file", job = %transfer.job, file = transfer.file.0);
        let temp = task.temp.clone();
        let fetch = self.fetcher.clone().fetch(task, meter.clone(), stop.clone());
        let (settler, outbox) = (self.settler.clone(), self.outbox.clone());
        let to_runner = outbox.clone();
        let ending = async move {
            let fetched = match fetch.await {
                Ok(fetched) => fetched,
                Err(error) => return Ending::Broken(error),
            };
            drop(to_runner.send(Message::Settling(transfer)));
            let finished = Finished { path: temp, size: fetched.size, is_synced: fetched.is_synced };
            match settler.settle(finished).await {
                Ok(proven) => Ending::Whole(fetched, proven),
                Err(error) => Ending::Unsettled(error),
            }
        };
        tokio::spawn(
            async move {
                // A bug in one transfer is the end of that transfer, not of the daemon.
                let ending = AssertUnwindSafe(ending).catch_unwind().await;
                drop(outbox.send(Message::Ended(transfer, ending.ok().map(Box::new))));
            }
            .instrument(span),
        );
        self.running
            .insert((transfer.job, transfer.file), Running { transfer, meter, stop, is_settling: false });
    }

    /// The bytes of a transfer have come; whether it is one that runs.
    pub(crate) fn settling(&mut self, transfer: Transfer) -> bool {
        let running = self.running.get_mut(&(transfer.job, transfer.file));
        let running = running.filter(|running| running.transfer == transfer);
        running.map(|running| running.is_settling = true).is_some()
    }

    /// Stops a transfer, or its start. Whether the file is still in its hands.
    pub(crate) fn stop(&mut self, file: FileId) -> bool {
        self.forget_start(file);
        match self.running.get(&file) {
            Some(running) => {
                running.stop.cancel();
                true
            }
            None => false,
        }
    }

    /// Stops everything.
    pub(crate) fn stop_all(&mut self) {
        self.waiting.clear();
        for running in self.running.values() {
            running.stop.cancel();
        }
    }

    /// The transfer has let go of its file.
    pub(crate) fn ended(&mut self, transfer: Transfer) -> Option<Arc<Meter>> {
        let file = (transfer.job, transfer.file);
        let running = self.running.get(&file).filter(|running| running.transfer == transfer)?;
        let meter = running.meter.clone();
        self.running.remove(&file);
        Some(meter)
    }

    /// Whether a transfer has its hands on any file of the job.
    pub(crate) fn is_any_running(&self, job: JobId) -> bool {
        let files = (job, FileIndex(0))..=(job, FileIndex(u32::MAX));
        self.running.range(files).next().is_some()
    }

    /// Whether a transfer has its hands on the file.
    pub(crate) fn is_running(&self, file: FileId) -> bool {
        self.running.contains_key(&file)
    }

    /// How many transfers move bytes.
    pub(crate) fn count(&self) -> usize {
        self.running.len()
    }

    /// Disk work is to be done on these files and no others; no transfer of them starts meanwhile.
    pub(crate) fn hold(&mut self, files: BTreeSet<FileId>) {
        self.held = files;
    }

    /// The meter of a transfer, if it still runs.
    pub(crate) fn meter(&self, transfer: Transfer) -> Option<Arc<Meter>> {
        let running = self.running.get(&(transfer.job, transfer.file))?;
        (running.transfer == transfer).then(|| running.meter.clone())
    }

    /// Every transfer with its meter.
    pub(crate) fn meters(&self) -> Vec<(Transfer, Arc<Meter>)> {
        self.running.values().map(|running| (running.transfer, running.meter.clone())).collect()
    }

    fn forget_start(&mut self, file: FileId) {
        self.waiting.retain(|(waiting, _)| *waiting != file);
    }
}
