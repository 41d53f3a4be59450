//! Who can give bytes: what the driver says about a source, and what the planner has learned about it.

use std::time::Duration;

use dray_ranges::{ByteRange, RangeSet};

use crate::rate::Meter;
use crate::swarm::PeerState;
use crate::{Settings, Time};

/// How many sources a planner uses at once. One that is added beyond is never asked for anything.
pub const MAX_SOURCES: usize = 1024;

/// Names a source. Never used twice by one planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// What a source costs: the earlier, the cheaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// On this machine.
    Cache,
    /// Another machine of the swarm.
    Peer,
    /// A cache that stands in for the origin.
    CacheHost,
    /// The server the file comes from.
    Origin,
}

/// Whether a source can start in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// The first answer will tell. Until then it is asked for one thing at a time.
    Unknown,
    /// It can.
    Yes,
    /// It can only send everything from the first byte on.
    No,
}

/// The bytes a source could give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Has {
    /// All of them.
    Everything,
    /// These.
    Only(RangeSet),
}

/// What the driver knows about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it costs.
    pub kind: SourceKind,
    /// Whether it can start in the middle.
    pub ranges: Ranges,
    /// What it could give.
    pub has: Has,
    /// How many requests it may have at once. For an origin or cache host the planner still tries whether a second
    /// helps. With zero it is not asked for anything for the time being.
    pub max_requests: u16,
}

impl SourceKind {
    /// Whether several requests to it are several connections over the same way, which may or may not be faster.
    fn is_server(self) -> bool {
        matches!(self, Self::CacheHost | Self::Origin)
    }
}

impl Has {
    /// The bytes of `range` that it could give.
    pub(crate) fn within(&self, range: ByteRange) -> impl Iterator<Item = ByteRange> + '_ {
        let (whole, set) = match self {
            Self::Everything => (Some(range), None),
            Self::Only(set) => (None, Some(set)),
        };
        whole.into_iter().chain(set.into_iter().flat_map(move |set| set.iter_within(range)))
    }

    pub(crate) fn contains(&self, offset: u64) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(set) => set.contains(offset),
        }
    }
}

/// A source that takes part, and what was learned about it.
#[derive(Debug)]
pub(crate) struct SourceState {
    pub(crate) about: Source,
    /// Requests that run.
    pub(crate) active: usize,
    /// Bytes it gave that were of use.
    pub(crate) bytes: u64,
    pub(crate) meter: Meter,
    /// How many connections have proved useful, or are being tried, if it is a server.
    connections: u16,
    /// Whether the question of more connections is answered for good.
    settled: bool,
    /// It was found that it cannot start in the middle, whatever is said about it later.
    lost_ranges: bool,
    /// Failures since the last useful byte.
    failures: u32,
    /// It is asked for nothing before then.
    pub(crate) resting_until: Option<Time>,
    /// It failed or was slow: until then it is asked only for what no other is ready to give.
    pub(crate) doubted_until: Option<Time>,
    /// What the swarm knows of it, if it is a peer.
    pub(crate) peer: Option<Box<PeerState>>,
    /// How long it takes to send the first byte, lately.
    pub(crate) latency: Option<Duration>,
}

impl SourceState {
    pub(crate) fn new(about: Source) -> Self {
        Self {
            about,
            active: 0,
            bytes: 0,
            meter: Meter::default(),
            connections: 1,
            settled: false,
            lost_ranges: false,
            failures: 0,
            resting_until: None,
            doubted_until: None,
            peer: None,
            latency: None,
        }
    }

    /// Something else is known about it. A server that says it does ranges and then does not is not believed again,
    /// or the two would alternate for ever.
    pub(crate) fn update(&mut self, about: Source) {
        let ranges = if self.lost_ranges { Ranges::No } else { about.ranges };
        self.about = Source { ranges, ..about };
    }

    /// It refused to start in the middle. True when that was known.
    pub(crate) fn lose_ranges(&mut self) -> bool {
        self.lost_ranges = true;
        std::mem::replace(&mut self.about.ranges, Ranges::No) == Ranges::No
    }

    /// How many requests it may have at once, as far as is known today.
    pub(crate) fn slots(&self) -> usize {
        let most = usize::from(self.about.max_requests);
        match self.about.ranges {
            Ranges::Unknown | Ranges::No => most.min(1),
            Ranges::Yes if self.about.kind.is_server() => most.min(usize::from(self.connections)),
            Ranges::Yes => most,
        }
    }

    /// Whether it can be asked for something now.
    pub(crate) fn is_ready(&self, now: Time) -> bool {
        self.active < self.slots() && self.is_awake(now)
    }

