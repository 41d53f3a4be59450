//! What a quiet swarm costs: one process is the machine that is measured, another one is all its peers.
//!
//! ```text
//! idle hub PORT PEERS SECONDS       waits for the peers, then measures itself for so long
//! idle leaves PORT PEERS SECONDS    so many machines on loopback, each connected with the hub alone
//! idle key                          a group key, for the below
//! ```
//! With `GROUP_KEY` in the environment (the text of a group key) both are members of that group. With `WIDE` every
//! interface is used, so that two hubs on one LAN wait for each other.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, run by hand")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dray_content::Digest;
use dray_identity::{Group, NodeKey};
use dray_swarm::{Bootstrap, Config, Directory, Interfaces, Mode, PeerId, Role, Swarm};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

struct Empty;

impl Directory for Empty {
    fn role(&self, _: &[Digest]) -> Option<Role> {
        None
    }

    fn admit(&self, _: &PeerId, _: IpAddr) -> Result<(), String> {
        Ok(())
    }
}

async fn start(port: u16, bootstrap: Vec<Bootstrap>, mdns: bool) -> Swarm {
    let wide = std::env::var_os("WIDE").is_some();
    let at = if wide { [0, 0, 0, 0] } else { [127, 0, 0, 1] };
    let listener = TcpListener::bind(SocketAddr::from((at, port))).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (arrived, inbound) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok(connection) = listener.accept().await {
            if arrived.send(connection).await.is_err() {
                break;
            }
        }
    });
    let mut config = Config::new(NodeKey::generate(), inbound, Arc::new(Empty));
    if let Ok(key) = std::env::var("GROUP_KEY") {
        config.group = Group::from_key_text("idle", &key).ok();
        config.mode = Mode::Group;
    }
    config.port = port;
    if !wide {
        config.interfaces = Interfaces { include: vec!["127.0.0.0/8".parse().unwrap()], exclude: vec![] };
    }
    config.mdns = mdns;
    config.limits.connections = 400;
    config.limits.connections_per_address = 400;
    config.limits.pending_per_address = 32;
    config.limits.dials_per_address.burst = 1000;
    if !bootstrap.is_empty() {
        config.limits.wanted_connections = 1;
    }
    config.bootstrap = bootstrap;
    Swarm::start(config).unwrap()
}

/// Seconds of processor, and KiB resident and anonymous.
fn used() -> (f64, u64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    (f64::from(u32::try_from(ticks).unwrap()) / 100.0, kib("VmRSS:"), kib("RssAnon:"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words[0] == "key" {
        println!("{}", *Group::generate_key_text());
        return;
    }
    let number = |at: usize| words[at].parse::<u32>().unwrap();
    let port = u16::try_from(number(1)).unwrap();
    let (peers, wait) = (number(2) as usize, Duration::from_secs(u64::from(number(3))));
    if words[0] == "leaves" {
        let hub = Bootstrap::Address(SocketAddr::from(([127, 0, 0, 1], port)));
        let mut leaves = Vec::new();
        for _ in 0..peers {
            leaves.push(start(0, vec![hub.clone()], false).await);
        }
        tokio::time::sleep(wait).await;
        return;
    }
    let alone = used();
    let hub = start(port, Vec::new(), true).await;
    while hub.connected() < peers {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // At first everyone asks for neighbours; then ever less.
    tokio::time::sleep(Duration::from_secs(if peers > 1 { 330 } else { 1 })).await;
    let (before, ..) = used();
    tokio::time::sleep(wait).await;
    let (after, resident, anonymous) = used();
    let share = (after - before) / wait.as_secs_f64() * 100.0;
    println!("{peers} peers: {share:.3} % of a core, {resident} KiB resident, {anonymous} KiB anonymous");
    println!(
        "before the swarm: {} KiB resident, {} KiB anonymous; counts {:?}",
        alone.1,
        alone.2,
        hub.counts()
    );
}
