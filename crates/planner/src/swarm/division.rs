//! Who takes what from the origin: the pieces, divided among the known downloaders.
//!
//! The same members give the same division on every machine, with nothing said between them. While all know all,
//! shares are stripes of equal length in the order of the ring. Where there are more than one can know, the share of a
//! member goes from its own place to that of the next one, which both know because they are neighbours; and a machine
//! answers only for the shares around its own, of whose owners it knows that they are the true ones.

use std::ops::Range;

use super::member::{FULL_VIEW, Member, NEAR};
use crate::SourceId;

/// How far a machine steps in for others: half as far as it knows all, so that all who step in for the same one know
/// each other.
const STEPS_IN: usize = NEAR / 2;

/// Whose a share is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// This machine's.
    Me,
    /// A peer's.
    Peer(SourceId),
    /// A downloader's that is known of, but is no source yet.
    Candidate,
}

/// The pieces that one downloader takes from the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) owner: Owner,
    /// From here on.
    pub(crate) first: usize,
    /// So many, from the last piece on to the first one.
    pub(crate) len: usize,
}

/// The division as one machine sees it.
#[derive(Clone, Debug)]
pub(crate) struct Division {
    pieces: usize,
    /// Its own share.
    pub(crate) mine: Share,
    /// The shares of those for whom it steps in.
    pub(crate) others: Vec<Share>,
    /// Whether it was made when nobody came or went.
    pub(crate) is_settled: bool,
    members: usize,
}

impl Division {
    /// Divides `pieces` among this machine and the others. Until `settled`, who is there is changing, and a share goes
    /// from one place on the ring to the next: then a newcomer changes nobody's start. There are `more` of whom it is
    /// only known that they are there.
    pub(crate) fn new(
        me: &Member,
        others: impl Iterator<Item = (Member, Owner)>,
        pieces: usize,
        settled: bool,
        more: usize,
    ) -> Self {
        let mut ring: Vec<(Member, Owner)> = others.filter(|(member, _)| member != me).collect();
        ring.push((*me, Owner::Me));
        ring.sort_unstable();
        // Of one that is a peer and was a candidate, the peer comes first.
        ring.dedup_by_key(|(member, _)| *member);
        let is_full = ring.len() <= 2 * NEAR || ring.len().saturating_add(more) <= FULL_VIEW;
        let starts: Vec<usize> = if is_full && settled {
            (0..ring.len()).map(|nth| scale(pieces, nth as u128, ring.len() as u128)).collect()
        } else {
            ring.iter().map(|(member, _)| scale(pieces, u128::from(member.place()), 1 << 64)).collect()
        };
        let share = |nth: usize| {
            let len = match starts.get(nth + 1) {
                Some(next) => next - starts[nth],
                None => pieces - starts[nth] + starts[0],
            };
            Share { owner: ring[nth].1, first: starts[nth], len }
        };
        let at = ring.iter().position(|(_, owner)| *owner == Owner::Me).expect("it was put there");
        let away = |step: usize| (at + ring.len() + step - STEPS_IN) % ring.len();
        let near: Vec<usize> = match is_full {
            true => (1..ring.len()).map(|step| (at + step) % ring.len()).collect(),
            false => (0..=2 * STEPS_IN).filter(|step| *step != STEPS_IN).map(away).collect(),
        };
        let others = near.into_iter().map(share).filter(|share| share.len > 0).collect();
        Self { pieces, mine: share(at), others, is_settled: settled, members: ring.len() }
    }

    /// Whether there is anybody to divide with.
    pub(crate) fn is_shared(&self) -> bool {
        self.members > 1
    }

    /// The pieces of a share, as at most two stretches in the order in which its owner takes them.
    pub(crate) fn stretches(&self, share: &Share) -> [Range<usize>; 2] {
        let end = share.first + share.len;
        [share.first..end.min(self.pieces), 0..end.saturating_sub(self.pieces)]
    }
}

/// The part `of / whole` of a number of pieces.
fn scale(pieces: usize, of: u128, whole: u128) -> usize {
    usize::try_from(pieces as u128 * of / whole).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(place: u8) -> Member {
        Member([place; 32])
    }

    fn division(me: usize, places: &[u8], pieces: usize, settled: bool) -> Division {
        let others = places.iter().enumerate().filter(|(nth, _)| *nth != me);
        let others =
            others.map(|(nth, place)| (member(*place), Owner::Peer(SourceId(u32::try_from(nth).unwrap()))));
        Division::new(&member(places[me]), others, pieces, settled, 0)
    }

    /// Who owns each piece, as machine `me` sees it.
    fn owners(me: usize, places: &[u8], pieces: usize, settled: bool) -> Vec<Option<usize>> {
        let division = division(me, places, pieces, settled);
        let mut owners = vec![None; pieces];
        for share in division.others.iter().chain([&division.mine]) {
            let owner = match share.owner {
                Owner::Peer(id) => id.0 as usize,
                _ => me,
            };
            for piece in division.stretches(share).into_iter().flatten() {
                assert_eq!(owners[piece].replace(owner), None, "{piece} has two owners");
            }
        }
        owners
    }

    #[test]
    fn all_see_the_same_division_and_no_piece_is_left_out() {
        let places = [7, 200, 90, 91, 30];
        for settled in [true, false] {
            let seen = owners(0, &places, 64, settled);
            assert!(seen.iter().all(Option::is_some));
            assert!((1..5).all(|me| owners(me, &places, 64, settled) == seen));
        }
    }

    #[test]
    fn with_a_full_view_shares_are_even() {
        let places: Vec<u8> = (1..=20).map(|nth| nth * 3).collect();
        for me in 0..20 {
            assert!((12..=13).contains(&division(me, &places, 256, true).mine.len), "{me}");
        }
    }

    #[test]
    fn while_members_come_nobody_starts_elsewhere_than_at_its_own_place() {
        let first = |places: &[u8]| division(0, places, 256, false).mine.first;
        assert_eq!(first(&[50]), first(&[50, 3, 120, 49, 51]));
    }

    #[test]
    fn alone_one_has_everything() {
        let alone = division(0, &[128], 100, false);
        assert_eq!((alone.mine.len, alone.others.len()), (100, 0));
        assert_eq!(alone.stretches(&alone.mine), [50..100, 0..50]);
    }

    #[test]
    fn a_candidate_has_its_share_once() {
        let peer = [(member(100), Owner::Peer(SourceId(7)))];
        let known = peer.into_iter().chain([100, 180].map(|place| (member(place), Owner::Candidate)));
        let division = Division::new(&member(10), known, 256, false, 0);
        let owners: Vec<Owner> = division.others.iter().map(|share| share.owner).collect();
        assert_eq!(owners, [Owner::Peer(SourceId(7)), Owner::Candidate]);
    }

    #[test]
    fn of_many_members_only_the_neighbours_shares_are_stepped_in_for() {
        let places: Vec<u8> = (0..60).map(|nth| nth * 4).collect();
        let division = division(30, &places, 6_000, true);
        let owners: Vec<Owner> = division.others.iter().map(|share| share.owner).collect();
        assert_eq!(owners, [26, 27, 28, 29, 31, 32, 33, 34].map(|id| Owner::Peer(SourceId(id))));
    }
}
