//! The other machines, and how this one takes part.

use dray_api::v1;
use dray_jobs::{Code, Failure, Timestamp};

use super::daemon::Daemon;
use crate::config::Mode;
use crate::history::Bytes;
use crate::wire::show;

impl Daemon {
    pub(super) fn peers(&self, trusted: bool) -> Result<v1::ListPeersResponse, Failure> {
        if !trusted {
            let sentence = "Peers are shown to administrators and to the daemon's own user.";
            return Err(Failure::new(Code::E_ACCESSDENIED, sentence));
        }
        let why_off = self.peering.why_off().map(|told| told.sentence.clone()).unwrap_or_default();
        Ok(v1::ListPeersResponse { why_off, ..v1::ListPeersResponse::default() })
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
        v1::SwarmStatus {
            mode: mode.into(),
            active: peering.why_off().is_none(),
            why_off: peering.why_off().map(|told| told.sentence.clone()).unwrap_or_default(),
            group: if trusted { peering.group.clone() } else { String::new() },
            ..v1::SwarmStatus::default()
        }
    }
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
