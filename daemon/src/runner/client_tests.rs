//! Events for acknowledgement and notify commands through kills, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use dray_api::v1::JobEvent;
use dray_jobs::delivery::AGAIN_AFTER;
use dray_jobs::{Call, Code, EventId, JobId, JobState, NotifyCommand, Scope, Setting};

use super::Attendance;
use crate::events::{Interest, Next, Subscription};
use crate::testing::{Act, House, caller, url};

struct Listener {
    subscription: Arc<Subscription>,
    _attendance: Option<Attendance>,
}

async fn listen(house: &House) -> Listener {
    let scope = Scope { caller: caller(), jobs: None, all_users: false };
    let interest = Interest { scope, kinds: None, acknowledges: true, downloads: false };
    let subscription = Arc::new(house.hub.subscribe(interest.clone()).unwrap());
    let (hub, its) = (house.hub.clone(), subscription.clone());
    let attendance = house.runner.look(move |actor| {
        hub.shown(&its, actor.last_happening());
        actor.attend(&its, &interest, false)
    });
    Listener { _attendance: attendance.await.unwrap(), subscription }
}

impl Listener {
    async fn next(&self) -> Arc<JobEvent> {
        match self.subscription.next().await {
            Next::Event((_, event)) => event,
            other => panic!("{other:?}"),
        }
    }
}

async fn transferred(house: &House) -> JobId {
    house.script.act(&url("a"), Act::Bring { bytes: 5, after: Duration::ZERO });
    let job = house.job(&["a"]).await;
    house.call(job, Call::Resume).await.unwrap();
    house.wait_for(job, JobState::Transferred).await;
    job
}

async fn answer(house: &House, event: u64, rejected: bool) -> Code {
    house.runner.acknowledge(caller(), EventId(event), rejected).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_event_comes_again_after_a_kill_until_its_acknowledgement_is_on_disk() {
    let house = House::new();
    let job = transferred(&house).await;
    let first = listen(&house).await.next().await;
    assert_eq!(first.job_id, job.to_string());
    let house = house.kill().await.start();
    let listener = listen(&house).await;
    let second = listener.next().await;
    assert_eq!(second.event, first.event);
    assert_eq!(answer(&house, second.event_id, false).await, Code::S_OK);
    let house = house.kill().await.start();
    let owed = house.look(job, |job| job.undelivered()).await;
    assert_eq!(owed, []);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_event_comes_again_to_the_same_stream_after_a_delay() {
    let house = House::new();
    transferred(&house).await;
    let listener = listen(&house).await;
    let first = listener.next().await;
    let began = tokio::time::Instant::now();
    assert_eq!(answer(&house, first.event_id, true).await, Code::S_OK);
    let second = listener.next().await;
    assert_eq!(second.event_id, first.event_id);
    assert!(began.elapsed() >= AGAIN_AFTER);
}

#[cfg(unix)]
#[tokio::test]
async fn the_notify_command_runs_when_nobody_listens_and_not_when_someone_does() {
    let house = House::new();
    let job = transferred(&house).await;
    let listener = listen(&house).await;
    let mark = house.path("mark");
    let program = house.path("notify").to_str().unwrap().to_owned();
    std::fs::write(&program, "#!/bin/sh\necho \"$@\" >\"$1\"\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let parameters = format!("{program} {}", mark.display());
    let command = NotifyCommand { program, parameters };
    house.call(job, Call::Set(vec![Setting::NotifyCommand(Some(command))])).await.unwrap();
    listener.next().await;
    assert!(!mark.exists());
    drop(listener);
    while !house.look(job, |job| job.undelivered().is_empty()).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let told = std::fs::read_to_string(&mark).unwrap();
    assert_eq!(told, format!("{} {job} TRANSFERRED\n", mark.display()));
}
