//! The peers of one download as sources of its planner: who takes part, what each has, which table pieces are judged by, and who
//! is sent away for what.

mod mate;
mod table;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dray_content::{ContentId, Digest, PieceTable};
use dray_exchange::{Holding, RequestError, Session};
use dray_identity::PeerId;
use dray_planner::{Member, Planner, SourceId, Time};
use dray_ranges::{ByteRange, RangeSet};
use dray_swarm::Way;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::mate::{Mate, member, name_of};
use crate::BytesBySource;
use crate::peers::evidence::Evidence;
use crate::peers::hunt::{Hunt, MAX_MATES, News};
use crate::peers::ledger::{Dropped, Liars, MateId};
use crate::peers::{Decision, Gift, Offence, Peers, Report, Stored};

/// Requests that one peer gets at once: the next ones wait there while one is answered.
const MAX_REQUESTS: u16 = 4;
/// Failed requests in a row after which a peer is not asked any more.
const MAX_FAILURES: u32 = 6;
/// Doubts at once that cost a peer its place, where each piece is proven and a liar is soon alone with one.
const MAX_DOUBTS: usize = 4;
/// How long a peer is left alone after a request that failed.
const AFTER_FAILURE: Duration = Duration::from_millis(500);
/// How long a table may take to come.
const TABLE_PATIENCE: Duration = Duration::from_secs(30);
/// For how long others are expected who were not heard of yet.
const COMPANY_PATIENCE: Duration = Duration::from_millis(500);
/// How many roots that proved false are remembered.
const MAX_FALSE_ROOTS: usize = 64;

/// Something that happened among the peers.
pub(crate) enum Heard {
    News(News),
    Report(Report),
    Table(MateId, Result<PieceTable, RequestError>),
}

/// What the sink must be told.
pub(crate) struct UseTable {
    pub(crate) table: Arc<PieceTable>,
    pub(crate) is_proven: bool,
    pub(crate) author: Option<MateId>,
}

/// The table by which pieces are judged.
#[derive(Default)]
enum Judging {
    #[default]
    AtTheEnd,
    Asked,
    Claimed,
    Proven,
}

/// The peers of one download.
pub(crate) struct Crew {
    peers: Peers,
    hunt: Hunt,
    /// The BLAKE3 root, when it is evidence.
    root: Option<ContentId>,
    size: Option<u64>,
    mates: BTreeMap<MateId, Mate>,
    sources: BTreeMap<SourceId, MateId>,
    tell: mpsc::UnboundedSender<Report>,
    reports: mpsc::UnboundedReceiver<Report>,
    tables: JoinSet<(MateId, Result<PieceTable, RequestError>)>,
    judging: Judging,
    false_roots: Vec<ContentId>,
    /// Who knows the content with another size than ours.
    other_sizes: Vec<(PeerId, SocketAddr)>,
    /// What is fetched from the origin alone: a peer's piece did not fit there.
    only_origin: RangeSet,
    /// What a reader waits for, who is given nothing unproven.
    for_readers: RangeSet,
    begun: Instant,
    is_settled: bool,
    /// Downloaders with which a session is sought or was found.
    sought: BTreeSet<PeerId>,
    /// More is known of than can take part.
    are_more: bool,
    decisions: Vec<Decision>,
}

impl Crew {
    /// Begins to look for peers of a content.
    pub(crate) fn begin(peers: &Peers, evidence: &Evidence) -> Self {
        let (tell, reports) = mpsc::unbounded_channel();
        let asked = evidence.digests.first().copied();
        let author = evidence.author.clone();
        let root = evidence.digests.iter().find_map(|digest| match digest {
            Digest::Blake3(root) => Some(ContentId(*root)),
            _ => None,
        });
        Self {
            hunt: Hunt::begin(peers, &evidence.digests),
            peers: peers.clone(),
            root,
            size: None,
            mates: BTreeMap::new(),
            sources: BTreeMap::new(),
            tell,
            reports,
            tables: JoinSet::new(),
            judging: Judging::default(),
            false_roots: Vec::new(),
            other_sizes: Vec::new(),
            only_origin: RangeSet::new(),
            for_readers: RangeSet::new(),
            begun: Instant::now(),
            is_settled: false,
            sought: BTreeSet::new(),
            are_more: false,
            decisions: asked.map(|digest| Decision::PeersAsked { digest, author }).into_iter().collect(),
        }
    }

