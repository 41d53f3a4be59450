//! The places of downloaders on a ring, and which of them should know each other.
//!
//! Every downloader of a content has a place on a ring, which is the file from its first byte to its last and round
//! again. With few downloaders each knows all. With many, each knows those next to it on the ring, so that the
//! neighbourhood of every piece is known to those whose business it is, and some anywhere, so that what one has
//! reaches all in a few steps.

use std::cmp::Reverse;

/// The place of a downloader in the division of a file: a hash of the content and of who it is, so that it is
/// another one for each content. Never two with the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub [u8; 32]);

/// Up to this many downloaders, oneself among them, each knows all; with more there are probably others unknown.
pub const FULL_VIEW: usize = 50;

/// How many downloaders next to it on each side a member knows when there are more than it can know.
pub const NEAR: usize = 8;

impl Member {
    /// Where on the ring, as a fraction of 2^64.
    pub(crate) fn place(&self) -> u64 {
        self.word(0)
    }

    /// A number that says nothing about the place, for choices that should differ between members.
    pub(crate) fn dice(&self, about: u64) -> u64 {
        mix(self.word(1) ^ mix(about))
    }

    fn word(&self, index: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[index * 8..index * 8 + 8]);
        u64::from_be_bytes(bytes)
    }
}

/// Spreads the bits of a number (the finaliser of `splitmix64`).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Which `most` of the known downloaders to be connected to, as indices: all if they are not more; otherwise the
/// [`NEAR`] next ones on either side of the ring, and then those to which chance binds this one. Chance is the
/// same for both of a pair, so most choices are mutual. One may have to accept twice as many as it chooses.
pub fn neighbours(me: &Member, known: &[Member], most: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = (0..known.len()).filter(|at| known[*at] != *me).collect();
    if chosen.len() <= most {
        return chosen;
    }
    let near = NEAR.min(most / 4);
    // Sorted by the way forward from here: the next ones are at the front, those before at the back.
    chosen.sort_by_key(|at| (known[*at].place().wrapping_sub(me.place()), known[*at]));
    let before = chosen.split_off(chosen.len() - near);
    let mut others = chosen.split_off(near);
    others.sort_by_key(|at| (Reverse(affinity(me, &known[*at])), known[*at]));
    chosen.extend(before);
    chosen.extend(others.into_iter().take(most.saturating_sub(near * 2)));
    chosen
}

/// How much chance binds two members; the same from both sides.
fn affinity(one: &Member, other: &Member) -> u64 {
    mix(one.dice(0).wrapping_add(other.dice(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(seed: u64) -> Member {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut bytes = [0; 32];
        dice.fill(&mut bytes);
        Member(bytes)
    }

    #[test]
    fn of_few_all_are_neighbours_but_not_oneself() {
        let known: Vec<Member> = (0..10).map(member).collect();
        assert_eq!(neighbours(&known[3], &known, 9), [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn of_many_the_next_on_the_ring_and_as_many_as_asked_for() {
        let mut known: Vec<Member> = (0..1_000).map(member).collect();
        known.sort_by_key(Member::place);
        let chosen = neighbours(&known[2], &known, 32);
        assert_eq!(chosen.len(), 32);
        for near in [994, 995, 996, 997, 998, 999, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10] {
            assert!(chosen.contains(&near), "{near}");
        }
    }

    #[test]
    fn most_choices_are_mutual_and_nobody_is_chosen_by_too_many() {
        let known: Vec<Member> = (0..1_000).map(member).collect();
        let chosen: Vec<Vec<usize>> = known.iter().map(|me| neighbours(me, &known, 32)).collect();
        let mutual = |(one, others): (usize, &Vec<usize>)| {
            others.iter().filter(|other| chosen[**other].contains(&one)).count()
        };
        let both: usize = chosen.iter().enumerate().map(mutual).sum();
        assert!(both > 1_000 * 20, "{both}");
        let most = (0..1_000).map(|at| chosen.iter().filter(|others| others.contains(&at)).count()).max();
        assert!(most < Some(64), "{most:?}");
    }
}
