//! A second job machine, written from the reference for one case only (files one after the other, whole
//! seconds, no ranges), against which the real one is run with random calls and events.

use std::time::Duration;

use dray_jobs::{Call, Code, Event, FileEvent, JobState, Setting};
use proptest::prelude::*;

use crate::rig::{DAY, Rig, SECOND};

const TRANSIENT: Code = Code::BG_E_CONNECTION_CLOSED;
const FATAL: Code = Code::http(404);
const OFFLINE: Code = Code::BG_E_NETWORK_DISCONNECTED;

#[derive(Clone, Debug)]
enum Op {
    AddFile,
    Suspend,
    Resume,
    Cancel,
    Complete { renames_work: bool },
    RetryDelay(u32),
    NoProgressTimeout(u32),
    MaximumTime(u32),
    Select,
    Preempt,
    Connected,
    Bytes,
    Done,
    Fail(Code),
    NetworkLost,
    NetworkBack,
    Wait(u32),
    WaitForTimer,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::AddFile),
        2 => Just(Op::Suspend),
        8 => Just(Op::Resume),
        1 => prop_oneof![
            Just(Op::Cancel),
            any::<bool>().prop_map(|renames_work| Op::Complete { renames_work })
        ],
        1 => (0..900_u32).prop_map(Op::RetryDelay),
        1 => (0..2000_u32).prop_map(Op::NoProgressTimeout),
        1 => (1..5000_u32).prop_map(Op::MaximumTime),
        10 => Just(Op::Select),
        2 => Just(Op::Preempt),
        8 => Just(Op::Connected),
        6 => Just(Op::Bytes),
        6 => Just(Op::Done),
        6 => prop_oneof![3 => Just(Op::Fail(TRANSIENT)), 1 => Just(Op::Fail(FATAL))],
        1 => Just(Op::NetworkLost),
        2 => Just(Op::NetworkBack),
        3 => (0..700_u32).prop_map(Op::Wait),
        4 => Just(Op::WaitForTimer),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum FileIs {
    Waiting,
    Running,
    Bad(Code),
    Here,
}

/// The model. Times are seconds; `None` is "not set".
#[derive(Debug)]
struct Model {
    state: JobState,
    files: Vec<FileIs>,
    error: Option<Code>,
    errors: u32,
    retrying: bool,
    offline: bool,
    clock: u64,
    delay: u64,
    timeout: u64,
    longest: u64,
    retry_at: Option<u64>,
    no_progress_at: Option<u64>,
    idle_at: u64,
    spent: u64,
    since: Option<u64>,
}

const IDLE: u64 = 90 * 24 * 60 * 60;

impl Model {
    fn new() -> Model {
        Model {
            state: JobState::Suspended,
            files: vec![FileIs::Waiting],
            error: None,
            errors: 0,
            retrying: false,
            offline: false,
            clock: DAY.as_secs(),
            delay: 600,
            timeout: 1_209_600,
            longest: 7_776_000,
            retry_at: None,
            no_progress_at: None,
            idle_at: DAY.as_secs() + IDLE,
            spent: 0,
            since: None,
        }
    }

    fn active(&self) -> bool {
        matches!(self.state, JobState::Connecting | JobState::Transferring)
    }

    fn all_here(&self) -> bool {
        self.files.iter().all(|file| *file == FileIs::Here)
    }

    fn running(&self) -> Option<usize> {
        self.files.iter().position(|file| *file == FileIs::Running)
    }

    fn go(&mut self, to: JobState) {
        let was_active = self.active();
        self.state = to;
        match (was_active, self.active()) {
            (false, true) => self.since = Some(self.clock),
            (true, false) => self.spent += self.clock - self.since.take().unwrap(),
            _ => {}
        }
        if !self.active() {
            for file in &mut self.files {
                if *file == FileIs::Running {
                    *file = FileIs::Waiting;
                }
            }
        }
        if matches!(to, JobState::Transferring | JobState::Transferred) {
            self.error = None;
        }
        if to == JobState::Transferring {
            self.retrying = false;
        }
        let rests = [JobState::Suspended, JobState::Error, JobState::Transferred];
        if rests.contains(&to) || to.is_final() {
            self.retry_at = None;
            self.no_progress_at = None;
            self.retrying = false;
        }
    }

    fn requeue(&mut self) {
        self.go(JobState::Queued);
        self.retry_at = None;
        self.retrying = true;
        self.forgive(|code| code == TRANSIENT);
    }

