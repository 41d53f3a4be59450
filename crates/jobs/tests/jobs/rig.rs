//! A job, or a queue, with a clock that stands still until it is moved.

use std::sync::Arc;
use std::time::Duration;

use dray_jobs::{
    BySource, Call, Caller, Code, Context, Effect, Event, Failure, FileEvent, FileIndex, Job, JobId,
    JobState, JobType, LocalName, NewFile, NewJob, Now, Outcome, Owner, PathRules, Property, RemoteName,
    Rules, Setting, Timestamp,
};
use uuid::Uuid;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of every file that the rig transfers.
pub(crate) const SIZE: u64 = 1000;

pub(crate) fn alice() -> Caller {
    Caller::user(Owner::new("1000"))
}

pub(crate) fn root() -> Caller {
    Caller::administrator(Owner::new("0"))
}

pub(crate) fn job_id(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

pub(crate) fn new_job(number: u128) -> NewJob {
    NewJob {
        id: job_id(number),
        display_name: format!("job {number}"),
        job_type: JobType::Download,
        settings: Vec::new(),
    }
}

pub(crate) fn new_file(number: usize) -> NewFile {
    NewFile {
        remote: RemoteName::parse(&format!("http://origin/{number}")).unwrap(),
        local: LocalName::parse(&format!("/srv/{number}"), PathRules::Unix).unwrap(),
        ranges: None,
        digest: None,
    }
}

pub(crate) fn files(count: usize) -> Vec<NewFile> {
    (0..count).map(new_file).collect()
}

pub(crate) fn start() -> Now {
    Now { wall: Timestamp::from_unix_ms(1_700_000_000_000), mono: DAY }
}

pub(crate) fn later(now: Now, by: Duration) -> Now {
    let ms = u64::try_from(by.as_millis()).unwrap();
    Now { wall: Timestamp::from_unix_ms(now.wall.unix_ms() + ms), mono: now.mono + by }
}

/// One job under test.
pub(crate) struct Rig {
    pub(crate) job: Job,
    pub(crate) now: Now,
    /// What the last call or event brought.
    pub(crate) effects: Vec<Effect>,
}

impl Rig {
    pub(crate) fn with(new: NewJob) -> Rig {
        Rig::by(&alice(), new, Rules::default())
    }

    pub(crate) fn by(caller: &Caller, new: NewJob, rules: Rules) -> Rig {
        let (job, outcome) = Job::create(start(), caller, new, Arc::new(rules)).unwrap();
        Rig { job, now: start(), effects: outcome.effects }
    }

    /// A download with this many files that run one after the other, as in BITS.
    pub(crate) fn serial(file_count: usize) -> Rig {
        Rig::at_once(file_count, 1)
    }

    pub(crate) fn at_once(file_count: usize, at_once: u32) -> Rig {
        let mut rig = Rig::with(NewJob { settings: vec![Setting::FilesAtOnce(at_once)], ..new_job(1) });
        rig.add(file_count);
        rig
    }

    /// A job of this type with one file, in this state, reached by calls and events alone.
    pub(crate) fn in_state(job_type: JobType, state: JobState) -> Rig {
        let mut rig = Rig::with(NewJob { job_type, settings: vec![Setting::FilesAtOnce(1)], ..new_job(1) });
        rig.add(1);
        rig.bring_to(state);
        rig
    }

    pub(crate) fn bring_to(&mut self, state: JobState) {
        match state {
            JobState::Suspended => {}
            JobState::Queued => {
                self.ok(Call::Resume);
            }
            JobState::Connecting => {
                self.bring_to(JobState::Queued);
                self.on(Event::Selected);
            }
            JobState::Transferring => {
                self.bring_to(JobState::Connecting);
                self.file(0, FileEvent::Connected);
            }
            JobState::Error => {
                self.bring_to(JobState::Transferring);
                self.fail(0, Code::http(404));
            }
            JobState::TransientError => {
                self.bring_to(JobState::Transferring);
                self.fail(0, Code::BG_E_CONNECTION_CLOSED);
            }
            JobState::Transferred => {
                self.bring_to(JobState::Transferring);
                self.done(0);
            }
            JobState::Acknowledged => {
                self.bring_to(JobState::Transferred);
                self.complete().unwrap();
            }
            JobState::Cancelled => {
                self.ok(Call::Cancel);
            }
        }
        assert_eq!(self.job.state(), state);
    }

    pub(crate) fn state(&self) -> JobState {
        self.job.state()
    }

    pub(crate) fn call(&mut self, call: Call) -> Result<Code, Failure> {
        self.call_as(&alice(), call)
    }

    pub(crate) fn call_as(&mut self, caller: &Caller, call: Call) -> Result<Code, Failure> {
        self.effects.clear();
        let Outcome { code, effects } = self.job.call(self.now, caller, call)?;
        self.effects = effects;
        Ok(code)
    }

    pub(crate) fn ok(&mut self, call: Call) -> &[Effect] {
        let code = self.call(call).unwrap();
        assert!(code.is_success());
        &self.effects
    }

    pub(crate) fn refused(&mut self, call: Call) -> Code {
        let before = self.job.clone();
        let failure = self.call(call).unwrap_err();
        assert_eq!(self.job, before, "a refused call changes nothing");
        assert!(failure.sentence.ends_with('.'), "{failure}");
        failure.code
    }

    pub(crate) fn set(&mut self, setting: Setting) -> &[Effect] {
        self.ok(Call::Set(vec![setting]))
    }

    pub(crate) fn set_property(&mut self, property: Property) -> Result<Code, Failure> {
        self.call(Call::Set(vec![Setting::Property(property)]))
    }

    pub(crate) fn add(&mut self, count: usize) {
        let first = self.job.files().len();
        self.ok(Call::AddFiles((first..first + count).map(new_file).collect()));
    }

    pub(crate) fn on(&mut self, event: Event) -> &[Effect] {
        self.effects = self.job.on(self.now, event);
        &self.effects
    }

    /// An event of the present run of a file.
    pub(crate) fn file(&mut self, file: u32, event: FileEvent) -> &[Effect] {
        let file = FileIndex(file);
        let run = self.job.file(file).unwrap().run();
        self.on(Event::File { file, run, event })
    }

    pub(crate) fn done(&mut self, file: u32) -> &[Effect] {
        self.file(file, FileEvent::Done { size: SIZE, sources: from_origin(SIZE) })
    }

    pub(crate) fn progress(&mut self, file: u32, transferred: u64) -> &[Effect] {
        self.file(file, FileEvent::Progress { transferred, sources: from_origin(transferred) })
    }

    pub(crate) fn fail(&mut self, file: u32, code: Code) -> &[Effect] {
        self.file(file, FileEvent::Failed { code, context: Context::RemoteFile, detail: String::new() })
    }

    /// Complete, with every rename a success.
    pub(crate) fn complete(&mut self) -> Result<Code, Failure> {
        self.complete_with(|_| Ok(()))
    }

    pub(crate) fn complete_with(
        &mut self,
        rename: impl Fn(FileIndex) -> Result<(), Failure>,
    ) -> Result<Code, Failure> {
        self.effects.clear();
        let outcome = self.job.call(self.now, &alice(), Call::Complete)?;
        if !outcome.needs_renames() {
            self.effects = outcome.effects;
            return Ok(outcome.code);
        }
        let results: Vec<_> = outcome
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Rename(file) => Some((*file, rename(*file))),
                _ => None,
            })
            .collect();
        let renamed = self.job.renamed(self.now, &results);
        self.effects = renamed.effects;
        renamed.result
    }

    pub(crate) fn wait(&mut self, by: Duration) {
        self.now = later(self.now, by);
    }

    /// Moves the clock to what the job waits for, and tells it.
    pub(crate) fn wait_for_timer(&mut self) -> &[Effect] {
        let (at, _) = self.job.timeout().unwrap();
        self.wait(at.saturating_sub(self.now.mono));
        self.on(Event::Timer)
    }

    /// The files that the last effects start.
    pub(crate) fn started(&self) -> Vec<u32> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Start { file, .. } => Some(file.0),
                _ => None,
            })
            .collect()
    }

    /// The files whose temporary files the last effects delete.
    pub(crate) fn deleted(&self) -> Vec<u32> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::DeleteTemp(file) => Some(file.0),
                _ => None,
            })
            .collect()
    }
}

pub(crate) fn from_origin(bytes: u64) -> BySource {
    BySource { origin: bytes, ..BySource::default() }
}

/// So many times the usual number of cases, which PROPTEST_CASES sets.
pub(crate) fn times(factor: u32) -> proptest::test_runner::Config {
    let usual = proptest::test_runner::Config::default();
    proptest::test_runner::Config { cases: usual.cases * factor, ..usual }
}
