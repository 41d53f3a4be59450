//! What is on its way, there, and missing again, as it is marked on the board.

use dray_ranges::ByteRange;

use super::Bits;
use crate::Planner;
use crate::request::Request;

impl Planner {
    /// A request will bring these bytes.
    pub(crate) fn mark_coming(&mut self, range: ByteRange) {
        let Some(board) = &mut self.swarm.board else { return };
        for piece in board.touched(range) {
            board.coming.insert(piece);
        }
    }

    /// A request will not bring these bytes after all, or has brought them.
    pub(crate) fn unmark_coming(&mut self, range: ByteRange) {
        let Some(board) = &mut self.swarm.board else { return };
        if !self.swarm.has_doubles {
            // Nobody else was asked for any of it.
            let mut is_open = false;
            for piece in board.touched(range) {
                is_open |= board.coming.remove(piece) && board.need.contains(piece);
            }
            if is_open {
                self.refresh_all();
            }
            return;
        }
        let lefts: Vec<ByteRange> =
            (self.requests.values()).filter(|request| !request.is_stream).filter_map(Request::left).collect();
        let mut is_open = false;
        for piece in board.touched(range) {
            let Some(bytes) = board.bytes(piece..piece + 1) else { continue };
            if !lefts.iter().any(|left| left.overlaps(&bytes)) {
                board.coming.remove(piece);
                is_open |= board.need.contains(piece);
            }
        }
        if is_open {
            self.refresh_all();
        }
    }

    /// These bytes are there now.
    pub(crate) fn mark_kept(&mut self, keep: ByteRange) {
        let Some(board) = &mut self.swarm.board else { return };
        for piece in board.touched(keep) {
            let is_complete =
                board.bytes(piece..piece + 1).is_none_or(|bytes| !self.missing.overlaps(&bytes));
            if is_complete {
                board.need.remove(piece);
            }
        }
    }

    /// These bytes are missing again.
    pub(crate) fn mark_missing(&mut self, range: ByteRange) {
        let Some(board) = &mut self.swarm.board else { return };
        let gaps: Vec<ByteRange> = self.missing.iter_within(range).collect();
        for gap in gaps {
            board.need_all_of(gap);
        }
        self.refresh_all();
    }

    /// Other bytes are wanted than before.
    pub(crate) fn missing_anew(&mut self) {
        let Some(board) = &mut self.swarm.board else { return };
        board.need = Bits::none(board.pieces());
        for gap in self.missing.iter() {
            board.need_all_of(gap);
        }
        self.refresh_all();
    }
}
