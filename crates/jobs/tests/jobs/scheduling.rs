//! Who runs (reference 3.4, 7.8): priorities, time slices, fairness between owners.

use std::collections::BTreeMap;
use std::time::Duration;

use dray_jobs::{
    Call, Caller, Effect, Event, FileEvent, FileIndex, JobId, JobState, Now, Owner, Places, Priority, Queue,
    Rules, Setting,
};

use crate::rig::{SECOND, files, from_origin, job_id, later, new_job, start};

const SLICE: Duration = Duration::from_secs(60);

struct Machine {
    queue: Queue,
    now: Now,
    next: u128,
}

impl Machine {
    fn new(foreground: usize, background: usize) -> Machine {
        let places = Places { foreground, background, time_slice: SLICE };
        Machine { queue: Queue::new(Rules::default(), places), now: start(), next: 1 }
    }

    fn job(&mut self, owner: &str, priority: Priority) -> JobId {
        let id = self.idle(owner, priority);
        self.call(id, Call::Resume);
        id
    }

    fn idle(&mut self, owner: &str, priority: Priority) -> JobId {
        let id = job_id(self.next);
        let mut new = new_job(self.next);
        new.settings.push(Setting::Priority(priority));
        self.next += 1;
        let caller = Caller::user(Owner::new(owner));
        let _ = self.queue.create(self.now, &caller, new).unwrap();
        self.call(id, Call::AddFiles(files(1)));
        id
    }

    fn call(&mut self, id: JobId, call: Call) {
        let root = Caller::administrator(Owner::new("0"));
        let _ = self.queue.call(self.now, &root, id, call).unwrap();
        self.settle();
    }

    fn settle(&mut self) {
        let mut steps = 0;
        while let Some(command) = self.queue.poll(self.now) {
            assert!(!command.effects.is_empty());
            steps += 1;
            assert!(steps < 1000, "poll comes to an end");
        }
    }

    fn running(&self) -> Vec<JobId> {
        self.queue.jobs().filter(|job| job.state().is_running()).map(|job| job.id()).collect()
    }

    fn wait(&mut self, by: Duration) {
        self.now = later(self.now, by);
        self.settle();
    }

    fn finish(&mut self, id: JobId) {
        let file = FileIndex(0);
        let run = self.queue.job(id).unwrap().files()[0].run();
        let event = FileEvent::Done { size: 1, sources: from_origin(1) };
        self.queue.on(self.now, id, Event::File { file, run, event });
        self.settle();
    }
}

#[test]
fn foreground_jobs_run_together_and_beside_them_one_background_job() {
    let mut machine = Machine::new(60, 1);
    let foreground: Vec<JobId> = (0..10).map(|_| machine.job("a", Priority::Foreground)).collect();
    let background = machine.job("a", Priority::Normal);
    machine.job("a", Priority::Normal);
    let mut expected = foreground;
    expected.push(background);
    assert_eq!(machine.running(), expected);
}

#[test]
fn a_more_urgent_background_job_pushes_the_other_out_at_once() {
    let mut machine = Machine::new(60, 1);
    let low = machine.job("a", Priority::Low);
    assert_eq!(machine.running(), [low]);
    let normal = machine.job("a", Priority::Normal);
    assert_eq!(machine.running(), [normal]);
    let high = machine.job("b", Priority::High);
    assert_eq!(machine.running(), [high]);
    machine.wait(10 * SLICE);
    assert_eq!(machine.running(), [high], "a lower level gets nothing meanwhile");
    machine.finish(high);
    assert_eq!(machine.running(), [normal]);
    machine.finish(normal);
    assert_eq!(machine.running(), [low]);
}

#[test]
fn a_job_in_error_makes_room_for_a_lower_level() {
    let mut machine = Machine::new(60, 1);
    let high = machine.job("a", Priority::High);
    let low = machine.job("a", Priority::Low);
    let run = machine.queue.job(high).unwrap().files()[0].run();
    let code = dray_jobs::Code::http(503);
    let event = FileEvent::Failed { code, context: dray_jobs::Context::RemoteFile, detail: String::new() };
    machine.queue.on(machine.now, high, Event::File { file: FileIndex(0), run, event });
    machine.settle();
    assert_eq!(machine.running(), [low]);
    machine.wait(600 * SECOND);
    assert_eq!(machine.running(), [high], "its retry comes");
}

