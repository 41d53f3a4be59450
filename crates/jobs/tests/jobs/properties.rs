//! What holds for every job whatever happens to it: random calls and events, several files at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dray_jobs::{
    BySource, Call, Code, Context, Effect, Event, FileEvent, FileIndex, FileRecord, Job, JobRecord, JobState,
    Learned, Notice, Priority, Property, RemoteName, Rules, Setting,
};
use dray_ranges::RangeSpec;
use proptest::prelude::*;

use crate::records::{records, restored};
use crate::rig::{Rig, new_file, new_job};

#[derive(Clone, Debug)]
enum Op {
    Call(Call),
    Complete(bool),
    On(Event),
    File(u32, FileEvent),
    Wait(Duration),
    WaitForTimer,
}

fn any_code() -> impl Strategy<Value = Code> {
    prop::sample::select(vec![
        Code::BG_E_CONNECTION_CLOSED,
        Code::http(404),
        Code::http(503),
        Code::ERROR_DISK_FULL,
        Code::BG_E_DESTINATION_LOCKED,
        Code::BG_E_TOKEN_REQUIRED,
        Code::BG_E_NETWORK_DISCONNECTED,
    ])
}

fn any_block() -> impl Strategy<Value = Code> {
    prop::sample::select(vec![
        Code::BG_E_BLOCKED_BY_POLICY,
        Code::BG_E_BLOCKED_BY_COST_TRANSFER_POLICY,
        Code::BG_E_STANDBY_MODE,
        Code::E_FAIL,
    ])
}

fn any_setting() -> impl Strategy<Value = Setting> {
    prop_oneof![
        (0..2000_u32).prop_map(Setting::MinimumRetryDelay),
        (0..4000_u32).prop_map(Setting::NoProgressTimeout),
        (0..4000_u32).prop_map(Setting::MaximumDownloadTime),
        (1..5_u32).prop_map(Setting::FilesAtOnce),
        prop::sample::select(Priority::ALL.to_vec()).prop_map(Setting::Priority),
        any::<bool>().prop_map(|on| Setting::Property(Property::OnDemandMode(on))),
        (1..5000_u64).prop_map(|bytes| Setting::Property(Property::MaxDownloadSize(bytes))),
    ]
}

fn any_call() -> impl Strategy<Value = Call> {
    let file = (0..4_u32).prop_map(FileIndex);
    let add = (1..3_usize).prop_map(|count| Call::AddFiles((0..count).map(new_file).collect()));
    let name = (file.clone(), 0..3_u8).prop_map(|(file, host)| Call::SetRemoteName {
        file,
        remote: RemoteName::parse(&format!("http://mirror{host}/")).unwrap(),
    });
    let verdict =
        (file.clone(), any::<bool>()).prop_map(|(file, valid)| Call::SetValidationState { file, valid });
    let request = (file, 0..100_u64, prop::option::of(1..50_u64)).prop_map(|(file, offset, length)| {
        Call::RequestFileRanges { file, ranges: vec![RangeSpec { offset, length }] }
    });
    let prefix = Call::ReplaceRemotePrefix { old: "http://".to_owned(), new: "https://".to_owned() };
    prop_oneof![
        3 => add,
        2 => Just(Call::Suspend),
        10 => Just(Call::Resume),
        1 => prop_oneof![9 => Just(Call::TakeOwnership), 1 => Just(Call::Cancel)],
        6 => any_setting().prop_map(|setting| Call::Set(vec![setting])),
        2 => name,
        1 => Just(prefix),
        3 => verdict,
        3 => request,
    ]
}

