//! The last line: what came, how fast, from where, and what proves it.

use std::path::Path;
use std::time::Duration;

use dray_origin::ShownUrl;
use serde_json::json;
use url::Url;

use crate::printer::{Printer, bytes};

/// A finished download, as it is told.
#[derive(Clone)]
pub(crate) struct Summary<'a> {
    pub(crate) path: &'a Path,
    pub(crate) url: &'a Url,
    /// Bytes in the file.
    pub(crate) size: u64,
    pub(crate) resumed: u64,
    pub(crate) cache: u64,
    pub(crate) origin: u64,
    pub(crate) cache_host: u64,
    pub(crate) lan_peers: u64,
    pub(crate) group_peers: u64,
    /// How many peers gave something; 0 when that is not known.
    pub(crate) peer_count: usize,
    pub(crate) wasted: u64,
    /// The BLAKE3 root as hex.
    pub(crate) content: Option<String>,
    /// Digests that hold, with their algorithm.
    pub(crate) digests: Vec<String>,
    pub(crate) took: Duration,
}

impl Summary<'_> {
    /// One object for a script, one line for a person.
    pub(crate) fn print(&self, printer: &Printer) {
        if printer.json {
            printer.json(&self.object());
        } else {
            printer.note(&self.line());
        }
    }

    fn line(&self) -> String {
        let peers = match self.peer_count {
            0 => "from peers".to_owned(),
            1 => "from 1 peer".to_owned(),
            count => format!("from {count} peers"),
        };
        let sources = [
            (self.resumed, "kept from before".to_owned()),
            (self.cache, "from the cache".to_owned()),
            (self.origin, format!("from {}", host(self.url))),
            (self.cache_host, "from a cache host".to_owned()),
            (self.lan_peers + self.group_peers, peers),
            (self.wasted, "fetched in vain".to_owned()),
        ];
        let mut parts = sources
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, from)| format!("{} {from}", bytes(*count)));
        let first = parts.next().unwrap_or_else(|| "nothing to fetch".to_owned());
        let from = parts.fold(first, |line, part| line + ", " + &part);
        let rate = rate_bytes_per_s(self.size.saturating_sub(self.resumed), self.took);
        let took = self.took.as_secs_f64();
        let line = format!(
            "{}: {} in {took:.1} s ({}/s): {from}",
            self.path.display(),
            bytes(self.size),
            bytes(rate)
        );
        self.proof().map_or(line.clone(), |proof| format!("{line}\n  {proof}"))
    }

    /// The digest that someone gave, else the one that `b3sum` prints.
    fn proof(&self) -> Option<String> {
        let given = self.digests.iter().find(|digest| !digest.starts_with("blake3:"));
        given.cloned().or_else(|| self.content.as_ref().map(|root| format!("blake3:{root}")))
    }

    fn object(&self) -> serde_json::Value {
        json!({
            "path": self.path.display().to_string(),
            "url": ShownUrl::from(self.url).to_string(),
            "size": self.size,
            "seconds": self.took.as_secs_f64(),
            "bytes": {
                "resumed": self.resumed, "cache": self.cache, "origin": self.origin, "wasted": self.wasted,
                "cache_host": self.cache_host, "lan_peers": self.lan_peers, "group_peers": self.group_peers,
            },
            "peers": self.peer_count,
            "content": self.content,
            "digests": self.digests,
        })
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // For people, not for sums.
fn rate_bytes_per_s(count: u64, took: Duration) -> u64 {
    (count as f64 / took.as_secs_f64().max(1e-9)) as u64
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("the origin");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_which_bytes_came_from_where() {
        let url = Url::parse("http://origin.example:8080/x.iso").unwrap();
        let summary = Summary {
            path: Path::new("x.iso"),
            url: &url,
            size: 3 << 20,
            resumed: 1 << 20,
            cache: 0,
            origin: 2 << 20,
            cache_host: 0,
            lan_peers: 0,
            group_peers: 0,
            peer_count: 0,
            wasted: 0,
            content: Some("ab".into()),
            digests: vec!["blake3:ab".into(), "sha256:cd".into()],
            took: Duration::from_secs(2),
        };
        let expected = "x.iso: 3.00 MiB in 2.0 s (1.00 MiB/s): 1.00 MiB kept from before, 2.00 MiB from origin.example:8080\n  sha256:cd";
        assert_eq!(summary.line(), expected);
        let shared =
            Summary { resumed: 0, origin: 1 << 20, lan_peers: 1 << 20, group_peers: 1 << 20, ..summary };
        for (peer_count, said) in
            [(7, "2.00 MiB from 7 peers"), (1, "2.00 MiB from 1 peer"), (0, "2.00 MiB from peers")]
        {
            let line = Summary { peer_count, digests: Vec::new(), content: None, ..shared.clone() }.line();
            assert!(line.contains(&format!("1.00 MiB from origin.example:8080, {said}")), "{line}");
        }
    }
}
