//! Addresses of good peers, kept over restarts: a text file that a person can read, made again whenever it is lost.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

use dray_platform::durable;
use libp2p::PeerId;

/// Peers remembered.
pub(crate) const MAX_REMEMBERED: usize = 64;
/// Bytes read at most; a line has about a hundred.
const MAX_FILE: u64 = 16 * 1024;
const FIRST_LINE: &str = "dray peers 1";

/// The peers in the file. A file that is not there, or is damaged, holds none.
pub(crate) fn read(path: &Path) -> Vec<(PeerId, SocketAddr)> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    let mut lines = text.lines();
    if lines.next() != Some(FIRST_LINE) {
        return Vec::new();
    }
    let peers = lines.filter_map(|line| {
        let (peer, address) = line.split_once(' ')?;
        Some((peer.parse().ok()?, address.parse().ok()?))
    });
    peers.take(MAX_REMEMBERED).collect()
}

/// Replaces the file. It is not synced: what a power cut takes is found again.
pub(crate) fn write(path: &Path, peers: &[(PeerId, SocketAddr)]) {
    let mut text = format!("{FIRST_LINE}\n");
    for (peer, address) in peers {
        text.push_str(&format!("{peer} {address}\n"));
    }
    if let Err(error) = durable::write_atomic_relaxed(path, text.as_bytes()) {
        tracing::warn!(%error, "the addresses of peers cannot be kept for the next start");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_come_back_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peers");
        assert_eq!(read(&path), vec![]);
        let peers: Vec<_> =
            (1..100).map(|port| (PeerId::random(), SocketAddr::from(([10, 0, 0, 1], port)))).collect();
        write(&path, &peers[..3]);
        assert_eq!(read(&path), &peers[..3]);
        write(&path, &peers);
        assert_eq!(read(&path), &peers[..MAX_REMEMBERED]);
    }

    #[test]
    fn a_damaged_file_holds_what_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peers");
        let good = PeerId::random();
        std::fs::write(&path, format!("{FIRST_LINE}\n\nx y\n{good} 10.0.0.1:9\n{good} 10.0.0\n")).unwrap();
        assert_eq!(read(&path).len(), 1);
        std::fs::write(&path, format!("something else\n{good} 10.0.0.1:9\n")).unwrap();
        assert_eq!(read(&path), vec![]);
        std::fs::write(&path, vec![0xff; 100_000]).unwrap();
        assert_eq!(read(&path), vec![]);
    }
}
