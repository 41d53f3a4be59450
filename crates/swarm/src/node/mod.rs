//! The one task that does everything: it turns what happens on the network into what the pure parts say about it.

mod answering;
mod asking;
mod connections;
pub(crate) mod kademlia;
mod link;
mod seeds;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dray_identity::Group;
use libp2p::futures::StreamExt as _;
use libp2p::futures::future::BoxFuture;
use libp2p::futures::stream::FuturesUnordered;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::beacon::{Beacon, Heard};
use crate::behaviour::{self, Behaviour};
use crate::book::{Book, Source, Stage};
use crate::bucket::Time;
use crate::config::{Config, Directory, Limits, Mode, Way};
use crate::doorway::Doorway;
use crate::gate::Gate;
use crate::interfaces::Watcher;
use crate::keys;
use crate::memory;
use crate::swarm::{Candidate, Command, Shared, SwarmError};
use crate::view::{PeerState, PeerView};
use crate::wishes::{WishId, Wishes};

use link::Link;
use seeds::Seeds;

/// When nothing is due, the task looks around so often.
const IDLE_TICK: Duration = Duration::from_secs(15);
/// And never more often than this.
const LEAST_TICK: Duration = Duration::from_millis(50);
/// Good peers are written down so long after the start,
const REMEMBER_AFTER: Duration = Duration::from_secs(30);
/// and then so often, if they have changed.
const REMEMBER_EVERY: Duration = Duration::from_secs(5 * 60);
/// Sets of own addresses under way to the transport.
const OWN_CHANGES: usize = 8;

/// The task.
pub(crate) struct Node {
    me: PeerId,
    port: u16,
    limits: Limits,
    directory: Arc<dyn Directory>,
    swarm: libp2p::Swarm<Behaviour>,
    own: mpsc::Sender<Vec<SocketAddr>>,
    watcher: Watcher,
    beacon: Option<Beacon>,
    group: Option<Group>,
    commands: mpsc::Receiver<Command>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    epoch: Instant,
    book: Book,
    seeds: Seeds,
    resolving: FuturesUnordered<BoxFuture<'static, seeds::Resolved>>,
    links: BTreeMap<PeerId, Link>,
    dialing: HashSet<ConnectionId>,
    wishes: Wishes,
    finds: BTreeMap<WishId, mpsc::Sender<Candidate>>,
    unheard: BTreeMap<WishId, asking::Unheard>,
    published: BTreeMap<WishId, kademlia::Published>,
    abandoned: FuturesUnordered<BoxFuture<'static, WishId>>,
    ask_neighbours_at: Time,
    ask_neighbours_wait: Duration,
    memory: Option<PathBuf>,
    remembered: Vec<(PeerId, SocketAddr)>,
    remember_at: Time,
}

impl Node {
    pub(crate) fn new(
        config: Config,
        commands: mpsc::Receiver<Command>,
        shared: Arc<Shared>,
        stop: CancellationToken,
    ) -> Result<Self, SwarmError> {
        let (own, own_changes) = mpsc::channel(OWN_CHANGES);
        let me = config.key.peer_id();
        let group = config.group.filter(|_| config.mode == Mode::Group);
        let gate = Gate::new(
            &config.limits,
            config.reach,
            Arc::clone(&config.directory),
            Arc::clone(&shared.counters),
        );
        let doorway = Doorway::new(config.inbound, own_changes);
        let mut swarm = behaviour::build(&config.key, group.as_ref(), &config.limits, doorway, gate)
            .map_err(|error| SwarmError::Key(error.to_string()))?;
        // The address does not matter: the listener was bound elsewhere.
        swarm.listen_on(Multiaddr::empty()).map_err(|error| SwarmError::Key(error.to_string()))?;
        let tag = keys::tag(group.as_ref());
        let beacon = config.mdns.then(|| Beacon::new(me, config.port, tag, Arc::clone(&shared.counters)));
        let node = Self {
            me,
            port: config.port,
            directory: config.directory,
            swarm,
            own,
            watcher: Watcher::new(config.interfaces),
            beacon,
            group,
            commands,
            shared,
            stop,
            epoch: Instant::now(),
            book: Book::new(me, config.limits.known_peers, fastrand::u64(..)),
            seeds: Seeds::new(config.bootstrap),
            resolving: FuturesUnordered::new(),
            links: BTreeMap::new(),
            dialing: HashSet::new(),
            wishes: Wishes::default(),
            finds: BTreeMap::new(),
            unheard: BTreeMap::new(),
            published: BTreeMap::new(),
            abandoned: FuturesUnordered::new(),
            ask_neighbours_at: Duration::ZERO,
            ask_neighbours_wait: asking::NEIGHBOURS_SOON,
            memory: config.memory,
            remembered: Vec::new(),
            remember_at: REMEMBER_AFTER,
            limits: config.limits,
        };
        node.publish_members();
        Ok(node)
    }

