//! Does another connection to the same server help? A measured experiment.
//!
//! While nothing else runs, the rate is measured for a while. Then the tail half of the largest request is given to
//! one more connection, and when that is up to speed the rate is measured again, over both. Only a gain that is
//! worth a server's while keeps it. Anything that disturbs the measurement ends it without a gain: a connection
//! more is a cost to others, so it is for the experiment to prove its case.

use crate::rate::per_second;
use crate::{RequestId, Settings, SourceId, Time};

/// The running experiment. There is one at a time.
#[derive(Debug)]
pub(crate) struct Experiment {
    /// The server in question.
    pub(crate) subject: SourceId,
    /// The connection that is tried, once it is.
    extra: Option<Extra>,
    stage: Stage,
}

#[derive(Debug)]
struct Extra {
    request: RequestId,
    /// The rate without it.
    base_bytes_per_s: u64,
}

#[derive(Debug)]
enum Stage {
    /// The extra connection has not given a byte yet.
    Opening,
    /// Connections are given time to get up to speed.
    Settling { until: Time },
    /// `before` bytes had come when the measurement began.
    Measuring { since: Time, before: u64 },
}

/// What the experiment says when its time has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Wait,
    /// The rate without an extra connection is known: try one.
    Try { base_bytes_per_s: u64 },
    /// The extra connection is worth it.
    Keep,
    /// It is not.
    GiveBack { extra: RequestId },
}

impl Experiment {
    /// Begins when the first byte of a request to `subject` comes.
    pub(crate) fn new(now: Time, subject: SourceId, settings: &Settings) -> Self {
        let until = now.saturating_add(settings.probe_settle);
        Self { subject, extra: None, stage: Stage::Settling { until } }
    }

    /// The extra connection was asked for.
    pub(crate) fn tried(&mut self, request: RequestId, base_bytes_per_s: u64) {
        self.extra = Some(Extra { request, base_bytes_per_s });
        self.stage = Stage::Opening;
    }

    /// Whether an extra connection is being tried.
    pub(crate) fn is_trying(&self) -> bool {
        self.extra.is_some()
    }

    /// A byte of `request` came.
    pub(crate) fn heard(&mut self, now: Time, request: RequestId, settings: &Settings) {
        let opening = matches!(self.stage, Stage::Opening);
        if opening && self.extra.as_ref().is_some_and(|extra| extra.request == request) {
            self.stage = Stage::Settling { until: now.saturating_add(settings.probe_settle) };
        }
    }

    /// When to call [`Experiment::step`]. An extra connection that never gives a byte is ended by its own stall.
    pub(crate) fn due(&self, settings: &Settings) -> Option<Time> {
        match self.stage {
            Stage::Opening => None,
            Stage::Settling { until } => Some(until),
            Stage::Measuring { since, .. } => Some(since.saturating_add(settings.probe_after)),
        }
    }

    /// The time has come; `received` bytes have come over all sources since the transfer began.
    pub(crate) fn step(&mut self, now: Time, received: u64, settings: &Settings) -> Verdict {
        if self.due(settings).is_none_or(|due| due > now) {
            return Verdict::Wait;
        }
        let Stage::Measuring { since, before } = self.stage else {
            self.stage = Stage::Measuring { since: now, before: received };
            return Verdict::Wait;
        };
        let rate = per_second(received.saturating_sub(before), now.saturating_sub(since));
        match &self.extra {
            None => Verdict::Try { base_bytes_per_s: rate },
            Some(extra) if rises(extra.base_bytes_per_s, rate, settings.probe_gain_percent) => Verdict::Keep,
            Some(extra) => Verdict::GiveBack { extra: extra.request },
        }
    }
}

/// Whether `rate` is above `base` by at least `percent`.
fn rises(base: u64, rate: u64, percent: u32) -> bool {
    u128::from(rate) * 100 >= u128::from(base) * (100 + u128::from(percent))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const EXTRA: RequestId = RequestId(7);

    fn s(seconds: u64) -> Time {
        Duration::from_secs(seconds)
    }

    /// Settles for 1 s and measures for 3 s, without and with the extra connection, at these rates in bytes/s.
    fn verdict(alone: u64, both: u64) -> Verdict {
        let settings = Settings::default();
        let mut experiment = Experiment::new(s(0), SourceId(0), &settings);
        assert_eq!(experiment.step(s(1), 0, &settings), Verdict::Wait);
        assert_eq!(experiment.due(&settings), Some(s(4)));
        let tried = experiment.step(s(4), 3 * alone, &settings);
        assert_eq!(tried, Verdict::Try { base_bytes_per_s: alone });
        experiment.tried(EXTRA, alone);
        assert_eq!(experiment.due(&settings), None);
        experiment.heard(s(9), EXTRA, &settings);
        assert_eq!(experiment.step(s(10), 100 * alone, &settings), Verdict::Wait);
        experiment.step(s(13), 100 * alone + 3 * both, &settings)
    }

    #[test]
    fn a_gain_of_the_set_percentage_keeps_the_connection_and_less_does_not() {
        assert_eq!(verdict(1_000, 1_200), Verdict::Keep);
        assert_eq!(verdict(1_000, 1_199), Verdict::GiveBack { extra: EXTRA });
    }

    #[test]
    fn a_byte_of_another_request_does_not_start_the_second_measurement() {
        let settings = Settings::default();
        let mut experiment = Experiment::new(s(0), SourceId(0), &settings);
        experiment.tried(EXTRA, 1_000);
        experiment.heard(s(1), RequestId(3), &settings);
        assert_eq!(experiment.due(&settings), None);
    }
}
