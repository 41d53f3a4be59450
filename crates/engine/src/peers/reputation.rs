//! Which peers are not spoken to for a while, and why.
//!
//! An offence costs a ban; each further one doubles it, up to a day. A key costs nothing to make, so an address at which a second key
//! offends is banned too. Good conduct for as long as the last ban lasted, and at least [`FORGIVEN_AFTER`], wipes the slate clean.
//! Nothing of this is kept over a restart: a liar costs one transfer each time, and a wrong verdict does not last.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dray_identity::PeerId;

/// The first ban.
const FIRST_BAN: Duration = Duration::from_secs(60);
/// The longest.
const LONGEST_BAN: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after a ban the next offence still counts as another one, at least.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60 * 60);
/// How many peers, and how many addresses, are remembered; beyond, those go whose ban ends first.
const MAX_REMEMBERED: usize = 4096;

/// What a peer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offence {
    /// Bytes that are not those of the content it offered.
    WrongBytes,
    /// A piece table that is not that of the content.
    WrongTable,
    /// A size that is not that of the content.
    WrongSize,
    /// A breach of the protocol, as the exchange or the swarm describes it.
    Protocol(String),
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongBytes => f.write_str("it sent wrong bytes"),
            Self::WrongTable => f.write_str("it sent a wrong piece table"),
            Self::WrongSize => f.write_str("it claimed a wrong size"),
            Self::Protocol(what) => f.write_str(what),
        }
    }
}

/// A ban, as a person is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banned {
    /// Who; `None` for an address.
    pub peer: Option<PeerId>,
    /// Where it was when it offended last.
    pub address: Option<IpAddr>,
    /// The last offence, as a clause without a subject's name.
    pub why: String,
    /// How often it offended lately.
    pub offences: u32,
    /// How much longer it lasts.
    pub left: Duration,
}

/// What is remembered of the conduct of peers.
pub struct Reputation {
    standings: Mutex<Standings>,
}

impl Default for Reputation {
    fn default() -> Self {
        Self { standings: Mutex::new(Standings::default()) }
    }
}

impl Reputation {
    /// A peer offended, from that address if it is known. Returns how long it is banned.
    pub fn offend(&self, peer: &PeerId, address: Option<IpAddr>, offence: &Offence) -> Duration {
        tracing::warn!(%peer, ?address, why = %offence, "a peer is banned for a while");
        self.lock().offend(Instant::now(), peer, address, &offence.to_string())
    }

    /// Why neither this peer nor anyone at its address is spoken to now; `None` when they are.
    pub fn why_banned(&self, peer: &PeerId, address: Option<IpAddr>) -> Option<String> {
        self.lock().why_banned(Instant::now(), peer, address)
    }