    pub(crate) async fn run(mut self) {
        let stop = self.stop.clone();
        if let Some(path) = self.memory.clone() {
            let read = tokio::task::spawn_blocking(move || memory::read(&path)).await;
            for (peer, address) in read.unwrap_or_default() {
                self.book.learn(Duration::ZERO, peer, address, Source::Memory);
            }
        }
        let local = self.watcher.changed().await;
        self.local_changed(local);
        loop {
            let next = self.next_tick();
            tokio::select! {
                () = stop.cancelled() => break,
                event = self.swarm.select_next_some() => self.on_event(event),
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => break,
                },
                Some(id) = self.abandoned.next(), if !self.abandoned.is_empty() => self.end_find(id),
                Some((seed, addrs)) = self.resolving.next(), if !self.resolving.is_empty() => {
                    let now = self.now();
                    self.seeds.resolved(now, seed, addrs);
                    self.publish_members();
                }
                local = self.watcher.changed() => self.local_changed(local),
                heard = async { match self.beacon.as_mut() {
                    Some(beacon) => beacon.heard().await,
                    None => std::future::pending().await,
                } } => self.on_heard(heard),
                () = tokio::time::sleep_until(next) => {}
            }
            self.advance();
        }
        if let Some((path, peers)) = self.news_to_remember() {
            let _ = tokio::task::spawn_blocking(move || memory::write(&path, &peers)).await;
        }
        if let Some(beacon) = self.beacon.as_mut() {
            beacon.goodbye();
        }
        for peer in self.links.keys().copied().collect::<Vec<_>>() {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    fn now(&self) -> Time {
        self.epoch.elapsed()
    }

    fn next_tick(&self) -> Instant {
        let dial = if self.may_dial() { self.book.next_due() } else { None };
        let due = [
            dial,
            self.seeds.next_due(),
            self.asking_due(),
            self.unheard_due(),
            self.looking_due(),
            self.unproven_due(),
            Some(self.ask_neighbours_at),
        ];
        let soonest = due.into_iter().flatten().min().unwrap_or(Duration::MAX);
        let wait = soonest.saturating_sub(self.now()).clamp(LEAST_TICK, IDLE_TICK);
        Instant::now() + wait
    }

    /// Does what is due.
    fn advance(&mut self) {
        let now = self.now();
        self.dial_seeds(now);
        while self.may_dial()
            && let Some((peer, addrs)) = self.book.dial_next(now)
        {
            self.dial(peer, addrs);
        }
        if self.ask_neighbours_at <= now {
            self.ask_someone_for_neighbours(now);
        }
        self.end_unproven();
        self.make_room();
        self.send_asks(now);
        self.end_unheard(now);
        self.look_beyond(now);
        for peer in self.book.take_forgotten() {
            self.publish(&peer);
        }
        if self.remember_at <= now {
            self.remember_at = now + REMEMBER_EVERY;
            if let Some((path, peers)) = self.news_to_remember() {
                tokio::task::spawn_blocking(move || memory::write(&path, &peers));
            }
        }
    }

    /// What is to be written down, if that has changed.
    fn news_to_remember(&mut self) -> Option<(PathBuf, Vec<(PeerId, SocketAddr)>)> {
        let path = self.memory.clone()?;
        let peers = self.book.worth_remembering(memory::MAX_REMEMBERED);
        if peers.is_empty() || peers == self.remembered {
            return None;
        }
        self.remembered.clone_from(&peers);
        Some((path, peers))
    }

    fn may_dial(&self) -> bool {
        let busy = self.links.len() + self.dialing.len();
        self.dialing.len() < self.limits.pending_outbound as usize
            && busy < self.limits.wanted_connections as usize
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Find { digests, role, to, asked } => self.begin_find(digests, role, to, asked),
            Command::Disconnect { peer, why } => self.disconnect(peer, why, false),
        }
    }

