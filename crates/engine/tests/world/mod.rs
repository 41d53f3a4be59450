//! A server, a sink and a watch for one test.

use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use dray_content::{Algorithm, Digest, WholeHasher};
use dray_engine::{Checkpoint, Engine, Event, FetchError, Fetched, FileTask, Retries, Watch, source_of};
use dray_origin::{Client, ClientConfig, ProxyChoice};
use dray_ranges::{ByteRange, Layout, RangeSet};
use dray_tests::{Ask, Content, FaultServer, Reply};
use tokio_util::sync::CancellationToken;

/// Everything that a transfer touches.
pub(crate) struct World {
    pub(crate) server: FaultServer,
    pub(crate) watch: Arc<Recorder>,
    pub(crate) stop: CancellationToken,
    engine: Engine,
    dir: tempfile::TempDir,
}

/// Remembers what it was told.
#[derive(Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<Event>>,
    checkpoint: Mutex<Option<Checkpoint>>,
}

impl Recorder {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub(crate) fn received(&self) -> u64 {
        let bytes = |event: &Event| if let Event::Received { bytes, .. } = event { *bytes } else { 0 };
        self.events.lock().unwrap().iter().map(bytes).sum()
    }

    pub(crate) fn keep(&self, checkpoint: Checkpoint) {
        *self.checkpoint.lock().unwrap() = Some(checkpoint);
    }

    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        self.checkpoint.lock().unwrap().clone()
    }
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

impl World {
    pub(crate) fn new() -> Self {
        let config = ClientConfig { proxy: ProxyChoice::None, ..ClientConfig::default() };
        Self {
            server: FaultServer::start().unwrap(),
            watch: Arc::default(),
            stop: CancellationToken::new(),
            engine: Engine::new(Client::new(config).unwrap(), None, None),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn serve(&self, path: &str, answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> String {
        self.server.page(path, answer)
    }

    fn temp(&self) -> PathBuf {
        self.dir.path().join(".file.dray-part")
    }

    pub(crate) fn task(&self, url: &str) -> FileTask {
        FileTask {
            url: url.parse().unwrap(),
            digest: None,
            layout: Layout::whole(),
            temp: self.temp(),
            resume: None,
            resume_elsewhere: false,
            live: None,
            without_ranges: false,
            headers: Vec::new(),
            retries: Retries::default(),
            use_cache: false,
            use_peers: true,
            may_leave_unsynced: false,
        }
    }

    /// A task whose sink holds those ranges of a version of the file already.
    pub(crate) fn resumed(&self, url: &str, of: &Content, have: &[(u64, u64)]) -> FileTask {
        let filled = have.iter().filter_map(|&(start, end)| ByteRange::new(start, end)).collect();
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(self.temp()).unwrap();
        for &(start, end) in have {
            file.write_all_at(&of.bytes[start as usize..end as usize], start).unwrap();
        }
        let mut task = self.task(url);
        task.resume = Some(Checkpoint {
            source: source_of(&task.url),
            ranges: Vec::new(),
            sink: file.metadata().unwrap().ino(),
            size: Some(of.len()),
            etag: of.etag.clone(),
            last_modified: None,
            published: Vec::new(),
            crc32c: None,
            filled,
            unproven: RangeSet::new(),
            for_everyone: true,
        });
        task
    }

    pub(crate) async fn fetch(&self, task: &FileTask) -> Result<Fetched, FetchError> {
        self.engine.fetch(task, self.watch.clone(), self.stop.clone()).await
    }

    pub(crate) fn sink(&self) -> Vec<u8> {
        std::fs::read(self.temp()).unwrap()
    }

    /// The same bytes in another file.
    pub(crate) fn replace_sink(&self) {
        let (temp, other) = (self.temp(), self.dir.path().join("other"));
        std::fs::write(&other, vec![0; std::fs::read(&temp).unwrap().len()]).unwrap();
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(other, temp).unwrap();
    }

    /// As a backup by hard links does.
    pub(crate) fn link_sink(&self) {
        std::fs::hard_link(self.temp(), self.dir.path().join("backup")).unwrap();
    }

    pub(crate) fn open_sink_to_all(&self) {
        std::fs::set_permissions(self.temp(), std::fs::Permissions::from_mode(0o666)).unwrap();
    }

    pub(crate) fn damage_sink(&self, at: u64) {
        let file = std::fs::OpenOptions::new().write(true).open(self.temp()).unwrap();
        file.write_all_at(b"damaged", at).unwrap();
    }

    pub(crate) fn sha256(&self, bytes: &[u8]) -> Digest {
        let mut hasher = WholeHasher::new(&[Algorithm::Sha256], false);
        hasher.feed(0, bytes);
        hasher.finish().0[0]
    }
}

/// Bytes that differ from one seed to the next, and from one place to the next.
pub(crate) fn pseudo_random(len: u64, seed: &str) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    blake3::Hasher::new_derive_key("dray engine tests")
        .update(seed.as_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}