    fn forgive(&mut self, which: impl Fn(Code) -> bool) {
        for file in &mut self.files {
            if matches!(file, FileIs::Bad(code) if which(*code)) {
                *file = FileIs::Waiting;
            }
        }
    }

    fn fail(&mut self, code: Code, waits: bool) {
        let deadline = *self.no_progress_at.get_or_insert(self.clock + self.timeout);
        let hopeless = self.timeout == 0 || self.delay > self.timeout || deadline <= self.clock;
        if (self.state == JobState::Transferring || self.retrying) && code != OFFLINE {
            self.errors += 1;
        }
        self.error = Some(code);
        if waits && !hopeless {
            if code != OFFLINE {
                self.retry_at.get_or_insert(self.clock + self.delay);
            }
            self.go(JobState::TransientError);
        } else {
            self.go(JobState::Error);
        }
    }

    fn start_next(&mut self) {
        if !self.active() || self.running().is_some() {
            return;
        }
        if self.all_here() {
            self.go(JobState::Transferred);
        } else if let Some(next) = self.files.iter().position(|file| *file == FileIs::Waiting) {
            self.files[next] = FileIs::Running;
        }
    }

    fn call(&mut self, op: &Op) -> Result<Code, Code> {
        if self.state.is_final() {
            return Err(Code::BG_E_INVALID_STATE);
        }
        let mut code = Code::S_OK;
        match op {
            Op::AddFile => {
                self.files.push(FileIs::Waiting);
                self.start_next();
            }
            Op::Suspend => {
                if !matches!(self.state, JobState::Error | JobState::Transferred | JobState::Suspended) {
                    self.go(JobState::Suspended);
                }
            }
            Op::Resume => {
                let idle = match self.state {
                    JobState::Suspended | JobState::Error | JobState::TransientError => true,
                    JobState::Transferred => !self.all_here(),
                    _ => false,
                };
                if idle {
                    let retry = self.state == JobState::TransientError;
                    self.spent = 0;
                    self.retry_at = None;
                    self.go(JobState::Queued);
                    self.retrying = retry;
                    self.forgive(|_| true);
                }
            }
            Op::Cancel => self.go(JobState::Cancelled),
            Op::Complete { renames_work } => {
                if !self.all_here() {
                    code = Code::BG_S_PARTIAL_COMPLETE;
                }
                let to_rename = self.files.contains(&FileIs::Here);
                if *renames_work || !to_rename {
                    self.go(JobState::Acknowledged);
                } else {
                    if !matches!(self.state, JobState::Error | JobState::Transferred | JobState::Suspended) {
                        self.go(JobState::Suspended);
                    }
                    self.idle_at = self.clock + IDLE;
                    return Err(Code::ERROR_DISK_FULL);
                }
            }
            Op::RetryDelay(seconds) => self.delay = u64::from(*seconds).max(5),
            Op::NoProgressTimeout(seconds) => {
                let new = u64::from(*seconds);
                self.no_progress_at = self.no_progress_at.map(|at| (at + new).saturating_sub(self.timeout));
                self.timeout = new;
            }
            Op::MaximumTime(seconds) => self.longest = u64::from(*seconds),
            _ => unreachable!("not a call"),
        }
        self.idle_at = self.clock + IDLE;
        Ok(code)
    }

    fn event(&mut self, op: &Op) {
        if self.state.is_final() {
            return;
        }
        match op {
            Op::Select if self.state == JobState::Queued => {
                if self.offline {
                    self.fail(OFFLINE, true);
                } else {
                    self.go(JobState::Connecting);
                    self.start_next();
                }
            }
            Op::Preempt if self.active() => self.go(JobState::Queued),
            Op::NetworkLost => {
                self.offline = true;
                if self.active() || self.state == JobState::Queued {
                    self.fail(OFFLINE, true);
                }
            }
            Op::NetworkBack => {
                self.offline = false;
                if self.state == JobState::TransientError {
                    self.requeue();
                }
            }
            _ => {}
        }
        let Some(file) = self.running() else { return };
        match op {
            Op::Connected => self.go(JobState::Transferring),
            Op::Bytes | Op::Done => {
                self.go(JobState::Transferring);
                self.no_progress_at = None;
                self.idle_at = self.clock + IDLE;
                if matches!(op, Op::Done) {
                    self.files[file] = FileIs::Here;
                    self.start_next();
                }
            }
            Op::Fail(code) => {
                self.files[file] = FileIs::Bad(*code);
                self.fail(*code, *code == TRANSIENT);
            }
            _ => {}
        }
    }

