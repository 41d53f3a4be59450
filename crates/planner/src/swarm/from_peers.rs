//! What to ask of peers: the rarest of what they have, a few pieces ahead of each.

use std::ops::Range;
use std::time::Duration;

use dray_ranges::ByteRange;

use super::bits::ones;
use super::{Board, PeerState};
use crate::rate::{per_second, time_for};
use crate::request::Request;
use crate::source::SourceState;
use crate::{Planner, RequestId, SourceId, Time};

/// Requests that a peer has waiting, at most, and as many as bring what it gives in [`AHEAD`].
const MAX_WINDOW: usize = 4;
const AHEAD: Duration = Duration::from_millis(100);

/// One request asks for as many pieces as come in this time, at most so many.
const RUN_TIME: Duration = Duration::from_millis(50);
const MAX_RUN: usize = 8;

/// So many pieces are looked at for the rarest, and so many peers for the quickest.
const LOOK_AT_PIECES: usize = 512;
const LOOK_AT_PEERS: usize = 16;

/// An answer from a peer that takes this much longer than its pace promises is late; never before the floor.
const LATE_FACTOR: u32 = 8;
const LATE_FLOOR: Duration = Duration::from_secs(2);

/// At the end, what has taken this much longer than another peer promises is asked of that one too; never before the
/// floor.
const DOUBLE_FACTOR: u32 = 3;
const DOUBLE_FLOOR: Duration = Duration::from_millis(50);

/// The past counts seven times as much as the last answer in what is taken for usual.
const MEMORY: u64 = 7;

impl Planner {
    /// Starts one request to a peer, if any peer has something to give.
    pub(crate) fn ask_peers(&mut self, now: Time) -> bool {
        if self.swarm.asked_of_peers >= self.settings.max_peer_requests {
            return false;
        }
        while let Some((id, run)) = self.quickest(now) {
            let Some(board) = &self.swarm.board else { return false };
            let Some(state) = self.sources.get(&id) else { return false };
            let found = state.peer.as_ref().and_then(|peer| self.rarest(board, peer, run));
            let Some(range) = found.and_then(|pieces| self.stretch(pieces)) else {
                self.is_dry(id);
                continue;
            };
            let request = self.fetch(now, id, range);
            self.be_patient(request, id, range);
            return true;
        }
        self.double(now)
    }

    /// The peer that promises to answer first, and how many pieces to ask it for.
    fn quickest(&mut self, now: Time) -> Option<(SourceId, usize)> {
        let piece_len = self.swarm.board.as_ref()?.piece_len();
        let count = self.swarm.fresh.len();
        let mut best: Option<(u64, u64, SourceId, usize)> = None;
        let mut seen = 0;
        for step in 0..count {
            let id = self.swarm.fresh[(self.swarm.turn + step) % count];
            let Some(state) = self.sources.get(&id) else { continue };
            let Some(peer) = state.peer.as_ref() else { continue };
            if state.active >= window(state, peer, piece_len)
                || !state.is_ready(now)
                || !peer.is_counted && !self.is_last_resort(now, state)
            {
                continue;
            }
            let order = (self.wait_for(state, peer, piece_len), step as u64);
            if best.is_none_or(|(wait, step, ..)| order < (wait, step)) {
                best = Some((order.0, order.1, id, run_len(peer, piece_len)));
            }
            seen += 1;
            if seen == LOOK_AT_PEERS {
                break;
            }
        }
        self.swarm.turn = self.swarm.turn.wrapping_add(1) % count.max(1);
        best.map(|(.., id, run)| (id, run))
    }

    /// A peer that failed lately is asked again when its rest is over and nobody else runs.
    fn is_last_resort(&self, now: Time, state: &SourceState) -> bool {
        state.is_awake(now) && self.requests.is_empty()
    }

    /// How long until a peer would have answered one more request, in nanoseconds. One that was never asked is taken
    /// to be like the usual one.
    fn wait_for(&self, state: &SourceState, peer: &PeerState, piece_len: u64) -> u64 {
        let waiting = state.active as u64 + 1;
        match (peer.pace, self.swarm.usual) {
            (Some(pace), _) => nanos(time_for(piece_len.saturating_mul(waiting), pace)),
            (None, Some(usual)) => nanos(usual).saturating_mul(waiting),
            (None, None) => waiting,
        }
    }