    fn local_changed(&mut self, local: Vec<crate::net::LocalAddress>) {
        let own: Vec<_> = local.iter().map(|local| SocketAddr::new(local.address, self.port)).collect();
        tracing::info!(addresses = ?own, "addresses used for peers");
        if let Some(beacon) = self.beacon.as_mut() {
            beacon.set_local(&local);
        }
        self.swarm.behaviour_mut().gate.set_local(local);
        if self.own.try_send(own).is_err() {
            tracing::debug!("the transport has not yet taken the last change of addresses");
        }
        let now = self.now();
        self.book.network_changed(now);
        self.seeds.network_changed(now);
    }

    fn on_heard(&mut self, heard: Heard) {
        let now = self.now();
        match heard {
            Heard::Here(peer, address) => {
                let in_reach = self.swarm.behaviour().gate.in_reach(address.ip());
                if in_reach && self.book.learn(now, peer, address, Source::Itself) {
                    self.publish(&peer);
                } else {
                    self.shared.counters.count(&self.shared.counters.refused_addresses);
                }
            }
            Heard::Gone(peer) => {
                self.book.gone(&peer);
                self.publish(&peer);
            }
        }
    }

    fn way(&self, address: SocketAddr) -> Way {
        if self.swarm.behaviour().gate.is_near(address.ip()) { Way::Lan } else { Way::Group }
    }

    /// Makes what is known of a peer visible to the handle.
    fn publish(&self, peer: &PeerId) {
        let known = self.book.get(peer);
        let link = self.links.get(peer);
        let mut peers = self.shared.peers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.is_none() && link.is_none() {
            peers.remove(peer);
            return;
        }
        let proven = link.is_some_and(|link| link.proven);
        let stage = known.map_or(Stage::Idle, |known| known.stage);
        let state = match known {
            _ if proven => PeerState::Connected,
            _ if link.is_some() || stage == Stage::Dialing => PeerState::Connecting,
            Some(known) if known.refused => PeerState::Refused,
            Some(known) if known.failures > 0 => PeerState::Unreachable,
            _ => PeerState::Known,
        };
        let addrs = match link.and_then(Link::listens_at) {
            Some(address) => vec![address],
            None => known.map(|known| known.addrs.clone()).unwrap_or_default(),
        };
        let nearest = link.map(|link| link.remote).or(addrs.first().copied());
        let view = PeerView {
            peer: *peer,
            way: nearest.map_or(Way::Group, |address| self.way(address)),
            addrs,
            state,
            agent: link.map(|link| link.agent.clone()).unwrap_or_default(),
            connected_since: link.filter(|link| link.proven).map(|link| link.since.into_std()),
            rtt: link.and_then(|link| link.rtt),
            why_not: known.and_then(|known| known.why_not.clone()),
        };
        peers.insert(*peer, view);
    }

    fn publish_connected(&self) {
        let connected = self.links.values().filter(|link| link.proven).count();
        self.shared.connected.store(connected, Ordering::Relaxed);
    }
}
