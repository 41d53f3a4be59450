//! What one end of a session says about a content: how long it is, what it can give, what it is fetching, whether it wants more.

use dray_content::ContentId;

use crate::{PieceSet, piece_count};

/// One end's side of a content. Size and root are said once: from nothing to something, and never to something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Size of the content in bytes, once it is known. Without it both sets are empty.
    pub size: Option<u64>,
    /// Pieces that can be had from here.
    pub have: PieceSet,
    /// Pieces that this end is fetching from the origin right now, so that others leave them alone.
    pub fetching: PieceSet,
    /// Whether this end wants pieces.
    pub wants: bool,
    /// The root of the piece table that can be had from here. A claim, until the table proves it or the whole file does.
    pub root: Option<ContentId>,
}

/// From one holding to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) size: Option<u64>,
    pub(crate) root: Option<ContentId>,
    pub(crate) wants: bool,
    pub(crate) have_more: PieceSet,
    pub(crate) have_less: PieceSet,
    pub(crate) fetching_more: PieceSet,
    pub(crate) fetching_less: PieceSet,
}

impl Holding {
    /// Of someone who has all `size` bytes. With a size beyond what can be exchanged it has nothing.
    #[must_use]
    pub fn complete(size: u64, root: Option<ContentId>) -> Self {
        let have = piece_count(size).map(PieceSet::full).unwrap_or_default();
        Self { size: Some(size), have, root, ..Self::default() }
    }

    /// Of someone who has nothing and wants all.
    #[must_use]
    pub fn wanting(size: Option<u64>) -> Self {
        Self { size, wants: true, ..Self::default() }
    }

    /// Whether every number in it fits the others.
    pub(crate) fn is_sound(&self) -> bool {
        let count = match self.size {
            Some(size) => piece_count(size),
            None => Some(0),
        };
        count.is_some_and(|count| self.have.end() <= count && self.fetching.end() <= count)
    }

    /// What to tell someone who knows `before`.
    pub(crate) fn change_from(&self, before: &Self) -> Change {
        Change {
            size: self.size,
            root: self.root,
            wants: self.wants,
            have_more: self.have.difference(&before.have),
            have_less: before.have.difference(&self.have),
            fetching_more: self.fetching.difference(&before.fetching),
            fetching_less: before.fetching.difference(&self.fetching),
        }
    }

    /// The holding after `change`; `None` when that is not a sound one, or when a size or root that was said is taken back.
    pub(crate) fn after(&self, change: &Change) -> Option<Self> {
        let next = Self {
            size: said_once(self.size, change.size)?,
            root: said_once(self.root, change.root)?,
            wants: change.wants,
            have: self.have.difference(&change.have_less).union(&change.have_more),
            fetching: self.fetching.difference(&change.fetching_less).union(&change.fetching_more),
        };
        next.is_sound().then_some(next)
    }
}

/// What holds after `new` was said; `None` when it contradicts what was said before. Silence changes nothing.
#[expect(clippy::option_option, reason = "known or not, allowed or not")]
fn said_once<T: PartialEq + Copy>(old: Option<T>, new: Option<T>) -> Option<Option<T>> {
    match (old, new) {
        (Some(old), Some(new)) if old != new => None,
        (old, new) => Some(new.or(old)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: u64 = 40 << 20;

    fn any_holding() -> impl Strategy<Value = Holding> {
        let pieces = || proptest::collection::vec(0u32..160, 0..50);
        (pieces(), pieces(), any::<bool>(), any::<bool>()).prop_map(|(have, fetching, wants, root)| Holding {
            size: Some(SIZE),
            have: have.into_iter().map(dray_content::PieceIndex).collect(),
            fetching: fetching.into_iter().map(dray_content::PieceIndex).collect(),
            wants,
            root: root.then_some(ContentId([3; 32])),
        })
    }

    proptest! {
        #[test]
        fn a_change_leads_from_one_holding_to_the_other(before in any_holding(), after in any_holding()) {
            let reached = before.after(&after.change_from(&before)).unwrap();
            prop_assert_eq!(&reached.have, &after.have);
            prop_assert_eq!(&reached.fetching, &after.fetching);
            prop_assert_eq!(reached.wants, after.wants);
            prop_assert_eq!(reached.root, after.root.or(before.root));
        }
    }

    #[test]
    fn a_size_or_root_is_not_taken_back() {
        let before = Holding { root: Some(ContentId([1; 32])), ..Holding::wanting(Some(SIZE)) };
        let same = Change { wants: true, ..Change::default() };
        assert_eq!(before.after(&same), Some(before.clone()));
        assert_eq!(before.after(&Change { size: Some(SIZE + 1), ..same.clone() }), None);
        assert_eq!(before.after(&Change { root: Some(ContentId([2; 32])), ..same.clone() }), None);
        let unknown = Holding::wanting(None);
        assert_eq!(unknown.after(&Change { size: Some(SIZE), ..same }).unwrap().size, Some(SIZE));
    }

    #[test]
    fn pieces_behind_the_end_or_without_a_size_are_not_sound() {
        assert!(Holding::complete(SIZE, None).is_sound());
        assert!(Holding::complete(0, None).is_sound());
        let too_many = Holding { have: PieceSet::full(161), ..Holding::wanting(Some(SIZE)) };
        assert!(!too_many.is_sound());
        assert!(!Holding { have: PieceSet::full(1), ..Holding::default() }.is_sound());
        assert!(!Holding::wanting(Some(u64::MAX)).is_sound());
    }
}
