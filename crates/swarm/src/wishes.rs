//! What this machine looks for, what its peers look for, and where both meet. Pure.

use std::collections::{BTreeMap, BTreeSet};

use dray_content::Digest;
use libp2p::PeerId;

use crate::Role;

/// Names one of our searches, for as long as it runs.
pub(crate) type WishId = u32;

struct Ours {
    digests: Vec<Digest>,
    role: Role,
    /// Who was already named to the searcher.
    told: BTreeSet<PeerId>,
}

/// Both sides.
#[derive(Default)]
pub(crate) struct Wishes {
    next: WishId,
    ours: BTreeMap<WishId, Ours>,
    ours_by_digest: BTreeMap<Digest, BTreeSet<WishId>>,
    theirs: BTreeMap<PeerId, BTreeMap<u32, (Role, Vec<Digest>)>>,
    theirs_by_digest: BTreeMap<Digest, BTreeSet<(PeerId, u32)>>,
}

/// The peer has as many wishes as are remembered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Wishes {
    /// A search begins. Names the peers whose wishes it meets.
    pub(crate) fn begin(&mut self, digests: Vec<Digest>, role: Role) -> (WishId, Vec<(PeerId, Role)>) {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let mut met = BTreeMap::new();
        for digest in &digests {
            self.ours_by_digest.entry(*digest).or_default().insert(id);
            for (peer, wish) in self.theirs_by_digest.get(digest).into_iter().flatten() {
                if let Some((role, _)) = self.theirs.get(peer).and_then(|wishes| wishes.get(wish)) {
                    met.insert(*peer, *role);
                }
            }
        }
        self.ours.insert(id, Ours { digests, role, told: BTreeSet::new() });
        (id, met.into_iter().collect())
    }

    /// A search ends.
    pub(crate) fn end(&mut self, id: WishId) {
        let Some(ours) = self.ours.remove(&id) else { return };
        for digest in &ours.digests {
            take_out(&mut self.ours_by_digest, digest, &id);
        }
    }

    /// How many searches run.
    pub(crate) fn running(&self) -> usize {
        self.ours.len()
    }

    /// The searches that run.
    pub(crate) fn all(&self) -> impl Iterator<Item = WishId> + '_ {
        self.ours.keys().copied()
    }

    /// What a search says to others.
    pub(crate) fn get(&self, id: WishId) -> Option<(Role, &[Digest])> {
        self.ours.get(&id).map(|ours| (ours.role, ours.digests.as_slice()))
    }

    /// The role in which this machine looks for any of these.
    pub(crate) fn role(&self, digests: &[Digest]) -> Option<Role> {
        self.meeting(digests).into_iter().filter_map(|id| self.ours.get(&id)).map(|ours| ours.role).min()
    }

    /// A peer has a wish. Names our searches that it meets.
    pub(crate) fn ask(
        &mut self,
        peer: PeerId,
        wish: u32,
        role: Role,
        digests: Vec<Digest>,
        most: usize,
    ) -> Result<BTreeSet<WishId>, TooMany> {
        self.end_of(&peer, wish);
        let wishes = self.theirs.entry(peer).or_default();
        if wishes.len() >= most {
            return Err(TooMany);
        }
        let met =
            digests.iter().filter_map(|digest| self.ours_by_digest.get(digest)).flatten().copied().collect();
        for digest in &digests {
            self.theirs_by_digest.entry(*digest).or_default().insert((peer, wish));
        }
        wishes.insert(wish, (role, digests));
        Ok(met)
    }

    /// A peer no longer has that wish.
    pub(crate) fn end_of(&mut self, peer: &PeerId, wish: u32) {
        let Some(wishes) = self.theirs.get_mut(peer) else { return };
        let Some((_, digests)) = wishes.remove(&wish) else { return };
        if wishes.is_empty() {
            self.theirs.remove(peer);
        }
        for digest in &digests {
            take_out(&mut self.theirs_by_digest, digest, &(*peer, wish));
        }
    }

    /// Our searches that the wishes of this peer meet.
    pub(crate) fn met_by(&self, peer: &PeerId) -> Vec<(WishId, Role)> {
        let wishes = self.theirs.get(peer).into_iter().flat_map(BTreeMap::values);
        wishes.flat_map(|(role, digests)| self.meeting(digests).into_iter().map(|id| (id, *role))).collect()
    }

    /// Notes that a search is told of this peer; `false` when it was already, or is over.
    pub(crate) fn tell(&mut self, id: WishId, peer: PeerId) -> bool {
        self.ours.get_mut(&id).is_some_and(|ours| ours.told.insert(peer))
    }

    /// The search could not be told after all.
    pub(crate) fn untell(&mut self, id: WishId, peer: &PeerId) {
        if let Some(ours) = self.ours.get_mut(&id) {
            ours.told.remove(peer);
        }
    }

    /// The peer is gone: its wishes with it, and when it comes back it is news.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        for (wish, (_, digests)) in self.theirs.remove(peer).unwrap_or_default() {
            for digest in &digests {
                take_out(&mut self.theirs_by_digest, digest, &(*peer, wish));
            }
        }
        for ours in self.ours.values_mut() {
            ours.told.remove(peer);
        }
    }

    fn meeting(&self, digests: &[Digest]) -> BTreeSet<WishId> {
        digests.iter().filter_map(|digest| self.ours_by_digest.get(digest)).flatten().copied().collect()
    }
}

