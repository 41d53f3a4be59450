//! The statuses of downloads, as they come: OnStatusChange.
//!
//! What happens to a download only wakes the stream; what it says is how the download stands then. So a slow reader
//! misses what lies between and never the last word, and nothing is kept for it but a bounded number of wakes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dray_api::v1::{self, EventKind};
use dray_jobs::{Caller, Code, DownloadStatus, Failure, Job, JobId, Scope};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::Status;

use crate::events::{Hub, Interest, Next, Subscription};
use crate::runner::Runner;
use crate::wire::download as wire;

/// Downloads that a client may name in one stream.
const MAX_NAMED: usize = 1000;
/// Statuses made in one look, so that ten thousand of them do not keep everyone else waiting.
const STATUSES_PER_LOOK: usize = 100;

/// What was said last of a download.
struct Said {
    status: DownloadStatus,
    at: Instant,
}

/// A stream of statuses.
pub(super) struct Statuses {
    runner: Runner,
    subscription: Arc<Subscription>,
    caller: Caller,
    /// `None`: all of the caller's.
    named: Option<BTreeSet<JobId>>,
    /// Downloads that are still to be looked at, whatever was said of them.
    to_show: VecDeque<JobId>,
    ready: VecDeque<(JobId, DownloadStatus)>,
    said: BTreeMap<JobId, Said>,
    hub: Arc<Hub>,
}

/// Opens the stream of a client.
pub(super) async fn begin(
    runner: &Runner,
    hub: &Arc<Hub>,
    caller: Caller,
    request: v1::WatchDownloadsRequest,
) -> Result<BoxStream<'static, Result<v1::WatchDownloadsResponse, Status>>, Failure> {
    let count = request.download_ids.len();
    if count > MAX_NAMED {
        let sentence = format!("{count} downloads are named; watch at most {MAX_NAMED}, or all.");
        return Err(Failure::new(Code::E_INVALIDARG, sentence));
    }
    let named: BTreeSet<JobId> =
        request.download_ids.iter().map(|id| wire::take_id(id)).collect::<Result<_, _>>()?;
    let statuses = Statuses::of(runner, hub, caller, (!named.is_empty()).then_some(named)).await?;
    let stream = stream::unfold(statuses, |mut statuses| async move {
        let (id, status) = statuses.next().await?;
        let status = Some(wire::status(&status));
        Some((Ok(v1::WatchDownloadsResponse { download_id: id.to_string(), status }), statuses))
    });
    Ok(stream.boxed())
}

impl Statuses {
    /// Of these downloads, or of all that the caller owns. E_NOT_SET when one of them does not exist.
    pub(super) async fn of(
        runner: &Runner,
        hub: &Arc<Hub>,
        caller: Caller,
        named: Option<BTreeSet<JobId>>,
    ) -> Result<Statuses, Failure> {
        let interest = Interest {
            scope: Scope { caller: caller.clone(), jobs: named.clone(), all_users: false },
            kinds: Some(vec![EventKind::StateChanged, EventKind::Progress, EventKind::Modified]),
            acknowledges: false,
            downloads: true,
        };
        let mut statuses = Statuses {
            runner: runner.clone(),
            subscription: Arc::new(hub.subscribe(interest)?),
            caller,
            named,
            to_show: VecDeque::new(),
            ready: VecDeque::new(),
            said: BTreeMap::new(),
            hub: hub.clone(),
        };
        statuses.show_all(true).await?;
        Ok(statuses)
    }

