//! `dray peers`: who shares with this machine, what each gave and got, and why one is not used.

use dray_api::v1::{ListPeersRequest, Peer, PeerState, PeerWay};
use serde_json::{Value, json};

use super::some;
use crate::job::link::Link;
use crate::job::problem::Problem;
use crate::job::text::{Align, plain, table};
use crate::printer::{Printer, bytes};

/// Characters of an identity that tell one peer from another; every identity begins alike.
const TAIL: usize = 12;

pub(super) async fn list(link: &mut Link, printer: &Printer) -> Result<(), Problem> {
    let answer = link.daemon.list_peers(ListPeersRequest {}).await?.into_inner();
    if printer.json {
        printer.json(&json!({
            "peers": answer.peers.iter().map(object).collect::<Vec<Value>>(),
            "peers_total": answer.peers_total,
            "why_off": some(&answer.why_off),
        }));
        return Ok(());
    }
    if !answer.why_off.is_empty() {
        printer.note(&plain(&answer.why_off));
        return Ok(());
    }
    if answer.peers.is_empty() {
        printer.note("no peers; other machines need drayd with the same mode and group, and its port open");
        return Ok(());
    }
    let rows: Vec<_> = answer.peers.iter().map(row).collect();
    let columns = [
        ("PEER", Align::Left),
        ("ADDRESS", Align::Left),
        ("TYPE", Align::Left),
        ("STATE", Align::Left),
        ("VERSION", Align::Left),
        ("RTT", Align::Right),
        ("FROM IT", Align::Right),
        ("TO IT", Align::Right),
        ("NOW", Align::Left),
    ];
    for (line, peer) in
        table(columns, &rows).iter().zip(std::iter::once(None).chain(answer.peers.iter().map(Some)))
    {
        printer.data(line);
        if let Some(remark) = peer.and_then(remark) {
            printer.data(&format!("  {remark}"));
        }
    }
    let shown = u32::try_from(answer.peers.len()).unwrap_or(u32::MAX);
    if shown < answer.peers_total {
        printer.note(&format!("and {} more", answer.peers_total - shown));
    }
    Ok(())
}

fn row(peer: &Peer) -> [String; 9] {
    let id = plain(&peer.peer_id);
    let skipped = id.chars().count().saturating_sub(TAIL);
    let tail: String = id.chars().skip(skipped).collect();
    [
        if skipped > 0 { format!("…{tail}") } else { tail },
        plain(peer.addresses.first().map_or("", String::as_str)),
        way(peer).to_owned(),
        state(peer).to_owned(),
        plain(&peer.version).replace('\n', " "),
        peer.round_trip_us.map(round_trip).unwrap_or_default(),
        bytes(peer.received_bytes),
        bytes(peer.sent_bytes),
        rates(peer),
    ]
}

fn round_trip(us: u32) -> String {
    format!("{}.{} ms", us / 1000, us % 1000 / 100)
}

/// What moves now; nothing when nothing does.
fn rates(peer: &Peer) -> String {
    let each = [(peer.receive_rate_bytes_per_s, "in"), (peer.send_rate_bytes_per_s, "out")];
    let moving = each.iter().filter(|(rate, _)| *rate > 0);
    moving.map(|(rate, way)| format!("{}/s {way}", bytes(*rate))).collect::<Vec<_>>().join(", ")
}

/// Why it is not used, and until when.
fn remark(peer: &Peer) -> Option<String> {
    let until = peer.banned_until.map(|until| format!("banned until {until}: "));
    let why = some(&peer.why_not_used).map(|why| plain(why).replace('\n', " "));
    match (until, why) {
        (None, None) => None,
        (until, why) => Some(until.unwrap_or_default() + &why.unwrap_or_default()),
    }
}

fn way(peer: &Peer) -> &'static str {
    match peer.way() {
        PeerWay::Unspecified => "",
        PeerWay::Lan => "LAN",
        PeerWay::Group => "GROUP",
    }
}

fn state(peer: &Peer) -> &'static str {
    match peer.state() {
        PeerState::Unspecified => "UNKNOWN",
        PeerState::Known => "KNOWN",
        PeerState::Connecting => "CONNECTING",
        PeerState::Connected => "CONNECTED",
        PeerState::Refused => "REFUSED",
        PeerState::Banned => "BANNED",
        PeerState::Unreachable => "UNREACHABLE",
    }
}

fn object(peer: &Peer) -> Value {
    json!({
        "peer_id": peer.peer_id,
        "addresses": peer.addresses,
        "type": some(way(peer)),
        "state": state(peer),
        "version": some(&peer.version),
        "connected_since": peer.connected_since.map(|time| time.to_string()),
        "round_trip_us": peer.round_trip_us,
        "transport": some(&peer.transport),
        "received_bytes": peer.received_bytes,
        "sent_bytes": peer.sent_bytes,
        "receive_rate_bytes_per_s": peer.receive_rate_bytes_per_s,
        "send_rate_bytes_per_s": peer.send_rate_bytes_per_s,
        "why_not_used": some(&peer.why_not_used),
        "banned_until": peer.banned_until.map(|time| time.to_string()),
        "offences": peer.offences,
        "sessions": peer.sessions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banned() -> Peer {
        Peer {
            peer_id: "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp".to_owned(),
            addresses: vec!["192.0.2.7:7680".to_owned()],
            way: PeerWay::Lan.into(),
            state: PeerState::Banned.into(),
            version: "dray\u{1b}[2J".to_owned(),
            round_trip_us: Some(1250),
            receive_rate_bytes_per_s: 1 << 20,
            why_not_used: "it sent wrong bytes".to_owned(),
            banned_until: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            ..Peer::default()
        }
    }

    #[test]
    fn a_peer_is_one_line_and_what_is_wrong_with_it_another() {
        let row = row(&banned());
        assert_eq!(row[..4], ["…2kj6vnc6iDEp", "192.0.2.7:7680", "LAN", "BANNED"]);
        assert_eq!((row[5].as_str(), row[8].as_str()), ("1.2 ms", "1.00 MiB/s in"));
        assert!(!row[4].contains('\u{1b}'), "what a peer says cannot steer the terminal");
        let said = remark(&banned()).unwrap();
        assert_eq!(said, "banned until 1970-01-01T00:00:00Z: it sent wrong bytes");
        assert_eq!(remark(&Peer::default()), None);
    }

    #[test]
    fn a_script_gets_null_for_what_is_not_known() {
        let object = object(&Peer::default());
        for key in ["type", "version", "round_trip_us", "transport", "why_not_used", "banned_until"] {
            assert!(object[key].is_null(), "{key}");
        }
        assert_eq!((&object["state"], &object["sent_bytes"]), (&json!("UNKNOWN"), &json!(0)));
    }
}
