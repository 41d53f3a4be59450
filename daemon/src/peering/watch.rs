//! What the monitor and the sums hear of the planes: every few seconds their counters are looked at, and what is new is added.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dray_engine::Peers;
use dray_identity::PeerId;
use dray_swarm::{PeerState, Way};
use tokio_util::sync::CancellationToken;

use super::Peering;
use crate::history::{Bytes, History};
use crate::metrics::Metrics;

/// How often the counters are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What was seen last.
#[derive(Default)]
struct Seen {
    /// Bytes of each connection, received and sent.
    links: BTreeMap<(PeerId, SocketAddr), (u64, u64)>,
    counts: dray_swarm::Counts,
}

impl Peering {
    /// Looks for as long as the daemon runs, and a last time at its end.
    pub(crate) async fn watch(
        self: Arc<Peering>,
        metrics: Metrics,
        history: History,
        stop: CancellationToken,
    ) {
        let Some(peers) = self.peers() else { return };
        let mut seen = Seen::default();
        loop {
            let stopped = tokio::time::timeout(LOOK_EVERY, stop.cancelled()).await.is_ok();
            seen.look(peers, &metrics, &history);
            if stopped {
                return;
            }
        }
    }
}

impl Seen {
    fn look(&mut self, peers: &Peers, metrics: &Metrics, history: &History) {
        self.bytes(peers, metrics, history);
        self.events(peers, metrics);
        let mut by_state: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        let rows = peers.rows();
        for row in &rows {
            let state = if row.banned.is_some() { "banned" } else { state(row.state) };
            let way = row.way.map_or("lan", way);
            *by_state.entry((state, way)).or_default() += 1;
        }
        for state in STATES {
            for way in WAYS {
                let count = by_state.get(&(state, way)).copied().unwrap_or(0);
                metrics.peers.with_label_values(&[state, way]).set(count);
            }
        }
        let sessions: usize = rows.iter().map(|row| row.sessions).sum();
        metrics.peer_sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
        let banned = peers.reputation().banned().len();
        metrics.peers_banned.set(i64::try_from(banned).unwrap_or(i64::MAX));
    }

    fn bytes(&mut self, peers: &Peers, metrics: &Metrics, history: &History) {
        let mut links = BTreeMap::new();
        let (mut received, mut sent) = (0, 0);
        for link in peers.exchange().links() {
            let key = (link.peer, link.address);
            let before = self.links.get(&key).copied().unwrap_or_default();
            // Fewer than before: another connection between the same two.
            let since = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
            received += since(link.received, before.0);
            sent += since(link.sent, before.1);
            links.insert(key, (link.received, link.sent));
        }
        self.links = links;
        metrics.peer_bytes.with_label_values(&["in"]).inc_by(received);
        metrics.peer_bytes.with_label_values(&["out"]).inc_by(sent);
        if sent > 0 {
            history.count(Bytes { sent, ..Bytes::default() });
        }
    }

    fn events(&mut self, peers: &Peers, metrics: &Metrics) {
        let now = peers.swarm().counts();
        let before = std::mem::replace(&mut self.counts, now);
        for (name, now, before) in [
            ("connection", now.connections, before.connections),
            ("refused_connection", now.refused_connections, before.refused_connections),
            ("failed_handshake", now.failed_handshakes, before.failed_handshakes),
            ("failed_dial", now.failed_dials, before.failed_dials),
            ("stranger", now.strangers, before.strangers),
            ("asked", now.asked, before.asked),
            ("refused_ask", now.refused_asks, before.refused_asks),
            ("malformed", now.malformed, before.malformed),
            ("unanswered", now.unanswered, before.unanswered),
            ("refused_announcement", now.refused_announcements, before.refused_announcements),
            ("refused_address", now.refused_addresses, before.refused_addresses),
            ("refused_find", now.refused_finds, before.refused_finds),
            ("lost_candidate", now.lost_candidates, before.lost_candidates),
        ] {
            metrics.swarm_events.with_label_values(&[name]).inc_by(now.saturating_sub(before));
        }
    }
}

/// Labels of the metrics, all there are.
const STATES: [&str; 6] = ["connected", "connecting", "known", "unreachable", "refused", "banned"];
const WAYS: [&str; 2] = ["lan", "group"];

fn state(state: Option<PeerState>) -> &'static str {
    match state {
        // Known from the other plane alone, where it is connected.
        Some(PeerState::Connected) | None => "connected",
        Some(PeerState::Connecting) => "connecting",
        Some(PeerState::Known) => "known",
        Some(PeerState::Unreachable) => "unreachable",
        Some(PeerState::Refused) => "refused",
    }
}

fn way(way: Way) -> &'static str {
    match way {
        Way::Lan => "lan",
        Way::Group => "group",
    }
}
