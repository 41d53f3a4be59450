//! Who gives way when two bring the same bytes.

use std::ops::Range;

use dray_ranges::RangeSet;

use super::Member;
use crate::request::Request;
use crate::source::SourceState;
use crate::{CancelReason, Planner, RequestId, SourceId, Time};

/// Two machines that begin the same piece within this time did not know of each other: one of them yields. One that
/// begins later knew, and had its reason.
const YIELD_WITHIN: Time = Time::from_millis(500);

impl Planner {
    /// Two machines fetch the same: the same one of them gives way on both.
    pub(crate) fn yield_to_rival(&mut self, now: Time, rival: Member, claimed: &[Range<usize>]) {
        let Some(me) = self.swarm.me else { return };
        let is_young = |request: &Request| now.saturating_sub(request.started) < YIELD_WITHIN;
        let mine: Vec<RequestId> = (self.requests.iter())
            .filter(|(_, request)| self.may_be_cut(request) && is_young(request) && !request.is_takeover)
            .map(|(id, _)| *id)
            .collect();
        for id in mine {
            let loses = |piece: &usize| rival.dice(*piece as u64) < me.dice(*piece as u64);
            let is_claimed = |piece: &usize| claimed.iter().any(|range| range.contains(piece));
            let Some(pieces) = self.pieces_left(id) else { continue };
            if let Some(lost) = pieces.clone().find(|piece| is_claimed(piece) && loses(piece)) {
                self.give_up_from(now, id, lost);
            }
        }
    }

    /// A peer has given something of use for the first time: what it says it has is believed.
    pub(crate) fn believe(&mut self, now: Time, peer: SourceId) {
        let has = self.sources.get(&peer).and_then(|state| Some(&state.peer.as_ref()?.has));
        let Some((has, board)) = has.zip(self.swarm.board.as_ref()) else { return };
        let held = board.ranges_of(has);
        self.yield_to_holder(now, &held);
    }

    /// A peer that has proved itself has pieces that the origin is still asked for.
    pub(crate) fn yield_to_holder(&mut self, now: Time, gained: &RangeSet) {
        let mine: Vec<RequestId> = (self.requests.iter())
            .filter(|(_, request)| self.may_be_cut(request))
            .map(|(id, _)| *id)
            .collect();
        for id in mine {
            let (Some(pieces), Some(board)) = (self.pieces_left(id), &self.swarm.board) else { continue };
            let mut held = gained.iter().flat_map(|range| board.whole(range));
            if let Some(piece) = held.find(|piece| pieces.contains(piece)) {
                self.give_up_from(now, id, piece);
            }
        }
    }

    /// Ends a request to the origin before `piece`, unless that is more than half there.
    fn give_up_from(&mut self, now: Time, id: RequestId, piece: usize) {
        let Some(board) = &self.swarm.board else { return };
        let (Some(bytes), Some(request)) = (board.bytes(piece..piece + 1), self.requests.get(&id)) else {
            return;
        };
        if request.next() < bytes.start() {
            if request.known_left().is_some() {
                self.shorten(id, bytes.start());
            }
        } else if bytes.end().saturating_sub(request.next()) > bytes.len() / 2 {
            self.cancel(now, id, CancelReason::NotNeeded);
        }
    }

    /// The pieces of which a request will still bring something.
    pub(crate) fn pieces_left(&self, id: RequestId) -> Option<Range<usize>> {
        let board = self.swarm.board.as_ref()?;
        Some(board.touched(self.requests.get(&id)?.left()?))
    }

    /// Whether what a request to a server does not bring can be asked for alone.
    fn may_be_cut(&self, request: &Request) -> bool {
        self.is_of_server(request) && !request.is_stream
    }

    pub(crate) fn is_of_server(&self, request: &Request) -> bool {
        self.sources.get(&request.source).is_some_and(SourceState::is_server)
    }
}
