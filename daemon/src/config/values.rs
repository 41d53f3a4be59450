//! The types of single settings: text becomes one of these at the border.
//!
//! Each has one `FromStr`, used alike for flags, environment and file, so that a value means the same wherever it
//! stands. In the file a number may also be written as a TOML integer.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::peer_values::{ByteCount, GroupName, Mode, Port, SelectBy, Switch};

/// Where metrics are served when nobody says otherwise: beside the swarm's 7680, on loopback.
const DEFAULT_METRICS_PORT: u16 = 7681;

/// A `tracing` filter such as `info` or `drayd=debug,info`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFilter(pub(crate) String);

impl Default for LogFilter {
    fn default() -> Self {
        LogFilter("info".to_owned())
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        tracing_subscriber::EnvFilter::try_new(text).map(|_| LogFilter(text.to_owned())).map_err(|e| {
            format!("\"{text}\" is not a log filter ({e}); write a level such as info or drayd=debug")
        })
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("\"{text}\" is not a log format; write text or json")),
        }
    }
}

/// Where the metrics endpoint listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricsAt {
    Off,
    Address(SocketAddr),
}

impl Default for MetricsAt {
    fn default() -> Self {
        MetricsAt::Address(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_METRICS_PORT))
    }
}

impl FromStr for MetricsAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(MetricsAt::Off);
        }
        text.parse().map(MetricsAt::Address).map_err(|_| {
            format!("\"{text}\" is not an address for metrics; write one such as 127.0.0.1:7681, or off")
        })
    }
}

/// How much the content cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheLimit {
    Off,
    Bytes(u64),
}

impl FromStr for CacheLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(CacheLimit::Off);
        }
        parse_bytes(text).map(CacheLimit::Bytes).ok_or_else(|| {
            format!("\"{text}\" is not a number of bytes; write one such as 500 MiB or 20 GiB, or off")
        })
    }
}

/// `1024`, `20 GiB`, `500MB`: powers of two with an `i`, of ten without.
pub(super) fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let unit: u64 = match text.get(digits..)?.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// A number of things, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u32);

/// Largest count: ten times what the design asks for, small enough that a queue sized by it fits in memory.
const MAX_COUNT: u32 = 100_000;

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(n) if (1..=MAX_COUNT).contains(&n) => Ok(Count(n)),
            _ => Err(format!("\"{text}\" is not a whole number from 1 to {MAX_COUNT}")),
        }
    }
}

/// A timeout in whole seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) u64);

/// Longest timeout of one step of a transfer: an hour of silence is a dead server.
const MAX_SECONDS: u64 = 3600;

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(n) if (1..=MAX_SECONDS).contains(&n) => Ok(Seconds(n)),
            _ => Err(format!("\"{text}\" is not a whole number of seconds from 1 to {MAX_SECONDS}")),
        }
    }
}

/// How origins are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// As the system says (`http_proxy` and its like).
    System,
    Direct,
    Url(url::Url),
}

impl FromStr for Proxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "system" => Ok(Proxy::System),
            "none" => Ok(Proxy::Direct),
            // The text is not repeated: a proxy URL may hold a password.
            _ => url::Url::parse(text)
                .map(Proxy::Url)
                .map_err(|e| format!("the proxy is not a URL ({e}); write a URL, system or none")),
        }
    }
}

/// The group whose members are administrators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Administrators {
    /// Root alone.
    Root,
    Number(u32),
    Name(String),
}

/// Longest name of a group; the system's tools allow 32.
const MAX_GROUP_NAME: usize = 256;

impl FromStr for Administrators {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Administrators::Root);
        }
        if let Ok(number) = text.parse() {
            return Ok(Administrators::Number(number));
        }
        if text.is_empty() || text.len() > MAX_GROUP_NAME || text.contains(['\0', ':', '\n']) {
            return Err("that is not a group; write the name or the number of one, or none".to_owned());
        }
        Ok(Administrators::Name(text.to_owned()))
    }
}

/// Paths, in the environment separated as in `PATH`, in the file a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathList(pub(crate) Vec<PathBuf>);

impl FromStr for PathList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(PathList(std::env::split_paths(text).filter(|p| !p.as_os_str().is_empty()).collect()))
    }
}

/// Takes a string or an integer from the file and gives it to `FromStr`.
struct Text<T>(std::marker::PhantomData<T>);

impl<'de, T: FromStr<Err = String>> Visitor<'de> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a whole number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bool<E: Error>(self, yes: bool) -> Result<T, E> {
        self.visit_str(if yes { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! deserialize_as_text {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Text(std::marker::PhantomData))
            }
        }
    )*};
}
deserialize_as_text!(Administrators, LogFilter, LogFormat, MetricsAt, CacheLimit, Count, Seconds, Proxy);
deserialize_as_text!(Mode, GroupName, Port, SelectBy, ByteCount, Switch);

impl<'de> Deserialize<'de> for PathList {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = PathList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of paths")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<PathList, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = seq.next_element()? {
                    paths.push(path);
                }
                Ok(PathList(paths))
            }
        }
        from.deserialize_seq(List)
    }
}
