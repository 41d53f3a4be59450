//! Access logs, which the servers are told to write alike as far as they can.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Kind;

/// One finished request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// `GET` or `HEAD`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The status that was sent; 0 when the server does not log it (busybox).
    pub status: u16,
    /// Bytes of the body that went out; 0 when the server does not log them (busybox).
    pub body_bytes: u64,
    /// The `Range` header that came in.
    pub range: Option<String>,
}

pub(super) fn parse(kind: Kind, text: &str) -> Result<Vec<Hit>> {
    let lines = text.lines().filter(|line| !line.is_empty());
    match kind {
        Kind::Nginx | Kind::Apache | Kind::Lighttpd => lines.map(common).collect(),
        Kind::Caddy => lines.map(caddy).collect(),
        Kind::Busybox => Ok(lines.filter_map(busybox).collect()),
    }
}

/// `GET /path 206 1234 "bytes=0-99"`: the form that we ask of nginx, apache and lighttpd.
fn common(line: &str) -> Result<Hit> {
    let (fields, rest) = line.split_once('"').with_context(|| format!("log line: {line}"))?;
    let range = rest.trim_end().trim_end_matches('"');
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let [method, path, status, bytes] = fields[..] else { anyhow::bail!("log line: {line}") };
    Ok(Hit {
        method: method.to_owned(),
        path: path.to_owned(),
        status: status.parse().with_context(|| format!("log line: {line}"))?,
        body_bytes: bytes.parse().unwrap_or(0), // "-" for none
        range: (range != "-" && !range.is_empty()).then(|| range.to_owned()),
    })
}

fn caddy(line: &str) -> Result<Hit> {
    let entry: Value = serde_json::from_str(line).with_context(|| format!("log line: {line}"))?;
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let number = |pointer: &str| entry.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    Ok(Hit {
        method: text("/request/method").context("a method")?,
        path: text("/request/uri").context("a path")?,
        status: u16::try_from(number("/status"))?,
        body_bytes: number("/size"),
        range: text("/request/headers/Range/0"),
    })
}

/// `[::ffff:127.0.0.1]:4711: url:/path`; nothing else that it logs names the path.
fn busybox(line: &str) -> Option<Hit> {
    let (_, path) = line.split_once("url:")?;
    Some(Hit {
        method: "GET".to_owned(),
        path: path.trim().to_owned(),
        status: 0,
        body_bytes: 0,
        range: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_form_is_read_with_and_without_a_range() {
        let hits = parse(Kind::Nginx, "GET /a 206 100 \"bytes=0-99\"\nHEAD /b 200 - \"-\"\n").unwrap();
        assert_eq!(hits[0].range.as_deref(), Some("bytes=0-99"));
        assert_eq!((hits[0].status, hits[0].body_bytes), (206, 100));
        assert_eq!((hits[1].range.as_deref(), hits[1].body_bytes), (None, 0));
    }
}
