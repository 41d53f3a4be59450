//! What the planner is told of each peer.

use dray_exchange::Holding;
use dray_planner::{Has, Planner, Ranges, Source, SourceKind, Time};

use super::{Crew, Judging, MAX_REQUESTS};
use crate::peers::ledger::MateId;

impl Crew {
    pub(super) fn tell_all(&mut self, planner: Option<(&mut Planner, Time)>) {
        let Some((planner, now)) = planner else { return };
        for mate in self.mates.keys().copied().collect::<Vec<_>>() {
            self.tell_planner(mate, planner, now);
        }
    }

    /// Short for the common case: a peer has more than it had, and nothing else is new. False when there is more to tell.
    pub(super) fn tell_gain(
        &mut self,
        id: MateId,
        before: &Holding,
        planner: &mut Planner,
        now: Time,
    ) -> bool {
        let (Some(mate), Some(size)) = (self.mates.get(&id), self.size) else { return false };
        let after = &mate.holding;
        let is_only_more = before.size == after.size
            && before.wants == after.wants
            && before.root == after.root
            && before.have.difference(&after.have).is_empty()
            && self.only_origin.is_empty()
            && self.for_readers.is_empty();
        let Some(source) = mate.source.filter(|_| is_only_more) else { return false };
        for range in after.have.difference(&before.have).to_ranges(size).iter() {
            planner.gained(now, source, range);
        }
        if before.fetching != after.fetching {
            planner.update_peer(now, source, mate.as_peer(size));
        }
        true
    }

    /// Makes the planner know of a peer what is known here.
    pub(super) fn tell_planner(&mut self, id: MateId, planner: &mut Planner, now: Time) {
        let (Some(mate), Some(size)) = (self.mates.get_mut(&id), self.size) else { return };
        if !mate.is_of_use(size) {
            if let Some(source) = mate.source.take() {
                self.sources.remove(&source);
                planner.remove_source(now, source);
            }
            return;
        }
        let kept_back = self.only_origin.union(&self.for_readers);
        // Where a doubt can only be settled by the origin, nothing more is asked until it is.
        let is_waiting = !matches!(self.judging, Judging::Proven) && !mate.doubted.is_empty();
        let has = mate.holding.have.to_ranges(size).difference(&kept_back);
        let about = Source {
            kind: SourceKind::Peer,
            ranges: Ranges::Yes,
            has: Has::Only(has),
            max_requests: if is_waiting { 0 } else { MAX_REQUESTS },
        };
        let source = match mate.source {
            Some(source) => {
                planner.update_source(now, source, about);
                source
            }
            None => {
                let source = planner.add_source(now, about);
                self.sources.insert(source, id);
                mate.source = Some(source);
                source
            }
        };
        planner.update_peer(now, source, mate.as_peer(size));
    }
}
