//! What a download has to do with other machines: whether they may be asked, and what becomes of them in the end.

use std::time::Duration;

use dray_content::Digest;
use dray_ranges::ByteRange;

use crate::download::Download;
use crate::opening::{Beginning, Head, Start};
use crate::peers::{Crew, Decision, Liars, evidence};
use crate::sink::Filled;
use crate::{Event, FetchError, Gift};

/// How often it is looked whether somebody was met.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Download<'_> {
    /// Begins to look for peers if what the file must hash to is known already.
    pub(crate) fn look_for_peers(&mut self) {
        let Some(peers) = self.peers else { return self.decide(Decision::PeersOff) };
        if let Err(why) = evidence::is_allowed(self.task) {
            self.peers = None;
            return self.decide(why);
        }
        if let Some(evidence) = evidence::of_task(self.task) {
            self.crew = Some(Crew::begin(peers, &evidence));
            self.decided();
        }
    }

    /// Right after a start, those who were known before are about to be met: a job that could be shared waits for the first of them.
    pub(crate) async fn await_company(&self) {
        let Some(peers) = self.peers else { return };
        if evidence::is_allowed(self.task).is_err() || evidence::of_task(self.task).is_none() {
            return;
        }
        let Some(until) = peers.swarm().meets_until() else { return };
        let met = async {
            while peers.swarm().connected() == 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        // Nobody may come.
        let _ = tokio::time::timeout_at(until, met).await;
    }

    /// Whether others may be about to fetch the same, so that the origin is not asked for all of it at once.
    pub(crate) fn is_others_business(&mut self) -> bool {
        let is_hoped_for = self.crew.is_some() || evidence::may_come(&self.task.url);
        let is_narrow = is_hoped_for && self.peers.is_some_and(|peers| peers.swarm().connected() > 0);
        if is_narrow {
            self.decide(Decision::BeginningFirst);
        }
        is_narrow
    }

    /// Holds what the origin said against the rules of who may be asked.
    pub(crate) fn weigh(&mut self, start: &Start) {
        let (Some(peers), Beginning::Answer) = (self.peers, start.way) else {
            if let (Beginning::Peers, Some(size)) = (start.way, start.head.validators.size) {
                self.decide(Decision::SizeFromPeers { size });
            }
            return;
        };
        match evidence::of_answer(self.task, &start.head, peers.ground().least(), &self.origin.host()) {
            Ok(evidence) => {
                // The digest tells in the end whether all answers were of one version.
                self.origin.has_digest = true;
                if !self.crew.as_ref().is_some_and(|crew| crew.is_about(&evidence)) {
                    self.crew = Some(Crew::begin(peers, &evidence));
                }
            }
            Err(why) => {
                self.crew = None;
                self.decide(why);
            }
        }
        self.decided();
    }

    /// The whole does not fit. What peers gave and nothing has proven is fetched from the origin, once.
    pub(crate) async fn distrust(
        &mut self,
        size: u64,
        head: Head,
        error: FetchError,
    ) -> Result<Box<Start>, FetchError> {
        let sink = self.sink.as_mut().ok_or(FetchError::Interrupted)?;
        let dropped = sink.distrust().await?;
        let (Some(all), false) = (ByteRange::new(0, size), dropped.bytes.is_empty()) else {
            return Err(error);
        };
        let bytes = dropped.bytes.len_bytes();
        self.decide(Decision::PeersDistrusted { bytes });
        self.watch.event(Event::Dropped { bytes });
        match self.crew.take() {
            Some(mut crew) => {
                crew.recount(&dropped, &mut self.bytes);
                crew.charge(&dropped);
                crew.disband();
                self.accused = Some(crew);
            }
            None => {
                self.bytes.take_back(bytes, dropped.earlier, std::iter::empty());
            }
        }
        let have = Filled { all: dropped.bytes.gaps(all), ..Filled::default() };
        Ok(Box::new(Start { response: None, have, ranges: self.ranges, head, way: Beginning::Again }))
    }

    /// The cache has the content: others are told so from now on.
    pub(crate) fn now_cached(&self, digests: &[Digest]) {
        if let Some(peers) = self.peers {
            peers.ground().came_in(digests);
        }
    }

    /// The file is proven: liars are banned, and the honest are given what they want of it from the cache.
    pub(crate) fn disperse(&mut self, liars: &Liars, size: u64, digests: &[Digest]) {
        self.gifts = self.gifts();
        let stored =
            self.peers.filter(|_| self.crew.is_some()).and_then(|peers| peers.ground().stored(digests));
        for crew in [self.accused.take(), self.crew.take()].into_iter().flatten() {
            for decision in crew.finish(liars, size, stored.clone()) {
                self.decide(decision);
            }
        }
    }

    /// What each peer gave so far.
    pub(crate) fn gifts(&self) -> Vec<Gift> {
        match self.crew.as_ref().or(self.accused.as_ref()) {
            Some(crew) => crew.gifts(),
            None => self.gifts.clone(),
        }
    }

    /// Notes a decision, and tells it.
    pub(crate) fn decide(&mut self, decision: Decision) {
        self.decisions.decide(decision, &*self.watch);
    }

    /// Notes what was decided among the peers.
    pub(crate) fn decided(&mut self) {
        for decision in self.crew.as_mut().map(Crew::decisions).unwrap_or_default() {
            self.decide(decision);
        }
    }
}
