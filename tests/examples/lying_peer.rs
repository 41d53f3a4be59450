//! A peer that lies: `lying_peer bytes|table|silence DIGEST SIZE`.
//!
//! It announces itself on its LAN as any machine does, says that it has all of the content with this digest, and gives wrong bytes, or wrong bytes
//! with a piece table that fits them, or nothing. It speaks the protocol without a fault: it is told from an honest machine by what it
//! gives alone. It must never be part of what users get. Its name among peers is the first line that it prints.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use dray_content::{Digest, PieceTable, TableBuilder};
use dray_exchange::{Config, Exchange, Guard, Holding, Incident, Session, Shelf, Volume, door};
use dray_identity::{NodeKey, PeerId};
use dray_ranges::ByteRange;
use dray_swarm::{Directory, Role, Swarm};
use tokio::net::TcpListener;
use tokio::sync::watch;

const PORT: u16 = 7680;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    Bytes,
    Table,
    Silence,
}

/// All of the content, says it.
struct Liar {
    lie: Lie,
    digest: Digest,
    size: u64,
    table: Option<Arc<PieceTable>>,
    holding: watch::Sender<Arc<Holding>>,
}

impl Liar {
    fn new(lie: Lie, digest: Digest, size: u64) -> Result<Liar> {
        let table = (lie == Lie::Table).then(|| table_of_lies(size)).transpose()?.map(Arc::new);
        let root = table.as_ref().map(|table| table.root());
        let holding = watch::Sender::new(Arc::new(Holding::complete(size, root)));
        Ok(Liar { lie, digest, size, table, holding })
    }
}

/// What it gives for byte `at`.
fn wrong(at: u64) -> u8 {
    (at % 251) as u8
}

fn wrong_bytes(range: ByteRange) -> impl Iterator<Item = u8> {
    (range.start()..range.end()).map(wrong)
}

fn table_of_lies(size: u64) -> Result<PieceTable> {
    let mut builder = TableBuilder::new(Some(size));
    let whole = ByteRange::new(0, size).context("a content of no bytes")?;
    let bytes: Vec<u8> = wrong_bytes(whole).collect();
    builder.feed(0, &bytes);
    builder.finish(size).context("a table of all bytes")
}

impl Volume for Liar {
    fn ours(&self) -> watch::Receiver<Arc<Holding>> {
        self.holding.subscribe()
    }

    fn table(&self) -> Option<Arc<PieceTable>> {
        self.table.clone()
    }

    fn read(&self, range: ByteRange, into: &mut Vec<u8>) -> io::Result<()> {
        if self.lie == Lie::Silence {
            loop {
                std::thread::park();
            }
        }
        into.extend(wrong_bytes(range));
        Ok(())
    }

    fn is_downloading(&self) -> bool {
        false
    }
}

/// Everything that is asked of it by the two planes.
#[derive(Clone)]
struct Face(Arc<Liar>);

impl Shelf for Face {
    fn find(&self, digests: &[Digest], _: &PeerId) -> Option<Arc<dyn Volume>> {
        digests.contains(&self.0.digest).then(|| Arc::clone(&self.0) as Arc<dyn Volume>)
    }

    fn joined(&self, session: Session) {
        session.detach();
    }
}

impl Guard for Face {
    fn admit(&self, _: &PeerId, _: SocketAddr) -> bool {
        true
    }

    fn incident(&self, _: &PeerId, _: SocketAddr, _: Incident) {}
}

impl Directory for Face {
    fn role(&self, digests: &[Digest]) -> Option<Role> {
        digests.contains(&self.0.digest).then_some(Role::Has)
    }

    fn admit(&self, _: &PeerId, _: IpAddr) -> Result<(), String> {
        Ok(())
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [lie, digest, size] = &arguments[..] else {
        bail!("usage: lying_peer bytes|table|silence DIGEST SIZE")
    };
    let lie = match lie.as_str() {
        "bytes" => Lie::Bytes,
        "table" => Lie::Table,
        "silence" => Lie::Silence,
        other => bail!("no such lie: {other}"),
    };
    let liar = Liar::new(lie, digest.parse()?, size.parse()?)?;
    ensure!(liar.size > 0, "nothing to lie about");
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(Face(Arc::new(liar))))
}

async fn run(face: Face) -> Result<()> {
    let key = NodeKey::generate();
    let everywhere = (Ipv4Addr::UNSPECIFIED, PORT);
    let (tls, other) = door::split(TcpListener::bind(everywhere).await?);
    let guard: Arc<dyn Guard> = Arc::new(face.clone());
    let mut config = Config::new(key.clone(), guard);
    config.udp = Some(UdpSocket::bind(everywhere)?);
    config.tcp = Some(tls);
    let _exchange = Exchange::start(config, Arc::new(face.clone()))?;
    let swarm = Swarm::start(dray_swarm::Config::new(key.clone(), other, Arc::new(face.clone())))?;
    // Who asks is told; who asked before is told now.
    let mut found = swarm.find(std::slice::from_ref(&face.0.digest), Role::Has);
    writeln!(io::stdout(), "{}", key.peer_id())?;
    loop {
        found.recv().await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
