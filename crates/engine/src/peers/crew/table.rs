//! The piece table of a download: from whom it is asked, and what it is worth.

use std::sync::Arc;

use dray_content::{ContentId, PieceTable};
use dray_exchange::RequestError;
use dray_planner::{Planner, Time};
use dray_ranges::RangeSet;

use super::{Crew, Judging, MAX_FAILURES, MAX_FALSE_ROOTS, Mate, TABLE_PATIENCE, UseTable};
use crate::peers::ledger::MateId;
use crate::peers::{Decision, Offence};

impl Crew {
    /// Asks someone for the table, unless there is one or it is on its way.
    pub(super) fn ask_for_table(&mut self) {
        let (Some(size), Judging::AtTheEnd) = (self.size, &self.judging) else { return };
        let (root, false_roots) = (self.root, &self.false_roots);
        let is_of_use = |mate: &Mate| {
            let holding = &mate.holding;
            let claimed = holding.root.filter(|claimed| root.is_none_or(|root| root == *claimed));
            !mate.is_out
                && mate.session.is_some()
                && mate.failures < MAX_FAILURES
                && claimed.is_some_and(|claimed| !false_roots.contains(&claimed))
                && holding.size == Some(size)
        };
        let author = self.mates.iter_mut().map(|(id, mate)| (*id, mate)).find(|(_, mate)| is_of_use(mate));
        let Some((id, mate)) = author else { return };
        let Some(session) = mate.session.clone() else { return };
        self.judging = Judging::Asked;
        self.tables.spawn(async move {
            let table = tokio::time::timeout(TABLE_PATIENCE, session.table()).await;
            (id, table.unwrap_or(Err(RequestError::Stalled)))
        });
    }

    pub(super) fn take_table(
        &mut self,
        author: MateId,
        result: Result<PieceTable, RequestError>,
        mut planner: Option<(&mut Planner, Time)>,
    ) -> Option<UseTable> {
        self.judging = Judging::AtTheEnd;
        let table = match result {
            Ok(table) => table,
            Err(error) => {
                tracing::debug!(%error, "no piece table came");
                self.failed(author, &mut planner);
                return None;
            }
        };
        let claimed = table.root();
        let is_proven = self.root == Some(claimed);
        if self.root.is_some() && !is_proven {
            self.send_away(author, Some(&Offence::WrongTable), "", &mut planner);
            return None;
        }
        if self.size.is_some_and(|size| size != table.size()) {
            self.doubt(Some(claimed));
            self.send_away(author, None, "its piece table is of another size", &mut planner);
            return None;
        }
        self.judging = if is_proven { Judging::Proven } else { Judging::Claimed };
        self.decisions.push(if is_proven { Decision::PiecesProven } else { Decision::ProvenAtTheEnd });
        if is_proven {
            self.for_readers = RangeSet::new();
            self.tell_all(planner);
        }
        Some(UseTable { table: Arc::new(table), is_proven, author: Some(author).filter(|_| !is_proven) })
    }

    pub(super) fn doubt(&mut self, root: Option<ContentId>) {
        if let Some(root) = root.filter(|_| self.false_roots.len() < MAX_FALSE_ROOTS) {
            self.false_roots.push(root);
        }
    }
}
