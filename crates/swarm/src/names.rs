//! From the names of bootstrap members to their addresses.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;

use crate::config::Bootstrap;

/// How long all questions about one member may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Addresses of one member.
const MAX_ADDRESSES: usize = 16;
/// Targets of one SRV name.
const MAX_TARGETS: usize = 8;

/// The addresses of a member, those to be tried first at the front. Why there are none, when there are none.
pub(crate) async fn resolve(member: &Bootstrap) -> Result<Vec<SocketAddr>, String> {
    let found = async {
        match member {
            Bootstrap::Address(address) => Ok(vec![*address]),
            Bootstrap::Name(name, port) => hosts(name, *port).await,
            Bootstrap::Srv(name) => {
                let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
                services(&resolver.map_err(|error| error.to_string())?, name).await
            }
        }
    };
    let mut addresses = tokio::time::timeout(DEADLINE, found)
        .await
        .map_err(|_| "the name server did not answer".to_owned())??;
    addresses.truncate(MAX_ADDRESSES);
    if addresses.is_empty() { Err("the name has no address".to_owned()) } else { Ok(addresses) }
}

/// Asks the system, so that its hosts file and its own rules count.
async fn hosts(name: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = tokio::net::lookup_host((name, port)).await.map_err(|error| error.to_string())?;
    Ok(found.take(MAX_ADDRESSES).collect())
}

/// The targets of an SRV name, by priority; among equals by lot, as their weights have it (RFC 2782).
async fn services(resolver: &TokioResolver, name: &str) -> Result<Vec<SocketAddr>, String> {
    // A name of a service is complete as it stands: no search domain is put behind it.
    let whole = if name.ends_with('.') { name.to_owned() } else { format!("{name}.") };
    let lookup = resolver.srv_lookup(whole).await.map_err(|error| error.to_string())?;
    let mut targets: Vec<_> = lookup
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            // The root as target says that there is no such service.
            RData::SRV(srv) if srv.port != 0 && !srv.target.is_root() => {
                let lot = fastrand::f64().powf(1.0 / f64::from(srv.weight).max(0.01));
                Some((srv.priority, lot, srv.target.to_ascii(), srv.port))
            }
            _ => None,
        })
        .collect();
    targets.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut addresses = Vec::new();
    for (_, _, target, port) in targets.into_iter().take(MAX_TARGETS) {
        match hosts(target.trim_end_matches('.'), port).await {
            Ok(found) => addresses.extend(found),
            Err(error) => tracing::debug!(%target, %error, "a target of an SRV name has no address"),
        }
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use tokio::net::UdpSocket;

    use super::*;

    fn name(out: &mut Vec<u8>, text: &str) {
        for label in text.split('.') {
            out.push(u8::try_from(label.len()).unwrap());
            out.extend_from_slice(label.as_bytes());
        }
        out.push(0);
    }

    /// A name server that gives these SRV records to whatever it is asked.
    async fn server(records: Vec<(u16, u16, u16, &'static str)>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (_, from) = socket.recv_from(&mut buffer).await.unwrap();
                let end = 12 + buffer[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
                let mut out = buffer[..2].to_vec();
                out.extend_from_slice(&[0x84, 0, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
                out.extend_from_slice(&buffer[12..end]);
                for (priority, weight, port, target) in &records {
                    let mut data = Vec::new();
                    for number in [priority, weight, port] {
                        data.extend_from_slice(&number.to_be_bytes());
                    }
                    name(&mut data, target);
                    out.extend_from_slice(&[0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60]);
                    out.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
                    out.extend_from_slice(&data);
                }
                socket.send_to(&out, from).await.unwrap();
            }
        });
        address
    }

    fn resolver(at: SocketAddr) -> TokioResolver {
        let mut connection = ConnectionConfig::udp();
        connection.port = at.port();
        let server = NameServerConfig::new(at.ip(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, vec![], vec![server]);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().unwrap()
    }

    #[tokio::test]
    async fn a_service_is_resolved_to_its_targets_in_order_of_priority() {
        let server = server(vec![(20, 0, 7002, "127.0.0.3"), (10, 5, 7001, "127.0.0.2")]).await;
        let found = services(&resolver(server), "_dray._tcp.example.org").await.unwrap();
        let expected: [SocketAddr; 2] =
            ["127.0.0.2:7001".parse().unwrap(), "127.0.0.3:7002".parse().unwrap()];
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_name_that_says_there_is_no_such_service_has_no_address() {
        let server = server(vec![(0, 0, 0, "x")]).await;
        assert_eq!(services(&resolver(server), "_dray._tcp.example.org").await, Ok(vec![]));
    }

    #[tokio::test]
    async fn a_host_name_is_resolved_by_the_system() {
        let found = resolve(&Bootstrap::Name("localhost".into(), 7)).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 7));
        assert!(resolve(&Bootstrap::Name("no-such-host.invalid".into(), 7)).await.is_err());
    }
}
