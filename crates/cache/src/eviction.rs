//! Which contents to let go when there are too many. For now: those not used for longest. Pure; a policy that survives scans
//! can take this one's place.

use dray_content::ContentId;

/// A content that could be let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: ContentId,
    pub(crate) size: u64,
    pub(crate) last_used_ms: u64,
}

/// Puts the candidates into the order in which they should go.
pub(crate) fn order(candidates: &mut [Candidate]) {
    candidates.sort_by_key(|candidate| (candidate.last_used_ms, candidate.id));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let candidate = |n: u8, last_used_ms| Candidate { id: ContentId([n; 32]), size: 1, last_used_ms };
        let mut all = [candidate(1, 30), candidate(3, 10), candidate(2, 10), candidate(4, 20)];
        order(&mut all);
        assert_eq!(all.map(|candidate| candidate.id.0[0]), [2, 3, 4, 1]);
    }
}