    /// The rarest pieces that a peer has and that nobody brings yet: one, or a few in a row that are equally rare.
    fn rarest(&self, board: &Board, peer: &PeerState, run: usize) -> Option<Range<usize>> {
        let may = |piece: usize| board.is_open(piece) && peer.has.contains(piece);
        if let Some(first) = self.preferred_pieces(board).find(|piece| may(*piece)) {
            return Some(first..first + 1);
        }
        if let Some(reached) = self.stream_reached(board) {
            return self.last_open(board, peer, run, reached);
        }
        let words = board.need.words();
        let start = self.first_look(board) / 64;
        let mut best: Option<(u16, usize)> = None;
        let mut looks = LOOK_AT_PIECES;
        'all: for step in 0..words {
            let index = (start + step) % words;
            for piece in ones(board.open_word(index) & peer.has.word(index), index * 64) {
                let copies = board.copies(piece);
                if best.is_none_or(|(least, _)| copies < least) {
                    best = Some((copies, piece));
                }
                looks -= 1;
                if copies <= 1 || looks == 0 {
                    break 'all;
                }
            }
        }
        let (copies, first) = best?;
        let end = (first + 1..first + run).find(|next| !may(*next) || board.copies(*next) > copies);
        Some(first..end.unwrap_or(first + run.max(1)))
    }

    /// Where the search for pieces begins: each downloader somewhere else, so that they have different ones to give to
    /// each other. Who downloads alone begins at the beginning.
    fn first_look(&self, board: &Board) -> usize {
        let others = self.swarm.division.as_ref().is_none_or(|division| division.is_shared());
        match self.swarm.me {
            Some(me) if others => usize::try_from(me.dice(u64::MAX) % board.pieces() as u64).unwrap_or(0),
            _ => 0,
        }
    }

    /// The pieces that a reader waits for, in order.
    pub(crate) fn preferred_pieces<'a>(&'a self, board: &'a Board) -> impl Iterator<Item = usize> + 'a {
        self.preferred.iter().flat_map(|range| board.touched(range))
    }

    /// The first stretch of missing bytes of some pieces.
    pub(crate) fn stretch(&self, pieces: Range<usize>) -> Option<ByteRange> {
        let bytes = self.swarm.board.as_ref()?.bytes(pieces)?;
        self.missing.iter_within(bytes).next()
    }

    /// It has nothing to give for now.
    fn is_dry(&mut self, id: SourceId) {
        self.swarm.fresh.retain(|fresh| *fresh != id);
        if let Some(peer) = self.sources.get_mut(&id).and_then(|state| state.peer.as_mut()) {
            peer.is_fresh = false;
        }
    }

    /// How long the peer has for it.
    fn be_patient(&mut self, request: RequestId, id: SourceId, range: ByteRange) {
        let Some(state) = self.sources.get(&id) else { return };
        let before = state.active.max(1) as u64;
        let pace = state.peer.as_ref().and_then(|peer| peer.pace);
        let expected = match pace {
            Some(pace) => time_for(range.len().saturating_mul(before), pace),
            None => self.swarm.usual.unwrap_or_default(),
        };
        let patience =
            expected.saturating_mul(LATE_FACTOR).saturating_add(LATE_FLOOR).min(self.settings.stall);
        if let Some(request) = self.requests.get_mut(&request) {
            request.patience = patience;
            request.queue = state.active;
        }
    }

    /// A request to a peer brought all: that tells the pace of the peer, its queue included.
    pub(crate) fn learn_pace(&mut self, now: Time, request: &Request) {
        let took = now.saturating_sub(request.started);
        let bytes = request.asked_len();
        let Some(state) = self.sources.get_mut(&request.source) else { return };
        let Some(peer) = &mut state.peer else { return };
        let seen = per_second(bytes.saturating_mul(request.queue.max(1) as u64), took);
        peer.pace = Some(match peer.pace {
            None => seen,
            Some(pace) => (pace / 4).saturating_mul(3).saturating_add(seen / 4).max(1),
        });
        let usual = self.swarm.usual.map_or(nanos(took), |usual| {
            (nanos(usual).saturating_mul(MEMORY).saturating_add(nanos(took))) / (MEMORY + 1)
        });
        self.swarm.usual = Some(Duration::from_nanos(usual));
    }

    /// At the end, when all that is missing is on its way: what takes long is asked of a second peer.
    fn double(&mut self, now: Time) -> bool {
        self.swarm.double_due = None;
        self.swarm.is_ending = false;
        let Some(board) = &self.swarm.board else { return false };
        if self.requests.is_empty() || board.has_open() {
            return false;
        }
        self.swarm.is_ending = true;
        let mut due: Option<Time> = None;
        let mut chosen = None;
        for request in self.requests.values() {
            let Some(needed) = request.left().and_then(|left| self.missing.iter_within(left).next()) else {
                continue;
            };
            let is_of_it = |other: &Request| other.left().is_some_and(|left| left.contains(needed.start()));
            if self.requests.values().filter(|other| is_of_it(other)).count() > 1 {
                continue;
            }
            let piece = board.piece_at(needed.start());
            let other = (self.sources.iter())
                .filter(|(other, state)| {
                    **other != request.source && state.is_ready(now) && state.active < MAX_WINDOW
                })
                .filter_map(|(other, state)| Some((*other, state, state.peer.as_ref()?)))
                .filter(|(_, _, peer)| peer.is_counted && peer.has.contains(piece))
                .map(|(other, state, peer)| (self.wait_for(state, peer, board.piece_len()), other))
                .min();
            let Some((wait, other)) = other else { continue };
            let after = Duration::from_nanos(wait).saturating_mul(DOUBLE_FACTOR).max(DOUBLE_FLOOR);
            let at = request.started.saturating_add(after);
            if at > now {
                due = Some(due.map_or(at, |due| due.min(at)));
                continue;
            }
            let end = board.bytes(piece..piece + 1).map_or(needed.end(), ByteRange::end);
            if let Some(range) = ByteRange::new(needed.start(), needed.end().min(end)) {
                chosen = Some((other, range));
                break;
            }
        }
        let Some((other, range)) = chosen else {
            self.swarm.double_due = due;
            return false;
        };
        let request = self.fetch(now, other, range);
        self.be_patient(request, other, range);
        true
    }
}

/// How many requests a peer may have: few until its pace is known.
fn window(state: &SourceState, peer: &PeerState, piece_len: u64) -> usize {
    let ahead = peer.pace.map_or(1, |pace| pieces_in(AHEAD, pace, piece_len));
    state.slots().min(ahead.saturating_add(1).min(MAX_WINDOW))
}

/// How many pieces one request to it asks for.
fn run_len(peer: &PeerState, piece_len: u64) -> usize {
    peer.pace.map_or(1, |pace| pieces_in(RUN_TIME, pace, piece_len)).clamp(1, MAX_RUN)
}

/// How many pieces come in that time.
pub(crate) fn pieces_in(time: Duration, bytes_per_s: u64, piece_len: u64) -> usize {
    let bytes = u128::from(bytes_per_s) * time.as_nanos() / 1_000_000_000;
    usize::try_from(bytes / u128::from(piece_len.max(1))).unwrap_or(usize::MAX)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
