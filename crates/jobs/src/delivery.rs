//! Who is told what, and when again (reference 9): the rules of callbacks, for clients that acknowledge.
//!
//! What is owed is written in the jobs themselves ([`Job::undelivered`]), so it outlives the daemon; this machine
//! holds what is under way and no more. Each job has one notice under way at a time, in order. It goes to the newest
//! subscriber that covers the job and takes its kind, as with SetNotifyInterface; when there is none, or it failed,
//! the job's command line is run. An event that comes again has the number it had before.

mod modified;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::modified::Modified;
use crate::{Caller, Job, JobId, Notice, NotifyFlags, Owner, Queue};

/// Callbacks of one owner that wait for their acknowledgement (reference 9.4).
pub const MAX_UNACKNOWLEDGED: usize = 4;
/// Notify commands that run at once, of everyone.
pub const MAX_COMMANDS: usize = 4;
/// How long after a refusal an event comes again.
pub const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A subscriber that has not answered for this long has failed, so that it cannot hold a job's event for ever.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5 * 60);

/// A subscriber. Later ones have greater numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriberId(pub u64);

/// The number of an event, as the client gives it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId(pub u64);

/// The jobs that a subscriber wants to hear of.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Who subscribes.
    pub caller: Caller,
    /// Only these jobs; `None`: all that the caller owns, and with `all_users` everyone's.
    pub jobs: Option<BTreeSet<JobId>>,
    /// Everyone's, for an administrator.
    pub all_users: bool,
}

impl Scope {
    /// Whether a job belongs to it.
    #[must_use]
    pub fn covers(&self, job: JobId, owner: &Owner) -> bool {
        match &self.jobs {
            Some(jobs) => jobs.contains(&job) && self.caller.may_touch(owner),
            None => self.caller.owner == *owner || self.all_users && self.caller.administrator,
        }
    }
}

/// Something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// An event that waits for [`Delivery::answer`].
    Event {
        /// Its number.
        event: EventId,
        /// For whom.
        to: SubscriberId,
        /// Of which job.
        job: JobId,
        /// What.
        notice: Notice,
    },
    /// JobModification, which waits for no answer.
    Modified {
        /// For whom.
        to: SubscriberId,
        /// Which job.
        job: JobId,
    },
    /// Run the command line of the job, and say how it ended: [`Delivery::command_ended`].
    Command {
        /// Its number.
        event: EventId,
        /// Of which job.
        job: JobId,
    },
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Tell the job that it was delivered, then [`Delivery::refresh`].
    Delivered(JobId, Notice),
    /// It comes again.
    Again,
    /// No such event waits: S_FALSE.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// May go out, as soon as there is someone to take it.
    Waiting,
    /// At a subscriber.
    Out(SubscriberId),
    /// Failed; comes again when its timer does.
    Resting,
    /// Waits for a place to run its command.
    CommandDue,
    /// Its command runs.
    Commanding,
}

#[derive(Clone, Debug)]
struct Pending {
    /// When it began, in the order of all.
    place: u64,
    owner: Owner,
    stage: Stage,
    /// What it was told as, if it was.
    told: Option<(EventId, Notice)>,
    timer: Option<Duration>,
}

/// All that is on its way to clients.
#[derive(Clone, Debug)]
pub struct Delivery {
    next: u64,
    subscribers: BTreeMap<SubscriberId, (Scope, NotifyFlags)>,
    pending: BTreeMap<JobId, Pending>,
    events: BTreeMap<EventId, JobId>,
    /// Jobs that may have something to tell, in the order in which they had it.
    ready: BTreeMap<Owner, BTreeSet<(u64, JobId)>>,
    commands_due: BTreeSet<(u64, JobId)>,
    running: BTreeMap<EventId, JobId>,
    unanswered: BTreeMap<Owner, usize>,
    timers: BTreeSet<(Duration, JobId)>,
    modified: Modified,
}

impl Delivery {
    /// Nobody listens, nothing is owed. Event numbers begin at `first`: above all that an earlier run may have given
    /// out, so that a late answer does not meet another event.
    #[must_use]
    pub fn new(first: u64) -> Delivery {
        Delivery {
            next: first.max(1),
            subscribers: BTreeMap::new(),
            pending: BTreeMap::new(),
            events: BTreeMap::new(),
            ready: BTreeMap::new(),
            commands_due: BTreeSet::new(),
            running: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            timers: BTreeSet::new(),
            modified: Modified::default(),
        }
    }

    /// Someone listens, for the notices in `takes`. What is owed comes at once, also what an earlier subscriber
    /// refused. The same subscriber once more has lost what it was told before, and gets it again.
    pub fn subscribe(&mut self, subscriber: SubscriberId, scope: Scope, takes: NotifyFlags) {
        self.unsubscribe(subscriber);
        let covered: Vec<JobId> = self
            .pending
            .iter()
            .filter(|(job, pending)| scope.covers(**job, &pending.owner))
            .filter(|(_, pending)| !matches!(pending.stage, Stage::Out(_) | Stage::Commanding))
            .map(|(job, _)| *job)
            .collect();
        self.subscribers.insert(subscriber, (scope, takes));
        covered.into_iter().for_each(|job| self.enter(job, Stage::Waiting, None));
    }

