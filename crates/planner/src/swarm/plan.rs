//! Where the planner's ordinary events touch the swarm, and what is decided in which order.

use std::time::Duration;

use dray_ranges::ByteRange;

use super::from_peers::pieces_in;
use crate::plan::Urgency;
use crate::request::Request;
use crate::source::SourceState;
use crate::{Planner, Ranges, RequestId, SourceId, SourceKind, Time};

/// When others come, a long request to the origin goes on for what it brings in this time, but at least one piece
/// and at most so many.
const GOES_ON: Duration = Duration::from_millis(500);
const GOES_ON_PIECES: usize = 8;

/// How much of the last answers is in what is known of the time to the first byte.
const MEMORY: u32 = 3;

impl Planner {
    /// One decision. True when there may be another.
    pub(crate) fn plan_in_swarm(&mut self, now: Time) -> bool {
        if std::mem::take(&mut self.swarm.may_be_unneeded) && self.drop_unneeded(now) {
            self.swarm.may_be_unneeded = true;
            return true;
        }
        if self.done() {
            return false;
        }
        self.leave_stream(now)
            || self.ask_those_without_pieces(now)
            || self.ask_peers(now)
            || self.ask_origin(now)
    }

    /// What is on this machine is read in long stretches. And an origin that can only start at the first byte is read
    /// from there when it has something that nobody else has.
    fn ask_those_without_pieces(&mut self, now: Time) -> bool {
        if !self.swarm.has_plain {
            return false;
        }
        let needs_server = self.swarm.board.as_ref().is_some_and(|board| !board.open(false).is_empty());
        let claimed = self.claimed();
        let mut ready = self.ready(now).filter(|(_, state)| state.is_plain());
        let offer = ready.find_map(|(id, state)| {
            let may = needs_server || state.about.kind == SourceKind::Cache;
            Some((id, self.offer(now, state, &claimed, Urgency::Any).filter(|_| may)?))
        });
        drop(ready);
        let Some((source, range)) = offer else { return false };
        self.fetch(now, source, range);
        true
    }

    /// The first peer has come: long requests to servers end soon, so that what they would bring can be divided.
    pub(crate) fn shorten_long_requests(&mut self) {
        let Some(board) = &self.swarm.board else { return };
        let piece_len = board.piece_len();
        let file_pieces = board.pieces();
        let mut ends = Vec::new();
        for (id, request) in self.requests.iter().filter(|(_, request)| self.is_of_server(request)) {
            let Some(state) = self.sources.get(&request.source) else { continue };
            let Some(left) = request.known_left().filter(|_| state.about.ranges == Ranges::Yes) else {
                continue;
            };
            let rate = state.meter.bytes_per_s().unwrap_or(0);
            let pieces = pieces_in(GOES_ON, rate, piece_len).clamp(1, GOES_ON_PIECES);
            let end = (board.piece_at(left.start()) + pieces).min(file_pieces);
            if let Some(kept) = board.bytes(0..end).filter(|kept| kept.end() < left.end()) {
                ends.push((*id, kept.end()));
            }
        }
        for (id, end) in ends {
            self.shorten(id, end);
        }
        self.find_streams();
    }

    /// Bytes came.
    pub(crate) fn swarm_received(&mut self, keep: Option<ByteRange>, is_from_server: bool) {
        if self.swarm.board.is_none() {
            return;
        }
        if let Some(keep) = keep {
            self.mark_kept(keep);
        }
        // Only where the same was asked for twice can something have become unnecessary.
        self.swarm.may_be_unneeded |= self.swarm.has_doubles || self.missing.is_empty();
        self.replan |= self.swarm.has_doubles;
        if is_from_server && !self.swarm.origin_is_due && self.swarm.is_on && self.is_nearly_done() {
            self.swarm.origin_is_due = true;
            self.replan = true;
        }
    }

    /// A request was decided on.
    pub(crate) fn swarm_started(&mut self, id: RequestId, source: SourceId, range: ByteRange) {
        let Some(state) = self.sources.get(&source) else { return };
        self.swarm.asked_of_peers += usize::from(state.is_peer());
        self.swarm.asked_of_servers += usize::from(state.is_server());
        let is_stream = state.is_server() && state.about.ranges == Ranges::No;
        if let Some(request) = self.requests.get_mut(&id).filter(|_| is_stream) {
            request.is_stream = true;
        }
        if self.swarm.board.is_none() {
            return;
        }
        let is_twice = |other: &Request| other.left().is_some_and(|left| left.overlaps(&range));
        self.swarm.has_doubles |= self.requests.values().filter(|other| is_twice(other)).count() > 1;
        if !is_stream {
            self.mark_coming(range);
        }
    }

    /// A request is over.
    pub(crate) fn swarm_ended(&mut self, now: Time, request: &Request) {
        let state = self.sources.get(&request.source);
        let (is_peer, is_server) = state.map_or((false, false), |state| (state.is_peer(), state.is_server()));
        self.swarm.asked_of_peers = self.swarm.asked_of_peers.saturating_sub(usize::from(is_peer));
        self.swarm.asked_of_servers = self.swarm.asked_of_servers.saturating_sub(usize::from(is_server));
        if is_server {
            self.swarm.idle_since = now;
            self.swarm.origin_is_due = true;
        }
        if self.requests.is_empty() {
            self.swarm.has_doubles = false;
        }
        if request.is_stream {
            // What it would have brought is to be had from peers now.
            self.refresh_all();
        } else if self.swarm.board.is_some()
            && let Some(asked) = request.asked_range()
        {
            self.unmark_coming(asked);
        }
    }

    /// Whether a peer has something that is missing.
    pub(crate) fn has_open_piece(&self, state: &SourceState) -> bool {
        let (Some(board), Some(peer)) = (&self.swarm.board, &state.peer) else { return false };
        (0..board.need.words()).any(|index| board.need.word(index) & peer.has.word(index) != 0)
    }

    /// When something is to be looked at again.
    pub(crate) fn swarm_due(&self) -> Option<Time> {
        if self.done() {
            return None;
        }
        let swarm = &self.swarm;
        [swarm.origin_due, swarm.double_due, swarm.expected_until].into_iter().flatten().min()
    }

    /// Time has passed.
    pub(crate) fn swarm_timeout(&mut self, now: Time) {
        let swarm = &mut self.swarm;
        if swarm.origin_due.is_some_and(|due| due <= now) {
            swarm.origin_due = None;
            swarm.origin_is_due = true;
        }
        if swarm.double_due.is_some_and(|due| due <= now) {
            swarm.double_due = None;
        }
        if swarm.expected_until.is_some_and(|until| until <= now) {
            swarm.expected_until = None;
            self.swarm_changed(now);
        }
        if self.swarm.board.is_some() {
            let peers: Vec<SourceId> =
                self.sources.iter().filter(|(_, state)| state.peer.is_some()).map(|(id, _)| *id).collect();
            for id in peers {
                self.recount(now, id);
            }
            self.swarm.origin_is_due |=
                self.swarm.asked_of_servers == 0 && !self.sources.values().any(|state| state.is_peer());
        }
    }
}

impl SourceState {
    /// Whether it is asked for long stretches in a swarm too.
    pub(crate) fn is_plain(&self) -> bool {
        self.about.kind == SourceKind::Cache || (self.is_server() && self.about.ranges == Ranges::No)
    }

    /// The first byte of an answer took so long.
    pub(crate) fn heard_after(&mut self, time: Duration) {
        self.latency = Some(match self.latency {
            None => time,
            Some(latency) => (latency.saturating_mul(MEMORY) + time) / (MEMORY + 1),
        });
    }
}
