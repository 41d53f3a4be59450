//! What holds for all jobs of a machine together, whatever happens: places, limits, timers, progress.

use std::collections::BTreeMap;
use std::time::Duration;

use dray_jobs::{
    BySource, Call, Caller, Code, Context, Effect, Event, FileEvent, FileIndex, JobId, JobState, Limits, Now,
    Owner, Places, Priority, Queue, Rules, Setting,
};
use proptest::prelude::*;

use crate::rig::{files, job_id, later, new_job, root, start};

const PLACES: Places = Places { foreground: 2, background: 1, time_slice: Duration::from_secs(60) };
const LIMITS: Limits =
    Limits { jobs_per_owner: 4, jobs_per_machine: 8, files_per_job: 3, ranges_per_file: 2 };

#[derive(Clone, Debug)]
enum Op {
    Create { owner: u8, priority: Priority },
    Call(u8, Call),
    Ends { job: u8, code: Option<Code> },
    Connected(u8),
    Network(bool),
    Policy(bool),
    Presence(u8, bool),
    Wait(u32),
    WaitForTimeout,
}

fn any_op() -> impl Strategy<Value = Op> {
    let priority = || prop::sample::select(Priority::ALL.to_vec());
    let call = prop_oneof![
        4 => Just(Call::Resume),
        1 => Just(Call::Suspend),
        1 => Just(Call::Cancel),
        1 => Just(Call::Complete),
        2 => priority().prop_map(|priority| Call::Set(vec![Setting::Priority(priority)])),
        1 => Just(Call::TakeOwnership),
    ];
    let code = prop::sample::select(vec![None, Some(Code::http(404)), Some(Code::http(503))]);
    prop_oneof![
        6 => (0..3_u8, priority()).prop_map(|(owner, priority)| Op::Create { owner, priority }),
        10 => (0..20_u8, call).prop_map(|(job, call)| Op::Call(job, call)),
        5 => (0..20_u8, code).prop_map(|(job, code)| Op::Ends { job, code }),
        4 => (0..20_u8).prop_map(Op::Connected),
        1 => any::<bool>().prop_map(Op::Network),
        1 => any::<bool>().prop_map(Op::Policy),
        1 => (0..3_u8, any::<bool>()).prop_map(|(owner, present)| Op::Presence(owner, present)),
        3 => (0..400_u32).prop_map(Op::Wait),
        3 => Just(Op::WaitForTimeout),
    ]
}

fn owner(number: u8) -> Owner {
    Owner::new(number.to_string())
}

struct World {
    queue: Queue,
    now: Now,
    ids: Vec<JobId>,
    /// Transfers that run, kept by obeying the effects.
    running: BTreeMap<JobId, u32>,
}

impl World {
    fn carry_out(&mut self, id: JobId, effects: &[Effect]) {
        for effect in effects {
            let count = self.running.entry(id).or_default();
            match effect {
                Effect::Start { .. } => *count += 1,
                Effect::Stop(_) => *count -= 1,
                _ => {}
            }
        }
        if effects.contains(&Effect::Forget) {
            self.queue.forget(id);
            assert_eq!(self.running.remove(&id), Some(0), "a job ends with nothing running");
        }
    }

    fn file_event(&mut self, id: JobId, event: FileEvent) {
        let Some(job) = self.queue.job(id) else { return };
        let Some(place) = job.files().iter().position(|file| file.is_running()) else { return };
        let run = job.files()[place].run();
        let file = FileIndex(u32::try_from(place).unwrap());
        let ended = !matches!(event, FileEvent::Connected);
        let effects = self.queue.on(self.now, id, Event::File { file, run, event });
        *self.running.entry(id).or_default() -= u32::from(ended);
        self.carry_out(id, &effects);
    }

    fn call(&mut self, id: JobId, call: Call) {
        let Ok(outcome) = self.queue.call(self.now, &root(), id, call) else { return };
        self.carry_out(id, &outcome.effects);
        if outcome.needs_renames() {
            let files = self.queue.job(id).unwrap().files().len();
            let all = (0..files).map(|place| (FileIndex(u32::try_from(place).unwrap()), Ok(())));
            let renamed = self.queue.renamed(self.now, id, &all.collect::<Vec<_>>()).unwrap();
            self.carry_out(id, &renamed.effects);
        }
    }

