//! Acting on the experiment of `probe.rs`: one more connection is opened, kept or given back.

use dray_ranges::ByteRange;

use crate::probe::{Experiment, Verdict};
use crate::rate::time_for;
use crate::{CancelReason, Planner, SourceId, Time};

impl Planner {
    /// Does what the experiment says when its time has come.
    pub(crate) fn step_experiment(&mut self, now: Time) {
        let Some(experiment) = &mut self.experiment else { return };
        let subject = experiment.subject;
        match experiment.step(now, self.received, &self.settings) {
            Verdict::Wait => {}
            Verdict::Try { base_bytes_per_s } => self.try_connection(now, subject, base_bytes_per_s),
            Verdict::Keep => self.experiment = None,
            // The end of a connection of its subject concludes the experiment.
            Verdict::GiveBack { extra } => drop(self.cancel(now, extra, CancelReason::NoGain)),
        }
    }

    /// Splits off the tail half of the subject's largest request, if what is left outlasts the experiment.
    fn try_connection(&mut self, now: Time, subject: SourceId, base_bytes_per_s: u64) {
        self.experiment = None;
        let settings = &self.settings;
        let largest = (self.requests.iter())
            .filter(|(_, request)| request.source == subject)
            .filter_map(|(id, request)| Some((request.known_left()?, *id)))
            .max_by_key(|(left, id)| (left.len(), *id));
        let room = self.requests.len() < settings.max_connections;
        let Some((left, id)) = largest.filter(|_| room) else { return };
        let outlasts = settings.probe_settle.saturating_add(settings.probe_after).saturating_mul(2);
        if left.len() <= settings.min_split || time_for(left.len(), base_bytes_per_s) < outlasts {
            if let Some(state) = self.sources.get_mut(&subject) {
                state.settle();
            }
            return;
        }
        let Some(middle) = self.align(left.start() + left.len() / 2) else { return };
        let Some(tail) = ByteRange::new(middle, left.end()) else { return };
        if let Some(state) = self.sources.get_mut(&subject) {
            state.try_connection();
        }
        self.shorten(id, middle);
        let extra = self.fetch(now, subject, tail);
        let mut experiment = Experiment::new(now, subject, &self.settings);
        experiment.tried(extra, base_bytes_per_s);
        self.experiment = Some(experiment);
    }

    /// A request of `source` ended, so the rate is no longer that of an undisturbed transfer.
    pub(crate) fn disturb_experiment(&mut self, source: SourceId) {
        match &self.experiment {
            Some(experiment) if !experiment.is_trying() => self.experiment = None,
            Some(experiment) if experiment.subject == source => self.conclude_without_gain(),
            _ => {}
        }
    }

    /// What a second connection would gain cannot be measured in a swarm.
    pub(crate) fn forget_experiment(&mut self) {
        self.conclude_without_gain();
    }

    fn conclude_without_gain(&mut self) {
        let Some(experiment) = self.experiment.take() else { return };
        if let Some(state) = self.sources.get_mut(&experiment.subject).filter(|_| experiment.is_trying()) {
            state.give_up_connection();
        }
    }
}
