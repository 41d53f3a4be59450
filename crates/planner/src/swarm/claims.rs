//! What a peer says it takes from the origin, and how long that is believed.
//!
//! A claim keeps others from asking the origin for the same bytes. So it is believed as long as something comes of
//! it: a claim of which the first piece is not had for too long is late, and whoever is late again and again, or claims
//! now this and now that without having anything, is believed no more.

use std::ops::Range;
use std::time::Duration;

use super::Bits;
use crate::Time;

/// More stretches than this are not kept; a downloader has one or two requests at the origin.
pub(crate) const MAX_CLAIMS: usize = 16;

/// Who was late this often is believed no more.
const MAX_LATE: u32 = 3;

/// Who has turned from one piece to another this often, without having had the first, is believed no more.
const MAX_ABANDONED: u32 = 6;

/// The stretches of pieces that a peer takes from the origin.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pieces: Vec<Range<usize>>,
    /// The first of them that it does not have: the one it is at work on.
    front: Option<usize>,
    /// Since when it has been at work on that.
    since: Time,
    /// Whether that was found late.
    is_late: bool,
    lates: u32,
    /// Pieces in front that were left for others, less those that were had.
    abandoned: u32,
    /// How long a piece takes it, lately.
    pace: Option<Duration>,
}

impl Claims {
    /// What it says now, in place of what it said before; `has` is what it has.
    pub(crate) fn set(&mut self, now: Time, pieces: impl Iterator<Item = Range<usize>>, has: &Bits) {
        self.pieces.clear();
        self.pieces.extend(pieces.filter(|range| !range.is_empty()).take(MAX_CLAIMS));
        let front = self.pieces.iter().cloned().flatten().find(|piece| !has.contains(*piece));
        if front.is_none() || front == self.front {
            return;
        }
        if self.front.is_some_and(|front| !has.contains(front)) {
            self.abandoned = self.abandoned.saturating_add(1);
        }
        self.begin(now, front);
    }

    fn begin(&mut self, now: Time, front: Option<usize>) {
        self.front = front;
        self.since = now;
        self.is_late = false;
    }

    /// It has a piece more. Only the one that it was at work on is an answer to its claim.
    pub(crate) fn has_gained(&mut self, now: Time, piece: usize) {
        if self.front != Some(piece) {
            return;
        }
        let took = now.saturating_sub(self.since);
        self.pace = Some(self.pace.map_or(took, |pace| (pace + took) / 2));
        self.abandoned = self.abandoned.saturating_sub(1);
        let next = Some(piece + 1).filter(|next| self.contains(*next));
        self.begin(now, next);
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

    /// When it is late, if it may take `patience` for each piece; `None` when it claims nothing. That it is late is
    /// remembered.
    pub(crate) fn late_at(&mut self, now: Time, patience: Duration) -> Option<Time> {
        if self.pieces.is_empty() {
            return None;
        }
        let late = self.since.saturating_add(patience);
        if late <= now && !self.is_late {
            self.is_late = true;
            self.lates = self.lates.saturating_add(1);
        }
        let is_liar = self.lates >= MAX_LATE || self.abandoned >= MAX_ABANDONED;
        Some(if is_liar { self.since.min(now) } else { late })
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
        claims.set(s(at), std::iter::once(pieces), &Bits::none(100));
    }

    #[test]
    fn every_piece_that_comes_of_a_claim_wins_time() {
        let mut claims = Claims::default();
        claim(&mut claims, 1, 10..14);
        assert_eq!(claims.late_at(s(1), PATIENCE), Some(s(4)));
        claims.has_gained(s(3), 10);
        claim(&mut claims, 3, 11..14);
        assert_eq!(claims.late_at(s(3), PATIENCE), Some(s(6)));
        claims.has_gained(s(5), 99);
        claims.has_gained(s(5), 12);
        assert_eq!(claims.late_at(s(5), PATIENCE), Some(s(6)));
        assert_eq!(claims.pace(), Some(s(2)));
    }

    #[test]
    fn claiming_the_same_again_wins_no_time() {
        let mut claims = Claims::default();
        for at in 0..20 {
            claim(&mut claims, at, 3..4);
            claims.set(s(at), std::iter::empty(), &Bits::none(100));
        }
        claim(&mut claims, 20, 3..50);
        assert_eq!(claims.late_at(s(20), PATIENCE), Some(s(3)));
    }

    #[test]
    fn who_only_turns_from_one_claim_to_the_next_is_not_believed_for_long() {
        let mut claims = Claims::default();
        for (at, piece) in (0..20).zip([3, 4].into_iter().cycle()) {
            claim(&mut claims, at, piece..50);
        }
        assert!(claims.late_at(s(20), PATIENCE) <= Some(s(20)));
    }

    #[test]
    fn who_was_late_too_often_is_not_believed_for_the_rest() {
        let mut claims = Claims::default();
        for (at, piece) in (0..3).zip(0..) {
            claim(&mut claims, at * 10, piece * 10..piece * 10 + 1);
            assert_eq!(claims.late_at(s(at * 10), PATIENCE), Some(s(at * 10) + PATIENCE));
            claims.late_at(s(at * 10 + 5), PATIENCE);
            claims.has_gained(s(at * 10 + 6), piece * 10);
        }
        claim(&mut claims, 100, 60..61);
        assert_eq!(claims.late_at(s(100), PATIENCE), Some(s(100)));
    }

    #[test]
    fn only_so_many_stretches_are_kept() {
        let mut claims = Claims::default();
        claims.set(s(0), (0..1_000).map(|nth| nth * 2..nth * 2 + 1), &Bits::none(100));
        assert_eq!(claims.iter().count(), MAX_CLAIMS);
    }
}
