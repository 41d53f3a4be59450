//! How many files of a job are in each phase, so that no event has to look at all of them.

use crate::File;
use crate::file::Phase;

/// The counts. They change only together with a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    waiting: u32,
    running: u32,
    settling: u32,
    /// Failed with an error that may pass.
    failed_for_now: u32,
    /// Failed with an error that will not.
    failed_for_good: u32,
    parked: u32,
    arrived: u32,
}

impl Tally {
    fn count(&mut self, phase: &Phase) -> &mut u32 {
        match phase {
            Phase::Waiting => &mut self.waiting,
            Phase::Running => &mut self.running,
            Phase::Settling => &mut self.settling,
            Phase::Failed(error) if error.code.is_transient() => &mut self.failed_for_now,
            Phase::Failed(_) => &mut self.failed_for_good,
            Phase::Parked => &mut self.parked,
            Phase::Transferred | Phase::Completed => &mut self.arrived,
        }
    }

    /// Counted from the files themselves.
    pub(super) fn of(files: &[File]) -> Tally {
        let mut tally = Tally::default();
        for file in files {
            tally.enter(&file.phase);
        }
        tally
    }

    pub(super) fn enter(&mut self, phase: &Phase) {
        *self.count(phase) += 1;
    }

    pub(super) fn leave(&mut self, phase: &Phase) {
        *self.count(phase) -= 1;
    }

    /// Transfers that have not ended.
    pub(super) fn running(self) -> u32 {
        self.running + self.settling
    }

    /// Of those: the ones that wait for the disk alone.
    pub(super) fn settling(self) -> u32 {
        self.settling
    }

    pub(super) fn failed_for_now(self) -> u32 {
        self.failed_for_now
    }

    pub(super) fn failed_for_good(self) -> u32 {
        self.failed_for_good
    }

    /// Transferred or completed.
    pub(super) fn arrived(self) -> u32 {
        self.arrived
    }
}
