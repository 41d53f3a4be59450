//! A web server that misbehaves on purpose, for the faults that no real server shows.
//!
//! Each path has a function from a request ([`Ask`]) to an answer ([`Reply`]). [`Content::answer`] is the answer of an honest
//! server; a fault is that answer with something changed: `content.answer(ask).cut_after(1000)`. Every request and every byte
//! of every body is counted. It is written with threads and blocking sockets, so that what goes over the wire, and when, is exactly
//! what the test says.

mod ask;
mod connection;
mod content;
mod reply;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::wait::until;

pub use ask::Ask;
pub use content::Content;
pub use reply::Reply;

type Answer = dyn Fn(&Ask) -> Reply + Send + Sync;

/// What is known of one path.
#[derive(Default)]
struct Page {
    answer: Option<Arc<Answer>>,
    asks: Vec<Ask>,
    body_bytes: Arc<AtomicU64>,
}

struct Shared {
    start: Instant,
    pages: Mutex<BTreeMap<String, Page>>,
    connections: AtomicU64,
    stopped: AtomicBool,
}

impl Shared {
    fn pages(&self) -> MutexGuard<'_, BTreeMap<String, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Remembers the request and finds its answer, with the counter for the body's bytes.
    fn decide(&self, mut ask: Ask) -> (Reply, Arc<AtomicU64>) {
        let (answer, counter) = {
            let mut pages = self.pages();
            let page = pages.entry(ask.path.clone()).or_default();
            ask.nth = page.asks.len();
            ask.at = self.start.elapsed();
            page.asks.push(ask.clone());
            (page.answer.clone(), Arc::clone(&page.body_bytes))
        };
        // Not under the lock: an answer may look at the server.
        let reply = answer.map_or_else(|| Reply::status(404), |answer| answer(&ask));
        (reply, counter)
    }
}

/// The server. Stops when dropped.
pub struct FaultServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl FaultServer {
    /// Starts on a free port of loopback; every path is 404.
    pub fn start() -> Result<FaultServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            start: Instant::now(),
            pages: Mutex::default(),
            connections: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let for_acceptor = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &for_acceptor));
        Ok(FaultServer { address, shared, acceptor: Some(acceptor) })
    }

    /// Where a path (with its leading `/`) is found.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on, requests for `path` are answered by `answer`.
    pub fn page(&self, path: &str, answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> String {
        self.shared.pages().entry(path.to_owned()).or_default().answer = Some(Arc::new(answer));
        self.url(path)
    }

    /// The requests for `path` so far.
    pub fn asks(&self, path: &str) -> Vec<Ask> {
        self.shared.pages().get(path).map(|page| page.asks.clone()).unwrap_or_default()
    }

    /// Bytes of bodies given to the kernel for `path` so far.
    pub fn body_bytes(&self, path: &str) -> u64 {
        self.shared.pages().get(path).map_or(0, |page| page.body_bytes.load(Ordering::Relaxed))
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Waits until so many bytes of bodies have gone out for `path`.
    pub fn wait_for_body_bytes(&self, path: &str, bytes: u64, limit: Duration) -> Result<()> {
        until(&format!("{bytes} bytes of {path} to be served"), limit, || {
            Ok((self.body_bytes(path) >= bytes).then_some(()))
        })
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // wakes the acceptor
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        match listener.accept() {
            Ok(_) if shared.is_stopped() => return,
            Ok((stream, _)) => {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(shared);
                // Ends with its peer, or within a heartbeat of the server's end.
                thread::spawn(move || connection::serve(stream, &shared));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