    fn step(&mut self, op: &Op) {
        let id = |number: &u8| job_id(u128::from(*number));
        match op {
            Op::Create { owner: number, priority } => {
                let mut new = new_job(self.ids.len() as u128);
                new.settings = vec![Setting::Priority(*priority)];
                let id = new.id;
                let caller = Caller::user(owner(*number));
                if let Ok(outcome) = self.queue.create(self.now, &caller, new) {
                    self.ids.push(id);
                    self.carry_out(id, &outcome.effects);
                    self.call(id, Call::AddFiles(files(2)));
                }
            }
            Op::Call(number, call) => self.call(id(number), call.clone()),
            Op::Connected(number) => self.file_event(id(number), FileEvent::Connected),
            Op::Ends { job, code } => {
                let event = match code {
                    None => FileEvent::Done { size: 1, sources: BySource::default() },
                    Some(code) => {
                        FileEvent::Failed { code: *code, context: Context::RemoteFile, detail: String::new() }
                    }
                };
                self.file_event(id(job), event);
            }
            Op::Network(connected) => {
                for command in self.queue.network(self.now, *connected) {
                    self.carry_out(command.job, &command.effects);
                }
            }
            Op::Policy(blocks) => {
                for command in self.queue.policy(self.now, Code::BG_E_BLOCKED_BY_POLICY, *blocks) {
                    self.carry_out(command.job, &command.effects);
                }
            }
            Op::Presence(number, present) => {
                for command in self.queue.presence(self.now, &owner(*number), *present) {
                    self.carry_out(command.job, &command.effects);
                }
            }
            Op::Wait(seconds) => self.now = later(self.now, Duration::from_secs(u64::from(*seconds))),
            Op::WaitForTimeout => {
                if let Some(at) = self.queue.timeout() {
                    self.now = later(self.now, at.saturating_sub(self.now.mono));
                }
            }
        }
        let mut polls = 0;
        while let Some(command) = self.queue.poll(self.now) {
            assert!(!command.effects.is_empty(), "a command says something");
            self.carry_out(command.job, &command.effects);
            polls += 1;
            assert!(polls < 200, "poll comes to an end");
        }
    }

    fn check(&self) {
        assert!(self.queue.timeout().is_none_or(|at| at > self.now.mono), "what is due was done");
        let mut places = [0_usize; 2];
        let mut ready = [0_usize; 2];
        let mut owned: BTreeMap<&Owner, usize> = BTreeMap::new();
        for job in self.queue.jobs() {
            let lane = usize::from(job.priority() != Priority::Foreground);
            places[lane] += usize::from(job.state().is_running());
            ready[lane] += usize::from(job.is_ready());
            assert!(!job.state().is_final(), "it was forgotten");
            let running = job.files().iter().filter(|file| file.is_running()).count();
            assert_eq!(Some(running), self.running.get(&job.id()).map(|count| *count as usize));
            *owned.entry(job.owner()).or_default() += 1;
        }
        for (lane, limit) in [PLACES.foreground, PLACES.background].into_iter().enumerate() {
            assert!(places[lane] <= limit, "{places:?}");
            assert!(places[lane] == limit || ready[lane] == 0, "a place is free and a job waits");
        }
        assert!(self.queue.jobs().count() <= LIMITS.jobs_per_machine);
        for (owner, count) in owned {
            assert!(count <= LIMITS.jobs_per_owner || *owner == root().owner, "{owner} has {count}");
        }
        assert_eq!(self.queue.count(JobState::Cancelled) + self.queue.count(JobState::Acknowledged), 0);
    }
}

proptest! {
    #![proptest_config(crate::rig::times(2))]

    #[test]
    fn whatever_happens_to_a_machine_its_rules_hold(ops in prop::collection::vec(any_op(), 1..150)) {
        let rules = Rules { limits: LIMITS, ..Rules::default() };
        let queue = Queue::new(rules, PLACES);
        let mut world = World { queue, now: start(), ids: Vec::new(), running: BTreeMap::new() };
        for op in &ops {
            world.step(op);
            world.check();
        }
    }
}
