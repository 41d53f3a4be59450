//! Finding, listing and driving the jobs of a machine (reference 2, 7.10).

use dray_jobs::{
    Call, Caller, Code, Command, Effect, Event, FileEvent, FileIndex, JobId, JobState, Now, Owner, Places,
    Priority, Queue, Rules, Setting,
};

use crate::rig::{DAY, SECOND, alice, files, from_origin, job_id, later, new_job, root, start};

fn bob() -> Caller {
    Caller::user(Owner::new("1001"))
}

fn queue() -> Queue {
    Queue::new(Rules::default(), Places::default())
}

fn add(queue: &mut Queue, now: Now, caller: &Caller, number: u128) -> JobId {
    let _ = queue.create(now, caller, new_job(number)).unwrap();
    let _ = queue.call(now, caller, job_id(number), Call::AddFiles(files(1))).unwrap();
    job_id(number)
}

fn drain(queue: &mut Queue, now: Now) -> Vec<Command> {
    let mut commands = Vec::new();
    while let Some(command) = queue.poll(now) {
        commands.push(command);
        assert!(commands.len() < 10_000, "poll comes to an end");
    }
    commands
}

#[test]
fn a_job_is_found_by_its_owner_and_by_administrators_alone() {
    let mut queue = queue();
    let id = add(&mut queue, start(), &alice(), 1);
    assert!(queue.find(&alice(), id).is_ok());
    assert!(queue.find(&root(), id).is_ok());
    assert_eq!(queue.find(&bob(), id).unwrap_err().code, Code::BG_E_NOT_FOUND);
    assert_eq!(queue.find(&alice(), job_id(2)).unwrap_err().code, Code::BG_E_NOT_FOUND);
    for call in [Call::Resume, Call::Cancel, Call::TakeOwnership] {
        let refused = queue.call(start(), &bob(), id, call).unwrap_err();
        assert_eq!(refused.code, Code::BG_E_NOT_FOUND, "of a stranger");
    }
}

#[test]
fn a_listing_has_the_callers_jobs_oldest_first_and_everyones_for_administrators() {
    let mut queue = queue();
    let now = start();
    let third = add(&mut queue, later(now, 3 * SECOND), &alice(), 1);
    let first = add(&mut queue, later(now, SECOND), &alice(), 3);
    let second = add(&mut queue, later(now, 2 * SECOND), &bob(), 2);
    assert_eq!(queue.list(&alice(), false), Ok(vec![first, third]));
    assert_eq!(queue.list(&root(), false), Ok(vec![]));
    assert_eq!(queue.list(&root(), true), Ok(vec![first, second, third]));
    assert_eq!(queue.list(&alice(), true).unwrap_err().code, Code::E_ACCESSDENIED);
}

#[test]
fn a_job_that_has_ended_is_not_found_but_stays_until_it_is_forgotten() {
    let mut queue = queue();
    let now = start();
    let id = add(&mut queue, now, &alice(), 1);
    queue.forget(id);
    assert!(queue.find(&alice(), id).is_ok(), "a living job is not forgotten");
    let _ = queue.call(now, &alice(), id, Call::Cancel).unwrap();
    assert_eq!(queue.find(&alice(), id).unwrap_err().code, Code::BG_E_NOT_FOUND);
    assert_eq!(queue.list(&alice(), false), Ok(vec![]));
    assert_eq!(queue.call(now, &alice(), id, Call::Resume).unwrap_err().code, Code::BG_E_NOT_FOUND);
    assert!(queue.job(id).is_some(), "its effects are still to be carried out");
    assert_eq!(queue.create(now, &alice(), new_job(1)).unwrap_err().code, Code::E_UNEXPECTED);
    queue.forget(id);
    assert!(queue.job(id).is_none());
    assert_eq!(queue.timeout(), None);
}

#[test]
fn a_resumed_job_is_started_by_the_next_poll_and_runs_to_its_end() {
    let mut queue = queue();
    let now = start();
    let id = add(&mut queue, now, &alice(), 1);
    assert_eq!(queue.poll(now), None);
    let _ = queue.call(now, &alice(), id, Call::Resume).unwrap();
    let commands = drain(&mut queue, now);
    assert_eq!(commands.len(), 1);
    let file = FileIndex(0);
    let run = queue.job(id).unwrap().files()[0].run();
    assert!(commands[0].effects.contains(&Effect::Start { file, run }));
    queue.on(now, id, Event::File { file, run, event: FileEvent::Done { size: 5, sources: from_origin(5) } });
    assert_eq!(queue.count(JobState::Transferred), 1);
    let outcome = queue.call(now, &alice(), id, Call::Complete).unwrap();
    assert!(outcome.needs_renames());
    let renamed = queue.renamed(now, id, &[(file, Ok(()))]).unwrap();
    assert_eq!(renamed.result, Ok(Code::S_OK));
    assert_eq!(queue.find(&alice(), id).unwrap_err().code, Code::BG_E_NOT_FOUND);
}

