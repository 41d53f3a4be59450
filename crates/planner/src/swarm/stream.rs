//! A server that can only start at the first byte, and peers: they are asked from the end backwards while it sends the
//! file from its start, so that next to nothing comes twice; and it is left when they have all the rest.

use std::ops::Range;

use super::{Board, PeerState};
use crate::request::Request;
use crate::{CancelReason, Planner, Ranges, RequestId, Time};

/// What a stream brings next is not asked of peers: it would come twice.
const SOON: usize = 2;

/// How often a stream is dropped. Each time that peers break their word after that, all begins again at the first byte.
const MAX_LEFT: u32 = 3;

/// A longer request to a server of which it is not known whether it can start in the middle goes on as a stream.
const LONG: usize = 8;

impl Planner {
    /// The first peer has come: a long request that perhaps cannot be resumed where it is cut is not cut.
    pub(crate) fn find_streams(&mut self) {
        let Some(board) = &self.swarm.board else { return };
        let mut streams = Vec::new();
        for (id, request) in self.requests.iter().filter(|(_, request)| self.is_of_server(request)) {
            let is_unsure =
                self.sources.get(&request.source).is_some_and(|state| state.about.ranges == Ranges::Unknown);
            if let Some(left) = request.known_left().filter(|_| is_unsure && !request.is_stream)
                && board.touched(left).len() > LONG
                && let Some(asked) = request.asked_range()
            {
                streams.push((*id, asked));
            }
        }
        for (id, asked) in streams {
            if let Some(request) = self.requests.get_mut(&id) {
                request.is_stream = true;
            }
            self.unmark_coming(asked);
        }
    }

    /// Ends a stream when a peer has proved itself and peers have all that it would still bring.
    pub(crate) fn leave_stream(&mut self, now: Time) -> bool {
        if self.swarm.streams_left >= MAX_LEFT {
            return false;
        }
        let Some((id, _)) = self.stream() else { return false };
        let has_proved = |state: &crate::source::SourceState| {
            state.bytes > 0 && state.peer.as_ref().is_some_and(|peer| peer.is_counted)
        };
        let Some(board) = &self.swarm.board else { return false };
        if !self.sources.values().any(has_proved) || !board.open(false).is_empty() {
            return false;
        }
        self.swarm.streams_left += 1;
        self.cancel(now, id, CancelReason::NotNeeded);
        true
    }

    /// The piece that a stream brings now.
    pub(crate) fn stream_reached(&self, board: &Board) -> Option<usize> {
        self.stream().map(|(_, request)| board.piece_at(request.next()))
    }

    /// The last pieces that a peer has and nobody brings, where a stream does not come soon.
    pub(crate) fn last_open(
        &self,
        board: &Board,
        peer: &PeerState,
        run: usize,
        reached: usize,
    ) -> Option<Range<usize>> {
        let may = |piece: &usize| board.is_open(*piece) && peer.has.contains(*piece);
        let free = reached.saturating_add(SOON).min(board.pieces())..board.pieces();
        let last = free.clone().rev().find(may)?;
        let first = (free.start..last).rev().take(run.max(1) - 1).take_while(may).last();
        Some(first.unwrap_or(last)..last + 1)
    }

    fn stream(&self) -> Option<(RequestId, &Request)> {
        self.requests.iter().find(|(_, request)| request.is_stream).map(|(id, request)| (*id, request))
    }
}
