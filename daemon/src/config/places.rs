//! Places on the network, as an administrator writes them: subnets, interfaces, peers, and where to begin.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use dray_identity::PeerId;

use super::peer_values::DEFAULT_PORT;

/// Addresses that begin alike; a single address is a subnet of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subnet {
    address: IpAddr,
    prefix: u8,
}

impl Subnet {
    /// Whether the address is in it. An IPv4 address is the same whether or not it is written as IPv6.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }

    fn bits(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("\"{text}\" is no subnet; write an address, or one with a length as in 10.0.0.0/8");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| wrong())?.to_canonical();
        let prefix = prefix.unwrap_or(Subnet::bits(address));
        if prefix > Subnet::bits(address) {
            return Err(wrong());
        }
        Ok(Subnet { address, prefix })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix == Subnet::bits(self.address) {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

/// Longest name of an interface; Windows has the longest.
const MAX_INTERFACE_NAME: usize = 256;

/// One or more interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Interface {
    /// Those with an address in it.
    Subnet(Subnet),
    /// That of this name; with a `*` at the end, all whose names begin so.
    Name(String),
}

impl FromStr for Interface {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(subnet) = text.parse() {
            return Ok(Interface::Subnet(subnet));
        }
        let is_name = !text.is_empty()
            && text.len() <= MAX_INTERFACE_NAME
            && !text.contains('/')
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if !is_name {
            return Err(format!(
                "\"{text}\" is no interface; write a name such as eth0 or wg*, or a subnet such as 10.0.0.0/8"
            ));
        }
        Ok(Interface::Name(text.to_owned()))
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Interface::Subnet(subnet) => subnet.fmt(f),
            Interface::Name(name) => f.write_str(name),
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

/// Longest name in the DNS.
const MAX_DNS_NAME: usize = 253;

/// Where a machine without neighbours finds its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bootstrap {
    Address(SocketAddr),
    Name(String, u16),
    /// A name whose SRV records say where.
    Srv(String),
}

impl FromStr for Bootstrap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Bootstrap::Address(address));
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Bootstrap::Address(SocketAddr::new(address, DEFAULT_PORT)));
        }
        let wrong = || {
            format!(
                "\"{text}\" is no place to begin; write an address such as 10.1.2.3:7680, a name such as \
                 branch.example, or one with SRV records such as _dray._tcp.example.org"
            )
        };
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let is_name = !name.is_empty()
            && name.len() <= MAX_DNS_NAME
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
            && name.trim_end_matches('.').split('.').all(|label| (1..=63).contains(&label.len()));
        match (is_name, name.starts_with('_'), port) {
            (true, true, None) => Ok(Bootstrap::Srv(name.to_owned())),
            (true, false, port) => Ok(Bootstrap::Name(name.to_owned(), port.unwrap_or(DEFAULT_PORT))),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Bootstrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bootstrap::Address(address) => address.fmt(f),
            Bootstrap::Name(name, port) => write!(f, "{name}:{port}"),
            Bootstrap::Srv(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_subnet_holds_what_begins_like_it_in_either_spelling() {
        assert!(subnet("10.1.0.0/16").contains(ip("10.1.255.255")));
        assert!(subnet("10.1.0.0/16").contains(ip("::ffff:10.1.2.3")));
        assert!(!subnet("10.1.0.0/16").contains(ip("10.2.0.0")));
        assert!(subnet("0.0.0.0/0").contains(ip("203.0.113.9")));
        assert!(!subnet("0.0.0.0/0").contains(ip("2001:db8::1")));
        assert!(
            subnet("192.0.2.7").contains(ip("192.0.2.7")) && !subnet("192.0.2.7").contains(ip("192.0.2.6"))
        );
        assert!(subnet("fe80::/10").contains(ip("fe80::1")) && !subnet("::/0").contains(ip("10.0.0.1")));
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "host", ""] {
            assert!(wrong.parse::<Subnet>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_to_begin_is_an_address_a_name_or_a_service() {
        let shown = |text: &str| text.parse::<Bootstrap>().map(|place| place.to_string());
        assert_eq!(shown("10.1.2.3").unwrap(), "10.1.2.3:7680");
        assert_eq!(shown("[2001:db8::1]:99").unwrap(), "[2001:db8::1]:99");
        assert_eq!(shown("[2001:db8::1]").unwrap(), "[2001:db8::1]:7680");
        assert_eq!(shown("branch.example").unwrap(), "branch.example:7680");
        assert_eq!(shown("branch.example:81").unwrap(), "branch.example:81");
        assert_eq!("_dray._tcp.example".parse(), Ok(Bootstrap::Srv("_dray._tcp.example".to_owned())));
        for wrong in ["", ":80", "a b", "http://host/", "host:port", "host:70000", "_dray._tcp.x:80", "a..b"]
        {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_interface_is_a_name_or_a_subnet_and_a_peer_an_id_or_a_subnet() {
        assert_eq!("wg*".parse(), Ok(Interface::Name("wg*".to_owned())));
        assert_eq!("10.0.0.0/8".parse(), Ok(Interface::Subnet(subnet("10.0.0.0/8"))));
        assert!("a b".parse::<Interface>().is_err() && "10.0.0.0/99".parse::<Interface>().is_err());
        let id = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
        assert_eq!(id.parse::<Peer>().unwrap().to_string(), id);
        assert_eq!("10.0.0.0/8".parse(), Ok(Peer::Subnet(subnet("10.0.0.0/8"))));
        assert!("neighbour".parse::<Peer>().is_err());
    }
}