    /// It listens no more. What it has not answered goes to someone else.
    pub fn unsubscribe(&mut self, subscriber: SubscriberId) {
        if self.subscribers.remove(&subscriber).is_none() {
            return;
        }
        let its = self.pending.iter().filter(|(_, pending)| pending.stage == Stage::Out(subscriber));
        for job in its.map(|(job, _)| *job).collect::<Vec<_>>() {
            self.enter(job, Stage::Waiting, None);
        }
    }

    /// A job may owe something else than before. To be called after everything that happens to it.
    pub fn refresh(&mut self, id: JobId, job: Option<&Job>) {
        let due = job.map(Job::undelivered).unwrap_or_default();
        let Some(job) = job.filter(|_| !due.is_empty()) else {
            self.drop_pending(id);
            if job.is_none_or(|job| job.state().is_final()) {
                self.modified.forget(id);
            }
            return;
        };
        if let Some(pending) = self.pending.get(&id) {
            let outdated = pending.told.is_some_and(|(_, notice)| !due.contains(&notice));
            if !outdated && pending.owner == *job.owner() {
                // Of a command that waits for its place, the job may have gone on meanwhile.
                let is_idle = pending.stage == Stage::CommandDue && !has_command_for(job, &due);
                if pending.stage == Stage::Waiting || is_idle {
                    self.enter(id, Stage::Waiting, None);
                }
                return;
            }
            self.drop_pending(id);
        }
        let (place, owner) = (self.number(), job.owner().clone());
        let pending = Pending { place, owner, stage: Stage::Waiting, told: None, timer: None };
        self.pending.insert(id, pending);
        self.enter(id, Stage::Waiting, None);
    }

    /// JobModification: something about the job changed, and its flags ask for it.
    pub fn modified(&mut self, now: Duration, job: &Job) {
        if self.taker(job, Notice::JobModification).is_some() {
            let interval = Duration::from_millis(job.properties().notification_interval_ms.into());
            self.modified.note(now, job.id(), interval);
        }
    }

    /// Who is told of readable bytes, once, whether or not it listens.
    #[must_use]
    pub fn told_of_ranges(&self, job: &Job) -> Option<SubscriberId> {
        self.taking(job, NotifyFlags::FILE_RANGES_TRANSFERRED).filter(|_| job.wants_ranges())
    }

    /// AcknowledgeEvent: `rejected` is any return value of a callback but S_OK.
    pub fn answer(
        &mut self,
        now: Duration,
        caller: &Caller,
        event: EventId,
        rejected: bool,
        queue: &Queue,
    ) -> Verdict {
        let Some(&id) = self.events.get(&event) else { return Verdict::Unknown };
        let Some(pending) = self.pending.get(&id) else { return Verdict::Unknown };
        let Some((_, notice)) = pending.told.filter(|_| caller.may_touch(&pending.owner)) else {
            return Verdict::Unknown;
        };
        if !rejected {
            // Also from one that answers late, or by another connection.
            return Verdict::Delivered(id, notice);
        }
        if !matches!(pending.stage, Stage::Out(_)) {
            return Verdict::Unknown;
        }
        self.failed(now, id, notice, queue);
        Verdict::Again
    }

    /// The command of this event has ended. With exit code 0 it has taken note of the event.
    pub fn command_ended(
        &mut self,
        now: Duration,
        event: EventId,
        success: bool,
        queue: &Queue,
    ) -> Option<(JobId, Notice)> {
        let id = self.running.remove(&event)?;
        let pending = self.pending.get(&id)?;
        // Completed, cancelled or resumed meanwhile: nothing waits any more.
        let (_, notice) = pending.told.filter(|(told, _)| *told == event)?;
        if success {
            return Some((id, notice));
        }
        if pending.stage == Stage::Commanding {
            let delay = queue.job(id).map_or(0, |job| job.properties().minimum_retry_delay_s);
            self.enter(id, Stage::Resting, Some(now + Duration::from_secs(delay.into())));
        }
        None
    }

    /// The next thing to tell.
    pub fn poll(&mut self, now: Duration, queue: &Queue) -> Option<Telling> {
        while let Some((_, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timer(now, id, queue);
        }
        let owners: Vec<Owner> = self.ready.keys().cloned().collect();
        for owner in owners {
            let full = self.unanswered.get(&owner).is_some_and(|count| *count >= MAX_UNACKNOWLEDGED);
            while let Some(&(_, id)) = self.ready.get(&owner).filter(|_| !full).and_then(BTreeSet::first) {
                if let Some(telling) = self.offer(now, id, queue) {
                    return Some(telling);
                }
            }
        }
        if self.running.len() < MAX_COMMANDS
            && let Some(&(_, id)) = self.commands_due.first()
        {
            let event = self.told(id, queue.job(id)?.resting_notice()?);
            self.enter(id, Stage::Commanding, None);
            self.running.insert(event, id);
            return Some(Telling::Command { event, job: id });
        }
        while let Some(id) = self.modified.poll(now) {
            let job = queue.job(id).filter(|job| job.wants(Notice::JobModification));
            if let Some(to) = job.and_then(|job| self.taker(job, Notice::JobModification)) {
                return Some(Telling::Modified { to, job: id });
            }
        }
        None
    }

    /// When to call [`Delivery::poll`] even if nothing happens.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        let first = self.timers.first().map(|(at, _)| *at);
        first.into_iter().chain(self.modified.timeout()).min()
    }

