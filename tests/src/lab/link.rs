//! How fast a host's cable is, each way.

use std::fmt;

/// Megabits (10^6) per second, headers included, as cables are sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mbit(pub u32);

/// A host's cable. Where there is no limit, it is as fast as the processor copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// From the host.
    pub up: Option<Mbit>,
    /// To the host.
    pub down: Option<Mbit>,
}

impl Link {
    /// A machine on a LAN: 1 Gbit/s both ways.
    pub const LAN: Link = Link::of(Mbit(1000));
    /// No limit.
    pub const OPEN: Link = Link { up: None, down: None };

    /// The same both ways.
    pub const fn of(rate: Mbit) -> Link {
        Link { up: Some(rate), down: Some(rate) }
    }
}

impl Mbit {
    /// A token bucket of this rate, as `tc` is told. The bucket holds two milliseconds, at least ten packets; large segments are cut
    /// to packets where they do not fit in. The queue behind it is 20 ms long, 50 ms on a slow line.
    pub(super) fn token_bucket(self) -> String {
        let bits_per_s = u64::from(self.0) * 1_000_000;
        let bucket = (bits_per_s / 8 / 500).max(16 * 1024);
        let queue_ms = if self.0 >= 500 { 20 } else { 50 };
        format!("tbf rate {}mbit burst {bucket} latency {queue_ms}ms", self.0)
    }
}

impl fmt::Display for Mbit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Mbit/s", self.0)
    }
}
