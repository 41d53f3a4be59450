//! What the driver tells of the swarm, and what follows at once.

use std::ops::Range;

use dray_ranges::{ByteRange, RangeSet};

use super::{Bits, Board, Member, Peer, PeerState};
use crate::request::Request;
use crate::source::SourceState;
use crate::{Has, MAX_SOURCES, Planner, Source, SourceId, SourceKind, Time};

impl Planner {
    /// Who this machine is among the downloaders. Without it, there is no swarm for the planner.
    pub fn set_me(&mut self, now: Time, me: Member) {
        self.swarm.me = Some(me);
        self.swarm_changed(now);
    }

    /// Others are probably about to be known: until `until`, the origin is asked as if they were there already. So
    /// machines that start at once do not all begin with the same bytes.
    pub fn expect_company(&mut self, now: Time, until: Time) {
        self.swarm.expected_until = Some(until).filter(|until| *until > now);
        self.swarm_changed(now);
    }

    /// Downloaders of which it is known that they are there: `chosen` are those with which a session is sought (see
    /// [`neighbours`](crate::neighbours)), and there are `more`. The division reckons with the chosen ones as long as
    /// company is expected; and when there are too many to know them all, this machine answers only for its own part
    /// of the ring.
    pub fn set_candidates(&mut self, now: Time, chosen: Vec<Member>, more: usize) {
        self.swarm.candidates = chosen;
        self.swarm.candidates.truncate(MAX_SOURCES);
        self.swarm.more = more;
        self.swarm_changed(now);
    }

    /// What a peer says of itself, in place of what it said before. Of a source that is not a peer nothing is kept.
    pub fn update_peer(&mut self, now: Time, source: SourceId, peer: Peer) {
        let Some(state) = self.sources.get_mut(&source).filter(|state| state.is_peer()) else { return };
        let known = state.peer.get_or_insert_default();
        let moved = known.member != peer.member;
        known.member = peer.member;
        if moved {
            self.swarm_changed(now);
        }
        self.claim(now, source, &peer.fetching);
    }

    /// A peer has these bytes too: short for [`Planner::update_source`] with all that it has. Only whole pieces count.
    pub fn gained(&mut self, now: Time, source: SourceId, range: ByteRange) {
        self.gained_all(now, source, &range.into());
    }

    /// The same for several ranges that were told at once.
    pub fn gained_all(&mut self, now: Time, source: SourceId, gained: &RangeSet) {
        let Some(state) = self.sources.get_mut(&source) else { return };
        let (Some(board), Some(peer)) = (&mut self.swarm.board, &mut state.peer) else {
            if let Has::Only(set) = &mut state.about.has {
                gained.iter().for_each(|range| set.insert(range));
            }
            self.replan = true;
            return;
        };
        let is_credible = state.bytes > 0;
        let (mut is_of_use, mut may_double) = (false, false);
        let shape = board.shape();
        for piece in gained.iter().flat_map(|range| shape.whole(range)) {
            if !peer.has.insert(piece) {
                continue;
            }
            peer.claims.has_gained(now, piece);
            if peer.is_counted {
                board.add_copy(piece);
                self.swarm.news = now;
            }
            is_of_use |= board.is_open(piece);
            may_double |= board.need.contains(piece);
        }
        may_double &= self.swarm.is_ending;
        if is_of_use && !peer.is_fresh {
            peer.is_fresh = true;
            self.swarm.fresh.push(source);
        }
        self.replan |=
            (is_of_use || may_double) && self.swarm.asked_of_peers < self.settings.max_peer_requests;
        if is_credible && self.swarm.asked_of_servers > 0 {
            self.yield_to_holder(now, gained);
        }
    }

    /// What requests to the origin that run will bring, in whole pieces: for others, so that they leave it alone.
    pub fn fetching(&self) -> RangeSet {
        let piece_len = self.settings.alignment;
        let file_end = self.target.size();
        let is_server = |request: &&Request| self.sources.get(&request.source).is_some_and(|s| s.is_server());
        let whole = |left: ByteRange| {
            let start = left.start() / piece_len * piece_len;
            let end = left.end().checked_next_multiple_of(piece_len).unwrap_or(left.end());
            ByteRange::new(start, file_end.map_or(end, |size| end.min(size)))
        };
        self.requests.values().filter(is_server).filter_map(Request::left).filter_map(whole).collect()
    }