fn any_file_event() -> impl Strategy<Value = FileEvent> {
    let sources = |bytes, peer| BySource { origin: bytes, peer, ..BySource::default() };
    prop_oneof![
        2 => Just(FileEvent::Connected),
        2 => (0..200_u64).prop_map(|size| FileEvent::Learned(Learned { size: Some(size), ..Learned::default() })),
        4 => (0..200_u64).prop_map(move |bytes| FileEvent::Progress { transferred: bytes, sources: sources(bytes, 0) }),
        4 => (0..200_u64, 0..2_u64).prop_map(move |(size, peer)| FileEvent::Done { size, sources: sources(size, peer) }),
        2 => Just(FileEvent::Settling),
        1 => Just(FileEvent::RequestedDone),
        3 => any_code().prop_map(|code| FileEvent::Failed { code, context: Context::Unknown, detail: String::new() }),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => Just(Event::Selected),
        2 => Just(Event::Preempted),
        1 => any_code().prop_map(|code| Event::Failed { code, context: Context::Unknown, detail: String::new() }),
        1 => Just(Event::NetworkLost),
        2 => Just(Event::NetworkBack),
        1 => any_block().prop_map(Event::Blocked),
        2 => any_block().prop_map(Event::Unblocked),
        1 => Just(Event::OwnerLeft),
        2 => Just(Event::OwnerCame),
        1 => (0..4_u32).prop_map(|file| Event::Delivered(Notice::FileTransferred(FileIndex(file)))),
        1 => Just(Event::Delivered(Notice::JobTransferred)),
        1 => Just(Event::Delivered(Notice::JobError)),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => any_call().prop_map(Op::Call),
        1 => prop_oneof![9 => Just(false), 1 => Just(true)].prop_map(Op::Complete),
        8 => any_event().prop_map(Op::On),
        16 => (0..4_u32, any_file_event()).prop_map(|(file, event)| Op::File(file, event)),
        2 => (0..1_000_000_u64).prop_map(|ms| Op::Wait(Duration::from_millis(ms))),
        2 => Just(Op::WaitForTimer),
    ]
}

/// What the world around a job has done for it: transfers that run, records on disk.
struct World {
    rig: Rig,
    running: BTreeSet<FileIndex>,
    disk: (JobRecord, Vec<Option<FileRecord>>),
    ended: bool,
}

impl World {
    fn new() -> World {
        let mut rig = Rig::with(new_job(1));
        let disk = (rig.job.record(rig.now), Vec::new());
        assert_eq!(rig.effects, [Effect::Persist]);
        rig.effects.clear();
        World { rig, running: BTreeSet::new(), disk, ended: false }
    }

    fn step(&mut self, op: &Op) {
        let rig = &mut self.rig;
        rig.effects.clear();
        match op {
            Op::Call(call) => {
                let before = rig.job.clone();
                let result = rig.job.call(rig.now, &crate::rig::root(), call.clone());
                match result {
                    Ok(outcome) => rig.effects = outcome.effects,
                    Err(failure) => {
                        assert!(!failure.code.is_success());
                        assert_eq!(rig.job, before, "a refused call changes nothing");
                    }
                }
            }
            Op::Complete(works) => return self.complete(*works),
            Op::On(event) => drop(rig.on(event.clone())),
            Op::File(file, event) => {
                if rig.job.file(FileIndex(*file)).is_ok() {
                    rig.file(*file, event.clone());
                }
            }
            Op::Wait(by) => {
                rig.wait(*by);
                rig.on(Event::Timer);
            }
            Op::WaitForTimer => {
                if rig.job.timeout().is_some() {
                    rig.wait_for_timer();
                }
            }
        }
        self.carry_out();
    }

