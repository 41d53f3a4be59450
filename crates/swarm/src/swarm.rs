//! The handle that the rest of the house holds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dray_content::Digest;
use libp2p::PeerId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Mode, Role, Way};
use crate::node::Node;
use crate::view::{Counters, Counts, MemberView, PeerView};

/// So long after a start those of the last time are expected to be met again.
const MEETING: Duration = Duration::from_secs(1);
/// Commands under way to the swarm's task.
const COMMANDS: usize = 1024;
/// Candidates that a searcher has not yet taken.
const CANDIDATES: usize = 256;

/// Someone who has a content, or fetches it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who it is.
    pub peer: PeerId,
    /// Where it takes connections of either plane.
    pub addrs: Vec<SocketAddr>,
    /// How it is reached.
    pub way: Way,
    /// What it wants with the content.
    pub role: Role,
}

/// A search: who has or wants a content.
pub struct Finding {
    /// Each peer once for as long as it stays connected. The search ends when this is dropped.
    pub candidates: mpsc::Receiver<Candidate>,
    /// Comes when everyone who was connected at the beginning has answered or had its time, after the candidates among them; an error
    /// when too many searches run.
    pub asked: oneshot::Receiver<()>,
}

/// Why the swarm did not start.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// [`Mode::Group`] was asked for without a group.
    #[error("group mode needs a group")]
    NoGroup,
    /// The key cannot be used for encryption.
    #[error("the key of this machine cannot be used: {0}")]
    Key(String),
}

pub(crate) enum Command {
    Find { digests: Vec<Digest>, role: Role, to: mpsc::Sender<Candidate>, asked: oneshot::Sender<()> },
    Disconnect { peer: PeerId, why: String },
}

/// What the handle reads without asking the task.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) connected: AtomicUsize,
    pub(crate) peers: Mutex<BTreeMap<PeerId, PeerView>>,
    pub(crate) members: Mutex<Vec<MemberView>>,
    pub(crate) counters: Arc<Counters>,
}

/// The swarm as the rest of the house sees it: cheap to clone. When the last one is dropped the swarm says goodbye.
#[derive(Clone)]
pub struct Swarm {
    me: PeerId,
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
    meets_until: Option<Instant>,
}

impl Swarm {
    /// Starts it on the runtime of the caller.
    ///
    /// # Errors
    /// [`SwarmError::NoGroup`], [`SwarmError::Key`].
    pub fn start(config: Config) -> Result<Self, SwarmError> {
        if config.mode == Mode::Group && config.group.is_none() {
            return Err(SwarmError::NoGroup);
        }
        let me = config.key.peer_id();
        // It is written only when there are peers to remember.
        let remembers = config.memory.as_deref().is_some_and(std::path::Path::exists);
        let meets_until = remembers.then(|| Instant::now() + MEETING);
        let (commands, from_handle) = mpsc::channel(COMMANDS);
        let shared = Arc::new(Shared::default());
        let stop = CancellationToken::new();
        let node = Node::new(config, from_handle, Arc::clone(&shared), stop.clone())?;
        let tasks = TaskTracker::new();
        tasks.spawn(node.run());
        tasks.close();
        Ok(Self { me, commands, shared, stop, tasks, meets_until })
    }

    /// Who this machine is.
    #[must_use]
    pub fn me(&self) -> PeerId {
        self.me
    }

    /// Asks everyone connected, now and later, who has or wants the content with any of these digests. The receiver yields
    /// each peer once for as long as it stays connected; while it is alive others are told that this machine wants (or
    /// has) the content. It is closed at once when too many searches run.
    #[must_use]
    pub fn find(&self, digests: &[Digest], role: Role) -> mpsc::Receiver<Candidate> {
        self.seek(digests, role).candidates
    }

    /// The same, and when those who are connected now have all been asked.
    #[must_use]
    pub fn seek(&self, digests: &[Digest], role: Role) -> Finding {
        let (asked, is_asked) = oneshot::channel();
        let (to, candidates) = mpsc::channel(CANDIDATES);
        if self.commands.try_send(Command::Find { digests: digests.to_vec(), role, to, asked }).is_err() {
            self.shared.counters.count(&self.shared.counters.refused_finds);
        }
        Finding { candidates, asked: is_asked }
    }

    /// Everyone known, by peer id.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerView> {
        let peers = self.shared.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.values().cloned().collect()
    }

    /// The bootstrap members, in the order of the configuration.
    #[must_use]
    pub fn members(&self) -> Vec<MemberView> {
        self.shared.members.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many peers are connected, and proven to be of the swarm.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.shared.connected.load(Ordering::Relaxed)
    }

    /// Until when it is worth waiting for the first peer: right after a start, when peers were remembered and none is met yet.
    #[must_use]
    pub fn meets_until(&self) -> Option<Instant> {
        self.meets_until.filter(|until| self.connected() == 0 && Instant::now() < *until)
    }

    /// What happened since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counters.counts()
    }

    /// Ends the connection with this peer; `why` is shown beside it. It may come back when [`Directory::admit`] lets it.
    ///
    /// [`Directory::admit`]: crate::Directory::admit
    pub fn disconnect(&self, peer: PeerId, why: &str) {
        // With so many commands waiting that this one finds no place, the connection is refused at its next attempt.
        let _ = self.commands.try_send(Command::Disconnect { peer, why: why.to_owned() });
    }

    /// Says goodbye and waits until all is closed.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}
