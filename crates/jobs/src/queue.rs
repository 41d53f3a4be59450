//! All jobs of a machine: finding them, their limits, their timers, and who runs next.
//!
//! Every method that returns effects returns those of one job, in order. After each of them, and whenever
//! [`Queue::timeout`] has come, [`Queue::poll`] is called until it has nothing more to say. A job that has
//! ended stays until [`Queue::forget`], so that its effects can still be looked up, but it is neither found
//! nor listed nor counted. Jobs of BITS and downloads of Delivery Optimization are found and listed apart.

mod access;
mod signals;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::download::MAX_ENDED;
use crate::schedule::{Candidate, Move, Places, Schedule};
use crate::{
    Call, Caller, Code, Effect, Event, Failure, FileIndex, FileRecord, Job, JobId, JobRecord, JobState,
    NewJob, Now, Outcome, Owner, RecordError, Renamed, Rules,
};

/// Something to do that no call asked for: a timer came, or the scheduler moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// For which job.
    pub job: JobId,
    /// What, in this order.
    pub effects: Vec<Effect>,
}

#[derive(Clone, Debug)]
struct Entry {
    job: Job,
    /// Where it stands in `timers`.
    timer: Option<Duration>,
    /// Whether, and for whom, it counts against the limits.
    counted_for: Option<Owner>,
}

/// All jobs.
#[derive(Clone, Debug)]
pub struct Queue {
    rules: Arc<Rules>,
    jobs: BTreeMap<JobId, Entry>,
    timers: BTreeSet<(Duration, JobId)>,
    schedule: Schedule,
    /// Jobs that have not ended, by owner.
    owned: BTreeMap<Owner, usize>,
    alive: usize,
    blocks: BTreeSet<Code>,
    absent: BTreeSet<Owner>,
    /// The latest downloads that were forgotten: whoever still holds one is told how it ended (reference 13.2).
    ended: VecDeque<Job>,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(rules: Rules, places: Places) -> Queue {
        Queue {
            rules: Arc::new(rules),
            jobs: BTreeMap::new(),
            timers: BTreeSet::new(),
            schedule: Schedule::new(places),
            owned: BTreeMap::new(),
            alive: 0,
            blocks: BTreeSet::new(),
            absent: BTreeSet::new(),
            ended: VecDeque::new(),
        }
    }

    /// The rules that all jobs share.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// CreateJob. BG_E_TOO_MANY_JOBS_PER_USER and _PER_MACHINE at the limits, which count jobs that have
    /// not ended and from which administrators are exempt.
    pub fn create(&mut self, now: Now, caller: &Caller, new: NewJob) -> Result<Outcome, Failure> {
        let id = new.id;
        if self.jobs.contains_key(&id) {
            return Err(Failure::new(Code::E_UNEXPECTED, format!("The job id {id} is taken; try again.")));
        }
        self.check_limits(caller)?;
        let (mut job, outcome) = Job::create(now, caller, new, Arc::clone(&self.rules))?;
        self.tell_present(&mut job);
        self.insert(now, job);
        Ok(outcome)
    }

    fn check_limits(&self, caller: &Caller) -> Result<(), Failure> {
        use crate::limits::MAX_JOBS;
        let limits = &self.rules.limits;
        let (per_owner, per_machine) = if caller.administrator {
            (MAX_JOBS, MAX_JOBS)
        } else {
            (limits.jobs_per_owner.min(MAX_JOBS), limits.jobs_per_machine.min(MAX_JOBS))
        };
        if self.owned.get(&caller.owner).copied().unwrap_or(0) >= per_owner {
            let sentence = format!("You have {per_owner} jobs, which is the limit; complete or cancel one.");
            return Err(Failure::new(Code::BG_E_TOO_MANY_JOBS_PER_USER, sentence));
        }
        if self.alive >= per_machine {
            let sentence =
                format!("The machine has {per_machine} jobs, which is the limit; complete or cancel one.");
            return Err(Failure::new(Code::BG_E_TOO_MANY_JOBS_PER_MACHINE, sentence));
        }
        Ok(())
    }

    /// Takes a job back from its records, and returns what is left to do for it at once. Limits do not
    /// apply: it was here before.
    pub fn restore(
        &mut self,
        now: Now,
        record: JobRecord,
        files: Vec<FileRecord>,
    ) -> Result<Vec<Effect>, RecordError> {
        let id = record.id;
        if self.jobs.contains_key(&id) {
            return Err(RecordError { id, reason: "there is another with its id".to_owned() });
        }
        let (mut job, effects) = Job::restore(now, record, files, Arc::clone(&self.rules))?;
        self.tell_present(&mut job);
        self.insert(now, job);
        Ok(effects)
    }

