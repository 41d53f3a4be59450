//! Several machines in one process, each with its own cache, swarm and exchange on loopback, and one origin for all.

pub(crate) mod liar;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dray_cache::{Config, Store};
use dray_content::{Algorithm, Digest, WholeHasher};
use dray_engine::{
    Checkpoint, Decision, Engine, Event, FetchError, Fetched, FileTask, Peers, PeersConfig, Retries, Watch,
};
use dray_identity::NodeKey;
use dray_origin::{Client, ClientConfig, ProxyChoice};
use dray_ranges::Layout;
use dray_swarm::{Bootstrap, Interfaces, Reach};
use tokio_util::sync::CancellationToken;

/// Nothing here takes long; a machine under load may.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// One machine.
pub(crate) struct Machine {
    pub(crate) peers: Peers,
    pub(crate) watch: Arc<Recorder>,
    engine: Engine,
    dir: tempfile::TempDir,
    files: AtomicU32,
}

/// Remembers what it was told.
#[derive(Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<Event>>,
    pub(crate) checkpoint: Mutex<Option<Checkpoint>>,
}

impl Watch for Recorder {
    fn event(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> std::io::Result<()> {
        *self.checkpoint.lock().unwrap() = Some(checkpoint.clone());
        Ok(())
    }

    fn forget(&self) -> std::io::Result<()> {
        *self.checkpoint.lock().unwrap() = None;
        Ok(())
    }
}

impl Recorder {
    pub(crate) fn received(&self) -> u64 {
        let bytes = |event: &Event| if let Event::Received { bytes, .. } = event { *bytes } else { 0 };
        self.events.lock().unwrap().iter().map(bytes).sum()
    }

    pub(crate) fn decisions(&self) -> Vec<Decision> {
        let decision = |event: &Event| match event {
            Event::Decided(decision) => Some(decision.clone()),
            _ => None,
        };
        self.events.lock().unwrap().iter().filter_map(decision).collect()
    }
}

pub(crate) fn loopback() -> Interfaces {
    Interfaces { include: vec!["127.0.0.0/8".parse().unwrap()], exclude: vec![] }
}

impl Machine {
    /// A machine that knows those at `others`.
    pub(crate) fn start(others: &[SocketAddr]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("cache"), Config::default()).unwrap());
        let peers = Peers::start(PeersConfig {
            bind: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            interfaces: loopback(),
            reach: Reach::Anywhere,
            mdns: false,
            bootstrap: others.iter().map(|address| Bootstrap::Address(*address)).collect(),
            cache: Some(Arc::clone(&store)),
            min_file_size: 300_000,
            ..PeersConfig::new(NodeKey::generate())
        })
        .unwrap();
        let config = ClientConfig { proxy: ProxyChoice::None, ..ClientConfig::default() };
        let engine = Engine::new(Client::new(config).unwrap(), Some(store), Some(peers.clone()));
        Self { peers, watch: Arc::default(), engine, dir, files: AtomicU32::new(0) }
    }

    /// From now on it gives no more than that.
    pub(crate) fn gives_slowly(&self, bytes_per_s: u64) {
        self.peers.exchange().set_upload_limit(Some(bytes_per_s));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.peers.port()).into()
    }

    pub(crate) fn task(&self, url: &str, digest: Option<Digest>) -> FileTask {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        FileTask {
            url: url.parse().unwrap(),
            digest,
            layout: Layout::whole(),
            temp: self.dir.path().join(format!(".file{number}.dray-part")),
            resume: None,
            resume_elsewhere: false,
            live: None,
            without_ranges: false,
            headers: Vec::new(),
            retries: Retries { attempts: 3, longest_pause: Duration::from_millis(200) },
            use_cache: true,
            use_peers: true,
            may_leave_unsynced: false,
        }
    }

    /// Fetches a file and gives its bytes too.
    pub(crate) async fn fetch(
        &self,
        url: &str,
        digest: Option<Digest>,
    ) -> Result<(Fetched, Vec<u8>), FetchError> {
        self.run(self.task(url, digest)).await
    }

    pub(crate) async fn run(&self, task: FileTask) -> Result<(Fetched, Vec<u8>), FetchError> {
        self.run_until(task, CancellationToken::new()).await
    }

    pub(crate) async fn run_until(
        &self,
        task: FileTask,
        stop: CancellationToken,
    ) -> Result<(Fetched, Vec<u8>), FetchError> {
        let fetched = self.engine.fetch(&task, self.watch.clone(), stop);
        let fetched = tokio::time::timeout(DEADLINE, fetched).await.expect("it takes too long")?;
        Ok((fetched, std::fs::read(&task.temp).unwrap()))
    }

    /// Damages the sink of a task.
    pub(crate) fn overwrite(&self, task: &FileTask, at: u64, bytes: &[u8]) {
        let file = std::fs::OpenOptions::new().write(true).open(&task.temp).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    /// Another sink with the same bytes, and a checkpoint that is about it.
    pub(crate) fn copy_of(&self, task: &FileTask, checkpoint: &mut Checkpoint) -> std::path::PathBuf {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let copy = self.dir.path().join(format!(".copy{number}.dray-part"));
        std::fs::copy(&task.temp, &copy).unwrap();
        checkpoint.sink = std::fs::metadata(&copy).unwrap().ino();
        copy
    }

    pub(crate) fn has_banned(&self, peer: &dray_identity::PeerId) -> bool {
        self.peers.reputation().why_banned(peer, None).is_some()
    }
}

/// So many machines, each connected with all others.
pub(crate) async fn machines(count: usize) -> Vec<Machine> {
    let mut machines: Vec<Machine> = Vec::new();
    for _ in 0..count {
        let others: Vec<SocketAddr> = machines.iter().map(Machine::address).collect();
        machines.push(Machine::start(&others));
    }
    for machine in &machines {
        connected(machine, count - 1).await;
    }
    machines
}

/// Waits until a machine is connected with so many.
pub(crate) async fn connected(machine: &Machine, count: usize) {
    until("all are connected", || machine.peers.swarm().connected() >= count).await;
}

/// Waits until it holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = WholeHasher::new(&[Algorithm::Sha256], false);
    hasher.feed(0, bytes);
    hasher.finish().0[0]
}

pub(crate) fn blake3_of(bytes: &[u8]) -> Digest {
    Digest::Blake3(*blake3::hash(bytes).as_bytes())
}

/// Bytes that differ from one seed to the next, and from one place to the next.
pub(crate) fn pseudo_random(len: u64, seed: &str) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    blake3::Hasher::new_derive_key("dray engine tests")
        .update(seed.as_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}
