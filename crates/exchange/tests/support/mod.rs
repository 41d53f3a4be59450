//! Machines on loopback with contents in memory, for the tests of the exchange.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "each test uses its part, and may stop where it stands"
)]

pub mod raw;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dray_content::{Digest, PieceTable, TableBuilder};
use dray_exchange::{
    Config, Exchange, Guard, Holding, Incident, JoinError, PieceSet, Session, Shelf, Transport, Volume, door,
    piece_count,
};
use dray_identity::{NodeKey, PeerId};
use dray_ranges::ByteRange;
use tokio::sync::{mpsc, watch};

/// More than any machine needs for anything on loopback.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn bytes(len: usize, seed: u64) -> Vec<u8> {
    (0..len as u64).map(|i| ((i + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

pub fn range(start: u64, end: u64) -> ByteRange {
    ByteRange::new(start, end).unwrap()
}

/// A content in memory.
pub struct Memory {
    pub bytes: Vec<u8>,
    pub digest: Digest,
    pub table: Option<Arc<PieceTable>>,
    pub says: watch::Sender<Arc<Holding>>,
    pub is_downloading: AtomicBool,
    pub is_broken: AtomicBool,
    pub read: AtomicU64,
}

impl Memory {
    pub fn new(bytes: Vec<u8>, holding: Holding, is_downloading: bool) -> Arc<Self> {
        let size = bytes.len() as u64;
        let mut builder = TableBuilder::new(Some(size));
        builder.feed(0, &bytes);
        let table = builder.finish(size).unwrap();
        let digest = table.root().digest();
        Arc::new(Self {
            bytes,
            digest,
            table: Some(Arc::new(table)),
            says: watch::channel(Arc::new(holding)).0,
            is_downloading: is_downloading.into(),
            is_broken: false.into(),
            read: 0.into(),
        })
    }

    /// All of it.
    pub fn complete(bytes: Vec<u8>) -> Arc<Self> {
        let size = bytes.len() as u64;
        let whole = Self::new(bytes, Holding::default(), false);
        let root = whole.table.as_ref().map(|table| table.root());
        whole.says.send_replace(Arc::new(Holding::complete(size, root)));
        whole
    }

    /// Nothing of it yet.
    pub fn wanting(bytes: Vec<u8>) -> Arc<Self> {
        let holding = Holding::wanting(Some(bytes.len() as u64));
        Self::new(bytes, holding, true)
    }

    pub fn has(&self, pieces: impl IntoIterator<Item = u32>) {
        let more: PieceSet = pieces.into_iter().map(dray_content::PieceIndex).collect();
        self.says.send_modify(|holding| {
            let mut next = Holding::clone(holding);
            next.have = next.have.union(&more);
            *holding = Arc::new(next);
        });
    }

    pub fn count(&self) -> u32 {
        piece_count(self.bytes.len() as u64).unwrap()
    }
}

impl Volume for Memory {
    fn ours(&self) -> watch::Receiver<Arc<Holding>> {
        self.says.subscribe()
    }

    fn table(&self) -> Option<Arc<PieceTable>> {
        self.table.clone()
    }

    fn read(&self, range: ByteRange, into: &mut Vec<u8>) -> io::Result<()> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(io::Error::other("a broken disk"));
        }
        assert!(into.is_empty());
        into.extend_from_slice(&self.bytes[range.start() as usize..range.end() as usize]);
        self.read.fetch_add(range.len(), Ordering::Relaxed);
        Ok(())
    }

    fn is_downloading(&self) -> bool {
        self.is_downloading.load(Ordering::Relaxed)
    }
}

/// Contents, and the sessions that others opened.
pub struct Shelves {
    pub volumes: Mutex<Vec<Arc<Memory>>>,
    joined: mpsc::UnboundedSender<Session>,
}

impl Shelf for Shelves {
    fn find(&self, digests: &[Digest], _peer: &PeerId) -> Option<Arc<dyn Volume>> {
        let volumes = self.volumes.lock().unwrap();
        let found = volumes.iter().find(|volume| digests.contains(&volume.digest))?;
        Some(Arc::clone(found) as Arc<dyn Volume>)
    }

    fn joined(&self, session: Session) {
        let _ = self.joined.send(session);
    }
}

/// Lets everybody in but those it does not, and remembers everything.
#[derive(Default)]
pub struct Record {
    pub incidents: Mutex<Vec<(PeerId, Incident)>>,
    pub unwanted: Mutex<Vec<PeerId>>,
}

impl Guard for Record {
    fn admit(&self, peer: &PeerId, _from: SocketAddr) -> bool {
        !self.unwanted.lock().unwrap().contains(peer)
    }

    fn incident(&self, peer: &PeerId, _from: SocketAddr, what: Incident) {
        self.incidents.lock().unwrap().push((*peer, what));
    }
}

impl Record {
    /// Waits until that peer did something like that.
    pub async fn wait_for(&self, peer: PeerId, what: impl Fn(&Incident) -> bool) -> Incident {
        eventually("an incident", || {
            let incidents = self.incidents.lock().unwrap();
            incidents
                .iter()
                .find(|(who, incident)| *who == peer && what(incident))
                .map(|(_, incident)| *incident)
        })
        .await
    }

    pub fn is_empty(&self) -> bool {
        self.incidents.lock().unwrap().is_empty()
    }
}

/// Looks until there is something to see.
pub async fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One machine.
pub struct Machine {
    pub exchange: Exchange,
    pub key: NodeKey,
    pub address: SocketAddr,
    pub shelf: Arc<Shelves>,
    pub guard: Arc<Record>,
    pub joined: tokio::sync::Mutex<mpsc::UnboundedReceiver<Session>>,
}

impl Machine {
    pub async fn new(transport: Transport) -> Self {
        Self::with(transport, |_| {}).await
    }

    pub async fn with(transport: Transport, change: impl FnOnce(&mut Config)) -> Self {
        Self::named(NodeKey::generate(), transport, change).await
    }

    /// On one port for both transports, whatever it dials with.
    pub async fn named(key: NodeKey, transport: Transport, change: impl FnOnce(&mut Config)) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = udp.local_addr().unwrap();
            if let Ok(tcp) = tokio::net::TcpListener::bind(address).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        let (tls, _other) = door::split(tcp);
        let guard = Arc::new(Record::default());
        let (joined, receiver) = mpsc::unbounded_channel();
        let shelf = Arc::new(Shelves { volumes: Mutex::default(), joined });
        let mut config = Config::new(key.clone(), Arc::clone(&guard) as Arc<dyn Guard>);
        config.udp = Some(udp);
        config.tcp = Some(tls);
        config.transport = transport;
        change(&mut config);
        let exchange = Exchange::start(config, Arc::clone(&shelf) as Arc<dyn Shelf>).unwrap();
        let joined = tokio::sync::Mutex::new(receiver);
        Self { exchange, key, address, shelf, guard, joined }
    }

    pub fn peer(&self) -> PeerId {
        self.key.peer_id()
    }

    pub fn puts(&self, volume: &Arc<Memory>) {
        self.shelf.volumes.lock().unwrap().push(Arc::clone(volume));
    }

    pub async fn join(&self, other: &Machine, volume: &Arc<Memory>) -> Result<Session, JoinError> {
        let lent = Arc::clone(volume) as Arc<dyn Volume>;
        self.exchange.join(other.peer(), &[other.address], &[volume.digest], lent).await
    }

    /// The next session that another machine opens here.
    pub async fn next_joined(&self) -> Session {
        let mut joined = self.joined.lock().await;
        tokio::time::timeout(PATIENCE, joined.recv()).await.unwrap().unwrap()
    }
}

/// Everything of one request.
pub async fn fetch(session: &Session, range: ByteRange) -> Result<Vec<u8>, dray_exchange::RequestError> {
    let mut incoming = session.get(range).await?;
    let mut all = Vec::new();
    while let Some(chunk) = incoming.chunk().await? {
        assert!(!chunk.is_empty());
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// Waits until what the other end says is like that.
pub async fn theirs(session: &Session, is_so: impl Fn(&Holding) -> bool) -> Arc<Holding> {
    let mut theirs = session.theirs();
    let found = tokio::time::timeout(PATIENCE, theirs.wait_for(|holding| is_so(holding))).await;
    Arc::clone(&found.expect("what was waited for did not come").unwrap())
}
