//! A runner around a script, with its records in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dray_jobs::{
    Call, Caller, Code, Failure, FileIndex, Job, JobId, JobState, JobType, LocalName, NewFile, NewJob, Owner,
    Places, RemoteName, Rules, Setting,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::script::Script;
use crate::events::Hub;
use crate::history::History;
use crate::metrics::Metrics;
use crate::notify::Commands;
use crate::records::Records;
use crate::runner::{Actor, Answer, Clock, Parts, Runner, restore};
use crate::wire::take::PATHS;

/// Everything a runner needs, and the runner.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) script: Arc<Script>,
    pub(crate) records: Records,
    pub(crate) hub: Arc<Hub>,
    pub(crate) metrics: Metrics,
    pub(crate) history: History,
    pub(crate) runner: Runner,
    pub(crate) warnings: Vec<String>,
    stop: CancellationToken,
    working: JoinHandle<()>,
    rules: Rules,
    transfers_at_once: usize,
}

/// The user of the tests.
pub(crate) fn caller() -> Caller {
    Caller::administrator(Owner::new("7"))
}

impl House {
    pub(crate) fn new() -> House {
        House::with(Rules::default(), 32)
    }

    pub(crate) fn with(rules: Rules, transfers_at_once: usize) -> House {
        let folder = tempfile::tempdir().unwrap();
        let script = Arc::new(Script::default());
        let rules = Rules { paths: PATHS, ..rules };
        House::open(folder, script, Records::instant(), rules, transfers_at_once)
    }

    fn open(
        folder: tempfile::TempDir,
        script: Arc<Script>,
        records: Records,
        rules: Rules,
        transfers_at_once: usize,
    ) -> House {
        let metrics = Metrics::new().unwrap();
        let hub = Hub::new(metrics.clone());
        let history = History::open(folder.path(), 0);
        let clock = Clock::start();
        let places = Places { background: 100, ..Places::default() };
        let mut restored = restore(clock.now(), rules.clone(), places, records.held(), &records);
        let warnings = std::mem::take(&mut restored.warnings);
        let parts = Parts {
            fetcher: script.clone(),
            records: records.clone(),
            hub: hub.clone(),
            metrics: metrics.clone(),
            clock,
            transfers_at_once,
            arrivals: Arc::new(Notify::new()),
            commands: Commands::of(caller().owner),
            history: history.clone(),
            peers_off: None,
        };
        let (runner, actor) = Actor::new(parts, restored);
        let stop = CancellationToken::new();
        let working = tokio::spawn(actor.run(stop.clone()));
        House {
            folder,
            script,
            records,
            hub,
            metrics,
            history,
            runner,
            warnings,
            stop,
            working,
            rules,
            transfers_at_once,
        }
    }

    /// Stops politely.
    pub(crate) async fn stop(self) -> Stopped {
        self.stop.cancel();
        self.working.await.unwrap();
        Stopped {
            folder: self.folder,
            script: self.script,
            records: self.records,
            rules: self.rules,
            transfers_at_once: self.transfers_at_once,
        }
    }

    /// Ends without a word, as after kill -9.
    pub(crate) async fn kill(self) -> Stopped {
        self.working.abort();
        drop(self.working.await);
        Stopped {
            folder: self.folder,
            script: self.script,
            records: self.records,
            rules: self.rules,
            transfers_at_once: self.transfers_at_once,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A job with these files, each from the URL of its name.
    pub(crate) async fn job(&self, names: &[&str]) -> JobId {
        let new = NewJob {
            id: JobId(Uuid::new_v4()),
            display_name: "test".to_owned(),
            job_type: JobType::Download,
            settings: vec![Setting::MinimumRetryDelay(60)],
        };
        let id = self.runner.create(caller(), new).await.unwrap().job;
        let files = names.iter().map(|name| NewFile {
            remote: RemoteName::parse(&url(name)).unwrap(),
            local: LocalName::parse(self.path(name).to_str().unwrap(), PATHS).unwrap(),
            ranges: None,
            digest: None,
        });
        self.call(id, Call::AddFiles(files.collect())).await.unwrap();
        id
    }

    pub(crate) async fn call(&self, job: JobId, call: Call) -> Result<Answer, Failure> {
        self.runner.call(caller(), job, call).await
    }

    /// Looks at a job.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        job: JobId,
        look: impl FnOnce(&Job) -> T + Send + 'static,
    ) -> T {
        self.runner.look(move |actor| look(actor.queue().job(job).unwrap())).await.unwrap()
    }

    pub(crate) async fn state(&self, job: JobId) -> JobState {
        self.look(job, Job::state).await
    }

    /// Lets time pass until the job is in this state.
    pub(crate) async fn wait_for(&self, job: JobId, state: JobState) {
        for _ in 0..100_000 {
            if self.state(job).await == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{job} is {} and never {state}", self.state(job).await);
    }

    pub(crate) async fn temp(&self, job: JobId, file: u32) -> PathBuf {
        let index = FileIndex(file);
        self.look(job, move |job| crate::runner::temp_path(job.id(), index, job.file(index).unwrap().local()))
            .await
    }

    pub(crate) async fn found(&self, job: JobId) -> Result<(), Code> {
        let found =
            self.runner.look(move |actor| actor.queue().find(&caller(), job).map(drop)).await.unwrap();
        found.map_err(|failure| failure.code)
    }

    /// The files that stand under final names.
    pub(crate) fn delivered(&self) -> Vec<String> {
        names(self.folder.path(), |name| !name.starts_with('.'))
    }

    /// The temporary files.
    pub(crate) fn temporary(&self) -> Vec<String> {
        names(self.folder.path(), |name| name.starts_with('.'))
    }
}

/// What is left of a house: its disk and its origin.
pub(crate) struct Stopped {
    folder: tempfile::TempDir,
    script: Arc<Script>,
    records: Records,
    rules: Rules,
    transfers_at_once: usize,
}

impl Stopped {
    pub(crate) fn start(self) -> House {
        House::open(self.folder, self.script, self.records, self.rules, self.transfers_at_once)
    }
}

/// Where a file of the tests comes from.
pub(crate) fn url(name: &str) -> String {
    format!("http://host/{name}")
}

fn names(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| wanted(name));
    names.sort();
    names
}
