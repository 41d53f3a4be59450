//! From the configuration to the running planes, or to the reason why there are none. Whatever is wrong here, files still come from
//! their origins: nothing of it stops the daemon.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use dray_cache::Store;
use dray_engine::peers::Admit;
use dray_engine::{Peers, PeersConfig, PeersError};
use dray_identity::{Group, NodeKey};
use dray_swarm::{InterfaceRule, Interfaces, Reach};

use super::group_key;
use crate::config::{Interface, Mode, PeerRule, Peers as Settings, SelectBy, Source};
use crate::history::Told;

/// The node's key, and the addresses of peers that were good, in the state directory.
const NODE_KEY: &str = "node.key";
const MEMORY: &str = "peers.memory";

/// The running planes. What an administrator should know is added to `warnings`.
pub(super) fn start(
    settings: &Settings,
    state_dir: &Path,
    cache: Option<Arc<Store>>,
    warnings: &mut Vec<String>,
) -> Result<Peers, Told> {
    let group = match settings.mode.value {
        Mode::Group => Some(
            group_key::read(&settings.group.value.0, &settings.group_key_file.value)
                .map_err(|error| off("group-key", format!("No peers: {error}."), error.hint()))?,
        ),
        _ => None,
    };
    let path = state_dir.join(NODE_KEY);
    let key = NodeKey::load_or_create(&path).map_err(|error| {
        off("node-key", format!("No peers: {error}."), "Let the daemon write to its state directory.")
    })?;
    let begin =
        |port| Peers::start(planes(settings, state_dir, port, key.clone(), group.clone(), cache.clone()));
    let port = settings.port.value.0;
    match begin(port) {
        Ok(peers) => Ok(peers),
        Err(PeersError::Bind { error, .. }) if settings.port.from == Source::Default => {
            let peers = begin(0).map_err(failed)?;
            warnings.push(format!(
                "port {port} for peers cannot be used ({error}); {} is used instead, which a firewall may not know",
                peers.port()
            ));
            Ok(peers)
        }
        Err(error @ PeersError::Bind { .. }) => {
            let sentence = format!("No peers: {error}, and {} asks for that port.", settings.port.from);
            Err(off("port", sentence, "End what uses the port (`ss -lptun` shows it), or name another one."))
        }
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: PeersError) -> Told {
    off("no-swarm", format!("No peers: {error}."), "The log of drayd may say more.")
}

fn off(name: &str, sentence: String, hint: &str) -> Told {
    Told { name: name.to_owned(), sentence, hint: hint.to_owned(), against: true }
}

fn planes(
    settings: &Settings,
    state_dir: &Path,
    port: u16,
    key: NodeKey,
    group: Option<Group>,
    cache: Option<Arc<Store>>,
) -> PeersConfig {
    let usual = PeersConfig::new(key);
    let upload = settings.max_upload_bytes_per_s.value.0;
    PeersConfig {
        mode: if group.is_some() { dray_swarm::Mode::Group } else { dray_swarm::Mode::Lan },
        group,
        bind: address(&settings.interfaces.value.0),
        port,
        reach: reach(settings),
        interfaces: Interfaces {
            include: rules(&settings.interfaces.value.0),
            exclude: rules(&settings.exclude_interfaces.value.0),
        },
        mdns: settings.mdns.value.0,
        bootstrap: settings.bootstrap.value.0.clone(),
        memory: Some(state_dir.join(MEMORY)),
        exchange_limits: dray_exchange::Limits {
            upload_bytes_per_s: (upload > 0).then_some(upload),
            upload_slots: settings.upload_slots.value.0 as usize,
            ..usual.exchange_limits
        },
        cache,
        min_file_size: settings.min_file_size.value.0,
        admit: admit(settings),
        ..usual
    }
}

fn rules(interfaces: &[Interface]) -> Vec<InterfaceRule> {
    interfaces.iter().map(|interface| interface.0.clone()).collect()
}

/// Where to listen: at the one address that is named, when only one is, else at all, since they come and go.
fn address(interfaces: &[Interface]) -> IpAddr {
    let one = match interfaces {
        [Interface(InterfaceRule::Subnet(subnet))] => {
            let text = subnet.to_string();
            text.split_once('/').and_then(|(address, prefix)| {
                let address: IpAddr = address.parse().ok()?;
                (prefix == if address.is_ipv4() { "32" } else { "128" }).then_some(address)
            })
        }
        _ => None,
    };
    let all = || match UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(_) => Ipv6Addr::UNSPECIFIED.into(),
        // A machine without IPv6.
        Err(_) => Ipv4Addr::UNSPECIFIED.into(),
    };
    one.unwrap_or_else(all)
}

fn reach(settings: &Settings) -> Reach {
    match settings.select_peers_by.value {
        SelectBy::None => Reach::Anywhere,
        SelectBy::Subnet => Reach::Subnets,
        SelectBy::List => {
            let subnets = settings.allow.value.0.iter().map(|rule| match rule {
                PeerRule::Subnet(subnet) => Some(*subnet),
                PeerRule::Id(_) => None,
            });
            // An identity may be anywhere; who comes is held against the list.
            subnets.collect::<Option<_>>().map_or(Reach::Anywhere, Reach::Listed)
        }
    }
}

/// What the lists say about a peer.
fn admit(settings: &Settings) -> Arc<Admit> {
    let block = settings.block.value.0.clone();
    let allow = (settings.select_peers_by.value == SelectBy::List).then(|| settings.allow.value.0.clone());
    Arc::new(move |peer, address| {
        let names = |rules: &[PeerRule]| {
            rules.iter().any(|rule| match rule {
                PeerRule::Id(id) => id == peer,
                PeerRule::Subnet(subnet) => subnet.contains(address),
            })
        };
        if names(&block) {
            return Err("the configuration blocks it (`block` under [peers])".to_owned());
        }
        if allow.as_ref().is_some_and(|allow| !names(allow)) {
            return Err("it is not on the list of the configuration (`allow` under [peers])".to_owned());
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
