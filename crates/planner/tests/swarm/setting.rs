//! What a swarm is made of, before it runs.

use std::time::Duration;

pub(crate) const KIB: u64 = 1024;
pub(crate) const MIB: u64 = 1024 * KIB;

/// Bytes per second of so many Mbit/s.
pub(crate) fn mbit(mbit: u64) -> u64 {
    mbit * 125_000
}

/// One machine, as it really is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nature {
    pub(crate) joins: Duration,
    /// When it falls silent for good.
    pub(crate) dies: Option<Duration>,
    pub(crate) up: u64,
    pub(crate) down: u64,
    pub(crate) has_all: bool,
    pub(crate) way: Way,
}

/// How it behaves towards others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Honest,
    /// What it gives is wrong.
    Poisons,
    /// It says it has everything and gives nothing.
    Boasts,
    /// It says it fetches everything from the origin, again and again, and does not.
    Hoards,
}

/// A part of the machines that the others do not reach for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Partition {
    /// The first so many machines.
    pub(crate) machines: usize,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

/// What a swarm is made of.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) size: u64,
    pub(crate) piece_len: u64,
    pub(crate) machines: Vec<Nature>,
    /// Bytes per second out of the origin, and the most that one connection gets.
    pub(crate) origin: u64,
    pub(crate) origin_each: u64,
    /// Whether some machines' connections get up to four times as much as others'.
    pub(crate) is_unfair: bool,
    /// When the origin stops to answer.
    pub(crate) origin_dies: Option<Duration>,
    /// How many in a hundred requests to it break off.
    pub(crate) origin_breaks: u8,
    /// How many connections to the origin one machine may have.
    pub(crate) origin_requests: u16,
    /// From a request to its first byte, and from an announcement to its being heard.
    pub(crate) latency: Duration,
    /// Announcements are gathered for this long.
    pub(crate) gathers: Duration,
    /// How long until two machines that are there have a session, more or less.
    pub(crate) meets: Duration,
    /// How long a silent machine is taken to be there.
    pub(crate) notices: Duration,
    /// With how many others a machine seeks a session.
    pub(crate) sessions: usize,
    /// How many others it hears of by chance to choose from; `None` is all.
    pub(crate) hears_of: Option<usize>,
    /// Whether machines tell each other of those that are nearer to them on the ring, so that each knows its neighbours.
    pub(crate) introduces: bool,
    pub(crate) partition: Option<Partition>,
    /// How often a machine looks at its timeouts; `None` is always in time.
    pub(crate) ticks: Option<Duration>,
    /// What is read from the origin at once.
    pub(crate) chunk: u64,
}

impl Setting {
    /// So many equal machines that start at once, on a LAN of 1 Gbit/s, with an origin of 50 Mbit/s: the lab.
    pub(crate) fn lab(machines: usize) -> Self {
        let nature = Nature {
            joins: Duration::ZERO,
            dies: None,
            up: mbit(1_000),
            down: mbit(1_000),
            has_all: false,
            way: Way::Honest,
        };
        Self {
            seed: 1,
            size: 64 * MIB,
            piece_len: 256 * KIB,
            machines: vec![nature; machines],
            origin: mbit(50),
            origin_each: mbit(50),
            is_unfair: false,
            origin_dies: None,
            origin_breaks: 0,
            origin_requests: 2,
            latency: Duration::from_millis(1),
            gathers: Duration::from_millis(10),
            meets: Duration::from_millis(10),
            notices: Duration::from_secs(3),
            sessions: 50,
            hears_of: None,
            introduces: true,
            partition: None,
            ticks: None,
            chunk: 16 * KIB,
        }
    }
}
