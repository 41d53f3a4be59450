//! Subnets, which interfaces may be used, and which addresses lie on a directly connected subnet. Pure.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address with the number of its leading bits that count: `10.1.0.0/16`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

/// Text that is no subnet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no subnet: write an address, or an address and a prefix length such as 10.1.0.0/16")]
pub struct NoSubnet(String);

impl Subnet {
    /// The subnet of `address` with `prefix` leading bits; `None` when there are not so many bits.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= bits(address)).then_some(Self { address: plain(address), prefix })
    }

    /// Whether `address` lies in it. An IPv4 address written as IPv6 counts as the IPv4 address that it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, plain(address)) {
            (IpAddr::V4(net), IpAddr::V4(one)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                (net.to_bits() ^ one.to_bits()) & mask == 0
            }
            (IpAddr::V6(net), IpAddr::V6(one)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                (net.to_bits() ^ one.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = NoSubnet;

    fn from_str(text: &str) -> Result<Self, NoSubnet> {
        let wrong = || NoSubnet(text.chars().take(64).collect());
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let prefix = match prefix {
            None => bits(address),
            Some(prefix) => prefix.trim().parse().map_err(|_| wrong())?,
        };
        Self::new(address, prefix).ok_or_else(wrong)
    }
}

/// One way to name interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterfaceRule {
    /// By the system's name, such as `eth0`.
    Name(String),
    /// By the addresses on it.
    Subnet(Subnet),
}

impl FromStr for InterfaceRule {
    type Err = std::convert::Infallible;

    /// What reads as a subnet or an address is one; all else is a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Name(text.trim().to_owned()), Self::Subnet))
    }
}

/// Which interface addresses are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// Only these; empty stands for every one but loopback, which is used only when it is named.
    pub include: Vec<InterfaceRule>,
    /// Never these, whatever `include` says.
    pub exclude: Vec<InterfaceRule>,
}

/// One address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalAddress {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
}

impl LocalAddress {
    pub(crate) fn subnet(&self) -> Subnet {
        Subnet { address: plain(self.address), prefix: self.prefix }
    }
}

impl Interfaces {
    /// Whether this address of the machine is used.
    pub(crate) fn uses(&self, local: &LocalAddress) -> bool {
        let named = |rules: &[InterfaceRule]| {
            rules.iter().any(|rule| match rule {
                InterfaceRule::Name(name) => *name == local.name,
                InterfaceRule::Subnet(subnet) => subnet.contains(local.address),
            })
        };
        let included =
            if self.include.is_empty() { !local.address.is_loopback() } else { named(&self.include) };
        included && !named(&self.exclude)
    }
}

/// IPv4 out of IPv6 clothes.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn bits(address: IpAddr) -> u8 {
    match plain(address) {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(name: &str, address: &str) -> LocalAddress {
        LocalAddress { name: name.to_owned(), address: address.parse().unwrap(), prefix: 24 }
    }

    #[test]
    fn a_subnet_holds_its_own_addresses_and_no_others() {
        let net: Subnet = "10.1.2.3/16".parse().unwrap();
        assert!(net.contains("10.1.255.1".parse().unwrap()));
        assert!(net.contains("::ffff:10.1.0.9".parse().unwrap()));
        assert!(!net.contains("10.2.0.1".parse().unwrap()));
        assert!(!net.contains("fe80::1".parse().unwrap()));
        let all: Subnet = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("255.255.255.255".parse().unwrap()));
        assert!("::/0".parse::<Subnet>().unwrap().contains("2001:db8::1".parse().unwrap()));
        let one: Subnet = "2001:db8::1".parse().unwrap();
        assert!(
            one.contains("2001:db8::1".parse().unwrap()) && !one.contains("2001:db8::2".parse().unwrap())
        );
    }

    #[test]
    fn text_that_is_no_subnet_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "eth0", "::/129", "10.0.0.0/-1"] {
            assert!(text.parse::<Subnet>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn loopback_is_used_only_when_it_is_named() {
        let (lo, eth) = (local("lo", "127.0.0.1"), local("eth0", "10.0.0.7"));
        let all = Interfaces::default();
        assert!(all.uses(&eth) && !all.uses(&lo));
        let named = Interfaces { include: vec!["127.0.0.1".parse().unwrap()], exclude: vec![] };
        assert!(named.uses(&lo) && !named.uses(&eth));
    }

    #[test]
    fn an_excluded_interface_is_not_used_even_if_it_is_included() {
        let rules = Interfaces {
            include: vec!["10.0.0.0/8".parse().unwrap()],
            exclude: vec!["tun0".parse().unwrap()],
        };
        assert!(rules.uses(&local("eth0", "10.0.0.7")));
        assert!(!rules.uses(&local("tun0", "10.9.0.7")));
    }
}
