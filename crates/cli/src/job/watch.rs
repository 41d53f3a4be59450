//! `dray job watch` and `resume --wait`: the event stream, followed across restarts of the daemon.

use std::time::Duration;

use dray_api::v1::{WatchEventsRequest, WatchEventsResponse};
use tonic::{Code, Status, Streaming};

use super::{
    bars::Bars,
    json,
    link::Link,
    problem::Problem,
    track::{Tracker, Until},
};
use crate::{exit::Exit, printer::Printer};

/// How often and how long a daemon that has gone away is looked for: it may be restarting.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
const RECONNECT_ATTEMPTS: u32 = 60;

/// How long the event that explains a final state may lag behind it.
const LAST_WORD: Duration = Duration::from_secs(1);

pub(super) async fn watch(link: &mut Link, jobs: Vec<String>, printer: &Printer) -> Result<Exit, Problem> {
    let ids = link.resolve_all(&jobs).await?;
    until_interrupted(link, ids, Until::Settled, printer).await
}

/// Waits for jobs that have just been resumed.
pub(super) async fn wait(link: &mut Link, ids: Vec<String>, printer: &Printer) -> Result<Exit, Problem> {
    until_interrupted(link, ids, Until::Stopped, printer).await
}

async fn until_interrupted(
    link: &mut Link,
    ids: Vec<String>,
    until: Until,
    printer: &Printer,
) -> Result<Exit, Problem> {
    tokio::select! {
        exit = follow(link, ids, until, printer) => exit,
        // The jobs go on; only the watching ends.
        Ok(()) = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
    }
}

async fn follow(link: &mut Link, ids: Vec<String>, until: Until, printer: &Printer) -> Result<Exit, Problem> {
    let request = WatchEventsRequest { job_ids: ids, ..WatchEventsRequest::default() };
    let mut tracker = Tracker::new(until);
    let mut bars = Bars::new(printer.shows_progress());
    let mut stream = link.jobs.watch_events(request.clone()).await?.into_inner();
    loop {
        let patience = if tracker.done() { LAST_WORD } else { Duration::MAX };
        let Ok(message) = tokio::time::timeout(patience, stream.message()).await else {
            bars.clear();
            return Ok(tracker.exit());
        };
        match message {
            Ok(Some(WatchEventsResponse { event: Some(event) })) => {
                let lines = tracker.apply(&event);
                if printer.json {
                    if let Some(value) = json::event(&event) {
                        printer.json(&value);
                    }
                } else {
                    bars.above(|| lines.iter().for_each(|line| printer.data(line)));
                }
                bars.update(&event.job_id, tracker.get(&event.job_id));
                if tracker.done() && tracker.told() {
                    bars.clear();
                    return Ok(tracker.exit());
                }
            }
            Ok(Some(WatchEventsResponse { event: None })) => {}
            // Nothing of what is over can change.
            Ok(None) | Err(_) if tracker.done() => {
                bars.clear();
                return Ok(tracker.exit());
            }
            Ok(None) => {
                stream = reopen(link, &request, Status::unavailable("the stream of events ended")).await?;
                tracker.forget();
            }
            Err(status) => {
                stream = reopen(link, &request, status).await?;
                tracker.forget();
            }
        }
    }
}

/// A stream in place of one that broke, once the daemon is there again.
async fn reopen(
    link: &mut Link,
    request: &WatchEventsRequest,
    mut why: Status,
) -> Result<Streaming<WatchEventsResponse>, Problem> {
    for _ in 0..RECONNECT_ATTEMPTS {
        if !is_broken_connection(&why) {
            return Err(why.into());
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
        match link.jobs.watch_events(request.clone()).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => why = status,
        }
    }
    Err(Status::unavailable(why.message()).into())
}

/// A daemon that dies mid-stream shows as any of these; one that refuses carries a detail.
fn is_broken_connection(status: &Status) -> bool {
    status.details().is_empty()
        && matches!(
            status.code(),
            Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled | Code::Aborted
        )
}