fn take_out<T: Ord>(index: &mut BTreeMap<Digest, BTreeSet<T>>, digest: &Digest, what: &T) {
    if let Some(set) = index.get_mut(digest) {
        set.remove(what);
        if set.is_empty() {
            index.remove(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::Blake3([number; 32])
    }

    #[test]
    fn wishes_meet_by_any_of_their_digests_whoever_comes_first() {
        let mut wishes = Wishes::default();
        let (early, late) = (PeerId::random(), PeerId::random());
        assert_eq!(wishes.ask(early, 7, Role::Wants, vec![digest(1), digest(2)], 9), Ok(BTreeSet::new()));
        let (id, met) = wishes.begin(vec![digest(2), digest(3)], Role::Wants);
        assert_eq!(met, [(early, Role::Wants)]);
        assert_eq!(wishes.ask(late, 7, Role::Has, vec![digest(3)], 9), Ok(BTreeSet::from([id])));
        assert_eq!(wishes.met_by(&late), [(id, Role::Has)]);
        assert_eq!(wishes.role(&[digest(9), digest(3)]), Some(Role::Wants));
    }

    #[test]
    fn what_is_over_is_forgotten_on_both_sides() {
        let mut wishes = Wishes::default();
        let peer = PeerId::random();
        wishes.ask(peer, 1, Role::Wants, vec![digest(1)], 9).unwrap();
        wishes.end_of(&peer, 1);
        let (id, met) = wishes.begin(vec![digest(1)], Role::Wants);
        assert!(met.is_empty());
        wishes.end(id);
        assert_eq!(wishes.ask(peer, 2, Role::Wants, vec![digest(1)], 9), Ok(BTreeSet::new()));
        wishes.forget(&peer);
        assert!(
            wishes.ours_by_digest.is_empty()
                && wishes.theirs_by_digest.is_empty()
                && wishes.theirs.is_empty()
        );
    }

    #[test]
    fn a_peer_has_so_many_wishes_and_may_change_each() {
        let mut wishes = Wishes::default();
        let peer = PeerId::random();
        for wish in 0..3 {
            assert!(wishes.ask(peer, wish, Role::Wants, vec![digest(1)], 3).is_ok());
        }
        assert_eq!(wishes.ask(peer, 3, Role::Wants, vec![digest(1)], 3), Err(TooMany));
        assert!(wishes.ask(peer, 2, Role::Has, vec![digest(2)], 3).is_ok());
        assert_eq!(wishes.theirs_by_digest[&digest(1)].len(), 2);
    }

    #[test]
    fn a_search_hears_of_a_peer_once_until_it_comes_back() {
        let mut wishes = Wishes::default();
        let peer = PeerId::random();
        let (id, _) = wishes.begin(vec![digest(1)], Role::Wants);
        assert!(wishes.tell(id, peer) && !wishes.tell(id, peer));
        wishes.forget(&peer);
        assert!(wishes.tell(id, peer));
        wishes.end(id);
        assert!(!wishes.tell(id, PeerId::random()));
    }
}