    fn next_timer(&self) -> Option<u64> {
        if self.state.is_final() {
            return None;
        }
        let waiting = self.state == JobState::TransientError;
        let retry = self.retry_at.filter(|_| waiting);
        let no_progress = self.no_progress_at.filter(|_| waiting);
        let download = self.since.map(|since| since + self.longest.saturating_sub(self.spent));
        [retry, no_progress, download, Some(self.idle_at)].into_iter().flatten().min()
    }

    fn timers(&mut self) {
        while let Some(at) = self.next_timer().filter(|at| *at <= self.clock) {
            let waiting = self.state == JobState::TransientError;
            if waiting && self.no_progress_at == Some(at) {
                self.go(JobState::Error);
            } else if waiting && self.retry_at == Some(at) {
                self.requeue();
            } else if self.since.is_some_and(|since| since + self.longest.saturating_sub(self.spent) == at) {
                self.fail(Code::BG_E_MAXDOWNLOAD_TIMEOUT, false);
            } else {
                self.go(JobState::Cancelled);
            }
        }
    }
}

/// The real machine does the same.
fn apply(rig: &mut Rig, op: &Op) -> Option<Result<Code, Code>> {
    let running = rig.job.files().iter().position(|file| file.is_running());
    let running = running.map(|place| u32::try_from(place).unwrap());
    let call = match op {
        Op::AddFile => Call::AddFiles(vec![crate::rig::new_file(rig.job.files().len())]),
        Op::Suspend => Call::Suspend,
        Op::Resume => Call::Resume,
        Op::Cancel => Call::Cancel,
        Op::Complete { renames_work } => {
            let result =
                rig.complete_with(|_| if *renames_work { Ok(()) } else { Err(Code::ERROR_DISK_FULL.into()) });
            return Some(result.map_err(|failure| failure.code));
        }
        Op::RetryDelay(seconds) => Call::Set(vec![Setting::MinimumRetryDelay(*seconds)]),
        Op::NoProgressTimeout(seconds) => Call::Set(vec![Setting::NoProgressTimeout(*seconds)]),
        Op::MaximumTime(seconds) => Call::Set(vec![Setting::MaximumDownloadTime(*seconds)]),
        event => {
            match (event, running) {
                (Op::Select, _) => drop(rig.on(Event::Selected)),
                (Op::Preempt, _) => drop(rig.on(Event::Preempted)),
                (Op::NetworkLost, _) => drop(rig.on(Event::NetworkLost)),
                (Op::NetworkBack, _) => drop(rig.on(Event::NetworkBack)),
                (Op::Connected, Some(file)) => drop(rig.file(file, FileEvent::Connected)),
                (Op::Bytes, Some(file)) => {
                    let more = rig.job.files()[file as usize].progress().bytes_transferred + 1;
                    rig.progress(file, more);
                }
                (Op::Done, Some(file)) => drop(rig.done(file)),
                (Op::Fail(code), Some(file)) => drop(rig.fail(file, *code)),
                _ => {}
            }
            return None;
        }
    };
    Some(rig.call(call).map_err(|failure| failure.code))
}

proptest! {
    #![proptest_config(crate::rig::times(4))]

    #[test]
    fn the_machine_does_what_the_model_does(ops in prop::collection::vec(any_op(), 1..120)) {
        let mut rig = Rig::serial(1);
        let mut model = Model::new();
        for op in &ops {
            match op {
                Op::Wait(_) | Op::WaitForTimer => {
                    let by = match op {
                        Op::Wait(seconds) => u64::from(*seconds),
                        _ => model.next_timer().unwrap_or(model.clock).saturating_sub(model.clock),
                    };
                    model.clock += by;
                    model.timers();
                    rig.wait(Duration::from_secs(by));
                    rig.on(Event::Timer);
                }
                Op::AddFile | Op::Suspend | Op::Resume | Op::Cancel | Op::Complete { .. }
                | Op::RetryDelay(_) | Op::NoProgressTimeout(_) | Op::MaximumTime(_) => {
                    prop_assert_eq!(apply(&mut rig, op), Some(model.call(op)), "{:?}", op);
                }
                _ => {
                    apply(&mut rig, op);
                    model.event(op);
                }
            }
            prop_assert_eq!(rig.state(), model.state, "after {:?}", op);
            prop_assert_eq!(rig.job.error_count(), model.errors, "after {:?}", op);
            prop_assert_eq!(rig.job.error().ok().map(|error| error.code), model.error, "after {:?}", op);
            prop_assert_eq!(rig.job.timeout().map(|(at, _)| at), model.next_timer().map(|at| SECOND * u32::try_from(at).unwrap()));
        }
    }
}
