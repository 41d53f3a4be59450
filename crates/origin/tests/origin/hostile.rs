//! A server that sends exactly the bytes it is told to, and what the tests share to talk to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dray_origin::{Answer, Ask, Client, ClientConfig, OriginError, ProxyChoice, Response, Validators, Wish};
use dray_ranges::ByteRange;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// Long enough that only a server that is silent on purpose meets it, short enough to wait for.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// What to do after a request.
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Say nothing more, and keep the connection open until the client leaves.
    Hang,
    Close,
    /// Close with a TCP reset.
    Reset,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    /// Which connection it came on, from zero.
    pub(crate) connection: usize,
}

impl Seen {
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or("")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

pub(crate) struct Hostile {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Hostile {
    /// Answers each request with what `script` says; lives as long as the test's runtime.
    pub(crate) async fn start(script: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (Arc::new(script), seen.clone());
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, log) = (script.clone(), log.clone());
                tokio::spawn(async move { serve(stream, connection, &*script, &log).await });
            }
        });
        Self { address, seen }
    }

    /// Answers every request with the same bytes and keeps the connection.
    pub(crate) async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |_| vec![Step::Send(answer.clone())]).await
    }

    /// Answers every request with the same bytes and closes.
    pub(crate) async fn saying_and_closing(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |_| vec![Step::Send(answer.clone()), Step::Close]).await
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    script: &(dyn Fn(&Seen) -> Vec<Step> + Send + Sync),
    log: &Mutex<Vec<Seen>>,
) {
    while let Some(head) = read_head(&mut stream).await {
        let seen = Seen { head, connection };
        let steps = script(&seen);
        log.lock().unwrap().push(seen);
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Step::Hang => {
                    let _ = stream.read_u8().await;
                    return;
                }
                Step::Close => {
                    // Reading on until the client has gone keeps the close from becoming a reset.
                    let _ = stream.shutdown().await;
                    while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
                    return;
                }
                Step::Reset => {
                    stream.set_zero_linger().unwrap();
                    return;
                }
            }
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// A 200 with a length.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A body in one chunk, with the end mark.
pub(crate) fn chunked(status_and_headers: &str, body: &str) -> Vec<u8> {
    let size = body.len();
    format!(
        "HTTP/1.1 {status_and_headers}\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
    )
    .into_bytes()
}

pub(crate) fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 5\r\n\r\nthere").into_bytes()
}

/// Settings for loopback: no proxy of the machine may come between.
pub(crate) fn config() -> ClientConfig {
    ClientConfig { proxy: ProxyChoice::None, ..ClientConfig::default() }
}

pub(crate) fn client() -> Client {
    Client::new(config()).unwrap()
}

/// A client that waits for nothing longer than [`SHORT`].
pub(crate) fn impatient() -> Client {
    let (connect_timeout, first_byte_timeout, stall_timeout) = (SHORT, SHORT, SHORT);
    Client::new(ClientConfig { connect_timeout, first_byte_timeout, stall_timeout, ..config() }).unwrap()
}

pub(crate) fn range(start: u64, end: u64) -> Wish {
    Wish::Range(ByteRange::new(start, end).unwrap())
}

pub(crate) fn version(etag: &str) -> Validators {
    Validators { etag: Some(etag.into()), ..Validators::default() }
}

pub(crate) async fn open(client: &Client, ask: Ask<'_>) -> Result<Response, OriginError> {
    match client.open(ask).await? {
        Answer::Body(response) => Ok(response),
        Answer::Unchanged => panic!("unchanged, though nothing was known"),
    }
}

pub(crate) async fn open_whole(client: &Client, url: &Url) -> Result<Response, OriginError> {
    open(client, Ask::whole(url)).await
}

/// All that a body yields, and how it ends.
pub(crate) async fn read(response: &mut Response) -> (Vec<u8>, Result<(), OriginError>) {
    let mut all = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) => all.extend_from_slice(&bytes),
            Ok(None) => return (all, Ok(())),
            Err(error) => {
                assert!(matches!(response.chunk().await, Ok(None)), "after an error it is over");
                return (all, Err(error));
            }
        }
    }
}

/// The whole file at a URL as text.
pub(crate) async fn get(client: &Client, url: &Url) -> Result<String, OriginError> {
    let mut response = open_whole(client, url).await?;
    let (all, end) = read(&mut response).await;
    end.map(|()| String::from_utf8(all).unwrap())
}