    /// What became of the renames of Complete; see [`Job::renamed`].
    pub fn renamed(
        &mut self,
        now: Now,
        id: JobId,
        results: &[(FileIndex, Result<(), Failure>)],
    ) -> Result<Renamed, Failure> {
        let entry = self.jobs.get_mut(&id).ok_or_else(not_found)?;
        let renamed = entry.job.renamed(now, results);
        self.refresh(now, id);
        Ok(renamed)
    }

    /// A call on a job, by someone who may make it.
    pub fn call(&mut self, now: Now, caller: &Caller, id: JobId, call: Call) -> Result<Outcome, Failure> {
        match call {
            Call::Download(_) => self.find_download(caller, id)?,
            _ => self.find(caller, id)?,
        };
        if let Some(job) = self.ended.iter_mut().find(|job| job.id() == id) {
            return job.call(now, caller, call); // which changes nothing
        }
        let entry = self.jobs.get_mut(&id).ok_or_else(not_found)?;
        let outcome = entry.job.call(now, caller, call);
        self.refresh(now, id);
        outcome
    }

    /// An event of one job. Nothing comes of it when there is no such job any more.
    pub fn on(&mut self, now: Now, id: JobId, event: Event) -> Vec<Effect> {
        let Some(entry) = self.jobs.get_mut(&id) else { return Vec::new() };
        let effects = entry.job.on(now, event);
        self.refresh(now, id);
        effects
    }

    /// The next thing to do by itself: due timers first, then the scheduler.
    pub fn poll(&mut self, now: Now) -> Option<Command> {
        while let Some((at, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now.mono) {
            let effects = self.on(now, id, Event::Timer);
            debug_assert!(!self.timers.contains(&(at, id)), "a timer that fired is gone or later");
            if !effects.is_empty() {
                return Some(Command { job: id, effects });
            }
        }
        let (job, event) = match self.schedule.next(now.mono)? {
            Move::Select(id) => (id, Event::Selected),
            Move::Preempt(id) => (id, Event::Preempted),
        };
        let effects = self.on(now, job, event);
        Some(Command { job, effects })
    }

    /// When to call [`Queue::poll`] next even if nothing happens.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        let timer = self.timers.first().map(|(at, _)| *at);
        timer.into_iter().chain(self.schedule.timeout()).min()
    }

    /// Drops a job that has ended, once its effects are done. Any other stays.
    pub fn forget(&mut self, id: JobId) {
        if self.jobs.get(&id).is_some_and(|entry| entry.job.state().is_final())
            && let Some(entry) = self.jobs.remove(&id)
            && entry.job.is_do_download()
        {
            self.ended.push_back(entry.job);
            if self.ended.len() > MAX_ENDED {
                self.ended.pop_front();
            }
        }
    }

    fn insert(&mut self, now: Now, job: Job) {
        let id = job.id();
        self.jobs.insert(id, Entry { job, timer: None, counted_for: None });
        self.refresh(now, id);
    }

    /// Brings timers, scheduler and counts in line with a job that may have changed.
    fn refresh(&mut self, now: Now, id: JobId) {
        let Some(entry) = self.jobs.get_mut(&id) else { return };
        let job = &entry.job;

        let timer = job.timeout().map(|(at, _)| at);
        if timer != entry.timer {
            if let Some(old) = entry.timer {
                self.timers.remove(&(old, id));
            }
            if let Some(new) = timer {
                self.timers.insert((new, id));
            }
            entry.timer = timer;
        }

        let running = job.state().is_running();
        let candidate = (running || job.is_ready()).then(|| Candidate {
            owner: job.owner().clone(),
            priority: job.priority(),
            running,
            created: job.times().created,
        });
        self.schedule.update(now.mono, id, candidate);

        let counted_for = (!job.state().is_final()).then(|| job.owner());
        if counted_for != entry.counted_for.as_ref() {
            let counted_for = counted_for.cloned();
            if let Some(old) = std::mem::replace(&mut entry.counted_for, counted_for.clone()) {
                self.alive -= 1;
                if let Some(count) = self.owned.get_mut(&old) {
                    *count -= 1;
                    if *count == 0 {
                        self.owned.remove(&old);
                    }
                }
            }
            if let Some(new) = counted_for {
                self.alive += 1;
                *self.owned.entry(new).or_default() += 1;
            }
        }
    }
}

fn not_found() -> Failure {
    Code::BG_E_NOT_FOUND.into()
}
