//! Real nodes on loopback, each with its own listener, as the one doorman of a machine would have it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses its part"
)]

pub mod rogue;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dray_content::Digest;
use dray_identity::{Group, NodeKey};
use dray_swarm::{Bootstrap, Candidate, Config, Directory, Incident, Interfaces, Mode, PeerId, Role, Swarm};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Nothing here takes long; a machine under load may.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A directory that a test fills.
#[derive(Default)]
pub struct Shelf {
    pub roles: Mutex<BTreeMap<Digest, Role>>,
    pub unwelcome: Mutex<BTreeMap<PeerId, String>>,
    pub incidents: Mutex<Vec<(PeerId, Incident)>>,
}

impl Directory for Shelf {
    fn role(&self, digests: &[Digest]) -> Option<Role> {
        let roles = self.roles.lock().unwrap();
        digests.iter().find_map(|digest| roles.get(digest).copied())
    }

    fn admit(&self, peer: &PeerId, _: IpAddr) -> Result<(), String> {
        self.unwelcome.lock().unwrap().get(peer).map_or(Ok(()), |why| Err(why.clone()))
    }

    fn incident(&self, peer: &PeerId, _: IpAddr, what: Incident) {
        self.incidents.lock().unwrap().push((*peer, what));
    }
}

/// One machine.
pub struct Machine {
    pub swarm: Swarm,
    pub shelf: Arc<Shelf>,
    pub address: SocketAddr,
    pub key: NodeKey,
    door: JoinHandle<()>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.door.abort();
    }
}

impl Machine {
    /// As from a crash: its port closes, its connections end without a word.
    pub async fn stop(self) {
        self.swarm.stop().await;
    }

    pub fn has(&self, digest: Digest) {
        self.shelf.roles.lock().unwrap().insert(digest, Role::Has);
    }

    pub fn knows(&self, other: &Machine) -> bool {
        let me = other.swarm.me();
        self.swarm.peers().iter().any(|view| view.peer == me && view.connected_since.is_some())
    }
}

pub fn digest(of: &str) -> Digest {
    Digest::Blake3(*blake3::hash(of.as_bytes()).as_bytes())
}

pub fn group(name: &str, key: &str) -> Group {
    Group::from_key_text(name, key).unwrap()
}

pub fn loopback() -> Interfaces {
    Interfaces { include: vec!["127.0.0.0/8".parse().unwrap()], exclude: vec![] }
}

/// A machine on loopback that knows `bootstrap`.
pub async fn machine(group: Option<Group>, bootstrap: &[SocketAddr]) -> Machine {
    machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
        config.mode = if group.is_some() { Mode::Group } else { Mode::Lan };
        config.group = group;
        config.bootstrap = bootstrap.iter().map(|address| Bootstrap::Address(*address)).collect();
    })
    .await
}

pub async fn machine_with(key: NodeKey, at: SocketAddr, change: impl FnOnce(&mut Config)) -> Machine {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .try_init();
    let listener = TcpListener::bind(at).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (arrived, inbound) = mpsc::channel(64);
    let door = tokio::spawn(async move {
        while let Ok(connection) = listener.accept().await {
            if arrived.send(connection).await.is_err() {
                break;
            }
        }
    });
    let shelf = Arc::new(Shelf::default());
    let mut config = Config::new(key.clone(), inbound, shelf.clone());
    config.port = address.port();
    config.interfaces = loopback();
    config.mdns = false;
    change(&mut config);
    let swarm = Swarm::start(config).unwrap();
    Machine { swarm, shelf, address, key, door }
}

/// Waits until it holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// The next candidate.
pub async fn next(found: &mut mpsc::Receiver<Candidate>) -> Candidate {
    tokio::time::timeout(DEADLINE, found.recv())
        .await
        .expect("no candidate came")
        .expect("the search was closed")
}

/// Whether a multicast packet sent on loopback comes back.
pub fn multicast_works() -> std::io::Result<()> {
    use std::net::{Ipv4Addr, UdpSocket};
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)?;
    socket2::SockRef::from(&socket).set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    socket.send_to(b"x", (group, socket.local_addr()?.port()))?;
    socket.recv_from(&mut [0; 8]).map(|_| ())
}

/// Sends packets to the group of mDNS that are no announcements, or not quite.
pub fn announce_rubbish(packets: usize) -> std::thread::JoinHandle<std::io::Result<()>> {
    use std::net::Ipv4Addr;
    std::thread::spawn(move || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5353)).into())?;
        socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?;
        let group = SocketAddr::from((Ipv4Addr::new(224, 0, 0, 251), 5353)).into();
        for number in 0..packets {
            let bytes: Vec<u8> = match number % 3 {
                0 => std::iter::repeat_with(|| fastrand::u8(..)).take(fastrand::usize(..1400)).collect(),
                1 => [&[0, 0, 0x84, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..], &[0xc0, 12].repeat(300)]
                    .concat(),
                _ => [&[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x05_dray\x04_tcp\x05local\0\0\x0c\0\x01"]
                    .concat(),
            };
            socket.send_to(&bytes, &group)?;
        }
        Ok(())
    })
}
