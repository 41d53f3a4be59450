//! The peers of one download: looked for through the swarm, joined through the exchange, and kept while they are of use.
//!
//! A task of its own turns candidates into sessions and tells the download what they say; the download turns them into sources.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dray_content::Digest;
use dray_exchange::{Holding, JoinError, Session, Volume};
use dray_identity::PeerId;
use dray_swarm::{Candidate, Finding, Role, Way};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::peers::ledger::MateId;
use crate::peers::register::Registered;
use crate::peers::{Offer, Peers};

/// Peers of one content at once.
pub(crate) const MAX_MATES: usize = 50;
/// Peers that are being connected to at once, for one content.
const MAX_JOINING: usize = 16;
/// News that the download has not yet taken; whoever has more to say waits.
const MAX_NEWS: usize = 64;
/// The longest that a download waits for peers before it asks the origin for more than the beginning.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long a peer that went away or could not be reached is left alone the first time; it doubles.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often that is tried in a row.
const MAX_TRIES: u32 = 5;
/// How often one peer may come to one download, and all of them together: each time is remembered until the file is there.
const MAX_VISITS: u32 = 64;
const MAX_VISITS_OF_ALL: u32 = 4096;

/// What a download hears of its peers.
pub(crate) enum News {
    /// A session is sought with one that wants the content too.
    Sought { peer: PeerId },
    /// None came about.
    Unmet { peer: PeerId },
    /// A session is there.
    Joined { mate: MateId, session: Session, way: Way },
    /// A peer says what it has, fetches and wants.
    Says { mate: MateId, holding: Arc<Holding> },
    /// A session has ended.
    Left { mate: MateId },
    /// A peer knows the content with another size.
    AnotherSize { peer: PeerId, address: SocketAddr },
    /// Those who were connected at the start have answered, or had their time.
    Settled,
    /// As many take part as may.
    Enough,
}

/// A search under way, and a place in the register. Both end when this goes.
pub(crate) struct Hunt {
    pub(crate) offer: Arc<Offer>,
    pub(crate) digests: Vec<Digest>,
    news: mpsc::Receiver<News>,
    _seeker: AbortOnDropHandle<()>,
    _registered: Registered,
}

impl Hunt {
    /// Begins to look for a content, and lets others know that it is wanted here.
    pub(crate) fn begin(peers: &Peers, digests: &[Digest]) -> Self {
        let offer = Offer::new();
        let (registered, joined) = peers.ground().register.enter(digests, &offer);
        let (tell, news) = mpsc::channel(MAX_NEWS);
        let seeker = Seeker {
            peers: peers.clone(),
            offer: Arc::clone(&offer),
            digests: digests.to_vec(),
            tell,
            present: BTreeMap::new(),
            visits: Visits::default(),
            tries: BTreeMap::new(),
            joins: JoinSet::new(),
            watched: JoinSet::new(),
            later: JoinSet::new(),
            said_enough: false,
        };
        let found = peers.swarm().seek(digests, Role::Wants);
        let task = AbortOnDropHandle::new(tokio::spawn(seeker.run(found, joined)));
        Self { offer, digests: digests.to_vec(), news, _seeker: task, _registered: registered }
    }