    /// Somebody came or went.
    pub(crate) fn swarm_changed(&mut self, now: Time) {
        self.swarm.changed = now;
        self.swarm.is_stale = true;
        self.swarm.division = None;
        self.swarm.origin_is_due = true;
        self.replan = true;
    }

    /// Whether the swarm has its way: it is known who we are, what the pieces are, and somebody else is there.
    pub(crate) fn is_in_swarm(&self) -> bool {
        self.swarm.is_on
    }

    /// Begins or ends working as one of many, when it is time for that.
    pub(crate) fn look_around(&mut self, now: Time) {
        if !std::mem::take(&mut self.swarm.is_stale) {
            return;
        }
        self.swarm.expected_until = self.swarm.expected_until.filter(|until| *until > now);
        let has_peers = self.sources.values().any(|state| state.is_peer() && state.about.max_requests > 0);
        let is_on = self.swarm.me.is_some()
            && (has_peers || self.swarm.expected_until.is_some())
            && self.make_board(now);
        if is_on && !self.swarm.is_on {
            self.swarm.news = now;
            self.swarm.began = now;
            self.swarm.idle_since = now;
            self.swarm.changed = now;
            self.swarm.origin_is_due = true;
        }
        self.swarm.has_plain = self.sources.values().any(SourceState::is_plain);
        let began = is_on && has_peers && !self.swarm.had_peers;
        self.swarm.is_on = is_on;
        self.swarm.had_peers = is_on && has_peers;
        if began {
            self.forget_experiment();
            self.shorten_long_requests();
        }
    }

    /// Makes the board if it can be made. Whoever has something is entered.
    fn make_board(&mut self, now: Time) -> bool {
        if self.swarm.board.is_some() {
            return true;
        }
        let Some(size) = self.target.size() else { return false };
        let Some(mut board) = Board::new(size, self.settings.alignment, &self.missing) else { return false };
        self.swarm.fresh.clear();
        for (id, state) in self.sources.iter_mut() {
            if state.is_peer() {
                enter(&mut board, state);
                if let Some(peer) = &mut state.peer {
                    peer.is_fresh = true;
                    self.swarm.fresh.push(*id);
                    let told = std::mem::take(&mut peer.told);
                    peer.claims.set(now, told.iter().map(|range| board.touched(range)), &peer.has);
                }
            }
        }
        self.swarm.board = Some(board);
        let running: Vec<ByteRange> =
            self.requests.values().filter(|request| !request.is_stream).filter_map(Request::left).collect();
        for left in running {
            self.mark_coming(left);
        }
        true
    }

    /// Pieces have another length from now on: what is known in pieces becomes bytes again.
    pub(crate) fn drop_board(&mut self) {
        let Some(board) = self.swarm.board.take() else { return };
        for state in self.sources.values_mut() {
            if let Some(peer) = &mut state.peer {
                state.about.has = Has::Only(board.ranges_of(&peer.has));
                peer.is_counted = false;
                peer.told = peer.claims.iter().filter_map(|pieces| board.bytes(pieces)).collect();
                peer.claims = super::Claims::default();
            }
        }
        self.swarm.division = None;
        self.swarm.is_on = false;
        self.swarm.is_stale = true;
        self.swarm.had_peers = false;
        self.replan = true;
    }

    /// A source was added.
    pub(crate) fn peer_added(&mut self, now: Time, source: SourceId) {
        if let Some(board) = &mut self.swarm.board
            && let Some(state) = self.sources.get_mut(&source).filter(|state| state.is_peer())
        {
            enter(board, state);
            self.refresh(source);
        }
        self.swarm_changed(now);
    }

    /// Something else is known about a source.
    pub(crate) fn peer_updated(&mut self, now: Time, source: SourceId, about: Source) {
        let Some(state) = self.sources.get_mut(&source) else { return };
        let was_asked = state.about.max_requests > 0;
        let (Some(board), true) = (&mut self.swarm.board, state.peer.is_some()) else {
            state.update(about);
            self.swarm_changed(now);
            return;
        };
        leave(board, state);
        state.update(about);
        enter(board, state);
        self.swarm.news = now;
        self.refresh(source);
        if was_asked != self.sources.get(&source).is_some_and(|state| state.about.max_requests > 0) {
            self.swarm_changed(now);
        }
        self.swarm.origin_is_due = true;
    }

