//! The peers as a person is shown them.

use std::collections::BTreeMap;
use std::time::Duration;

use dray_engine::peers::PeerRow;
use dray_identity::PeerId;
use dray_swarm::PeerState;
use tokio::time::Instant;

use super::Peering;
use crate::config::Mode;
use crate::history::Told;

/// How long rates are measured for, when someone looks while bytes move.
const MEASURE: Duration = Duration::from_millis(400);
/// Peers that are not used, as a story's machine part names them.
const MAX_NAMED: usize = 16;

/// One peer, and how fast bytes go.
pub(crate) struct Row {
    pub(crate) peer: PeerRow,
    pub(crate) receive_bytes_per_s: u64,
    pub(crate) send_bytes_per_s: u64,
}

impl Peering {
    /// Everyone who is known: those who are connected first.
    pub(crate) async fn rows(&self) -> Vec<Row> {
        let Some(peers) = self.peers() else { return Vec::new() };
        let mut before: BTreeMap<PeerId, (u64, u64)> = BTreeMap::new();
        let links = peers.exchange().links();
        let started = Instant::now();
        if links.iter().any(|link| link.sessions > 0) {
            for link in links {
                let sums = before.entry(link.peer).or_default();
                *sums = (sums.0 + link.received, sums.1 + link.sent);
            }
            tokio::time::sleep(MEASURE).await;
        }
        let took = started.elapsed();
        let mut rows: Vec<Row> = peers.rows().into_iter().map(|peer| row(peer, &before, took)).collect();
        rows.sort_by_key(|row| (row.peer.state.unwrap_or(PeerState::Known), row.peer.peer));
        rows
    }

    /// The places of the configuration where nobody is connected, and why.
    pub(crate) fn unreached(&self) -> Vec<(String, String)> {
        let members = self.peers().map(|peers| peers.swarm().members()).unwrap_or_default();
        let unreached = members.into_iter().filter(|member| member.connected.is_none());
        unreached.filter_map(|member| Some((member.place, member.why_not?))).collect()
    }

    /// What holds now for every file on this machine.
    pub(crate) fn machine(&self) -> Vec<Told> {
        let peers = match &self.state {
            Ok(peers) => peers,
            Err(why) => return vec![why.clone()],
        };
        let connected = peers.swarm().connected();
        let where_from = match self.mode {
            Mode::Group => format!("the group {:?}", self.group),
            _ => "the same network".to_owned(),
        };
        let mut told = vec![Told {
            name: "peers-on".to_owned(),
            sentence: format!("Machines of {where_from} are peers; {connected} connected."),
            hint: if connected == 0 { super::advice::NOBODY.to_owned() } else { String::new() },
            against: connected == 0,
        }];
        told.extend(self.unreached().into_iter().take(MAX_NAMED).map(|(place, why)| Told {
            name: "member-not-reached".to_owned(),
            sentence: format!("{place}, which the configuration names, is not connected: {why}."),
            hint: super::advice::of_peer(&why).to_owned(),
            against: true,
        }));
        let unused = peers.rows().into_iter().filter_map(|row| {
            let why = row.why_not?;
            let address = row.addresses.first().map(|address| format!(" ({address})")).unwrap_or_default();
            Some(Told {
                name: if row.banned.is_some() { "peer-banned" } else { "peer-not-used" }.to_owned(),
                sentence: format!("{}{address} is not used: {}.", row.peer, why.trim_end_matches('.')),
                hint: super::advice::of_peer(&why).to_owned(),
                against: true,
            })
        });
        told.extend(unused.take(MAX_NAMED));
        told
    }
}

fn row(peer: PeerRow, before: &BTreeMap<PeerId, (u64, u64)>, took: Duration) -> Row {
    let (received, sent) = before.get(&peer.peer).copied().unwrap_or((peer.received, peer.sent));
    let rate = |now: u64, then: u64| {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        now.saturating_sub(then).saturating_mul(1000) / ms
    };
    let (receive_bytes_per_s, send_bytes_per_s) = (rate(peer.received, received), rate(peer.sent, sent));
    Row { peer, receive_bytes_per_s, send_bytes_per_s }
}
