//! Places on the network, as an administrator writes them: interfaces and peers. (Subnets and places to begin are the swarm's own.)

use std::fmt;
use std::str::FromStr;

use dray_identity::PeerId;
use dray_swarm::{InterfaceRule, Subnet};

/// Longest name of an interface; Windows has the longest.
const MAX_INTERFACE_NAME: usize = 256;

/// One or more interfaces: that of a name, or those with an address in a subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface(pub(crate) InterfaceRule);

impl FromStr for Interface {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(subnet) = text.parse() {
            return Ok(Interface(InterfaceRule::Subnet(subnet)));
        }
        let is_name = !text.is_empty()
            && text.len() <= MAX_INTERFACE_NAME
            && !text.contains('/')
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if !is_name {
            return Err(format!(
                "\"{text}\" is no interface; write a name such as eth0, or a subnet such as 10.0.0.0/8"
            ));
        }
        Ok(Interface(InterfaceRule::Name(text.to_owned())))
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            InterfaceRule::Subnet(subnet) => subnet.fmt(f),
            InterfaceRule::Name(name) => f.write_str(name),
        }
    }
}

/// One or more peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Whoever holds this key, wherever it is.
    Id(PeerId),
    /// Whoever has an address in it.
    Subnet(Subnet),
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(subnet) = text.parse() {
            return Ok(Peer::Subnet(subnet));
        }
        text.parse().map(Peer::Id).map_err(|_| {
            format!("\"{text}\" is no peer; write its id as `dray peers` shows it, an address, or a subnet")
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Id(id) => id.fmt(f),
            Peer::Subnet(subnet) => subnet.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_a_name_or_a_subnet() {
        assert_eq!("wg0".parse(), Ok(Interface(InterfaceRule::Name("wg0".to_owned()))));
        assert_eq!("10.0.0.0/8".parse::<Interface>().unwrap().to_string(), "10.0.0.0/8");
        for wrong in ["", "a b", "10.0.0.0/99", "a\nb"] {
            assert!(wrong.parse::<Interface>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_peer_is_an_identity_an_address_or_a_subnet() {
        let id = PeerId::random().to_string();
        assert_eq!(id.parse::<Peer>().unwrap().to_string(), id);
        assert_eq!("10.0.0.0/8".parse::<Peer>().unwrap().to_string(), "10.0.0.0/8");
        assert!("10.1.2.3".parse::<Peer>().is_ok() && "neighbour".parse::<Peer>().is_err());
    }
}