#[test]
fn due_timers_come_out_of_poll_in_their_order() {
    let mut queue = queue();
    let now = start();
    let first = add(&mut queue, now, &alice(), 2);
    let second = add(&mut queue, later(now, SECOND), &alice(), 1);
    assert_eq!(queue.timeout(), Some(now.mono + 90 * DAY));
    let end = later(now, 91 * DAY);
    let commands = drain(&mut queue, end);
    assert_eq!(commands.iter().map(|command| command.job).collect::<Vec<_>>(), [first, second]);
    assert_eq!(queue.count(JobState::Cancelled), 2);
    assert_eq!(queue.timeout(), None);
}

#[test]
fn without_a_network_every_job_waits_and_with_it_every_job_goes_on() {
    let mut queue = queue();
    let now = start();
    let running = add(&mut queue, now, &alice(), 1);
    let queued = add(&mut queue, now, &alice(), 2);
    let idle = add(&mut queue, now, &alice(), 3);
    for id in [running, queued] {
        let _ = queue.call(now, &alice(), id, Call::Resume).unwrap();
    }
    drain(&mut queue, now);
    let commands = queue.network(now, false);
    assert_eq!(commands.len(), 2);
    assert_eq!(queue.network(now, false), [], "it knows");
    assert_eq!(queue.count(JobState::TransientError), 2);
    let late = add(&mut queue, now, &alice(), 4);
    for id in [late, idle] {
        let _ = queue.call(now, &alice(), id, Call::Resume).unwrap();
    }
    drain(&mut queue, now);
    assert_eq!(queue.count(JobState::TransientError), 4);
    queue.network(now, true);
    drain(&mut queue, now);
    assert_eq!((queue.count(JobState::Connecting), queue.count(JobState::Queued)), (1, 3));
}

#[test]
fn the_bandwidth_policy_holds_background_jobs_until_its_window_ends() {
    let mut queue = queue();
    let now = start();
    let background = add(&mut queue, now, &alice(), 1);
    let foreground = add(&mut queue, now, &alice(), 2);
    let urgent = Call::Set(vec![Setting::Priority(Priority::Foreground)]);
    let _ = queue.call(now, &alice(), foreground, urgent).unwrap();
    for id in [background, foreground] {
        let _ = queue.call(now, &alice(), id, Call::Resume).unwrap();
    }
    queue.policy(now, Code::BG_E_BLOCKED_BY_POLICY, true);
    queue.policy(now, Code::E_FAIL, true); // no policy, and ignored
    drain(&mut queue, now);
    assert_eq!(queue.job(background).unwrap().state(), JobState::TransientError);
    assert_eq!(queue.job(foreground).unwrap().state(), JobState::Connecting);
    queue.policy(now, Code::BG_E_BLOCKED_BY_POLICY, false);
    drain(&mut queue, now);
    assert_eq!(queue.job(background).unwrap().state(), JobState::Connecting);
}

#[test]
fn jobs_of_an_absent_owner_wait_in_the_queue() {
    let mut queue = queue();
    let now = start();
    let id = add(&mut queue, now, &alice(), 1);
    let _ = queue.call(now, &alice(), id, Call::Resume).unwrap();
    drain(&mut queue, now);
    assert_eq!(queue.presence(now, &bob().owner, false), []);
    assert_eq!(queue.presence(now, &alice().owner, false).len(), 1);
    assert_eq!(queue.job(id).unwrap().state(), JobState::Queued);
    assert_eq!(drain(&mut queue, now), []);
    queue.presence(now, &alice().owner, true);
    drain(&mut queue, now);
    assert_eq!(queue.job(id).unwrap().state(), JobState::Connecting);
}

#[test]
fn a_job_that_changes_hands_counts_for_its_new_owner() {
    let mut rules = Rules::default();
    rules.limits.jobs_per_owner = 1;
    let mut queue = Queue::new(rules, Places::default());
    let now = start();
    let id = add(&mut queue, now, &alice(), 1);
    assert!(queue.create(now, &alice(), new_job(2)).is_err());
    let _ = queue.call(now, &root(), id, Call::TakeOwnership).unwrap();
    assert!(queue.create(now, &alice(), new_job(2)).is_ok());
    assert_eq!(queue.find(&alice(), id).unwrap_err().code, Code::BG_E_NOT_FOUND);
}

#[test]
fn a_restored_job_is_scheduled_like_any_other() {
    let mut before = queue();
    let now = start();
    let id = add(&mut before, now, &alice(), 1);
    let _ = before.call(now, &alice(), id, Call::Resume).unwrap();
    drain(&mut before, now);
    let job = before.job(id).unwrap();
    let (record, file) = (job.record(now), job.file_record(FileIndex(0)).unwrap());
    let mut after = queue();
    assert_eq!(after.restore(now, record.clone(), vec![file.clone()]), Ok(vec![]));
    assert!(after.restore(now, record, vec![file]).is_err(), "twice");
    assert_eq!(drain(&mut after, now).len(), 1);
    assert_eq!(after.job(id).unwrap().state(), JobState::Connecting);
}
