//! What is known of the jobs that are watched, and whether there is anything left to wait for. Pure: events in, lines and an
//! answer out.

use std::collections::BTreeMap;

use dray_api::v1::{Job, JobError, JobEvent, JobProgress, JobState, JobStateChanged, job_event::Event};

use super::{
    problem::exit_of_job,
    show,
    text::{self, plain},
};
use crate::exit::Exit;

/// What ends the watch of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// It has been transferred, has failed, or has left the queue. A suspended job may yet be resumed.
    Settled,
    /// That, or it was suspended: whoever has just resumed it has nothing more to wait for.
    Stopped,
}

#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) name: String,
    pub(super) state: JobState,
    pub(super) progress: JobProgress,
    exit: Exit,
    /// Seen since the last time that all jobs were unknown.
    seen: bool,
    /// Nothing more is to be heard of the state that it is in: JobTransferred and JobFailed follow their state change.
    told: bool,
}

#[derive(Debug)]
pub(super) struct Tracker {
    until: Until,
    caught_up: bool,
    jobs: BTreeMap<String, Tracked>,
}

impl Tracker {
    pub(super) fn new(until: Until) -> Self {
        Self { until, caught_up: false, jobs: BTreeMap::new() }
    }

    /// The stream was cut or had gaps: nothing is known until every job has been sent again.
    pub(super) fn forget(&mut self) {
        self.caught_up = false;
        self.jobs.values_mut().for_each(|job| job.seen = false);
    }

