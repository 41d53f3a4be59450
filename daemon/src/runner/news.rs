//! What the runner's helpers report, turned into events of the queue.

use dray_engine::{FetchError, Fetched};
use dray_jobs::{BySource, Code, Context, Event, Failure, FileEvent, FileIndex, JobId, Learned, Renamed};

use super::actor::Actor;
use super::errand::{Done, ErrandId};
use super::message::{Message, Reply};
use super::meter::{Meter, Reading, Transfer};
use super::transfers::Ending;
use super::turn::send;
use crate::events::Happening;

impl Actor {
    pub(super) fn take(&mut self, message: Message) {
        match message {
            Message::Wake(transfer) => {
                if let Some(meter) = self.transfers.meter(transfer) {
                    self.read(transfer, meter.take());
                }
            }
            Message::Ended(transfer, ending) => self.ended(transfer, ending.map(|ending| *ending), true),
            Message::Durable(errands) => {
                for id in errands {
                    if let Some(errand) = self.errands.get_mut(&id) {
                        errand.durable = true;
                    }
                }
                self.begin_errands();
            }
            Message::Ran(id, done) => self.ran(id, done),
        }
    }

    /// The daemon stops: what transfers bring is kept, and nothing new begins.
    pub(super) fn take_while_stopping(&mut self, message: Message) {
        match message {
            Message::Ended(transfer, ending) => self.ended(transfer, ending.map(|ending| *ending), false),
            Message::Ran(id, done) => self.ran(id, done),
            Message::Wake(_) | Message::Durable(_) => {}
        }
    }

    /// Brings the queue up to date with every byte that moved.
    pub(super) fn read_meters(&mut self) {
        for (transfer, meter) in self.transfers.meters() {
            self.read(transfer, meter.take());
        }
    }

    fn read(&mut self, transfer: Transfer, reading: Reading) {
        let Reading { connected, learned, progress } = reading;
        if connected {
            self.file_event(transfer, FileEvent::Connected);
        }
        if let Some(learned) = learned {
            self.file_event(transfer, FileEvent::Learned(learned));
        }
        if let Some((transferred, sources)) = progress {
            self.moved.entry(transfer.job).or_default().insert(transfer.file);
            self.file_event(transfer, FileEvent::Progress { transferred, sources });
        }
    }

    fn file_event(&mut self, transfer: Transfer, event: FileEvent) {
        let Transfer { job, file, run } = transfer;
        let effects = self.queue.on(self.clock.now(), job, Event::File { file, run, event });
        self.perform(job, effects, None);
    }

    /// A transfer has let go of its file. `tell` says whether its failure concerns the job: while the daemon stops it does not.
    fn ended(&mut self, transfer: Transfer, ending: Option<Ending>, tell: bool) {
        let Some(meter) = self.transfers.ended(transfer) else { return };
        let file = (transfer.job, transfer.file);
        self.read(transfer, meter.take());
        match ending {
            Some(Ok(fetched)) => self.arrived(transfer, &meter, &fetched),
            Some(Err(error)) => {
                match error {
                    // Nothing of it is any good.
                    FetchError::Integrity(_) => {
                        self.checkpoints.remove(&file);
                        self.turn.change.no_checkpoint(transfer.key());
                    }
                    _ => self.checkpoints.extend(meter.checkpoint_kept().map(|kept| (file, kept))),
                }
                if tell && !matches!(error, FetchError::Interrupted) {
                    let (code, context, detail) = (error.code(), error.context(), error.to_string());
                    self.file_event(transfer, FileEvent::Failed { code, context, detail });
                }
            }
            None => {
                let detail = "The transfer ended by a mistake of the daemon; please report it.".to_owned();
                let (code, context) = (Code::E_UNEXPECTED, Context::GeneralQueueManager);
                self.file_event(transfer, FileEvent::Failed { code, context, detail });
            }
        }
        self.begin_errands();
    }

    fn arrived(&mut self, transfer: Transfer, meter: &Meter, fetched: &Fetched) {
        let file = (transfer.job, transfer.file);
        self.checkpoints.remove(&file);
        self.turn.change.no_checkpoint(transfer.key());
        self.arrivals.notify_one();
        self.metrics.files.inc();
        let bytes = fetched.bytes;
        for (source, bytes) in [("origin", bytes.origin), ("cache", bytes.cache)] {
            self.metrics.delivered_bytes.with_label_values(&[source]).inc_by(bytes);
        }
        let learned = Learned {
            size: Some(fetched.remote_size),
            etag: fetched.validators.etag.clone(),
            last_modified: fetched.validators.last_modified.clone(),
            content_id: fetched.id.map(|id| id.to_string()),
            has_ranges: None,
        };
        let fresh = BySource { origin: bytes.origin, local_cache: bytes.cache, ..BySource::default() };
        let sources = meter.before(bytes.resumed).plus(fresh);
        self.file_event(transfer, FileEvent::Learned(learned));
        // The file is told before what its arrival does to the job.
        let (file, run) = (transfer.file, transfer.run);
        let event = Event::File { file, run, event: FileEvent::Done { size: fetched.size, sources } };
        let effects = self.queue.on(self.clock.now(), transfer.job, event);
        self.tell(transfer.job, |job| {
            let arrived = job.file(file).is_ok_and(|file| file.has_arrived());
            arrived.then(|| Happening::file_transferred(job, file)).flatten()
        });
        self.moved.entry(transfer.job).or_default().insert(file);
        self.perform(transfer.job, effects, None);
    }

    fn ran(&mut self, id: ErrandId, done: Done) {
        let Some(errand) = self.errands.remove(&id) else { return };
        let job = errand.job;
        self.hold_files();
        let intents = done.intents.into_iter().map(|(file, intent)| ((job, file), intent));
        self.intents.extend(intents);
        if !done.renamed.is_empty() {
            self.renamed(job, &done.renamed, errand.reply);
            return;
        }
        if let Some((reply, code)) = errand.reply {
            let left_behind = errand.forget && done.left_behind;
            let code = if left_behind { Code::BG_S_UNABLE_TO_DELETE_FILES } else { code };
            self.reply(job, reply, code);
        }
        if errand.forget {
            self.forget(job);
        }
        self.begin_errands();
    }

    /// What Complete goes on with once the names were tried.
    fn renamed(
        &mut self,
        job: JobId,
        outcomes: &[(FileIndex, Result<(), Failure>)],
        reply: Option<(Reply, Code)>,
    ) {
        let renamed = match self.queue.renamed(self.clock.now(), job, outcomes) {
            Ok(renamed) => renamed,
            Err(failure) => Renamed { result: Err(failure), effects: Vec::new() },
        };
        match renamed.result {
            Ok(code) => self.perform(job, renamed.effects, reply.map(|(reply, _)| (reply, code))),
            Err(failure) => {
                tracing::warn!(%job, code = %failure.code, "{failure}");
                self.perform(job, renamed.effects, None);
                if let Some((reply, _)) = reply {
                    send(reply, Err(failure));
                }
            }
        }
        self.begin_errands();
    }

    /// Drops a job that has ended.
    fn forget(&mut self, job: JobId) {
        self.queue.forget(job);
        self.turn.forget(job);
        self.moved.remove(&job);
        let of_job = (job, FileIndex(0))..=(job, FileIndex(u32::MAX));
        for file in self.checkpoints.range(of_job.clone()).map(|(file, _)| *file).collect::<Vec<_>>() {
            self.checkpoints.remove(&file);
        }
        for file in self.intents.range(of_job).map(|(file, _)| *file).collect::<Vec<_>>() {
            self.intents.remove(&file);
        }
    }
}
