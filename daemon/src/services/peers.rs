//! The other machines, and how this one takes part.

use dray_api::v1;
use dray_exchange::Carrier;
use dray_jobs::{Code, Failure, Timestamp};
use dray_swarm::{PeerState, Way};

use super::daemon::Daemon;
use crate::config::Mode;
use crate::history::Bytes;
use crate::peering::Row;
use crate::runner::wall;
use crate::wire::show;

/// Peers in one answer, and addresses of one.
const MAX_PEERS: usize = 1000;
const MAX_ADDRESSES: usize = 8;

impl Daemon {
    pub(super) async fn peers(&self, trusted: bool) -> Result<v1::ListPeersResponse, Failure> {
        if !trusted {
            let sentence = "Peers are shown to administrators and to the daemon's own user.";
            return Err(Failure::new(Code::E_ACCESSDENIED, sentence));
        }
        let rows = self.peering.rows().await;
        let unreached = self.peering.unreached();
        Ok(v1::ListPeersResponse {
            peers_total: count(rows.len() + unreached.len()),
            peers: rows.iter().map(peer).chain(unreached.into_iter().map(nobody)).take(MAX_PEERS).collect(),
            why_off: self.why_off(),
        })
    }

    /// How this machine takes part.
    pub(super) fn swarm_status(&self, trusted: bool) -> v1::SwarmStatus {
        let peering = &self.peering;
        let mode = match peering.mode {
            Mode::Off => v1::DownloadMode::Off,
            Mode::Lan => v1::DownloadMode::Lan,
            Mode::Group => v1::DownloadMode::Group,
            Mode::Simple => v1::DownloadMode::Simple,
            Mode::Bypass => v1::DownloadMode::Bypass,
        };
        let status = v1::SwarmStatus {
            mode: mode.into(),
            active: peering.why_off().is_none(),
            why_off: self.why_off(),
            ..v1::SwarmStatus::default()
        };
        let Some(peers) = peering.peers() else {
            return v1::SwarmStatus {
                group: if trusted { peering.group.clone() } else { String::new() },
                ..status
            };
        };
        let status = v1::SwarmStatus {
            peers_connected: count(peers.swarm().connected()),
            peers_known: count(peers.swarm().peers().len()),
            peers_banned: count(peers.reputation().banned().iter().filter(|ban| ban.peer.is_some()).count()),
            ..status
        };
        match trusted {
            true => v1::SwarmStatus {
                group: peering.group.clone(),
                peer_id: peers.peer_id().to_string(),
                port: peers.port().into(),
                ..status
            },
            false => status,
        }
    }

    fn why_off(&self) -> String {
        self.peering.why_off().map(|told| told.sentence.clone()).unwrap_or_default()
    }
}

fn peer(row: &Row) -> v1::Peer {
    let Row { peer, receive_bytes_per_s, send_bytes_per_s } = row;
    let way = match peer.way {
        Some(Way::Lan) => v1::PeerWay::Lan,
        Some(Way::Group) => v1::PeerWay::Group,
        None => v1::PeerWay::Unspecified,
    };
    let state = match peer.state {
        _ if peer.banned.is_some() => v1::PeerState::Banned,
        Some(PeerState::Connected) | None => v1::PeerState::Connected,
        Some(PeerState::Connecting) => v1::PeerState::Connecting,
        Some(PeerState::Known) => v1::PeerState::Known,
        Some(PeerState::Unreachable) => v1::PeerState::Unreachable,
        Some(PeerState::Refused) => v1::PeerState::Refused,
    };
    let transport = match peer.carrier {
        Some(Carrier::Quic) => "quic",
        Some(Carrier::Tcp) => "tcp",
        None => "",
    };
    v1::Peer {
        peer_id: peer.peer.to_string(),
        addresses: peer.addresses.iter().take(MAX_ADDRESSES).map(ToString::to_string).collect(),
        way: way.into(),
        state: state.into(),
        version: peer.agent.clone(),
        connected_since: None,
        round_trip_us: peer.rtt.map(|rtt| u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX)),
        transport: transport.to_owned(),
        received_bytes: peer.received,
        sent_bytes: peer.sent,
        receive_rate_bytes_per_s: *receive_bytes_per_s,
        send_rate_bytes_per_s: *send_bytes_per_s,
        why_not_used: peer.why_not.clone().unwrap_or_default(),
        banned_until: peer.banned.as_ref().map(|ban| show::timestamp(later(ban.left))),
        offences: peer.banned.as_ref().map_or(0, |ban| ban.offences),
        sessions: count(peer.sessions),
    }
}

/// A place of the configuration where nobody is connected.
fn nobody((place, why): (String, String)) -> v1::Peer {
    v1::Peer {
        addresses: vec![place],
        state: v1::PeerState::Unreachable.into(),
        why_not_used: why,
        ..v1::Peer::default()
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Sums as the API shows them.
pub(super) fn totals(bytes: Bytes, since: Timestamp) -> v1::TransferTotals {
    v1::TransferTotals {
        since: Some(show::timestamp(since)),
        origin_bytes: bytes.origin,
        cache_host_bytes: bytes.cache_host,
        lan_peer_bytes: bytes.lan_peers,
        group_peer_bytes: bytes.group_peers,
        local_cache_bytes: bytes.local_cache,
        wasted_bytes: bytes.wasted,
        sent_bytes: bytes.sent,
    }
}

fn later(wait: std::time::Duration) -> Timestamp {
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_unix_ms(wall().unix_ms().saturating_add(ms))
}
