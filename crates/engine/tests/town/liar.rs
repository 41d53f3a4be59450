//! A machine that speaks both protocols as it should, and says and gives what a test wants it to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dray_content::{Digest, PieceTable, TableBuilder};
use dray_exchange::{Exchange, Guard, Holding, Incident, Session, Shelf, Volume};
use dray_identity::{NodeKey, PeerId};
use dray_ranges::ByteRange;
use dray_swarm::{Bootstrap, Directory, Reach, Role, Swarm};
use tokio::sync::watch;

/// What it says it has, and what it gives.
pub(crate) struct Story {
    pub(crate) digests: Vec<Digest>,
    /// What it gives, wrong or right.
    pub(crate) bytes: Vec<u8>,
    /// The table that it claims.
    pub(crate) table: Option<PieceTable>,
    /// The size that it claims.
    pub(crate) size: u64,
}

/// The machine.
pub(crate) struct Liar {
    pub(crate) swarm: Swarm,
    pub(crate) told: Arc<Told>,
    _exchange: Exchange,
}

/// Its story as it tells it, and how much of it was asked for.
pub(crate) struct Told {
    story: Story,
    ours: watch::Sender<Arc<Holding>>,
    pub(crate) given: AtomicU64,
}

struct Open;

impl Guard for Open {
    fn admit(&self, _: &PeerId, _: SocketAddr) -> bool {
        true
    }

    fn incident(&self, _: &PeerId, _: SocketAddr, _: Incident) {}
}

struct OneBook(Arc<Told>);

impl Shelf for OneBook {
    fn find(&self, digests: &[Digest], _: &PeerId) -> Option<Arc<dyn Volume>> {
        let is_it = digests.iter().any(|digest| self.0.story.digests.contains(digest));
        is_it.then(|| Arc::clone(&self.0) as Arc<dyn Volume>)
    }

    fn joined(&self, _: Session) {}
}

impl Directory for OneBook {
    fn role(&self, digests: &[Digest]) -> Option<Role> {
        digests.iter().any(|digest| self.0.story.digests.contains(digest)).then_some(Role::Has)
    }

    fn admit(&self, _: &PeerId, _: IpAddr) -> Result<(), String> {
        Ok(())
    }
}

impl Volume for Told {
    fn ours(&self) -> watch::Receiver<Arc<Holding>> {
        self.ours.subscribe()
    }

    fn table(&self) -> Option<Arc<PieceTable>> {
        self.story.table.clone().map(Arc::new)
    }

    fn read(&self, range: ByteRange, into: &mut Vec<u8>) -> io::Result<()> {
        self.given.fetch_add(range.len(), Ordering::Relaxed);
        let at = |offset: u64| usize::try_from(offset).unwrap().min(self.story.bytes.len());
        into.extend_from_slice(&self.story.bytes[at(range.start())..at(range.end())]);
        into.resize(usize::try_from(range.len()).unwrap(), 0);
        Ok(())
    }

    fn is_downloading(&self) -> bool {
        false
    }
}

impl Liar {
    pub(crate) async fn start(others: &[SocketAddr], story: Story) -> Self {
        let key = NodeKey::generate();
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (for_exchange, for_swarm) = dray_exchange::door::split(listener);
        let holding = Holding::complete(story.size, story.table.as_ref().map(PieceTable::root));
        let told =
            Arc::new(Told { story, ours: watch::Sender::new(Arc::new(holding)), given: AtomicU64::new(0) });
        let config = dray_exchange::Config {
            tcp: Some(for_exchange),
            ..dray_exchange::Config::new(key.clone(), Arc::new(Open))
        };
        let exchange = Exchange::start(config, Arc::new(OneBook(Arc::clone(&told)))).unwrap();
        let swarm = Swarm::start(dray_swarm::Config {
            port,
            reach: Reach::Anywhere,
            interfaces: super::loopback(),
            mdns: false,
            bootstrap: others.iter().map(|address| Bootstrap::Address(*address)).collect(),
            ..dray_swarm::Config::new(key, for_swarm, Arc::new(OneBook(Arc::clone(&told))))
        })
        .unwrap();
        Self { swarm, told, _exchange: exchange }
    }

    pub(crate) fn me(&self) -> PeerId {
        self.swarm.me()
    }

    pub(crate) fn given(&self) -> u64 {
        self.told.given.load(Ordering::Relaxed)
    }
}

pub(crate) fn table_of(bytes: &[u8]) -> PieceTable {
    let mut builder = TableBuilder::new(Some(bytes.len() as u64));
    builder.feed(0, bytes);
    builder.finish(bytes.len() as u64).unwrap()
}
