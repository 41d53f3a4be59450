//! Clients that acknowledge what they are told, and notify commands: the shell around [`Delivery`].

use dray_jobs::{
    Caller, Code, Delivery, Effect, Event, EventId, JobId, Notice, SubscriberId, Telling, Verdict,
};
use dray_ranges::{ByteRange, RangeSet};
use tokio::sync::mpsc::UnboundedSender;

use super::actor::Actor;
use super::clock::wall;
use super::message::{Message, Reply};
use super::transfers::FileId;
use super::turn::send;
use crate::events::{Happening, Interest, Subscription};

/// Event numbers that one millisecond is worth: a daemon that starts later begins above all that it gave out before.
const EVENTS_PER_MS: u64 = 1 << 10;

/// Nothing told yet.
pub(super) fn first_delivery() -> Delivery {
    Delivery::new(wall().unix_ms().saturating_mul(EVENTS_PER_MS))
}

/// A subscriber is told events that it has to acknowledge, until this is dropped.
pub(crate) struct Attendance {
    subscriber: SubscriberId,
    outbox: UnboundedSender<Message>,
}

impl Drop for Attendance {
    fn drop(&mut self) {
        // A runner that is gone tells nobody anything.
        drop(self.outbox.send(Message::Left(self.subscriber)));
    }
}

impl Actor {
    /// A subscriber that acknowledges is told what is owed, from now on or, `again`, once more.
    pub(crate) fn attend(
        &mut self,
        subscription: &Subscription,
        interest: &Interest,
        again: bool,
    ) -> Option<Attendance> {
        let subscriber = subscription.id();
        self.delivery.subscribe(subscriber, interest.scope.clone(), interest.flags());
        (!again).then(|| Attendance { subscriber, outbox: self.outbox.clone() })
    }

    /// What jobs owed when the daemon stopped.
    pub(super) fn owe_all(&mut self) {
        for job in self.queue.jobs() {
            self.delivery.refresh(job.id(), Some(job));
        }
    }

    /// Something happened to a job: it may owe something else than before.
    pub(super) fn owe(&mut self, job: JobId, effects: &[Effect]) {
        let matters = |effect: &Effect| {
            !matches!(effect, Effect::Notify(Notice::JobModification) | Effect::Start { .. })
        };
        if effects.iter().any(matters) {
            self.delivery.refresh(job, self.queue.job(job));
        }
    }

    pub(super) fn modified(&mut self, job: JobId) {
        if let Some(job) = self.queue.job(job) {
            self.delivery.modified(self.clock.now().mono, job);
        }
    }

    /// Tells what there is to tell. It goes out with this turn, after what it follows from is on disk.
    pub(super) fn tell_clients(&mut self) {
        let now = self.clock.now().mono;
        while let Some(telling) = self.delivery.poll(now, &self.queue) {
            match telling {
                Telling::Event { event, to, job, notice } => {
                    self.tell(job, |job| Happening::notice(job, notice, to, Some(event)));
                }
                Telling::Modified { to, job } => {
                    self.tell(job, |job| Happening::notice(job, Notice::JobModification, to, None));
                }
                Telling::Command { event, job } => self.run_command(event, job),
            }
        }
    }

    /// FileRangesTransferred: what transfers have written since the last time.
    pub(super) fn tell_readable(&mut self) {
        for (transfer, _) in self.transfers.meters() {
            let file = (transfer.job, transfer.file);
            if self.wants_ranges(file) {
                self.readable(file, self.written(file));
            }
        }
    }

    /// A file has arrived: what was not told is told.
    pub(super) fn readable_whole(&mut self, file: FileId, size: u64) {
        if self.wants_ranges(file) {
            self.readable(file, ByteRange::new(0, size).into_iter().collect());
        }
        self.readable.remove(&file);
    }

    fn wants_ranges(&self, (id, index): FileId) -> bool {
        let job = self.queue.job(id).filter(|job| job.wants_ranges());
        let file = job.and_then(|job| job.file(index).ok());
        !self.hub.is_empty() && file.is_some_and(|file| file.layout().specs().is_none())
    }

    fn readable(&mut self, file: FileId, there: RangeSet) {
        let told = self.readable.entry(file).or_default();
        let fresh = there.difference(told);
        *told = there;
        let (id, index) = file;
        let Some(job) = self.queue.job(id).filter(|_| !fresh.is_empty()) else { return };
        let one = self.delivery.told_of_ranges(job);
        for to in std::iter::once(None).chain(one.map(Some)) {
            self.tell(id, |job| Some(Happening::ranges_transferred(job, index, &fresh, to)));
        }
    }

    pub(super) fn acknowledge(&mut self, caller: &Caller, event: EventId, rejected: bool, reply: Reply) {
        let now = self.clock.now();
        match self.delivery.answer(now.mono, caller, event, rejected, &self.queue) {
            Verdict::Delivered(job, notice) => {
                let effects = self.queue.on(now, job, Event::Delivered(notice));
                self.perform(job, effects, Some((reply, Code::S_OK)));
            }
            Verdict::Again => {
                tracing::debug!(event = event.0, "an event was rejected and will come again");
                // Nothing changes on disk, and so nothing has to be waited for; the answer has no job.
                send(reply, Err(Code::S_OK.into()));
            }
            Verdict::Unknown => send(reply, Err(Code::S_FALSE.into())),
        }
    }

    /// The command runs beside; how it ended comes as a message.
    fn run_command(&mut self, event: EventId, id: JobId) {
        let Some(job) = self.queue.job(id) else { return };
        let Some(command) = job.properties().notify_command.clone() else {
            drop(self.outbox.send(Message::Notified(event, false)));
            return;
        };
        let run = self.commands.run(id, job.owner().clone(), job.state(), command);
        let outbox = self.outbox.clone();
        tokio::spawn(async move {
            let success = run.await;
            drop(outbox.send(Message::Notified(event, success)));
        });
    }

    pub(super) fn notified(&mut self, event: EventId, success: bool) {
        let now = self.clock.now();
        if let Some((job, notice)) = self.delivery.command_ended(now.mono, event, success, &self.queue) {
            let effects = self.queue.on(now, job, Event::Delivered(notice));
            self.perform(job, effects, None);
        }
    }
}
