//! Who has what, beyond those connected: the group's own Kademlia.
//!
//! In a group that is smaller than the number of connections everyone is connected with everyone, and asking them all is
//! quicker and surer. So nothing is published and nothing is looked up until more members are known than connections are
//! wanted. What is published are keys made from the group's id and a digest: who is not a member learns nothing from them.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use dray_identity::Group;
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig, RecordStore as _};
use libp2p::kad::{self, GetProvidersOk, InboundRequest, ProviderRecord, QueryResult, RecordKey};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId};

use super::Node;
use super::link::Link;
use crate::bucket::Time;
use crate::doorway::{multiaddr, socket_addr};
use crate::keys;
use crate::net::plain;
use crate::wishes::WishId;

/// Contents for which this machine keeps the providers, its own among them.
const MAX_KEYS: usize = 4096;
/// Providers kept for one content: enough to begin with, they know the others.
const MAX_PROVIDERS: usize = 20;
/// Providers that are dialled for one search.
const MAX_DIALS: usize = 20;
/// How long a provider is believed;
const PROVIDER_FOR: Duration = Duration::from_secs(30 * 60);
/// how often it says so again.
const PROVIDE_EVERY: Duration = Duration::from_secs(12 * 60);
/// When a search looks again: soon at first, because others may have begun at the same moment, then once a minute.
const LOOK_AGAIN: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15), Duration::from_secs(60)];
/// How long a search through the group may take.
const QUERY: Duration = Duration::from_secs(20);
/// Copies of what is published.
const COPIES: NonZeroUsize = NonZeroUsize::new(8).expect("eight is not zero");
/// Buckets are looked after so often.
const TIDY_EVERY: Duration = Duration::from_secs(20 * 60);
/// The largest message: twenty neighbours with a few addresses each.
const MAX_MESSAGE: usize = 8 * 1024;

pub(crate) type Behaviour = kad::Behaviour<MemoryStore>;

/// The group's Kademlia.
pub(crate) fn behaviour(me: PeerId, group: &Group) -> Option<Behaviour> {
    let store = MemoryStoreConfig {
        max_records: 0,
        max_value_bytes: 0,
        max_providers_per_key: MAX_PROVIDERS,
        max_provided_keys: MAX_KEYS,
    };
    let mut config = kad::Config::new(keys::kademlia(group)?);
    config
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_caching(kad::Caching::Disabled)
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_record_ttl(Some(PROVIDER_FOR))
        .set_provider_publication_interval(Some(PROVIDE_EVERY))
        .set_periodic_bootstrap_interval(Some(TIDY_EVERY))
        .set_replication_factor(COPIES)
        .set_query_timeout(QUERY)
        .set_substreams_timeout(QUERY / 2)
        .set_max_packet_size(MAX_MESSAGE);
    let mut kademlia = Behaviour::with_config(me, MemoryStore::with_config(me, store), config);
    kademlia.set_mode(Some(kad::Mode::Server));
    Some(kademlia)
}

/// What a search has published, and when it looks again.
#[derive(Default)]
pub(super) struct Published {
    keys: BTreeSet<Vec<u8>>,
    look_at: Time,
    looks: usize,
    dialed: usize,
}

impl Node {
    /// More members are known than can be connected.
    fn is_large(&self) -> bool {
        self.book.len() > self.limits.wanted_connections as usize
    }

    /// A member showed its address: it can be named to others.
    pub(super) fn route(&mut self, peer: PeerId, address: Option<std::net::SocketAddr>) {
        if let (Some(kademlia), Some(address)) = (self.swarm.behaviour_mut().kademlia.as_mut(), address) {
            kademlia.add_address(&peer, multiaddr(address));
        }
    }

    /// A member has been away for long.
    pub(super) fn unroute(&mut self, peer: &PeerId) {
        if let Some(kademlia) = self.swarm.behaviour_mut().kademlia.as_mut() {
            kademlia.remove_peer(peer);
        }
    }

    pub(super) fn looking_due(&self) -> Option<Time> {
        let on = self.swarm.behaviour().kademlia.is_enabled() && self.is_large();
        if on { self.published.values().map(|published| published.look_at).min() } else { None }
    }

