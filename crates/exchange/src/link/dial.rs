//! Reaching a peer: several addresses and two transports, each with a head start over the next; the first that is secure wins.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use dray_identity::PeerId;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{sleep, timeout};

use super::quic::QuicEndpoint;
use super::tls::TlsEndpoint;
use super::{Link, LinkError};
use crate::config::{Timing, Transport};
use crate::{Carrier, JoinError};

/// Addresses of one peer that are tried; further ones are left out.
const MAX_ADDRESSES: usize = 8;

/// The ways out of this machine.
pub(crate) struct Ways<'a> {
    pub(crate) quic: Option<&'a QuicEndpoint>,
    pub(crate) tls: &'a TlsEndpoint,
    pub(crate) transport: Transport,
}

pub(crate) async fn dial(
    ways: Ways<'_>,
    peer: PeerId,
    addresses: &[SocketAddr],
    timing: &Timing,
) -> Result<Link, JoinError> {
    let has_quic = ways.quic.is_some();
    let mut waiting: VecDeque<_> = plan(ways.transport, has_quic, addresses).into();
    let mut running = FuturesUnordered::new();
    let mut why = String::from("it has no address that can be used");
    let attempts = async {
        loop {
            match waiting.pop_front() {
                Some((carrier, address)) => running.push(attempt(&ways, carrier, peer, address)),
                None if running.is_empty() => return Err(JoinError::Unreachable(std::mem::take(&mut why))),
                None => {}
            }
            let is_last = waiting.is_empty();
            tokio::select! {
                Some((address, carrier, outcome)) = running.next() => match outcome {
                    Ok(link) => return Ok(link),
                    // The next one need not wait for its turn.
                    Err(error) => {
                        tracing::debug!(%peer, %address, %carrier, %error, "a way to a peer failed");
                        why = format!("{address} over {carrier}: {error}");
                    }
                },
                () = sleep(timing.stagger), if !is_last => {}
            }
        }
    };
    let reached = timeout(timing.dial, attempts).await;
    reached.unwrap_or_else(|_| Err(JoinError::Unreachable("no answer in time".into())))
}

async fn attempt(
    ways: &Ways<'_>,
    carrier: Carrier,
    peer: PeerId,
    address: SocketAddr,
) -> (SocketAddr, Carrier, Result<Link, LinkError>) {
    let outcome = match (carrier, ways.quic) {
        (Carrier::Quic, Some(quic)) => quic.dial(peer, address).await.map(Link::Quic),
        (Carrier::Quic, None) => Err(LinkError::Lost("there is no UDP socket".into())),
        (Carrier::Tcp, _) => ways.tls.dial(peer, address).await.map(Link::Tcp),
    };
    (address, carrier, outcome)
}

/// Every attempt, in the order in which they begin.
fn plan(transport: Transport, has_quic: bool, addresses: &[SocketAddr]) -> Vec<(Carrier, SocketAddr)> {
    let addresses = &addresses[..addresses.len().min(MAX_ADDRESSES)];
    let all = |carrier| addresses.iter().map(move |address| (carrier, *address));
    let is_near = addresses.iter().any(|address| is_private(address.ip()));
    match transport {
        Transport::QuicOnly if has_quic => all(Carrier::Quic).collect(),
        Transport::QuicOnly => Vec::new(),
        Transport::TcpOnly => all(Carrier::Tcp).collect(),
        Transport::Auto if !has_quic => all(Carrier::Tcp).collect(),
        Transport::Auto if is_near => interleave(all(Carrier::Tcp), all(Carrier::Quic)),
        Transport::Auto => interleave(all(Carrier::Quic), all(Carrier::Tcp)),
    }
}

fn interleave<T>(first: impl Iterator<Item = T>, second: impl Iterator<Item = T>) -> Vec<T> {
    first.zip(second).flat_map(|(one, two)| [one, two]).collect()
}

/// Whether an address is of the kind that stays within one site, where distances are short.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(transport: Transport, has_quic: bool, addresses: &[&str]) -> String {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let plan = plan(transport, has_quic, &addresses);
        plan.iter().map(|(carrier, address)| format!("{carrier}:{} ", address.port())).collect()
    }

    #[test]
    fn near_addresses_are_tried_over_tcp_first_and_far_ones_over_quic_first() {
        let near = ["192.168.1.5:1", "[fd00::1]:2"];
        assert_eq!(order(Transport::Auto, true, &near), "tcp:1 quic:1 tcp:2 quic:2 ");
        assert_eq!(order(Transport::Auto, true, &["198.51.100.7:1"]), "quic:1 tcp:1 ");
        assert_eq!(order(Transport::Auto, false, &["198.51.100.7:1"]), "tcp:1 ");
        assert_eq!(order(Transport::QuicOnly, true, &near), "quic:1 quic:2 ");
        assert_eq!(order(Transport::QuicOnly, false, &near), "");
        assert_eq!(order(Transport::TcpOnly, true, &near), "tcp:1 tcp:2 ");
    }

    #[test]
    fn only_so_many_addresses_are_tried() {
        let many: Vec<SocketAddr> = (1..100).map(|port| SocketAddr::from(([10, 0, 0, 1], port))).collect();
        assert_eq!(plan(Transport::TcpOnly, true, &many).len(), MAX_ADDRESSES);
    }
}
