//! The types of the settings about peers that are single words and numbers.

use std::fmt;
use std::str::FromStr;

use super::values::parse_bytes;

/// From whom bytes may come: DODownloadMode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// 0 (CdnOnly): the origin and the cache, no peers.
    Off,
    /// 1: the machines on the same network as well.
    Lan,
    /// 2: the machines that hold the key of the same group as well, wherever they are.
    Group,
    /// 99: no peers. Here the same as 0, since there is no cloud service that 0 would still ask.
    Simple,
    /// 100: every file straight from its origin, past the cache too.
    Bypass,
}

impl Mode {
    /// Whether there are peers at all.
    pub(crate) fn has_peers(self) -> bool {
        matches!(self, Mode::Lan | Mode::Group)
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" | "0" => Ok(Mode::Off),
            "lan" | "1" => Ok(Mode::Lan),
            "group" | "2" => Ok(Mode::Group),
            "simple" | "99" => Ok(Mode::Simple),
            "bypass" | "100" => Ok(Mode::Bypass),
            "internet" | "3" => {
                Err("strangers on the internet are never peers; write group, and name one".to_owned())
            }
            _ => Err(format!(
                "\"{text}\" is not a mode; write off, lan, group, simple or bypass (0, 1, 2, 99, 100)"
            )),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Off => "off",
            Mode::Lan => "lan",
            Mode::Group => "group",
            Mode::Simple => "simple",
            Mode::Bypass => "bypass",
        })
    }
}

/// Longest name of a group, in bytes.
const MAX_GROUP_NAME: usize = 64;

/// The group whose machines are peers, by its name; empty: none. The name is no secret, the key is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GroupName(pub(crate) String);

impl FromStr for GroupName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > MAX_GROUP_NAME || text.chars().any(char::is_control) || text.trim() != text {
            return Err(format!(
                "that is not the name of a group; write at most {MAX_GROUP_NAME} bytes on one line"
            ));
        }
        Ok(GroupName(text.to_owned()))
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A port for TCP and UDP; 0 is any free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Port(pub(crate) u16);

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Port).map_err(|_| format!("\"{text}\" is not a port from 0 to 65535"))
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which of the machines that are there become peers: DORestrictPeerSelectionBy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SelectBy {
    /// 0: all that the mode allows.
    None,
    /// 1: those in a subnet of one of this machine's interfaces.
    Subnet,
    /// Those that `allow` names.
    List,
}

impl FromStr for SelectBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" | "0" => Ok(SelectBy::None),
            "subnet" | "1" => Ok(SelectBy::Subnet),
            "list" => Ok(SelectBy::List),
            _ => Err(format!("\"{text}\" is no way to select peers; write none, subnet or list")),
        }
    }
}

impl fmt::Display for SelectBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SelectBy::None => "none",
            SelectBy::Subnet => "subnet",
            SelectBy::List => "list",
        })
    }
}

/// A number of bytes; which of them zero means is the setting's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteCount(pub(crate) u64);

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_bytes(text)
            .map(ByteCount)
            .ok_or_else(|| format!("\"{text}\" is not a number of bytes; write one such as 1048576 or 1 MiB"))
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switch(pub(crate) bool);

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" | "yes" | "on" => Ok(Switch(true)),
            "false" | "0" | "no" | "off" => Ok(Switch(false)),
            _ => Err(format!("\"{text}\" is neither true nor false")),
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_a_word_or_the_number_of_delivery_optimization() {
        for (word, number, peers) in [
            ("off", "0", false),
            ("lan", "1", true),
            ("group", "2", true),
            ("simple", "99", false),
            ("bypass", "100", false),
        ] {
            let mode: Mode = word.parse().unwrap();
            assert_eq!(number.parse(), Ok(mode));
            assert_eq!((mode.to_string().as_str(), mode.has_peers()), (word, peers));
        }
        assert!("3".parse::<Mode>().unwrap_err().contains("group"));
        assert!("peers".parse::<Mode>().is_err() && "".parse::<Mode>().is_err());
    }

    #[test]
    fn the_name_of_a_group_is_one_short_line() {
        assert!("b".repeat(MAX_GROUP_NAME).parse::<GroupName>().is_ok());
        for wrong in ["b".repeat(MAX_GROUP_NAME + 1), "a\nb".to_owned(), " a".to_owned()] {
            assert!(wrong.parse::<GroupName>().is_err(), "{wrong:?}");
        }
    }
}