    /// Takes one event; returns the lines that a person should see.
    pub(super) fn apply(&mut self, event: &JobEvent) -> Vec<String> {
        let id = &event.job_id;
        match &event.event {
            Some(Event::Snapshot(it)) => it.job.as_ref().map(|job| self.snapshot(job)).unwrap_or_default(),
            Some(Event::CaughtUp(_)) => self.caught_up(),
            Some(Event::EventsLost(_)) => {
                self.forget();
                Vec::new()
            }
            Some(Event::StateChanged(it)) => self.state_changed(id, it),
            Some(Event::Progressed(it)) => {
                if let (Some(job), Some(progress)) = (self.jobs.get_mut(id), it.progress) {
                    job.progress = progress;
                }
                Vec::new()
            }
            Some(Event::FileTransferred(it)) => {
                let path = it.file.as_ref().map(|file| plain(&file.local_path)).unwrap_or_default();
                vec![format!("{id}  file arrived  {path}")]
            }
            Some(Event::JobTransferred(_) | Event::JobFailed(_)) => {
                if let Some(job) = self.jobs.get_mut(id) {
                    job.told = true;
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn snapshot(&mut self, job: &Job) -> Vec<String> {
        let new = Tracked {
            name: show::name(job),
            state: job.state(),
            progress: job.progress.unwrap_or_default(),
            exit: exit_in(job.state(), self.until, job.error.as_ref()),
            seen: true,
            told: true,
        };
        let mut lines = Vec::new();
        if self.jobs.get(&job.job_id).is_none_or(|old| old.state != new.state) {
            lines.push(line(&job.job_id, &new));
            lines.extend(job.error.as_ref().map(show::describe_error).unwrap_or_default());
        }
        self.jobs.insert(job.job_id.clone(), new);
        lines
    }

    fn caught_up(&mut self) -> Vec<String> {
        self.caught_up = true;
        let gone: Vec<String> =
            self.jobs.iter().filter(|(_, job)| !job.seen).map(|(id, _)| id.clone()).collect();
        gone.iter().for_each(|id| {
            self.jobs.remove(id);
        });
        gone.into_iter().map(|id| format!("{id}  has left the queue")).collect()
    }

    fn state_changed(&mut self, id: &str, change: &JobStateChanged) -> Vec<String> {
        let until = self.until;
        let Some(job) = self.jobs.get_mut(id) else { return Vec::new() };
        job.state = change.state();
        job.told = !matches!(job.state, JobState::Transferred | JobState::Error);
        job.exit = exit_in(job.state, until, change.error.as_ref());
        let mut lines = vec![line(id, job)];
        lines.extend(change.error.as_ref().map(show::describe_error).unwrap_or_default());
        lines
    }

    pub(super) fn get(&self, id: &str) -> Option<&Tracked> {
        self.jobs.get(id)
    }

    /// Whether every job has come to where nothing more is to be waited for.
    pub(super) fn done(&self) -> bool {
        self.caught_up && self.jobs.values().all(|job| is_end(job.state, self.until))
    }

    /// Whether the events that belong to their ends have been seen, too.
    pub(super) fn told(&self) -> bool {
        self.jobs.values().all(|job| job.told)
    }

    /// How all jobs together ended: an integrity failure before any other.
    pub(super) fn exit(&self) -> Exit {
        let exits: Vec<Exit> = self.jobs.values().map(|job| job.exit).collect();
        exits
            .iter()
            .copied()
            .find(|exit| *exit == Exit::Integrity)
            .or_else(|| exits.iter().copied().find(|exit| *exit != Exit::Done))
            .unwrap_or(Exit::Done)
    }
}

fn line(id: &str, job: &Tracked) -> String {
    format!("{id}  {}  {}  {}", job.state.short_name(), text::job_amount(&job.progress), job.name)
        .trim_end()
        .to_owned()
}

fn is_end(state: JobState, until: Until) -> bool {
    match state {
        JobState::Transferred | JobState::Error | JobState::Acknowledged | JobState::Cancelled => true,
        JobState::Suspended => until == Until::Stopped,
        _ => false,
    }
}

fn exit_in(state: JobState, until: Until, error: Option<&JobError>) -> Exit {
    match state {
        JobState::Error => exit_of_job(error),
        JobState::Cancelled => Exit::Failed,
        JobState::Suspended if until == Until::Stopped => Exit::Failed,
        _ => Exit::Done,
    }
}

#[cfg(test)]
mod tests {
    use dray_api::v1::{CaughtUp, ErrorDetail, EventsLost, JobSnapshot, JobTransferred};

    use super::*;

    fn event(id: &str, event: Event) -> JobEvent {
        JobEvent { job_id: id.to_owned(), event: Some(event), ..JobEvent::default() }
    }

    fn snapshot(id: &str, state: JobState) -> JobEvent {
        let job = Job { job_id: id.to_owned(), state: state.into(), ..Job::default() };
        event(id, Event::Snapshot(JobSnapshot { job: Some(job) }))
    }

    fn changed(id: &str, state: JobState, error: Option<JobError>) -> JobEvent {
        let change = JobStateChanged { state: state.into(), error, ..JobStateChanged::default() };
        event(id, Event::StateChanged(change))
    }

    fn caught_up() -> JobEvent {
        event("", Event::CaughtUp(CaughtUp {}))
    }

    fn failed_with(value: u32) -> Option<JobError> {
        let detail = ErrorDetail::new("X", value, "x");
        Some(JobError { detail: Some(detail), ..JobError::default() })
    }

    fn tracker(until: Until, events: &[JobEvent]) -> Tracker {
        let mut tracker = Tracker::new(until);
        events.iter().for_each(|event| {
            tracker.apply(event);
        });
        tracker
    }

    #[test]
    fn nothing_is_done_before_every_job_is_known() {
        let mut it = tracker(Until::Settled, &[snapshot("a", JobState::Transferred)]);
        assert!(!it.done());
        it.apply(&caught_up());
        assert!(it.done());
        assert_eq!(it.exit(), Exit::Done);
    }

    #[test]
    fn no_jobs_are_all_done() {
        assert!(tracker(Until::Settled, &[caught_up()]).done());
    }

    #[test]
    fn the_last_word_on_a_job_comes_after_its_state() {
        let events =
            [snapshot("a", JobState::Transferring), caught_up(), changed("a", JobState::Transferred, None)];
        let mut it = tracker(Until::Settled, &events);
        assert!(it.done() && !it.told());
        it.apply(&event("a", Event::JobTransferred(JobTransferred::default())));
        assert!(it.told());
    }

    #[test]
    fn a_suspended_job_is_waited_for_unless_it_was_to_run() {
        let events = [snapshot("a", JobState::Suspended), caught_up()];
        assert!(!tracker(Until::Settled, &events).done());
        let stopped = tracker(Until::Stopped, &events);
        assert!(stopped.done());
        assert_eq!(stopped.exit(), Exit::Failed);
    }

    #[test]
    fn a_wrong_digest_outweighs_another_failure() {
        let events = [
            snapshot("a", JobState::Queued),
            snapshot("b", JobState::Transferring),
            caught_up(),
            changed("a", JobState::Error, failed_with(0x8020_0013)),
            changed("b", JobState::Error, failed_with(0x8020_0053)),
        ];
        let it = tracker(Until::Settled, &events);
        assert!(it.done());
        assert_eq!(it.exit(), Exit::Integrity);
    }

    #[test]
    fn a_transient_error_is_no_end() {
        let events = [
            snapshot("a", JobState::Connecting),
            caught_up(),
            changed("a", JobState::TransientError, failed_with(0x8020_002D)),
        ];
        assert!(!tracker(Until::Stopped, &events).done());
    }

    #[test]
    fn a_job_that_ended_while_events_were_lost_is_not_waited_for() {
        let events = [
            snapshot("a", JobState::Transferring),
            snapshot("b", JobState::Queued),
            caught_up(),
            event("", Event::EventsLost(EventsLost {})),
            snapshot("b", JobState::Transferred),
        ];
        let mut it = tracker(Until::Settled, &events);
        assert!(!it.done());
        assert_eq!(it.apply(&caught_up()), ["a  has left the queue"]);
        assert!(it.done());
    }
}
