//! Who was heard on the LAN, within bounds that no flood of announcements can stretch. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use libp2p::PeerId;

use crate::bucket::{Bucket, Rate, Time};

/// Machines remembered.
const MAX_HEARD: usize = 1024;
/// Machines believed at one address: a host may run a few.
const MAX_PER_ADDRESS: usize = 8;
/// Machines never heard of before: a whole floor that is switched on, and then a few.
const NEWCOMERS: Rate = Rate { burst: 512, per_second: 4.0 };
/// The longest time that an announcement is believed, whatever it says.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The machines.
pub(super) struct Census {
    heard: BTreeMap<PeerId, (IpAddr, Time)>,
    newcomers: Bucket,
}

impl Census {
    pub(super) fn new(now: Time) -> Self {
        Self { heard: BTreeMap::new(), newcomers: Bucket::full(now, NEWCOMERS) }
    }

    /// A machine announces itself; `false` when it is not to be believed.
    pub(super) fn hear(&mut self, now: Time, peer: PeerId, ip: IpAddr, ttl: Duration) -> bool {
        let until = now + ttl.min(LONGEST);
        if let Some(known) = self.heard.get_mut(&peer) {
            *known = (ip, until);
            return true;
        }
        if self.heard.len() >= MAX_HEARD {
            self.heard.retain(|_, (_, until)| *until > now);
        }
        let here = self.heard.values().filter(|(other, until)| *other == ip && *until > now).count();
        if self.heard.len() >= MAX_HEARD || here >= MAX_PER_ADDRESS || !self.newcomers.take(now, NEWCOMERS, 1)
        {
            return false;
        }
        self.heard.insert(peer, (ip, until));
        true
    }

    /// A machine says goodbye; `false` when it was not there, or another one says so.
    pub(super) fn leave(&mut self, peer: &PeerId, ip: IpAddr) -> bool {
        let was_here = self.heard.get(peer).is_some_and(|(known, _)| *known == ip);
        was_here && self.heard.remove(peer).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(120);

    fn ip(last: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + last).to_be_bytes())
    }

    #[test]
    fn one_address_is_believed_for_a_few_machines_only() {
        let mut census = Census::new(Duration::ZERO);
        let believed =
            (0..1000).filter(|_| census.hear(Duration::ZERO, PeerId::random(), ip(1), TTL)).count();
        assert_eq!(believed, MAX_PER_ADDRESS);
        assert!(census.hear(TTL, PeerId::random(), ip(1), TTL), "those that were silent make room");
    }

    #[test]
    fn a_flood_from_many_addresses_is_slowed_and_then_stops() {
        let mut census = Census::new(Duration::ZERO);
        let mut flood = |from: u64, to: u64| -> usize {
            (from..to)
                .map(|second| {
                    let now = Duration::from_secs(second);
                    let many = (0..200).map(|n| ip(u32::try_from(second).unwrap() * 200 + n));
                    many.filter(|ip| census.hear(now, PeerId::random(), *ip, LONGEST)).count()
                })
                .sum()
        };
        let at_once: usize = flood(0, 3);
        assert!(at_once <= 520, "{at_once}");
        let all = at_once + flood(3, 300);
        assert_eq!(all, MAX_HEARD);
    }

    #[test]
    fn only_the_machine_itself_says_goodbye() {
        let mut census = Census::new(Duration::ZERO);
        let peer = PeerId::random();
        assert!(census.hear(Duration::ZERO, peer, ip(1), TTL));
        assert!(!census.leave(&peer, ip(2)));
        assert!(census.leave(&peer, ip(1)));
        assert!(!census.leave(&peer, ip(1)));
    }
}
