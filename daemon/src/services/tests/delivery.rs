//! Events for acknowledgement, over a real socket.

use dray_api::v1::JobEvent;
use dray_jobs::{Call, JobId, NotifyFlags, Setting};

use super::*;

async fn attend(jobs: &mut JobClient) -> tonic::Streaming<v1::WatchEventsResponse> {
    let request = v1::WatchEventsRequest { acknowledge: true, all_users: true, ..Default::default() };
    jobs.watch_events(request).await.unwrap().into_inner()
}

async fn event(events: &mut tonic::Streaming<v1::WatchEventsResponse>) -> JobEvent {
    let wait = tokio::time::timeout(Duration::from_secs(20), events.message());
    wait.await.unwrap().unwrap().unwrap().event.unwrap()
}

/// The next event that waits for an answer.
async fn asked(events: &mut tonic::Streaming<v1::WatchEventsResponse>) -> JobEvent {
    loop {
        let event = event(events).await;
        if event.event_id > 0 {
            return event;
        }
    }
}

async fn answer(jobs: &mut JobClient, event_id: u64, rejected: bool) -> SuccessCode {
    let request = v1::AcknowledgeEventRequest { event_id, rejected };
    jobs.acknowledge_event(request).await.unwrap().into_inner().code()
}

/// A job of one file that has arrived.
async fn transferred(served: &Served, name: &str, flags: u32) -> JobId {
    served.house.script.act(&url(name), Act::Bring { bytes: 9, after: Duration::ZERO });
    let job = served.house.job(&[name]).await;
    let flags = NotifyFlags::from_bits(flags).unwrap();
    served.house.call(job, Call::Set(vec![Setting::NotifyFlags(flags)])).await.unwrap();
    served.house.call(job, Call::Resume).await.unwrap();
    served.house.wait_for(job, dray_jobs::JobState::Transferred).await;
    job
}

#[tokio::test]
async fn an_event_of_the_past_is_told_until_it_is_acknowledged() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let job = transferred(&served, "a", 0x13).await;
    let mut first = attend(&mut jobs).await;
    assert!(matches!(event(&mut first).await.event, Some(Event::Snapshot(_))));
    assert!(matches!(event(&mut first).await.event, Some(Event::CaughtUp(_))));
    let file = event(&mut first).await;
    assert!(matches!(&file.event, Some(Event::FileTransferred(_))), "{file:?}");
    assert_eq!(answer(&mut jobs, file.event_id, false).await, SuccessCode::SOk);
    assert_eq!(answer(&mut jobs, file.event_id, false).await, SuccessCode::SFalse);
    let end = event(&mut first).await;
    assert!(matches!(end.event, Some(Event::JobTransferred(_))), "{end:?}");
    assert_eq!(end.job_id, job.to_string());
    drop(first);

    let mut second = attend(&mut jobs).await;
    let again = asked(&mut second).await;
    assert_eq!((again.event_id, &again.event), (end.event_id, &end.event));
    assert_eq!(answer(&mut jobs, again.event_id, true).await, SuccessCode::SOk);
    assert_eq!(answer(&mut jobs, again.event_id, true).await, SuccessCode::SFalse);
    let mut third = attend(&mut jobs).await;
    assert_eq!(asked(&mut third).await.event_id, end.event_id, "a new stream need not wait");
    assert_eq!(answer(&mut jobs, end.event_id, false).await, SuccessCode::SOk);

    drop((second, third));
    let other = transferred(&served, "b", 0x03).await;
    let mut fourth = attend(&mut jobs).await;
    assert_eq!(asked(&mut fourth).await.job_id, other.to_string(), "the first is not owed any more");
    assert_eq!(answer(&mut jobs, 0, false).await, SuccessCode::SFalse);
    assert_eq!(answer(&mut jobs, u64::MAX, true).await, SuccessCode::SFalse);
}

#[tokio::test]
async fn a_stream_that_acknowledges_is_told_what_the_flags_ask_for_and_others_everything() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let mut quiet = attend(&mut jobs).await;
    let request = v1::WatchEventsRequest { all_users: true, ..Default::default() };
    let mut all = jobs.watch_events(request).await.unwrap().into_inner();
    transferred(&served, "a", 0x04).await;
    transferred(&served, "b", 0x08).await;
    let last = transferred(&served, "c", 0x01).await;
    let mut told = Vec::new();
    loop {
        let event = event(&mut quiet).await;
        told.push(event.event.clone().unwrap());
        if event.event_id > 0 {
            assert_eq!(event.job_id, last.to_string());
            break;
        }
    }
    assert!(told.iter().any(|event| matches!(event, Event::Modified(_))), "{told:?}");
    let expected = |event: &Event| {
        matches!(
            event,
            Event::Snapshot(_) | Event::CaughtUp(_) | Event::Modified(_) | Event::JobTransferred(_)
        )
    };
    assert!(told.iter().all(expected), "{told:?}");
    let mut states = 0;
    while event(&mut all).await.job_id != last.to_string() {
        states += 1;
    }
    assert!(states > 5, "whoever only watches is told all of it");
}

#[tokio::test]
async fn one_that_never_answers_is_told_four_events_and_holds_nobody_else_up() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    for name in ["a", "b", "c", "d", "e", "f"] {
        transferred(&served, name, 0x01).await;
    }
    let mut silent = attend(&mut jobs).await;
    let mut first = 0;
    for _ in 0..4 {
        first = asked(&mut silent).await.event_id;
    }
    let fifth = tokio::time::timeout(Duration::from_millis(200), asked(&mut silent)).await;
    assert!(fifth.is_err(), "a fifth event was told: {fifth:?}");
    let mut other = served.jobs().await;
    assert_eq!(answer(&mut other, first, false).await, SuccessCode::SOk, "by another connection");
    asked(&mut silent).await;
}

#[tokio::test]
async fn readable_bytes_are_told_once_when_the_flags_ask_for_it() {
    let served = serve().await;
    let mut jobs = served.jobs().await;
    let mut events = attend(&mut jobs).await;
    let name = "a";
    served.house.script.act(&url(name), Act::Half { bytes: 10 });
    served.house.script.act(&url(name), Act::Bring { bytes: 10, after: Duration::ZERO });
    let job = served.house.job(&[name]).await;
    let flags = NotifyFlags::from_bits(0x21).unwrap();
    served.house.call(job, Call::Set(vec![Setting::NotifyFlags(flags)])).await.unwrap();
    served.house.call(job, Call::Resume).await.unwrap();
    let mut told = Vec::new();
    loop {
        match event(&mut events).await.event {
            Some(Event::FileRangesTransferred(ranges)) => {
                told.extend(ranges.ranges.iter().map(|range| (range.offset, range.length)));
                if told.len() == 1 {
                    served.house.call(job, Call::Suspend).await.unwrap();
                    served.house.call(job, Call::Resume).await.unwrap();
                }
            }
            Some(Event::JobTransferred(_)) => break,
            _ => {}
        }
    }
    assert_eq!(told, [(0, Some(5)), (5, Some(5))]);
}