    /// Whether it looks for these digests.
    pub(crate) fn is_about(&self, evidence: &Evidence) -> bool {
        evidence.digests.iter().any(|digest| self.hunt.digests.contains(digest))
    }

    /// Our side of it.
    pub(crate) fn offer(&self) -> &Arc<crate::peers::Offer> {
        &self.hunt.offer
    }

    /// Where the sink reports to.
    pub(crate) fn reports(&self) -> mpsc::UnboundedSender<Report> {
        self.tell.clone()
    }

    /// What was decided since this was asked last.
    pub(crate) fn decisions(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.decisions)
    }

    /// The next thing that happens. May be dropped and called again without losing any.
    pub(crate) async fn heard(&mut self) -> Heard {
        tokio::select! {
            biased;
            Some(report) = self.reports.recv() => Heard::Report(report),
            Some(Ok((mate, result))) = self.tables.join_next() => Heard::Table(mate, result),
            news = self.hunt.news() => Heard::News(news),
        }
    }

    /// A report of the sink that is there already.
    pub(crate) fn report(&mut self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// Takes note of news while there is no transfer yet.
    pub(crate) fn note(&mut self, heard: Heard) {
        self.take(heard, None);
    }

    /// Puts the peers into the planner of a transfer of `size` bytes.
    pub(crate) fn enlist(&mut self, planner: &mut Planner, now: Time, size: u64) {
        self.size = Some(size);
        self.sources.clear();
        self.mates.values_mut().for_each(|mate| mate.source = None);
        planner.set_me(now, member(&self.peers.peer_id(), size));
        planner.set_candidates(now, self.candidates(size), usize::from(self.are_more));
        planner.expect_company(now, now + self.company());
        for mate in self.mates.keys().copied().collect::<Vec<_>>() {
            self.tell_planner(mate, planner, now);
        }
        self.ask_for_table();
    }

    /// For how much longer others are expected. Who begins at the same moment may have been asked a little too early.
    fn company(&self) -> Duration {
        let is_hoped_for = self.mates.is_empty() && self.peers.swarm().connected() > 0;
        if self.is_settled && !is_hoped_for {
            return Duration::ZERO;
        }
        COMPANY_PATIENCE.saturating_sub(self.begun.elapsed())
    }

    /// The downloaders that are known of before they are sources.
    fn candidates(&self, size: u64) -> Vec<Member> {
        self.sought.iter().map(|peer| member(peer, size)).collect()
    }

    fn tell_candidates(&self, planner: Option<(&mut Planner, Time)>) {
        if let (Some((planner, now)), Some(size)) = (planner, self.size) {
            planner.set_candidates(now, self.candidates(size), usize::from(self.are_more));
        }
    }

    /// Takes note of something that happened; the planner hears of it if there is one.
    pub(crate) fn take(&mut self, heard: Heard, planner: Option<(&mut Planner, Time)>) -> Option<UseTable> {
        match heard {
            Heard::News(news) => {
                self.take_news(news, planner);
                self.ask_for_table();
                None
            }
            Heard::Report(report) => {
                self.take_report(report, planner);
                self.ask_for_table();
                None
            }
            Heard::Table(mate, result) => {
                let table = self.take_table(mate, result, planner);
                self.ask_for_table();
                table
            }
        }
    }

    fn take_news(&mut self, news: News, planner: Option<(&mut Planner, Time)>) {
        match news {
            News::Sought { peer } => {
                if self.sought.len() < MAX_MATES && self.sought.insert(peer) {
                    self.tell_candidates(planner);
                }
            }
            News::Unmet { peer } => {
                if self.sought.remove(&peer) {
                    self.tell_candidates(planner);
                }
            }
            News::Joined { mate, session, way } => {
                let holding = Arc::clone(&session.theirs().borrow());
                let new = Mate {
                    peer: session.peer(),
                    address: session.address(),
                    session: Some(session),
                    way,
                    holding,
                    source: None,
                    is_out: false,
                    failures: 0,
                    doubted: BTreeSet::new(),
                    given: 0,
                    wasted: 0,
                };
                self.decisions.push(Decision::PeerJoined {
                    peer: new.peer.to_string(),
                    way: name_of(way),
                    is_complete: new.is_complete(),
                });
                self.mates.insert(mate, new);
                if let Some((planner, now)) = planner {
                    self.tell_planner(mate, planner, now);
                }
            }
            News::Says { mate, holding } => {
                let Some(known) = self.mates.get_mut(&mate) else { return };
                let before = std::mem::replace(&mut known.holding, holding);
                if let Some((planner, now)) = planner
                    && !self.tell_gain(mate, &before, planner, now)
                {
                    self.tell_planner(mate, planner, now);
                }
            }
            News::Left { mate } => {
                let Some(known) = self.mates.get_mut(&mate) else { return };
                self.sought.remove(&known.peer);
                known.session = None;
                // What it claimed is judged in the end.
                known.holding = Arc::new(Holding { size: known.holding.size, ..Holding::default() });
                if let Some((planner, now)) = planner {
                    self.tell_planner(mate, planner, now);
                }
            }
            News::Settled => {
                self.is_settled = true;
                if self.mates.is_empty() {
                    let connected = self.peers.swarm().connected();
                    self.decisions.push(match connected {
                        0 => Decision::NobodyConnected,
                        _ => Decision::NobodyHasIt { connected },
                    });
                }
                if let Some((planner, now)) = planner {
                    planner.expect_company(now, now + self.company());
                }
            }
            News::AnotherSize { peer, address } => {
                if self.other_sizes.len() < MAX_MATES {
                    self.other_sizes.push((peer, address));
                }
            }
            News::Enough => {
                self.decisions.push(Decision::EnoughPeers { limit: MAX_MATES });
                self.are_more = true;
                self.tell_candidates(planner);
            }
        }
    }

    fn take_report(&mut self, report: Report, mut planner: Option<(&mut Planner, Time)>) {
        match report {
            Report::Dropped { piece, dropped, liars, suspects } => {
                self.charge(&dropped);
                let is_proven = matches!(self.judging, Judging::Proven);
                for range in dropped.bytes.iter() {
                    if !is_proven {
                        self.only_origin.insert(range);
                    }
                    if let Some((planner, now)) = planner.as_mut() {
                        planner.reject(*now, range);
                    }
                }
                for mate in liars {
                    self.send_away(mate, Some(&Offence::WrongBytes), "", &mut planner);
                }
                for id in suspects {
                    let Some(mate) = self.mates.get_mut(&id) else { continue };
                    mate.doubted.insert(piece);
                    if is_proven && mate.doubted.len() >= MAX_DOUBTS {
                        self.send_away(id, None, "too many pieces of it do not fit the table", &mut planner);
                    }
                }
                self.tell_all(planner);
            }
            Report::Conduct { piece, conduct } => {
                let offence = Some(&Offence::WrongBytes).filter(|_| conduct.is_proven);
                for mate in conduct.liars {
                    self.send_away(mate, offence, "the origin gives other bytes", &mut planner);
                }
                for mate in conduct.cleared {
                    if let Some(mate) = self.mates.get_mut(&mate) {
                        mate.doubted.remove(&piece);
                    }
                }
                self.tell_all(planner);
            }
            Report::TableDoubted { author } => {
                self.judging = Judging::AtTheEnd;
                self.mates.values_mut().for_each(|mate| mate.doubted.clear());
                if let Some(author) = author {
                    let root = self.mates.get(&author).and_then(|mate| mate.holding.root);
                    self.doubt(root);
                    self.send_away(
                        author,
                        None,
                        "its piece table does not fit what the origin gives",
                        &mut planner,
                    );
                }
            }
        }
    }

    /// Which peer a source is, with the session to ask it by.
    pub(crate) fn session(&self, source: SourceId) -> Option<(MateId, Session, Way)> {
        let id = self.sources.get(&source)?;
        let mate = self.mates.get(id)?;
        Some((*id, mate.session.clone()?, mate.way))
    }

    /// Bytes of a peer came; `kept` of them are kept.
    pub(crate) fn received(&mut self, mate: MateId, kept: u64, wasted: u64) {
        if let Some(mate) = self.mates.get_mut(&mate) {
            mate.given += kept;
            mate.wasted += wasted;
            mate.failures = if kept > 0 { 0 } else { mate.failures };
        }
    }

    /// A request to a peer failed: how long it is left alone. It is sent away when that happens too often.
    pub(crate) fn request_failed(&mut self, mate: MateId, planner: &mut Planner, now: Time) -> Duration {
        self.failed(mate, &mut Some((planner, now)));
        AFTER_FAILURE
    }

    fn failed(&mut self, mate: MateId, planner: &mut Option<(&mut Planner, Time)>) {
        let Some(known) = self.mates.get_mut(&mate) else { return };
        known.failures += 1;
        if known.failures >= MAX_FAILURES {
            self.send_away(mate, None, "its answers do not come", planner);
        }
    }

    /// Bytes that peers gave are of no use: they count as wasted.
    pub(crate) fn charge(&mut self, dropped: &Dropped) {
        for (mate, bytes) in &dropped.given {
            if let Some(mate) = self.mates.get_mut(mate) {
                mate.given = mate.given.saturating_sub(*bytes);
                mate.wasted += bytes;
            }
        }
    }

    /// Takes bytes that are of no use from what counts as given by each kind of source.
    pub(crate) fn recount(&self, dropped: &Dropped, bytes: &mut BytesBySource) {
        let given = dropped.given.iter();
        let given = given.filter_map(|(mate, given)| Some((self.mates.get(mate)?.way, *given)));
        bytes.take_back(dropped.bytes.len_bytes(), dropped.earlier, given);
    }

    /// Whether it is worth waiting a moment for what peers say: those who were asked have not answered, and nobody has all of it.
    pub(crate) fn is_forming(&self) -> bool {
        !self.is_settled && !self.mates.values().any(|mate| mate.source.is_some() && mate.is_complete())
    }

    /// Whether a peer takes part as a source.
    pub(crate) fn has_sources(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Readers wait for these bytes, and are given nothing unproven.
    pub(crate) fn reserve(&mut self, bytes: RangeSet, planner: &mut Planner, now: Time) {
        if !matches!(self.judging, Judging::Proven) && self.for_readers != bytes {
            self.for_readers = bytes;
            self.tell_all(Some((planner, now)));
        }
    }

    /// Whether the peers have together all of `missing`, when nothing is kept back for the origin.
    pub(crate) fn can_give(&self, missing: &RangeSet) -> bool {
        let Some(size) = self.size else { return false };
        let mates = self.mates.values().filter(|mate| mate.is_of_use(size));
        let all = mates.fold(RangeSet::new(), |all, mate| all.union(&mate.holding.have.to_ranges(size)));
        all.covers(missing)
    }

    /// The origin gives nothing any more: what was left to it may come from peers again.
    pub(crate) fn do_without_origin(&mut self, why: String, planner: &mut Planner, now: Time) {
        self.decisions.push(Decision::OriginSilent { why });
        self.only_origin = RangeSet::new();
        self.for_readers = RangeSet::new();
        self.mates.values_mut().for_each(|mate| mate.doubted.clear());
        self.tell_all(Some((planner, now)));
    }

    /// The size that peers claim who together have all of the content.
    pub(crate) fn claimed_size(&self) -> Option<u64> {
        let mut by_size: BTreeMap<u64, RangeSet> = BTreeMap::new();
        for mate in self.mates.values().filter(|mate| !mate.is_out && mate.session.is_some()) {
            let Some(size) = mate.holding.size else { continue };
            let had = mate.holding.have.to_ranges(size);
            let all = by_size.entry(size).or_default();
            *all = all.union(&had);
        }
        let whole =
            |size: u64, had: &RangeSet| ByteRange::new(0, size).is_some_and(|all| had.contains_range(&all));
        by_size.into_iter().find(|(size, had)| whole(*size, had)).map(|(size, _)| size)
    }

    /// Speaks with nobody any more; who took part is still known.
    pub(crate) fn disband(&mut self) {
        self.hunt.offer.end();
        self.mates.values_mut().for_each(|mate| mate.session = None);
    }

    /// The whole is proven: liars are banned. With the content in the cache those who want it are given it from there.
    pub(crate) fn finish(mut self, liars: &Liars, size: u64, stored: Option<Arc<Stored>>) -> Vec<Decision> {
        for mate in &liars.bytes {
            self.send_away(*mate, Some(&Offence::WrongBytes), "", &mut None);
        }
        for mate in &liars.tables {
            self.send_away(*mate, Some(&Offence::WrongTable), "", &mut None);
        }
        let is_other = |mate: &Mate| mate.holding.size.is_some_and(|claimed| claimed != size);
        let others: Vec<MateId> =
            self.mates.iter().filter(|(_, mate)| is_other(mate)).map(|(id, _)| *id).collect();
        for mate in others {
            self.send_away(mate, Some(&Offence::WrongSize), "", &mut None);
        }
        for (peer, address) in &self.other_sizes {
            self.peers.ban(peer, Some(address.ip()), &Offence::WrongSize);
            let why = Offence::WrongSize.to_string();
            self.decisions.push(Decision::PeerDropped { peer: peer.to_string(), why });
        }
        if let Some(stored) = stored {
            self.hunt.offer.complete(stored);
            for mate in self.mates.values_mut().filter(|mate| !mate.is_out) {
                mate.session.take().into_iter().for_each(Session::detach);
            }
        }
        self.decisions
    }

    /// What each peer gave, those that gave most first.
    pub(crate) fn gifts(&self) -> Vec<Gift> {
        let gift = |mate: &Mate| Gift {
            peer: mate.peer.to_string(),
            address: mate.address.to_string(),
            way: name_of(mate.way),
            bytes: mate.given,
            wasted: mate.wasted,
        };
        self.mates.values().filter(|mate| mate.given + mate.wasted > 0).map(gift).collect()
    }

    /// A peer is not asked any more; for an offence it is banned.
    fn send_away(
        &mut self,
        id: MateId,
        offence: Option<&Offence>,
        why: &str,
        planner: &mut Option<(&mut Planner, Time)>,
    ) {
        let Some(mate) = self.mates.get_mut(&id) else { return };
        if mate.is_out && offence.is_none() {
            return;
        }
        if let Some(offence) = offence {
            self.peers.ban(&mate.peer, Some(mate.address.ip()), offence);
        }
        let why = offence.map_or_else(|| why.to_owned(), ToString::to_string);
        self.decisions.push(Decision::PeerDropped { peer: mate.peer.to_string(), why });
        mate.is_out = true;
        if let Some((planner, now)) = planner {
            self.tell_planner(id, planner, *now);
        }
    }
}