#[test]
fn jobs_of_one_level_take_turns_in_time_slices() {
    let mut machine = Machine::new(60, 1);
    let jobs: Vec<JobId> = (0..3).map(|_| machine.job("a", Priority::Normal)).collect();
    for turn in 0..9 {
        assert_eq!(machine.running(), [jobs[turn % 3]], "turn {turn}");
        assert_eq!(machine.queue.timeout(), Some(machine.now.mono + SLICE));
        machine.wait(SLICE - Duration::from_nanos(1));
        assert_eq!(machine.running(), [jobs[turn % 3]]);
        machine.wait(Duration::from_nanos(1));
    }
}

#[test]
fn a_job_alone_is_not_interrupted() {
    let mut machine = Machine::new(60, 1);
    let only = machine.job("a", Priority::Normal);
    let due = machine.queue.timeout().unwrap();
    assert!(due > machine.now.mono + 1000 * SLICE, "no slice ends when nobody waits");
    machine.wait(100 * SLICE);
    assert_eq!(machine.running(), [only]);
    let other = machine.job("a", Priority::Normal);
    assert_eq!(machine.running(), [other], "its slice was over long ago");
}

#[test]
fn owners_share_the_machine_however_many_jobs_they_have() {
    let mut machine = Machine::new(60, 1);
    let many: Vec<JobId> = (0..20).map(|_| machine.job("greedy", Priority::Normal)).collect();
    let one = machine.job("modest", Priority::Normal);
    let mut turns: BTreeMap<bool, u32> = BTreeMap::new();
    let mut served = Vec::new();
    for _ in 0..40 {
        machine.wait(SLICE);
        let running = machine.running();
        assert_eq!(running.len(), 1);
        *turns.entry(running[0] == one).or_default() += 1;
        served.push(running[0]);
    }
    assert_eq!(turns[&true], 20, "every other slice");
    assert!(many[1..].iter().all(|job| served.contains(job)), "and each job of the other had a turn");
}

#[test]
fn several_background_places_are_filled_and_shared() {
    let mut machine = Machine::new(60, 2);
    let greedy: Vec<JobId> = (0..4).map(|_| machine.job("greedy", Priority::Normal)).collect();
    assert_eq!(machine.running(), greedy[..2]);
    let modest = machine.job("modest", Priority::Normal);
    let mut turns = 0;
    for _ in 0..12 {
        machine.wait(SLICE);
        assert_eq!(machine.running().len(), 2);
        turns += u32::from(machine.running().contains(&modest));
    }
    assert!(turns >= 6, "{turns} of 12 slices");
}

#[test]
fn a_change_of_priority_moves_a_running_job() {
    let mut machine = Machine::new(60, 1);
    let first = machine.job("a", Priority::Normal);
    let second = machine.job("a", Priority::Normal);
    assert_eq!(machine.running(), [first]);
    machine.call(first, Call::Set(vec![Setting::Priority(Priority::Foreground)]));
    assert_eq!(machine.running(), [first, second], "its background place is free");
    machine.call(first, Call::Set(vec![Setting::Priority(Priority::Low)]));
    assert_eq!(machine.running(), [second], "too many in the background");
    machine.call(first, Call::Set(vec![Setting::Priority(Priority::High)]));
    assert_eq!(machine.running(), [first]);
}

#[test]
fn the_foreground_has_a_bound_too() {
    let mut machine = Machine::new(3, 1);
    let jobs: Vec<JobId> = (0..5).map(|_| machine.job("a", Priority::Foreground)).collect();
    assert_eq!(machine.running(), jobs[..3]);
    machine.finish(jobs[1]);
    assert_eq!(machine.running(), [jobs[0], jobs[2], jobs[3]]);
    machine.wait(SLICE);
    assert!(machine.running().contains(&jobs[4]));
}

#[test]
fn a_preempted_job_stops_its_files_and_waits_at_the_end_of_the_line() {
    let mut machine = Machine::new(60, 1);
    let low = machine.job("a", Priority::Low);
    let high = machine.idle("a", Priority::High);
    let root = Caller::administrator(Owner::new("0"));
    let _ = machine.queue.call(machine.now, &root, high, Call::Resume).unwrap();
    let stop = machine.queue.poll(machine.now).unwrap();
    assert_eq!(stop.job, low);
    assert!(stop.effects.contains(&Effect::Stop(FileIndex(0))));
    assert_eq!(machine.queue.job(low).unwrap().state(), JobState::Queued);
    let begin = machine.queue.poll(machine.now).unwrap();
    assert_eq!(begin.job, high);
    assert_eq!(machine.queue.poll(machine.now), None);
}