    /// Whether it is not in a pause that a failure brought.
    pub(crate) fn is_awake(&self, now: Time) -> bool {
        self.resting_until.is_none_or(|until| until <= now)
    }

    /// Whether nothing speaks against relying on it.
    pub(crate) fn is_healthy(&self, now: Time) -> bool {
        self.about.max_requests > 0
            && self.is_awake(now)
            && self.doubted_until.is_none_or(|until| until <= now)
    }

    /// Whether it may take over part of its own running requests: only when several connections proved faster.
    pub(crate) fn gains_from_connections(&self) -> bool {
        self.about.kind.is_server() && self.connections > 1
    }

    /// The rate of one of its requests.
    pub(crate) fn rate_of_one(&self) -> Option<u64> {
        let requests = u64::try_from(self.active.max(1)).unwrap_or(u64::MAX);
        self.meter.bytes_per_s().map(|rate| rate / requests)
    }

    /// It gave something of use.
    pub(crate) fn credit(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.failures = 0;
    }

    /// It failed: how long it rests depends on how often it did so in a row. False when that was once too often.
    pub(crate) fn fail(&mut self, now: Time, after: Duration, settings: &Settings) -> bool {
        self.failures += 1;
        let doublings = self.failures.saturating_sub(2);
        let own = match self.failures {
            1 => Duration::ZERO,
            _ => settings.retry_floor.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)),
        };
        let pause = after.max(own.min(settings.retry_ceiling));
        self.resting_until = Some(now.saturating_add(pause)).filter(|until| *until > now);
        self.doubt(now, pause.max(settings.stall));
        self.failures < settings.max_failures
    }

    /// Others go first for a while.
    pub(crate) fn doubt(&mut self, now: Time, pause: Duration) {
        self.doubted_until = Some(now.saturating_add(pause)).filter(|until| *until > now);
    }

    /// Whether it is worth finding out if one more connection helps.
    pub(crate) fn is_open_question(&self) -> bool {
        !self.settled
            && self.about.kind.is_server()
            && self.about.ranges == Ranges::Yes
            && self.connections < self.about.max_requests
            && self.active == usize::from(self.connections)
    }

    /// One more connection is tried.
    pub(crate) fn try_connection(&mut self) {
        self.connections += 1;
    }

    /// The one that was tried does not help.
    pub(crate) fn give_up_connection(&mut self) {
        self.connections = self.connections.saturating_sub(1).max(1);
        self.settled = true;
    }

    /// More connections are never tried again.
    pub(crate) fn settle(&mut self) {
        self.settled = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(max_requests: u16) -> SourceState {
        let ranges = Ranges::Yes;
        SourceState::new(Source { kind: SourceKind::Origin, ranges, has: Has::Everything, max_requests })
    }

    #[test]
    fn the_pause_doubles_with_each_failure_up_to_the_ceiling() {
        let settings = Settings { max_failures: u32::MAX, ..Settings::default() };
        let mut state = origin(1);
        let mut pauses = Vec::new();
        for _ in 0..80 {
            assert!(state.fail(Duration::ZERO, Duration::ZERO, &settings));
            pauses.push(state.resting_until.unwrap_or_default().as_millis());
        }
        assert_eq!(pauses[..5], [0, 500, 1_000, 2_000, 4_000]);
        assert_eq!(pauses[79], 60_000);
    }

    #[test]
    fn a_longer_retry_after_is_honoured_and_a_useful_byte_forgives() {
        let settings = Settings::default();
        let mut state = origin(1);
        state.fail(Duration::ZERO, Duration::from_secs(600), &settings);
        assert!(!state.is_ready(Duration::from_secs(599)));
        assert!(state.is_ready(Duration::from_secs(600)));
        state.credit(1);
        state.fail(Duration::ZERO, Duration::ZERO, &settings);
        assert_eq!(state.resting_until, None);
    }

    #[test]
    fn a_source_fails_for_good_at_the_limit() {
        let settings = Settings { max_failures: 3, ..Settings::default() };
        let mut state = origin(1);
        let verdicts = [(); 3].map(|()| state.fail(Duration::ZERO, Duration::ZERO, &settings));
        assert_eq!(verdicts, [true, true, false]);
    }

    #[test]
    fn a_server_starts_with_one_connection_whatever_it_may_have() {
        assert_eq!(origin(8).slots(), 1);
        assert_eq!(origin(0).slots(), 0);
        let mut peer = origin(8);
        peer.about.kind = SourceKind::Peer;
        assert_eq!(peer.slots(), 8);
        peer.about.ranges = Ranges::Unknown;
        assert_eq!(peer.slots(), 1);
    }
}