    /// The next news; waits for ever when there will be none. May be dropped and called again without losing any.
    pub(crate) async fn news(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Hunt {
    fn drop(&mut self) {
        if self.offer.is_downloading() {
            self.offer.end();
        }
    }
}

type Joined = (Candidate, Result<Session, JoinError>);

struct Seeker {
    peers: Peers,
    offer: Arc<Offer>,
    digests: Vec<Digest>,
    tell: mpsc::Sender<News>,
    present: BTreeMap<PeerId, MateId>,
    visits: Visits,
    /// Failures in a row, by peer; no more than are or were present.
    tries: BTreeMap<PeerId, u32>,
    joins: JoinSet<Joined>,
    watched: JoinSet<(PeerId, MateId, Option<Candidate>)>,
    later: JoinSet<Candidate>,
    said_enough: bool,
}

impl Seeker {
    async fn run(mut self, found: Finding, mut joined: mpsc::Receiver<Session>) {
        let begun = Instant::now();
        let Finding { candidates: mut found, mut asked } = found;
        let mut are_asked = self.peers.swarm().connected() == 0;
        let mut is_settled = false;
        let mut may_find = true;
        loop {
            let has_room = self.present.len() + self.joins.len() < MAX_MATES;
            if !has_room && !self.said_enough {
                self.said_enough = true;
                self.say(News::Enough).await;
            }
            if !is_settled && are_asked && self.joins.is_empty() && (found.is_empty() || !has_room) {
                is_settled = true;
                self.say(News::Settled).await;
            }
            tokio::select! {
                _ = &mut asked, if !are_asked => are_asked = true,
                candidate = found.recv(), if may_find && has_room && self.joins.len() < MAX_JOINING => {
                    may_find = candidate.is_some();
                    if let Some(candidate) = candidate {
                        self.join(candidate).await;
                    }
                }
                Some(session) = joined.recv() => {
                    if self.present.len() < MAX_MATES {
                        self.accept(session, None).await;
                    }
                }
                Some(Ok((candidate, result))) = self.joins.join_next() => match result {
                    Ok(session) => self.accept(session, Some(candidate)).await,
                    Err(JoinError::AnotherSize) => {
                        if let (peer, Some(address)) = (candidate.peer, candidate.addrs.first().copied()) {
                            self.say(News::AnotherSize { peer, address }).await;
                        }
                    }
                    Err(error) => {
                        tracing::debug!(peer = %candidate.peer, %error, "a peer was not joined");
                        self.say(News::Unmet { peer: candidate.peer }).await;
                        if is_worth_another(&error) {
                            self.try_later(candidate);
                        }
                    }
                },
                Some(Ok((peer, mate, candidate))) = self.watched.join_next() => {
                    self.present.remove(&peer);
                    self.say(News::Left { mate }).await;
                    if let Some(candidate) = candidate {
                        self.try_later(candidate);
                    }
                }
                Some(Ok(candidate)) = self.later.join_next() => {
                    if self.present.len() + self.joins.len() < MAX_MATES {
                        self.join(candidate).await;
                    }
                }
                () = tokio::time::sleep_until(begun + PATIENCE), if !is_settled => {
                    is_settled = true;
                    self.say(News::Settled).await;
                }
            }
        }
    }

    async fn join(&mut self, candidate: Candidate) {
        let addresses: Vec<SocketAddr> = (candidate.addrs.iter().copied())
            .filter(|address| self.peers.ground().may_speak(&candidate.peer, address.ip()).is_ok())
            .collect();
        if self.present.contains_key(&candidate.peer) || addresses.is_empty() {
            return;
        }
        if candidate.role == Role::Wants {
            self.say(News::Sought { peer: candidate.peer }).await;
        }
        let (exchange, digests) = (self.peers.exchange().clone(), self.digests.clone());
        let volume: Arc<dyn Volume> = Arc::clone(&self.offer) as _;
        self.joins.spawn(async move {
            let result = exchange.join(candidate.peer, &addresses, &digests, volume).await;
            (candidate, result)
        });
    }

    /// Takes a session into use, unless there is one with that peer.
    async fn accept(&mut self, session: Session, candidate: Option<Candidate>) {
        let peer = session.peer();
        if self.present.contains_key(&peer) {
            return;
        }
        let Some(mate) = self.visits.enter(peer) else {
            return tracing::debug!(%peer, "a peer comes and goes too often");
        };
        self.present.insert(peer, mate);
        self.tries.remove(&peer);
        let way = candidate.as_ref().map(|candidate| candidate.way);
        let way = way.unwrap_or_else(|| self.peers.way_to(&peer));
        let theirs = session.theirs();
        self.say(News::Joined { mate, session, way }).await;
        let tell = self.tell.clone();
        self.watched.spawn(async move {
            listen(mate, theirs, &tell).await;
            (peer, mate, candidate)
        });
    }

    fn try_later(&mut self, candidate: Candidate) {
        let tries = self.tries.entry(candidate.peer).or_default();
        *tries += 1;
        if *tries <= MAX_TRIES && self.later.len() < MAX_MATES {
            let pause = AGAIN_AFTER * (1 << (*tries - 1));
            self.later.spawn(async move {
                tokio::time::sleep(pause).await;
                candidate
            });
        }
    }

    async fn say(&self, news: News) {
        // Without a listener this task is about to be aborted.
        let _ = self.tell.send(news).await;
    }
}

/// Who came how often.
#[derive(Default)]
struct Visits {
    all: u32,
    by_peer: BTreeMap<PeerId, u32>,
}

impl Visits {
    /// A name for a peer that has come; none when it, or everyone together, came too often.
    fn enter(&mut self, peer: PeerId) -> Option<MateId> {
        let of_this_one = self.by_peer.get(&peer).copied().unwrap_or_default();
        if self.all >= MAX_VISITS_OF_ALL || of_this_one >= MAX_VISITS {
            return None;
        }
        self.by_peer.insert(peer, of_this_one + 1);
        self.all += 1;
        Some(MateId(self.all - 1))
    }
}

/// Tells what a peer says until its session ends.
async fn listen(
    mate: MateId,
    mut theirs: tokio::sync::watch::Receiver<Arc<Holding>>,
    tell: &mpsc::Sender<News>,
) {
    loop {
        let holding = Arc::clone(&theirs.borrow_and_update());
        if tell.send(News::Says { mate, holding }).await.is_err() || theirs.changed().await.is_err() {
            return;
        }
    }
}

fn is_worth_another(error: &JoinError) -> bool {
    matches!(
        error,
        JoinError::Unreachable(_) | JoinError::Rejected(_) | JoinError::TooMany | JoinError::TimedOut
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_and_goes_is_let_in_only_so_often_alone_and_under_many_names() {
        let mut visits = Visits::default();
        let [one, other] = [PeerId::random(), PeerId::random()];
        let names: Vec<MateId> = std::iter::from_fn(|| visits.enter(one)).collect();
        assert_eq!(names.len(), MAX_VISITS as usize);
        assert_eq!(visits.enter(other), Some(MateId(MAX_VISITS)));
        let many = std::iter::repeat_with(|| visits.enter(PeerId::random())).take(MAX_VISITS_OF_ALL as usize);
        assert_eq!(many.flatten().count(), (MAX_VISITS_OF_ALL - MAX_VISITS - 1) as usize);
        assert_eq!(visits.enter(other), None);
    }
}
