//! What a peer says it takes from the origin, and how long that is believed.
//!
//! A claim keeps others from asking the origin for the same bytes. So it is believed as long as something comes of
//! it: a claim of which no piece is had for too long is late, and whoever claims again and again without ever having
//! anything is believed no more.

use std::ops::Range;
use std::time::Duration;

use crate::Time;

/// More stretches than this are not kept; a downloader has one or two requests at the origin.
pub(crate) const MAX_CLAIMS: usize = 16;

/// Who claimed this often without a piece to show for it does not win time with another claim.
const MAX_EMPTY_CLAIMS: u32 = 4;

/// The stretches of pieces that a peer takes from the origin.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pieces: Vec<Range<usize>>,
    /// Since when it has owed a piece.
    owes_since: Option<Time>,
    /// Claims in a row that came to nothing.
    empty: u32,
    /// How long a piece takes it, lately.
    pace: Option<Duration>,
}

impl Claims {
    /// What it says now, in place of what it said before.
    pub(crate) fn set(&mut self, now: Time, pieces: impl Iterator<Item = Range<usize>>) {
        let had_none = self.pieces.is_empty();
        self.pieces.clear();
        self.pieces.extend(pieces.filter(|range| !range.is_empty()).take(MAX_CLAIMS));
        match (had_none, self.pieces.is_empty()) {
            (true, false) if self.owes_since.is_none() || self.empty <= MAX_EMPTY_CLAIMS => {
                self.owes_since = Some(now);
            }
            (false, true) if self.owes_since.is_some() => self.empty = self.empty.saturating_add(1),
            _ => {}
        }
    }

    /// It has a piece more. Only one that it had claimed is an answer to its claim.
    pub(crate) fn has_gained(&mut self, now: Time, piece: usize) {
        if self.contains(piece) {
            if let Some(since) = self.owes_since.replace(now) {
                let took = now.saturating_sub(since);
                self.pace = Some(self.pace.map_or(took, |pace| (pace + took) / 2));
            }
            self.empty = 0;
        }
    }

    /// How long a piece takes it, lately.
    pub(crate) fn pace(&self) -> Option<Duration> {
        self.pace
    }

    /// Whether it takes nothing from the origin.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn contains(&self, piece: usize) -> bool {
        self.pieces.iter().any(|range| range.contains(&piece))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.pieces.iter().cloned()
    }

    /// When it is late, if it may take `patience` for each piece.
    pub(crate) fn late_at(&self, patience: Duration) -> Option<Time> {
        self.owes_since.filter(|_| !self.pieces.is_empty()).map(|since| since.saturating_add(patience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3);

    fn s(seconds: u64) -> Time {
        Duration::from_secs(seconds)
    }

    fn claim(claims: &mut Claims, at: u64, pieces: Range<usize>) {
        claims.set(s(at), std::iter::once(pieces));
    }

    #[test]
    fn every_piece_that_comes_of_a_claim_wins_time() {
        let mut claims = Claims::default();
        claim(&mut claims, 1, 10..14);
        assert_eq!(claims.late_at(PATIENCE), Some(s(4)));
        claims.has_gained(s(3), 10);
        claim(&mut claims, 3, 11..14);
        assert_eq!(claims.late_at(PATIENCE), Some(s(6)));
        claims.has_gained(s(5), 99);
        assert_eq!(claims.late_at(PATIENCE), Some(s(6)));
    }

    #[test]
    fn claiming_again_and_again_wins_time_only_a_few_times() {
        let mut claims = Claims::default();
        for at in 0..20 {
            claim(&mut claims, at, 3..4);
            claims.set(s(at), std::iter::empty());
        }
        claim(&mut claims, 20, 3..4);
        assert!(claims.late_at(PATIENCE) < Some(s(10)));
        claims.has_gained(s(21), 3);
        assert_eq!(claims.late_at(PATIENCE), Some(s(24)));
    }

    #[test]
    fn only_so_many_stretches_are_kept() {
        let mut claims = Claims::default();
        claims.set(s(0), (0..1_000).map(|nth| nth * 2..nth * 2 + 1));
        assert_eq!(claims.iter().count(), MAX_CLAIMS);
    }
}