    /// The next status; `None` when the stream is over.
    pub(super) async fn next(&mut self) -> Option<(JobId, DownloadStatus)> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if !self.to_show.is_empty() {
                self.look().await.ok()?;
                continue;
            }
            if self.is_over() {
                return None;
            }
            match self.subscription.next().await {
                Next::Event((_, event)) => self.to_show.extend(event.job_id.parse::<JobId>()),
                Next::BeginAgain => self.show_all(false).await.ok()?,
                Next::Closed => return None,
            }
        }
    }

    /// Whether every named download has ended, and been said to.
    fn is_over(&self) -> bool {
        let Some(named) = &self.named else { return false };
        named.iter().all(|id| self.said.get(id).is_none_or(|said| said.status.state.is_final()))
    }

    /// Everything is to be looked at; what happens from this moment on wakes the stream.
    async fn show_all(&mut self, first: bool) -> Result<(), Failure> {
        let (named, caller) = (self.named.clone(), self.caller.clone());
        let (hub, subscription) = (self.hub.clone(), self.subscription.clone());
        let all = self.runner.look(move |actor| {
            let queue = actor.queue();
            hub.shown(&subscription, actor.last_happening());
            let Some(named) = named else {
                return Ok(queue.list_downloads(&caller).into_iter().map(Job::id).collect());
            };
            if first {
                named.iter().try_for_each(|&id| {
                    queue.find_download(&caller, id).map(drop).map_err(|failure| wire::naming(id, failure))
                })?;
            }
            Ok::<Vec<JobId>, Failure>(named.into_iter().collect())
        });
        let mut all = all.await??;
        // Those that ended while this reader was too slow are said for the last time.
        all.extend(self.said.keys().filter(|id| !all.contains(id)).copied().collect::<Vec<_>>());
        self.to_show = all.into();
        Ok(())
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let count = self.to_show.len().min(STATUSES_PER_LOOK);
        let some: Vec<JobId> = self.to_show.drain(..count).collect();
        let (asked, caller) = (some.clone(), self.caller.clone());
        let found = self.runner.look(move |actor| {
            let found = asked.iter().filter_map(|id| actor.queue().find_download(&caller, *id).ok());
            found.map(|job| (job.id(), job.download_status(), job.callback_frequency())).collect::<Vec<_>>()
        });
        let found = found.await?;
        for id in some.iter().filter(|id| !found.iter().any(|(found, ..)| found == *id)) {
            self.said.remove(id); // ended so long ago that nothing is known of it
        }
        for (id, status, frequency) in found {
            let is_news = self.said.get(&id).is_none_or(|said| said.is_older_than(&status, frequency));
            if !is_news {
                continue;
            }
            match status.state.is_final() && self.named.is_none() {
                true => drop(self.said.remove(&id)),
                false => {
                    let said = Said { status: status.clone(), at: Instant::now() };
                    self.said.insert(id, said);
                }
            }
            self.ready.push_back((id, status));
        }
        Ok(())
    }
}

impl Said {
    /// Whether the client is to be told: of another state or error always, of progress after its time or its part.
    fn is_older_than(&self, now: &DownloadStatus, (seconds, percent): (u32, Option<u32>)) -> bool {
        let then = &self.status;
        if (then.state, &then.error, &then.extended_error) != (now.state, &now.error, &now.extended_error) {
            return true;
        }
        if then == now {
            return false;
        }
        let grown = u128::from(now.bytes_transferred.saturating_sub(then.bytes_transferred)) * 100;
        let by_part = percent.filter(|percent| *percent > 0).zip(now.bytes_total);
        by_part.is_some_and(|(percent, total)| grown >= u128::from(percent) * u128::from(total))
            || self.at.elapsed() >= Duration::from_secs(seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use dray_jobs::DownloadState;

    use super::*;

    fn at(bytes_transferred: u64) -> DownloadStatus {
        DownloadStatus {
            bytes_total: Some(1000),
            bytes_transferred,
            state: DownloadState::Transferring,
            error: None,
            extended_error: None,
        }
    }

    #[test]
    fn progress_is_told_by_its_part_or_its_time_and_a_state_always() {
        let said = Said { status: at(100), at: Instant::now() };
        let hour = 3600;
        assert!(!said.is_older_than(&at(100), (0, Some(1))), "nothing new");
        assert!(!said.is_older_than(&at(150), (hour, None)));
        assert!(said.is_older_than(&at(150), (0, None)));
        assert!(said.is_older_than(&at(150), (hour, Some(5))));
        assert!(!said.is_older_than(&at(149), (hour, Some(5))));
        assert!(!said.is_older_than(&at(150), (hour, Some(0))));
        let paused = DownloadStatus { state: DownloadState::Paused, ..at(100) };
        assert!(said.is_older_than(&paused, (hour, None)));
    }
}
