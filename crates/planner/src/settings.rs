//! The numbers by which the planner decides.

use std::time::Duration;

/// The numbers by which the planner decides. The defaults suit one file over the internet or a LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Requests that may run at once, over all sources; at least 1.
    pub max_connections: usize,
    /// Requests to peers that may run at once when there is a swarm; at least 1.
    pub max_peer_requests: usize,
    /// A running request with fewer bytes left is not divided.
    pub min_split: u64,
    /// Requests are divided at multiples of this many bytes, so that a piece comes from one source; at least 1.
    pub alignment: u64,
    /// How long a rate is measured before, and again after, an extra connection is opened to one server.
    pub probe_after: Duration,
    /// How long after its first byte a connection is given to get up to speed before it is measured.
    pub probe_settle: Duration,
    /// An extra connection is kept when the summed rate rises by at least this much.
    pub probe_gain_percent: u32,
    /// A dearer source joins in what healthy cheaper ones could bring alone when it raises their summed rate by at
    /// least this much.
    pub dearer_gain_percent: u32,
    /// A request without a byte for this long is taken back.
    pub stall: Duration,
    /// How often the rate of a request is looked at when another source might do better.
    pub slow_after: Duration,
    /// A request slower than this is taken back when another source is ready.
    pub slow_bytes_per_s: u64,
    /// The pause after the second failure in a row; it doubles with each that follows.
    pub retry_floor: Duration,
    /// What the doubling stops at. A longer `Retry-After` is still honoured.
    pub retry_ceiling: Duration,
    /// A source that fails this often in a row, without a useful byte in between, is removed.
    pub max_failures: u32,
}

/// No wait is shorter than this: a wait of nothing would let a timeout be due for ever.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

impl Settings {
    /// The same, with the values that make no sense replaced by the nearest that do.
    pub(crate) fn sane(self) -> Self {
        Self {
            max_connections: self.max_connections.max(1),
            max_peer_requests: self.max_peer_requests.max(1),
            alignment: self.alignment.max(1),
            probe_after: self.probe_after.max(SHORTEST_WAIT),
            probe_settle: self.probe_settle.max(SHORTEST_WAIT),
            stall: self.stall.max(SHORTEST_WAIT),
            slow_after: self.slow_after.max(SHORTEST_WAIT),
            ..self
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 16,
            max_peer_requests: 24,
            min_split: 4 * 1024 * 1024,
            alignment: 256 * 1024,
            probe_after: Duration::from_secs(3),
            probe_settle: Duration::from_secs(1),
            probe_gain_percent: 20,
            dearer_gain_percent: 200,
            stall: Duration::from_secs(30),
            slow_after: Duration::from_secs(10),
            slow_bytes_per_s: 16 * 1024,
            retry_floor: Duration::from_millis(500),
            retry_ceiling: Duration::from_secs(60),
            max_failures: 10,
        }
    }
}
