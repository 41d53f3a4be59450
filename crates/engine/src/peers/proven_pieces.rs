//! Pieces of cached contents that were proven lately, so that several peers, and the parts of one request, share the reading.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use dray_content::{ContentId, PieceIndex};

/// What all of them may have together, in bytes; the last one used stays even if it alone is longer.
const BUDGET: usize = 24 << 20;

/// One piece, proven.
struct Piece {
    of: (ContentId, PieceIndex),
    bytes: Arc<Vec<u8>>,
}

/// The pieces, the one used last at the back.
#[derive(Default)]
pub(crate) struct ProvenPieces(Mutex<VecDeque<Piece>>);

impl ProvenPieces {
    /// The bytes of a piece, if it is here.
    pub(crate) fn get(&self, of: (ContentId, PieceIndex)) -> Option<Arc<Vec<u8>>> {
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = pieces.iter().position(|piece| piece.of == of)?;
        let piece = pieces.remove(at)?;
        let bytes = Arc::clone(&piece.bytes);
        pieces.push_back(piece);
        Some(bytes)
    }

    /// Keeps a piece that was just proven.
    pub(crate) fn keep(&self, of: (ContentId, PieceIndex), bytes: Arc<Vec<u8>>) {
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.retain(|piece| piece.of != of);
        pieces.push_back(Piece { of, bytes });
        let mut held: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
        while held > BUDGET && pieces.len() > 1 {
            held -= pieces.pop_front().map_or(0, |piece| piece.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays_within_the_budget() {
        let pieces = ProvenPieces::default();
        let of = |index| (ContentId([0; 32]), PieceIndex(index));
        for index in 0..3 {
            pieces.keep(of(index), Arc::new(vec![0; BUDGET / 3]));
        }
        assert!(pieces.get(of(0)).is_some());
        pieces.keep(of(3), Arc::new(vec![0; BUDGET / 3]));
        assert!(pieces.get(of(1)).is_none());
        assert!(pieces.get(of(0)).is_some() && pieces.get(of(3)).is_some());
        pieces.keep(of(4), Arc::new(vec![0; BUDGET + 1]));
        assert!(pieces.get(of(4)).is_some() && pieces.get(of(0)).is_none());
    }
}