    /// Publishes what this machine looks for, and looks for others who did.
    pub(super) fn look_beyond(&mut self, now: Time) {
        if self.looking_due().is_none_or(|due| due > now) {
            return;
        }
        let Some(group) = self.group.clone() else { return };
        let due: Vec<WishId> = self
            .published
            .iter()
            .filter(|(_, published)| published.look_at <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some((_, digests)) = self.wishes.get(id) else { continue };
            let keys: Vec<_> = digests.iter().map(|digest| keys::record(&group, digest).to_vec()).collect();
            let Some(kademlia) = self.swarm.behaviour_mut().kademlia.as_mut() else { return };
            let Some(published) = self.published.get_mut(&id) else { continue };
            let wait = LOOK_AGAIN[published.looks.min(LOOK_AGAIN.len() - 1)];
            published.looks += 1;
            published.dialed = 0;
            published.look_at = now + wait;
            for key in keys {
                kademlia.get_providers(RecordKey::from(key.clone()));
                // With no room left in the store others still find this machine by being asked.
                if !published.keys.contains(&key)
                    && kademlia.start_providing(RecordKey::from(key.clone())).is_ok()
                {
                    published.keys.insert(key);
                }
            }
        }
    }

    /// The search is over.
    pub(super) fn unpublish(&mut self, id: WishId) {
        let Some(published) = self.published.remove(&id) else { return };
        for key in published.keys {
            // Another search may be for the same content.
            if self.published.values().any(|other| other.keys.contains(&key)) {
                continue;
            }
            if let Some(kademlia) = self.swarm.behaviour_mut().kademlia.as_mut() {
                kademlia.stop_providing(&RecordKey::from(key));
            }
        }
    }

    pub(super) fn on_kademlia(&mut self, event: kad::Event) {
        match event {
            kad::Event::OutboundQueryProgressed {
                result: QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { key, providers })),
                ..
            } => self.found_providers(&key, providers.into_iter().collect()),
            kad::Event::InboundRequest { request: InboundRequest::AddProvider { record: Some(record) } } => {
                self.keep_provider(record);
            }
            _ => {}
        }
    }

    /// Whoever is connected is asked about all that runs, so to be connected is all it takes.
    fn found_providers(&mut self, key: &RecordKey, providers: BTreeSet<PeerId>) {
        let Some(published) =
            self.published.values_mut().find(|published| published.keys.contains(&key.to_vec()))
        else {
            return;
        };
        for peer in providers {
            if peer == self.me || self.links.contains_key(&peer) || published.dialed >= MAX_DIALS {
                continue;
            }
            let addrs: Vec<Multiaddr> = self
                .book
                .get(&peer)
                .map(|known| known.addrs.iter().copied().map(multiaddr).collect())
                .unwrap_or_default();
            let dial = DialOpts::peer_id(peer).addresses(addrs).extend_addresses_through_behaviour().build();
            match self.swarm.dial(dial) {
                Ok(()) => published.dialed += 1,
                Err(error) => tracing::debug!(%peer, %error, "a provider cannot be dialled"),
            }
        }
    }

    /// A member says that it has something. It is kept for a while, with those of its addresses at which it really is.
    fn keep_provider(&mut self, mut record: ProviderRecord) {
        let (now, rate) = (self.now(), self.limits.asks_per_peer);
        // Whoever got this far holds the group's key; its connection may be too young to have been introduced.
        let paced =
            |link: &mut Link| record.key.as_ref().len() == blake3::OUT_LEN && link.pace.take(now, rate, 1);
        let Some(link) = self.links.get_mut(&record.provider).and_then(|link| paced(link).then_some(link))
        else {
            self.shared.counters.count(&self.shared.counters.refused_asks);
            return;
        };
        let remote = link.remote.ip();
        record
            .addresses
            .retain(|address| socket_addr(address).is_some_and(|address| plain(address.ip()) == remote));
        record.addresses.truncate(1);
        if let Some(address) = link.listens_at() {
            record.addresses = vec![multiaddr(address)];
        }
        let most = std::time::Instant::now() + PROVIDER_FOR;
        record.expires = Some(record.expires.map_or(most, |expires| expires.min(most)));
        let kept = self
            .swarm
            .behaviour_mut()
            .kademlia
            .as_mut()
            .map(|kademlia| kademlia.store_mut().add_provider(record));
        if let Some(Err(error)) = kept {
            tracing::debug!(%error, "no room for another provider");
            self.shared.counters.count(&self.shared.counters.refused_asks);
        }
    }
}