    /// A source is gone.
    pub(crate) fn peer_removed(&mut self, now: Time, mut state: SourceState) {
        if state.peer.as_ref().is_some_and(|peer| !peer.claims.is_empty()) {
            self.swarm.opened = now;
        }
        if let Some(board) = &mut self.swarm.board {
            leave(board, &mut state);
        }
        self.swarm_changed(now);
    }

    /// Whether what a peer has is counted depends on its standing.
    pub(crate) fn recount(&mut self, now: Time, source: SourceId) {
        let Some(state) = self.sources.get_mut(&source) else { return };
        let is_healthy = state.is_healthy(now);
        let (Some(board), Some(peer)) = (&mut self.swarm.board, &mut state.peer) else { return };
        if peer.is_counted == is_healthy {
            return;
        }
        peer.is_counted = is_healthy;
        for piece in peer.has.iter() {
            if is_healthy {
                board.add_copy(piece);
            } else {
                board.remove_copy(piece);
            }
        }
        self.swarm.origin_is_due = true;
        self.refresh(source);
    }

    /// This peer may have something to give.
    pub(crate) fn refresh(&mut self, source: SourceId) {
        let peer = self.sources.get_mut(&source).and_then(|state| state.peer.as_mut());
        if let Some(peer) = peer.filter(|peer| !peer.is_fresh) {
            peer.is_fresh = true;
            self.swarm.fresh.push(source);
        }
        self.replan = true;
    }

    /// Some pieces are to be had again: everyone may have them.
    pub(crate) fn refresh_all(&mut self) {
        for (id, state) in self.sources.iter_mut() {
            if let Some(peer) = state.peer.as_mut().filter(|peer| !peer.is_fresh) {
                peer.is_fresh = true;
                self.swarm.fresh.push(*id);
            }
        }
        self.swarm.origin_is_due = true;
        self.replan = true;
    }

    /// Takes note of what a peer takes from the origin.
    fn claim(&mut self, now: Time, source: SourceId, fetching: &RangeSet) {
        let Some(peer) = self.sources.get_mut(&source).and_then(|state| state.peer.as_mut()) else { return };
        let Some(board) = &self.swarm.board else {
            peer.told = fetching.clone();
            return;
        };
        let before: Vec<Range<usize>> = peer.claims.iter().collect();
        peer.claims.set(now, fetching.iter().map(|range| board.touched(range)), &peer.has);
        let gave_up = |piece: usize| !peer.claims.contains(piece) && !peer.has.contains(piece);
        if before.into_iter().flatten().any(gave_up) {
            self.swarm.opened = now;
        }
        let member = peer.member;
        let claimed: Vec<Range<usize>> = peer.claims.iter().collect();
        self.swarm.origin_is_due = true;
        self.swarm.news = now;
        self.replan = true;
        if let Some(member) = member {
            self.yield_to_rival(now, member, &claimed);
        }
    }
}

/// What a peer has is entered on the board.
fn enter(board: &mut Board, state: &mut SourceState) {
    let has = std::mem::replace(&mut state.about.has, Has::Only(RangeSet::new()));
    let peer = state.peer.get_or_insert_default();
    peer.has = board.pieces_of(&has);
    peer.is_counted = state.doubted_until.is_none() && state.resting_until.is_none();
    if peer.is_counted {
        for piece in peer.has.iter() {
            board.add_copy(piece);
        }
    }
}

/// And taken off it.
fn leave(board: &mut Board, state: &mut SourceState) {
    let Some(PeerState { has, is_counted: true, .. }) = state.peer.as_deref_mut() else { return };
    for piece in std::mem::take::<Bits>(has).iter() {
        board.remove_copy(piece);
    }
}

impl SourceState {
    /// Whether it is another machine of the swarm.
    pub(crate) fn is_peer(&self) -> bool {
        self.about.kind == SourceKind::Peer
    }

    /// Whether it is asked for what nobody else has.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self.about.kind, SourceKind::CacheHost | SourceKind::Origin)
    }
}
