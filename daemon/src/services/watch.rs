//! The event stream of one client: every job as it is, then what happens.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use dray_api::v1::{
    AcknowledgeEventRequest, AcknowledgeEventResponse, EventKind, JobEvent, WatchEventsRequest,
    WatchEventsResponse,
};
use dray_jobs::{Caller, Code, EventId, Failure, JobId, Scope};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::Status;

use super::jobs::Jobs;
use crate::events::{Hub, Interest, Next, Subscription, caught_up, events_lost, snapshot};
use crate::runner::{Attendance, Runner};
use crate::wire::{show, take};

/// Jobs that a client may ask for by name in one stream.
const MAX_JOBS: usize = 1000;
/// Snapshots made in one look, so that ten thousand of them do not keep everyone else waiting.
const SNAPSHOTS_PER_LOOK: usize = 100;

struct Watcher {
    runner: Runner,
    hub: Arc<Hub>,
    interest: Interest,
    subscription: Arc<Subscription>,
    /// What goes out next.
    ready: VecDeque<JobEvent>,
    /// Jobs that are still to be shown.
    to_show: VecDeque<JobId>,
    /// Older news are in the snapshots already.
    since: u64,
    /// While it lives, events come for acknowledgement.
    attendance: Option<Attendance>,
}

/// Opens a stream.
pub(super) async fn begin(
    service: &Jobs,
    caller: Caller,
    request: WatchEventsRequest,
) -> Result<BoxStream<'static, Result<WatchEventsResponse, Status>>, Failure> {
    let Jobs { runner, hub, access, .. } = service.clone();
    let names = access.names().clone();
    let interest = interest(caller, request)?;
    let subscription = Arc::new(hub.subscribe(interest.clone())?);
    let mut watcher = Watcher {
        runner,
        hub,
        interest,
        subscription,
        ready: VecDeque::new(),
        to_show: VecDeque::new(),
        since: 0,
        attendance: None,
    };
    watcher.show_all().await?;
    let events = stream::unfold((watcher, names), |(mut watcher, names)| async move {
        let mut event = watcher.next().await?;
        names.fill_event(&mut event).await;
        Some((Ok(WatchEventsResponse { event: Some(event) }), (watcher, names)))
    });
    Ok(events.boxed())
}

/// Takes an answer to an event.
pub(super) async fn acknowledge(
    runner: &Runner,
    caller: Caller,
    request: AcknowledgeEventRequest,
) -> Result<AcknowledgeEventResponse, Failure> {
    let AcknowledgeEventRequest { event_id, rejected } = request;
    let code = runner.acknowledge(caller, EventId(event_id), rejected).await?;
    Ok(AcknowledgeEventResponse { code: show::success(code).into() })
}

fn interest(caller: Caller, request: WatchEventsRequest) -> Result<Interest, Failure> {
    if request.job_ids.len() > MAX_JOBS {
        let sentence = format!("{} jobs are named; watch at most {MAX_JOBS}, or all.", request.job_ids.len());
        return Err(Failure::new(Code::E_INVALIDARG, sentence));
    }
    if request.job_ids.is_empty() && request.all_users && !caller.administrator {
        let sentence = "Only an administrator can watch the jobs of all users.";
        return Err(Failure::new(Code::E_ACCESSDENIED, sentence));
    }
    let jobs: BTreeSet<JobId> =
        request.job_ids.iter().map(|id| take::job_id(id)).collect::<Result<_, _>>()?;
    let kinds: Vec<EventKind> = request
        .kinds
        .iter()
        .map(|&kind| match EventKind::try_from(kind) {
            Ok(EventKind::Unspecified) | Err(_) => {
                Err(Failure::wrong_value(format!("There is no event kind {kind}.")))
            }
            Ok(kind) => Ok(kind),
        })
        .collect::<Result<_, _>>()?;
    Ok(Interest {
        scope: Scope { caller, jobs: (!jobs.is_empty()).then_some(jobs), all_users: request.all_users },
        kinds: (!kinds.is_empty()).then_some(kinds),
        acknowledges: request.acknowledge,
        downloads: false,
    })
}

impl Watcher {
    /// The next event; `None` when the stream is over.
    async fn next(&mut self) -> Option<JobEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if !self.to_show.is_empty() {
                self.show_more().await.ok()?;
                continue;
            }
            match self.subscription.next().await {
                Next::Event((number, event)) if number > self.since => return Some(JobEvent::clone(&event)),
                Next::Event(_) => {}
                Next::BeginAgain => {
                    self.ready.push_back(events_lost());
                    // A job that was asked for by name may have ended since: what is left is shown.
                    self.show_all().await.ok()?;
                }
                Next::Closed => return None,
            }
        }
    }

    /// Begins to show every job; what happens from this moment on is told.
    async fn show_all(&mut self) -> Result<(), Failure> {
        let first = self.since == 0;
        let (interest, hub, subscription) =
            (self.interest.clone(), self.hub.clone(), self.subscription.clone());
        let attends = self.attendance.is_some();
        let (since, jobs, attendance) = self
            .runner
            .look(move |actor| {
                let queue = actor.queue();
                let jobs: Vec<JobId> = match &interest.scope.jobs {
                    Some(jobs) => {
                        if first {
                            jobs.iter().try_for_each(|&id| {
                                let found = queue.find(&interest.scope.caller, id);
                                found.map(drop).map_err(|failure| take::naming(id, failure))
                            })?;
                        }
                        jobs.iter().copied().collect()
                    }
                    None => queue.list(&interest.scope.caller, interest.scope.all_users)?,
                };
                // Numbers begin at 1, so that having been shown is never 0.
                let since = actor.last_happening();
                hub.shown(&subscription, since);
                // What was told and lost in between comes again.
                let attendance =
                    interest.acknowledges.then(|| actor.attend(&subscription, &interest, attends));
                Ok::<_, Failure>((since, jobs, attendance.flatten()))
            })
            .await??;
        self.since = since;
        self.attendance = self.attendance.take().or(attendance);
        self.to_show = jobs.into();
        self.show_more().await
    }

    /// Shows some of the jobs, and says when it was the last.
    async fn show_more(&mut self) -> Result<(), Failure> {
        let count = self.to_show.len().min(SNAPSHOTS_PER_LOOK);
        let some: Vec<JobId> = self.to_show.drain(..count).collect();
        if !some.is_empty() {
            let caller = self.interest.scope.caller.clone();
            let snapshots = self.runner.look(move |actor| {
                let jobs = some.iter().filter_map(|id| actor.queue().find(&caller, *id).ok());
                jobs.map(snapshot).collect::<Vec<_>>()
            });
            self.ready.extend(snapshots.await?);
        }
        if self.to_show.is_empty() {
            self.ready.push_back(caught_up());
        }
        Ok(())
    }
}