    /// In two steps, with a look at the records in between.
    fn complete(&mut self, works: bool) {
        let Ok(outcome) = self.rig.job.call(self.rig.now, &crate::rig::root(), Call::Complete) else {
            return;
        };
        let renames: Vec<FileIndex> = outcome
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Rename(file) => Some(*file),
                _ => None,
            })
            .collect();
        let waits = outcome.needs_renames();
        self.rig.effects = outcome.effects;
        self.carry_out();
        if waits {
            self.check();
            let answer = |file| (file, if works { Ok(()) } else { Err(Code::ERROR_DISK_FULL.into()) });
            let results: Vec<_> = renames.into_iter().map(answer).collect();
            let renamed = self.rig.job.renamed(self.rig.now, &results);
            assert_eq!(renamed.result.is_ok(), works);
            self.rig.effects = renamed.effects;
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        let Rig { job, now, effects } = &mut self.rig;
        assert!(effects.is_empty() || !self.ended, "no effect for a job that has ended: {effects:?}");
        for file in self.running.clone() {
            // A transfer that ended by itself.
            let stopped = effects.contains(&Effect::Stop(file));
            if !job.files()[file.as_usize()].is_running() && !stopped {
                self.running.remove(&file);
            }
        }
        for effect in std::mem::take(effects) {
            match effect {
                Effect::Persist => self.disk.0 = job.record(*now),
                Effect::PersistFile(file) => {
                    self.disk.1.resize(self.disk.1.len().max(file.as_usize() + 1), None);
                    self.disk.1[file.as_usize()] = Some(job.file_record(file).unwrap());
                }
                Effect::Stop(file) => assert!(self.running.remove(&file), "{file} does not run"),
                Effect::Start { file, run } => {
                    assert!(self.running.insert(file), "{file} runs already");
                    assert_eq!(job.files()[file.as_usize()].run(), run);
                }
                Effect::Prefer { file, ranges } => {
                    assert!(self.running.contains(&file) && !ranges.is_empty());
                }
                Effect::Extend { .. } => panic!("only a download is started again"),
                Effect::DeleteTemp(file) => {
                    assert!(!self.running.contains(&file), "{file} is still being written");
                    assert!(!job.files()[file.as_usize()].progress().completed);
                }
                Effect::Rename(file) => assert!(job.files()[file.as_usize()].has_arrived()),
                Effect::State { from, to } => {
                    assert_ne!(from, to);
                    assert_eq!(to, job.state());
                }
                Effect::Notify(notice) => assert!(job.wants(notice)),
                Effect::Forget => {
                    assert!(job.state().is_final());
                    self.ended = true;
                }
            }
        }
    }

    fn check(&self) {
        let Rig { job, now, .. } = &self.rig;
        let running: BTreeSet<FileIndex> = (0..job.files().len())
            .filter(|place| job.files()[*place].is_running())
            .map(|place| FileIndex(u32::try_from(place).unwrap()))
            .collect();
        assert_eq!(running, self.running);
        assert_eq!(job.state().is_running(), !running.is_empty(), "{}", job.state());
        assert_eq!(job.state().is_final(), self.ended);
        assert!(running.len() <= 4);
        let in_error = matches!(job.state(), JobState::Error | JobState::TransientError);
        assert!(!in_error || job.error().is_ok());
        let all_arrived = job.files().iter().all(|file| file.has_arrived());
        assert_eq!(all_arrived, job.progress().files_transferred == job.progress().files_total);
        if let Some((_, kind)) = job.timeout().filter(|(at, _)| *at <= now.mono) {
            // Only a call can make a timer due at once; the next Timer event clears it.
            let mut job = job.clone();
            job.on(*now, Event::Timer);
            assert!(job.timeout().is_none_or(|(at, _)| at > now.mono), "{kind:?} stays due");
        }
        self.check_records();
    }

    /// Records make an equal job, and those on disk are as good as new ones, but for progress and times.
    fn check_records(&self) {
        let Rig { job, now, .. } = &self.rig;
        let (again, _) = restored(job, *now, *now);
        let (twice, _) = restored(&again, *now, *now);
        assert_eq!(again, twice);

        let files = self.disk.1.iter().map(|file| file.clone().unwrap()).collect();
        let (from_disk, _) =
            Job::restore(*now, self.disk.0.clone(), files, Arc::new(Rules::default())).unwrap();
        assert_eq!(essence(&from_disk, *now), essence(&again, *now));
    }
}

/// The records of a job without progress and times.
fn essence(job: &Job, now: dray_jobs::Now) -> (JobRecord, Vec<FileRecord>) {
    let (mut record, mut files) = records(job, now);
    record.modified = record.created;
    record.inactive_in_ms = None;
    record.no_progress_in_ms = None;
    record.retry_in_ms = None;
    record.active_ms = 0;
    for file in &mut files {
        if file.phase != dray_jobs::FilePhase::Transferred {
            file.transferred = 0;
            file.sources = BySource::default();
        }
    }
    (record, files)
}

proptest! {
    #![proptest_config(crate::rig::times(2))]

    #[test]
    fn whatever_happens_to_a_job_its_rules_hold(ops in prop::collection::vec(any_op(), 1..100)) {
        let mut world = World::new();
        world.check();
        for op in &ops {
            let state = world.rig.state();
            world.step(op);
            world.check();
            prop_assert!(!state.is_final() || world.rig.state() == state, "final states are final");
        }
    }
}
