//! The addresses of this machine, as they come and go.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use if_watch::tokio::IfWatcher;
use libp2p::futures::StreamExt as _;

use crate::net::{Interfaces, LocalAddress};

/// Addresses looked at; a machine with more (a host of many containers) uses the first ones.
const MAX_LOCAL: usize = 256;
/// Changes come in flocks: they are looked at together, so long after the first.
const SETTLE: Duration = Duration::from_millis(200);
/// Where the system does not tell of changes, they are looked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Tells which addresses are used.
pub(crate) struct Watcher {
    rules: Interfaces,
    system: Option<IfWatcher>,
    last: Option<Vec<LocalAddress>>,
    /// Something has changed since `last`.
    stale: bool,
}

impl Watcher {
    pub(crate) fn new(rules: Interfaces) -> Self {
        let system = IfWatcher::new()
            .inspect_err(|error| tracing::warn!(%error, "the system does not tell of address changes; looking for them instead"))
            .ok();
        Self { rules, system, last: None, stale: true }
    }

    /// The addresses used now: at once the first time, then whenever they change. Safe to drop while waiting.
    pub(crate) async fn changed(&mut self) -> Vec<LocalAddress> {
        loop {
            if !self.stale {
                match self.system.as_mut() {
                    None => tokio::time::sleep(LOOK_EVERY).await,
                    Some(system) => match system.next().await {
                        Some(Ok(_)) => {}
                        Some(Err(error)) => tracing::debug!(%error, "the watch over addresses failed once"),
                        None => self.system = None,
                    },
                }
                self.stale = true;
            }
            if self.last.is_some() {
                tokio::time::sleep(SETTLE).await;
            }
            self.stale = false;
            match used(&self.rules) {
                Ok(now) if self.last.as_ref() != Some(&now) => {
                    self.last = Some(now.clone());
                    return now;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot list the addresses of this machine");
                    self.system = None;
                }
            }
        }
    }
}

/// The addresses that `rules` allow, in a fixed order.
pub(crate) fn used(rules: &Interfaces) -> io::Result<Vec<LocalAddress>> {
    let mut all: Vec<_> = if_addrs::get_if_addrs()?
        .into_iter()
        .filter(|interface| !needs_scope(interface.ip()))
        .map(|interface| LocalAddress {
            address: interface.ip(),
            prefix: match &interface.addr {
                if_addrs::IfAddr::V4(four) => four.prefixlen,
                if_addrs::IfAddr::V6(six) => six.prefixlen,
            },
            name: interface.name,
        })
        .filter(|local| rules.uses(local))
        .collect();
    all.sort_by_key(|local| (local.address, local.name.clone()));
    all.truncate(MAX_LOCAL);
    Ok(all)
}

/// An address that means something only together with the name of an interface cannot be told to anyone.
fn needs_scope(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(six) if six.is_unicast_link_local())
}
