//! Ten thousand subscribers of one user.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Result, ensure};
use dray_api::client;
use dray_api::v1::{self, ErrorDetail};

use crate::raw::{empty_call, hello};
use crate::{PATIENCE, with_daemon};

/// How many want to hear.
const SUBSCRIBERS: usize = 10_000;
/// Connections that they share.
const CONNECTIONS: usize = 8;
/// Streams of one user that the daemon keeps.
const KEPT: usize = 128;
/// Connections of one user that the daemon keeps.
const CONNECTIONS_KEPT: usize = 256;
/// Changes that everyone is told of.
const EVENTS: u32 = 200;

#[test]
fn ten_thousand_subscribers_over_few_connections() -> Result<()> {
    with_daemon(|watched| {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let channel = watched.runtime.block_on(client::connect(&watched.daemon.socket()))?;
            clients.push((client::jobs(channel.clone()), client::downloads(channel)));
        }
        let (mut jobs, mut downloads, mut refused) = (Vec::new(), Vec::new(), 0);
        for number in 0..SUBSCRIBERS {
            let (job_client, download_client) = &mut clients[number % CONNECTIONS];
            let outcome = match number / CONNECTIONS % 2 {
                0 => {
                    let asked = job_client.watch_events(v1::WatchEventsRequest::default());
                    watched.runtime.block_on(asked).map(|stream| jobs.push(stream))
                }
                _ => {
                    let asked = download_client.watch_downloads(v1::WatchDownloadsRequest::default());
                    watched.runtime.block_on(asked).map(|stream| downloads.push(stream))
                }
            };
            if let Err(status) = outcome {
                let name = ErrorDetail::from_status(&status).map(|detail| detail.name);
                ensure!(name.as_deref() == Some("E_OUTOFMEMORY"), "{status}");
                refused += 1;
            }
        }
        ensure!(jobs.len() + downloads.len() == KEPT, "{} and {}", jobs.len(), downloads.len());
        ensure!(refused == SUBSCRIBERS - KEPT, "{refused} were refused");
        let job = watched.create()?;
        for number in 0..EVENTS {
            watched.rename(&job, number)?;
        }
        watched.is_well("with ten thousand subscribers")?;
        // Whoever has a place is told.
        let last = format!("{} ", EVENTS - 1);
        let heard = async {
            let mut stream = jobs.remove(0).into_inner();
            while let Some(message) = stream.message().await? {
                let text = format!("{message:?}");
                if text.contains(&format!("\"{last}noise")) {
                    return Ok::<bool, anyhow::Error>(true);
                }
            }
            Ok(false)
        };
        let heard = watched.runtime.block_on(async { tokio::time::timeout(PATIENCE, heard).await })??;
        ensure!(heard, "a subscriber that has its place was not told");
        drop((jobs, downloads, clients));
        watched.is_well("after they are gone")
    })
}

#[test]
fn ten_thousand_subscribers_over_as_many_connections() -> Result<()> {
    with_daemon(|watched| {
        let (mut kept, mut turned_away) = (Vec::new(), 0);
        for _ in 0..SUBSCRIBERS {
            let mut socket = UnixStream::connect(watched.daemon.socket())?;
            socket.set_read_timeout(Some(PATIENCE))?;
            let asked = [hello(), empty_call(1, "/dray.v1.JobService/WatchEvents")].concat();
            // A connection too many is closed at once, perhaps before anything is written; any other begins with settings.
            let written = socket.write_all(&asked);
            let mut first = [0; 9];
            match written.and_then(|()| socket.read_exact(&mut first)) {
                Ok(()) => kept.push(socket),
                Err(_) => turned_away += 1,
            }
        }
        // One of them is the client that does nothing wrong.
        ensure!(kept.len() == CONNECTIONS_KEPT - 1, "{} were kept", kept.len());
        ensure!(turned_away == SUBSCRIBERS - kept.len(), "{turned_away} were turned away");
        let job = watched.create()?;
        for number in 0..EVENTS {
            watched.rename(&job, number)?;
        }
        watched.is_well("with ten thousand connections")?;
        drop(kept);
        watched.is_well("after they are gone")?;
        // There is room again.
        dray_tests::until("a place", PATIENCE, || {
            let connected = watched.runtime.block_on(client::connect(&watched.daemon.socket()));
            Ok(connected.ok().map(drop))
        })
    })
}