    /// Everyone who is banned now.
    pub fn banned(&self) -> Vec<Banned> {
        self.lock().banned(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Standings> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same, given the time.
#[derive(Default)]
struct Standings {
    peers: BTreeMap<PeerId, Standing>,
    addresses: BTreeMap<IpAddr, Standing>,
}

struct Standing {
    offences: u32,
    until: Instant,
    /// When the slate is clean again.
    forgiven: Instant,
    why: String,
    address: Option<IpAddr>,
    last_peer: PeerId,
}

impl Standings {
    fn offend(&mut self, now: Instant, peer: &PeerId, address: Option<IpAddr>, why: &str) -> Duration {
        // Several on one machine are their owner's business; and a key that offends again is known by its name.
        let public = address.filter(|address| !address.is_loopback());
        if let Some(address) = public {
            match self.addresses.get_mut(&address) {
                Some(standing) if standing.last_peer != *peer => {
                    standing.add(now, why);
                    standing.last_peer = *peer;
                }
                Some(_) => {}
                None => {
                    let mut standing = Standing::clean(now, Some(address), *peer);
                    standing.forgiven = now + FORGIVEN_AFTER;
                    standing.why = why.to_owned();
                    self.addresses.insert(address, standing);
                }
            }
        }
        let standing = self.peers.entry(*peer).or_insert_with(|| Standing::clean(now, address, *peer));
        standing.add(now, why);
        standing.address = address.or(standing.address);
        let left = standing.until - now;
        bound(&mut self.peers, now);
        bound(&mut self.addresses, now);
        left
    }

    fn why_banned(&self, now: Instant, peer: &PeerId, address: Option<IpAddr>) -> Option<String> {
        let of_peer = self.peers.get(peer).filter(|standing| standing.until > now);
        let of_address = || self.addresses.get(&address?).filter(|standing| standing.until > now);
        let (standing, who) = match of_peer {
            Some(standing) => (standing, ""),
            None => (of_address()?, ", and so did another peer at its address"),
        };
        let minutes = (standing.until - now).as_secs().div_ceil(60);
        Some(format!("{}{who}; it is banned for another {minutes} min", standing.why))
    }

    fn banned(&self, now: Instant) -> Vec<Banned> {
        let shown = |peer: Option<PeerId>, standing: &Standing| Banned {
            peer,
            address: standing.address,
            why: standing.why.clone(),
            offences: standing.offences,
            left: standing.until.saturating_duration_since(now),
        };
        let peers = self.peers.iter().map(|(peer, standing)| shown(Some(*peer), standing));
        let addresses = self.addresses.values().map(|standing| shown(None, standing));
        peers.chain(addresses).filter(|banned| !banned.left.is_zero()).collect()
    }
}

impl Standing {
    fn clean(now: Instant, address: Option<IpAddr>, last_peer: PeerId) -> Self {
        Self { offences: 0, until: now, forgiven: now, why: String::new(), address, last_peer }
    }

    fn add(&mut self, now: Instant, why: &str) {
        self.offences = if now >= self.forgiven { 1 } else { self.offences.saturating_add(1) };
        let doublings = self.offences.saturating_sub(1);
        let ban = 1_u32.checked_shl(doublings).map_or(LONGEST_BAN, |times| FIRST_BAN.saturating_mul(times));
        let ban = ban.min(LONGEST_BAN);
        self.until = self.until.max(now + ban);
        self.forgiven = self.until + ban.max(FORGIVEN_AFTER);
        self.why = why.to_owned();
    }
}

/// Keeps a list within its limit: first goes what is forgiven, then what ends first.
fn bound<K: Ord + Copy>(standings: &mut BTreeMap<K, Standing>, now: Instant) {
    if standings.len() <= MAX_REMEMBERED {
        return;
    }
    standings.retain(|_, standing| standing.forgiven > now);
    while standings.len() > MAX_REMEMBERED {
        let Some(first) = standings.iter().min_by_key(|(_, standing)| standing.until).map(|(key, _)| *key)
        else {
            return;
        };
        standings.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHY: &str = "it sent wrong bytes";

    fn minutes(count: u64) -> Duration {
        Duration::from_secs(60 * count)
    }

    #[test]
    fn a_ban_doubles_with_each_offence_up_to_a_day() {
        let (mut standings, now, peer) = (Standings::default(), Instant::now(), PeerId::random());
        let bans: Vec<u64> =
            (0..40).map(|_| standings.offend(now, &peer, None, WHY).as_secs() / 60).collect();
        assert_eq!(bans[..5], [1, 2, 4, 8, 16]);
        assert_eq!(bans[39], 24 * 60);
    }

    #[test]
    fn a_ban_ends_and_its_memory_fades() {
        let (mut standings, now, peer) = (Standings::default(), Instant::now(), PeerId::random());
        standings.offend(now, &peer, None, WHY);
        assert!(standings.why_banned(now + minutes(1) / 2, &peer, None).is_some());
        assert_eq!(standings.why_banned(now + minutes(1), &peer, None), None);
        assert_eq!(standings.offend(now + minutes(2), &peer, None, WHY), minutes(2));
        assert_eq!(standings.offend(now + minutes(120), &peer, None, WHY), minutes(1));
    }

    #[test]
    fn an_address_is_banned_when_a_second_key_offends_there() {
        let (mut standings, now) = (Standings::default(), Instant::now());
        let [first, second, third] = [PeerId::random(), PeerId::random(), PeerId::random()];
        let address = Some(IpAddr::from([10, 0, 0, 7]));
        standings.offend(now, &first, address, WHY);
        standings.offend(now, &first, address, WHY);
        assert_eq!(standings.why_banned(now, &third, address), None);
        standings.offend(now, &second, address, WHY);
        assert!(standings.why_banned(now, &third, address).is_some());
        assert_eq!(standings.why_banned(now, &third, Some([10, 0, 0, 8].into())), None);
        let loopback = Some(IpAddr::from([127, 0, 0, 1]));
        for peer in [first, second] {
            standings.offend(now, &peer, loopback, WHY);
        }
        assert_eq!(standings.why_banned(now, &third, loopback), None);
    }

    #[test]
    fn no_more_are_remembered_than_the_limit_and_the_worst_stay() {
        let (mut standings, now, worst) = (Standings::default(), Instant::now(), PeerId::random());
        for _ in 0..5 {
            standings.offend(now, &worst, None, WHY);
        }
        for _ in 0..MAX_REMEMBERED + 10 {
            standings.offend(now, &PeerId::random(), None, WHY);
        }
        assert_eq!(standings.peers.len(), MAX_REMEMBERED);
        assert!(standings.why_banned(now, &worst, None).is_some());
    }
}
