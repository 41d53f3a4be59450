//! What the swarm and the exchange ask of this machine: what it has, what it wants, and with whom it speaks.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use dray_cache::{Audience, Entry, Store};
use dray_content::{ContentId, Digest};
use dray_exchange::{Guard, Incident, Session, Shelf, Volume};
use dray_identity::PeerId;
use dray_swarm::{Directory, Role};

use crate::peers::proven_pieces::ProvenPieces;
use crate::peers::register::Register;
use crate::peers::reputation::{Offence, Reputation};
use crate::peers::stored::Stored;

/// Who may connect, as the configuration has it.
pub type Admit = dyn Fn(&PeerId, IpAddr) -> Result<(), String> + Send + Sync;

/// How long the answer to "is it in the cache?" is not looked up again. What comes in is known at once.
const ROLE_LASTS: Duration = Duration::from_secs(5);
/// How many such answers are remembered.
const MAX_ROLES: usize = 4096;
/// How many contents of the cache are held open for others.
const MAX_OPEN: usize = 256;

/// The ground on which both planes stand.
pub(crate) struct Ground {
    pub(crate) register: Arc<Register>,
    pub(crate) reputation: Reputation,
    cache: Option<Arc<Store>>,
    admit: Arc<Admit>,
    least: u64,
    lately: Arc<ProvenPieces>,
    open: Mutex<BTreeMap<ContentId, Weak<Stored>>>,
    roles: Mutex<BTreeMap<Digest, (Option<ContentId>, Instant)>>,
}

impl Ground {
    pub(crate) fn new(cache: Option<Arc<Store>>, admit: Arc<Admit>, least: u64) -> Self {
        Self {
            register: Arc::default(),
            reputation: Reputation::default(),
            cache,
            admit,
            least,
            lately: Arc::default(),
            open: Mutex::default(),
            roles: Mutex::default(),
        }
    }

    /// The smallest content that is shared, in bytes.
    pub(crate) fn least(&self) -> u64 {
        self.least
    }

    /// Whether to speak with a peer; the reason if not.
    pub(crate) fn may_speak(&self, peer: &PeerId, address: IpAddr) -> Result<(), String> {
        match self.reputation.why_banned(peer, Some(address)) {
            Some(why) => Err(why),
            None => (self.admit)(peer, address),
        }
    }

    /// A content of the cache, to be given to others: complete, for everyone, and untouched since it was proven.
    pub(crate) fn stored(&self, digests: &[Digest]) -> Option<Arc<Stored>> {
        let store = self.cache.as_ref()?;
        let entry = digests.iter().find_map(|digest| store.find_digest(digest))?;
        if !self.may_offer(&entry) {
            return None;
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let id = entry.id();
        if let Some(stored) = open.get(&id).and_then(Weak::upgrade).filter(|stored| stored.is_good()) {
            return Some(stored);
        }
        let stored = match Stored::open(store, entry, Arc::clone(&self.lately)) {
            Ok(stored) => Arc::new(stored),
            Err(error) => {
                tracing::warn!(%id, %error, "a content of the cache cannot be offered");
                return None;
            }
        };
        open.retain(|_, stored| stored.strong_count() > 0);
        if open.len() < MAX_OPEN {
            open.insert(id, Arc::downgrade(&stored));
        }
        Some(stored)
    }

    /// The cache has something new.
    pub(crate) fn came_in(&self, digests: &[Digest]) {
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        for digest in digests {
            roles.remove(digest);
        }
    }

    fn may_offer(&self, entry: &Entry) -> bool {
        *entry.audience() == Audience::Everyone && entry.size() >= self.least && entry.is_untouched()
    }

    fn has(&self, digest: &Digest) -> bool {
        let Some(store) = &self.cache else { return false };
        let now = Instant::now();
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((id, at)) = roles.get(digest)
            && now.saturating_duration_since(*at) < ROLE_LASTS
        {
            return id.is_some();
        }
        let id = store.find_digest(digest).filter(|entry| self.may_offer(entry)).map(|entry| entry.id());
        if roles.len() >= MAX_ROLES {
            roles.retain(|_, (_, at)| now.saturating_duration_since(*at) < ROLE_LASTS);
        }
        if roles.len() < MAX_ROLES {
            roles.insert(*digest, (id, now));
        }
        id.is_some()
    }
}

impl Directory for Ground {
    fn role(&self, digests: &[Digest]) -> Option<Role> {
        if digests.iter().any(|digest| self.has(digest)) {
            return Some(Role::Has);
        }
        self.register.find(digests).map(|_| Role::Wants)
    }

    fn admit(&self, peer: &PeerId, ip: IpAddr) -> Result<(), String> {
        self.may_speak(peer, ip)
    }

    fn incident(&self, peer: &PeerId, ip: IpAddr, what: dray_swarm::Incident) {
        if what != dray_swarm::Incident::Silent {
            self.reputation.offend(peer, Some(ip), &Offence::Protocol(what.to_string()));
        }
    }
}

impl Shelf for Ground {
    fn find(&self, digests: &[Digest], _peer: &PeerId) -> Option<Arc<dyn Volume>> {
        if let Some(offer) = self.register.find(digests) {
            return Some(offer);
        }
        self.stored(digests).map(|stored| stored as Arc<dyn Volume>)
    }

    fn joined(&self, session: Session) {
        self.register.joined(session);
    }
}

impl Guard for Ground {
    fn admit(&self, peer: &PeerId, from: SocketAddr) -> bool {
        self.may_speak(peer, from.ip()).is_ok()
    }

    fn incident(&self, peer: &PeerId, from: SocketAddr, what: Incident) {
        if what.is_violation() {
            self.reputation.offend(peer, Some(from.ip()), &Offence::Protocol(what.to_string()));
        } else {
            tracing::debug!(%peer, %what, "a peer is slow");
        }
    }
}