    /// Gives the first notice that someone takes, in order; what nobody takes holds nothing up.
    fn offer(&mut self, now: Duration, id: JobId, queue: &Queue) -> Option<Telling> {
        let job = queue.job(id);
        let due = job.map(Job::undelivered).unwrap_or_default();
        let first =
            job.and_then(|job| due.iter().find_map(|&notice| self.taker(job, notice).map(|to| (notice, to))));
        if let Some((notice, to)) = first {
            let event = self.told(id, notice);
            self.enter(id, Stage::Out(to), Some(now + ANSWER_WITHIN));
            return Some(Telling::Event { event, to, job: id, notice });
        }
        if job.is_some_and(|job| has_command_for(job, &due)) {
            self.enter(id, Stage::CommandDue, None);
        } else {
            self.leave_ready(id);
        }
        None
    }

    fn taker(&self, job: &Job, notice: Notice) -> Option<SubscriberId> {
        self.taking(job, notice.flag())
    }

    /// The newest subscriber that covers the job and takes these flags.
    fn taking(&self, job: &Job, flags: NotifyFlags) -> Option<SubscriberId> {
        let covering = self
            .subscribers
            .iter()
            .rev()
            .find(|(_, (scope, takes))| takes.contains(flags) && scope.covers(job.id(), job.owner()));
        covering.map(|(subscriber, _)| *subscriber)
    }

    fn timer(&mut self, now: Duration, id: JobId, queue: &Queue) {
        match self.pending.get(&id).map(|pending| (pending.stage, pending.told)) {
            Some((Stage::Out(_), Some((_, notice)))) => self.failed(now, id, notice, queue),
            _ => self.enter(id, Stage::Waiting, None),
        }
    }

    /// The callback failed: the command takes its place, or it comes again.
    fn failed(&mut self, now: Duration, id: JobId, notice: Notice, queue: &Queue) {
        if queue.job(id).is_some_and(|job| has_command_for(job, &[notice])) {
            self.enter(id, Stage::CommandDue, None);
        } else {
            self.enter(id, Stage::Resting, Some(now + AGAIN_AFTER));
        }
    }

    /// The number of the event: the one it had when it was told before.
    fn told(&mut self, id: JobId, notice: Notice) -> EventId {
        let before = self.pending.get(&id).and_then(|pending| pending.told);
        if let Some((event, _)) = before.filter(|(_, told)| *told == notice) {
            return event;
        }
        let event = EventId(self.number());
        if let Some((old, _)) = before {
            self.events.remove(&old);
        }
        self.events.insert(event, id);
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.told = Some((event, notice));
        }
        event
    }

    /// The only place where a pending notice changes its stage.
    fn enter(&mut self, id: JobId, stage: Stage, timer: Option<Duration>) {
        self.leave_ready(id);
        let Some(pending) = self.pending.get_mut(&id) else { return };
        let key = (pending.place, id);
        self.commands_due.remove(&key);
        if let Some(old) = std::mem::replace(&mut pending.timer, timer) {
            self.timers.remove(&(old, id));
        }
        self.timers.extend(timer.map(|at| (at, id)));
        let before = std::mem::replace(&mut pending.stage, stage);
        let owner = pending.owner.clone();
        if matches!(before, Stage::Out(_))
            && let Some(count) = self.unanswered.get_mut(&owner)
        {
            *count -= 1;
            if *count == 0 {
                self.unanswered.remove(&owner);
            }
        }
        match stage {
            Stage::Waiting => {
                self.ready.entry(owner).or_default().insert(key);
            }
            Stage::Out(_) => *self.unanswered.entry(owner).or_default() += 1,
            Stage::CommandDue => {
                self.commands_due.insert(key);
            }
            Stage::Resting | Stage::Commanding => {}
        }
    }

    fn leave_ready(&mut self, id: JobId) {
        let Some(pending) = self.pending.get(&id) else { return };
        if let Some(ready) = self.ready.get_mut(&pending.owner) {
            ready.remove(&(pending.place, id));
            if ready.is_empty() {
                self.ready.remove(&pending.owner);
            }
        }
    }

    fn drop_pending(&mut self, id: JobId) {
        self.enter(id, Stage::Resting, None);
        if let Some((event, _)) = self.pending.remove(&id).and_then(|pending| pending.told) {
            self.events.remove(&event);
        }
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

/// Commands are run for the end of a job only (reference 9.6).
fn has_command_for(job: &Job, due: &[Notice]) -> bool {
    let ends = due.iter().any(|notice| matches!(notice, Notice::JobTransferred | Notice::JobError));
    ends && job.properties().notify_command.is_some()
}
