//! One TCP port for both planes: who begins with TLS wants the exchange, everyone else the swarm.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Connections that have not said anything yet.
const MAX_SILENT: usize = 128;
/// Of these, from one address.
const MAX_SILENT_PER_ADDRESS: usize = 16;
/// Connections that wait to be taken, on each side.
const MAX_WAITING: usize = 64;
/// For the first bytes.
const FIRST_BYTES: Duration = Duration::from_secs(5);
/// Between looks at a beginning that could be either.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// After the system could not accept, as when there are too many open files.
const RECOVER: Duration = Duration::from_millis(100);
/// Bytes that tell a TLS ClientHello from anything else.
const TELLING: usize = 6;

/// One side's connections, with the address each comes from.
pub type Incoming = mpsc::Receiver<(TcpStream, SocketAddr)>;

/// Accepts on `listener` for as long as one of the two sides lives. The first receiver gets what begins as TLS (for
/// [`crate::Config::tcp`]), the second everything else. Nothing is read: each gets its connection from the first byte on.
#[must_use]
pub fn split(listener: TcpListener) -> (Incoming, Incoming) {
    split_within(listener, FIRST_BYTES)
}

fn split_within(listener: TcpListener, deadline: Duration) -> (Incoming, Incoming) {
    let (tls, tls_incoming) = mpsc::channel(MAX_WAITING);
    let (other, other_incoming) = mpsc::channel(MAX_WAITING);
    tokio::spawn(accept(listener, tls, other, deadline));
    (tls_incoming, other_incoming)
}

type Side = mpsc::Sender<(TcpStream, SocketAddr)>;

async fn accept(listener: TcpListener, tls: Side, other: Side, deadline: Duration) {
    let silent = Arc::new(Mutex::new(Vec::<IpAddr>::new()));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            ((), ()) = async { tokio::join!(tls.closed(), other.closed()) } => return,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                sleep(RECOVER).await;
                continue;
            }
        };
        let Some(place) = Place::enter(&silent, from.ip().to_canonical()) else { continue };
        let (tls, other) = (tls.clone(), other.clone());
        tokio::spawn(async move {
            let Ok(Some(is_tls)) = timeout(deadline, begins_with_tls(&stream)).await else { return };
            drop(place);
            let side = if is_tls { tls } else { other };
            // A side that does not keep up loses the newest, whose maker can come again.
            let _ = side.try_send((stream, from));
        });
    }
}

/// Whether the first bytes are those of a TLS ClientHello; `None` when it closed before.
async fn begins_with_tls(stream: &TcpStream) -> Option<bool> {
    let mut first = [0; TELLING];
    loop {
        let len = stream.peek(&mut first).await.ok().filter(|len| *len > 0)?;
        if let Some(is_tls) = judge(&first[..len]) {
            return Some(is_tls);
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Handshake record of TLS 1.x, of a length that records have, with a ClientHello in it. The swarm's first bytes are a fixed text or,
/// with a pre-shared key, 24 random ones, of which one in ten billion looks like this. `None` while it could be either.
fn judge(first: &[u8]) -> Option<bool> {
    let is_telling = |(at, byte): (usize, &u8)| match at {
        0 => *byte == 0x16,
        1 => *byte == 3,
        2 => (1..=4).contains(byte),
        3 => *byte <= 0x40,
        4 => true,
        _ => *byte == 1,
    };
    if !first.iter().enumerate().take(TELLING).all(is_telling) {
        return Some(false);
    }
    (first.len() >= TELLING).then_some(true)
}

/// One connection that has not said anything; counted until dropped.
struct Place {
    silent: Arc<Mutex<Vec<IpAddr>>>,
    address: IpAddr,
}

impl Place {
    fn enter(silent: &Arc<Mutex<Vec<IpAddr>>>, address: IpAddr) -> Option<Self> {
        let mut addresses = crate::connection::lock(silent);
        let of_this_one = addresses.iter().filter(|there| **there == address).count();
        if addresses.len() >= MAX_SILENT || of_this_one >= MAX_SILENT_PER_ADDRESS {
            return None;
        }
        addresses.push(address);
        Some(Self { silent: Arc::clone(silent), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut addresses = crate::connection::lock(&self.silent);
        if let Some(at) = addresses.iter().position(|address| *address == self.address) {
            addresses.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1];

    async fn door(deadline: Duration) -> (SocketAddr, Incoming, Incoming) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tls, other) = split_within(listener, deadline);
        (address, tls, other)
    }

    #[test]
    fn the_first_bytes_tell_as_soon_as_they_can() {
        assert_eq!(judge(HELLO), Some(true));
        assert_eq!(judge(&HELLO[..5]), None);
        assert_eq!(judge(&HELLO[..1]), None);
        assert_eq!(judge(b"\x13/multistream/1.0.0\n"), Some(false));
        assert_eq!(judge(b"\x13"), Some(false));
        assert_eq!(judge(&[0x16, 3, 9]), Some(false));
        assert_eq!(judge(&[0x16, 3, 1, 0xFF]), Some(false));
        assert_eq!(judge(&[0x16, 3, 1, 2, 0, 2]), Some(false));
    }

    #[tokio::test]
    async fn each_side_gets_its_connections_from_the_first_byte_on() {
        let (address, mut tls, mut other) = door(FIRST_BYTES).await;
        let mut one = TcpStream::connect(address).await.unwrap();
        let mut two = TcpStream::connect(address).await.unwrap();
        one.write_all(&HELLO[..3]).await.unwrap();
        two.write_all(b"\x13/multistream/1.0.0\n").await.unwrap();
        let (mut stream, from) = other.recv().await.unwrap();
        assert_eq!(from, two.local_addr().unwrap());
        let mut first = [0; 4];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"\x13/mu");
        one.write_all(&HELLO[3..]).await.unwrap();
        let (mut stream, _) = tls.recv().await.unwrap();
        let mut first = [0; 8];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(first, HELLO);
    }

    #[tokio::test]
    async fn who_says_nothing_is_dropped_and_cannot_take_all_places() {
        let (address, mut tls, _other) = door(Duration::from_millis(300)).await;
        let mut silent = Vec::new();
        for _ in 0..MAX_SILENT_PER_ADDRESS + 1 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        // The last one finds no place, the others are dropped at the deadline.
        for stream in &mut silent {
            assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        late.write_all(HELLO).await.unwrap();
        assert!(tls.recv().await.is_some());
    }
}
