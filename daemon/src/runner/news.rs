//! What the runner's helpers report, turned into events of the queue.

use dray_engine::{FetchError, Fetched};
use dray_jobs::{Code, Context, Event, FileEvent, Learned};

use super::actor::Actor;
use super::message::Message;
use super::meter::{Meter, Reading, Transfer};
use super::proven::Proven;
use super::tally::by_source;
use super::transfers::Ending;
use crate::events::Happening;
use crate::records::encode;

impl Actor {
    pub(super) fn take(&mut self, message: Message) {
        match message {
            Message::Wake(transfer) => {
                if let Some(meter) = self.transfers.meter(transfer) {
                    self.read(transfer, meter.take());
                }
            }
            Message::Settling(transfer) => self.settling(transfer),
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
            Message::Waits(file, reader, bytes) => self.waits(file, reader, bytes),
            Message::Unread(file, reader) => self.unread(file, reader),
            Message::Left(subscriber) => self.delivery.unsubscribe(subscriber),
            Message::Notified(event, success) => self.notified(event, success),
        }
    }

    /// The daemon stops: what transfers bring is kept, and nothing new begins.
    pub(super) fn take_while_stopping(&mut self, message: Message) {
        match message {
            Message::Ended(transfer, ending) => self.ended(transfer, ending.map(|ending| *ending), false),
            Message::Ran(id, done) => self.ran(id, done),
            Message::Notified(event, success) => self.notified(event, success),
            Message::Wake(_)
            | Message::Settling(_)
            | Message::Durable(_)
            | Message::Waits(..)
            | Message::Unread(..)
            | Message::Left(_) => {}
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
            Some(Ending::Whole(fetched, proven)) => self.arrived(transfer, &meter, &fetched, proven),
            Some(Ending::Broken(error)) => {
                match meter.checkpoint_kept().filter(|_| !matches!(error, FetchError::Integrity(_))) {
                    Some(kept) => drop(self.checkpoints.insert(file, kept)),
                    None => self.start_over(transfer),
                }
                self.broken(transfer, &meter, &error, tell);
            }
            Some(Ending::Unsettled(error)) => {
                self.start_over(transfer);
                self.broken(transfer, &meter, &error, tell);
            }
            None => {
                let detail = "The transfer ended by a mistake of the daemon; please report it.".to_owned();
                let (code, context) = (Code::E_UNEXPECTED, Context::GeneralQueueManager);
                self.file_event(transfer, FileEvent::Failed { code, context, detail });
            }
        }
        self.unfollow(file);
        self.begin_errands();
    }

    /// Nothing of what is there is gone on from.
    fn start_over(&mut self, transfer: Transfer) {
        self.checkpoints.remove(&(transfer.job, transfer.file));
        self.turn.change.no_checkpoint(transfer.key());
    }

    fn broken(&mut self, transfer: Transfer, meter: &Meter, error: &FetchError, tell: bool) {
        self.count(meter.with_tally(|tally| tally.bytes()));
        let file = (transfer.job, transfer.file);
        match error {
            FetchError::OnlyPart if self.is_present(transfer) && tell && self.wants_more(file) => {
                self.transfers.want(file, transfer.run);
            }
            FetchError::OnlyPart if tell => self.file_event(transfer, FileEvent::RequestedDone),
            FetchError::NoRanges { .. }
                if self.is_present(transfer) && tell && self.comes_without_ranges(file) =>
            {
                self.transfers.want(file, transfer.run);
            }
            FetchError::Interrupted | FetchError::OnlyPart => {}
            _ if tell => {
                let (code, context, detail) = (error.code(), error.context(), error.to_string());
                self.file_event(transfer, FileEvent::Failed { code, context, detail });
            }
            _ => {}
        }
        meter.with_tally(|tally| self.tell_story(file, tally));
    }

    /// Whether the queue still waits for this transfer.
    fn is_present(&self, transfer: Transfer) -> bool {
        let file = self.queue.job(transfer.job).and_then(|job| job.file(transfer.file).ok());
        file.is_some_and(|file| file.is_running() && file.run() == transfer.run)
    }

    /// Whoever waits for a place gets that of a file that waits for the disk alone.
    fn settling(&mut self, transfer: Transfer) {
        if self.transfers.settling(transfer) {
            self.file_event(transfer, FileEvent::Settling);
        }
    }

    fn arrived(&mut self, transfer: Transfer, meter: &Meter, fetched: &Fetched, proven: Proven) {
        if !self.is_present(transfer) {
            // Stopped in its last moment: what is there is gone on from.
            let kept = meter.checkpoint_kept().map(|kept| ((transfer.job, transfer.file), kept));
            self.checkpoints.extend(kept);
            self.count(meter.with_tally(|tally| tally.bytes()));
            return;
        }
        self.start_over(transfer);
        self.proven.insert((transfer.job, transfer.file), proven);
        self.turn.change.proven(transfer.key(), encode(&proven));
        self.readable_now((transfer.job, transfer.file), proven, fetched.size);
        self.arrivals.notify_one();
        self.metrics.files.inc();
        let bytes = fetched.bytes;
        self.count(bytes);
        meter.with_tally(|tally| tally.settle(fetched));
        let learned = Learned {
            size: Some(fetched.remote_size),
            etag: fetched.validators.etag.clone(),
            last_modified: fetched.validators.last_modified.clone(),
            content_id: fetched.id.map(|id| id.to_string()),
            has_ranges: None,
        };
        let sources = meter.before(bytes.resumed).plus(by_source(bytes));
        self.file_event(transfer, FileEvent::Learned(learned));
        // The file is told before what its arrival does to the job.
        let (file, run) = (transfer.file, transfer.run);
        let event = Event::File { file, run, event: FileEvent::Done { size: fetched.size, sources } };
        let effects = self.queue.on(self.clock.now(), transfer.job, event);
        meter.with_tally(|tally| self.tell_story((transfer.job, file), tally));
        self.readable_whole((transfer.job, file), fetched.size);
        self.tell(transfer.job, |job| {
            let arrived = job.file(file).is_ok_and(|file| file.has_arrived());
            arrived.then(|| Happening::file_transferred(job, file)).flatten()
        });
        self.moved.entry(transfer.job).or_default().insert(file);
        self.perform(transfer.job, effects, None);
    }
}
