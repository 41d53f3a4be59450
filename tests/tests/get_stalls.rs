//! Servers that fall silent. In a file of its own, since every test here waits for a timeout.

use std::time::Duration;
use std::{fs, thread};

use anyhow::Result;
use dray_tests::{Content, FaultServer, Home, MIB, Origin, Signal, random_bytes, random_file, sha256_of};

/// Longer than dray's patience with a silent server, shorter than a person's.
const LIMIT: Duration = Duration::from_secs(150);

#[test]
fn a_silent_server_loses_the_rest_to_a_new_request() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(90, 900_001), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| match ask.nth {
        0 => content.answer(ask).stall_after(450_000),
        _ => content.answer(ask),
    });
    let home = Home::new()?;
    home.start(["get", "--embedded", &url])?.wait(LIMIT)?.expect(0);
    assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "the file is wrong");
    let asks = server.asks("/a.bin");
    assert!(asks[1].range().is_some_and(|(first, _)| first >= 400_000), "{asks:?}");
    Ok(())
}

#[test]
fn a_server_that_freezes_for_a_moment_is_waited_for() -> Result<()> {
    const SIZE: u64 = 24 * MIB;
    let file = random_file(SIZE)?;
    let mut origin = Origin::nginx("location /slow/ { limit_rate 8m; }")?;
    let url = origin.publish("slow/a.bin", &file.path)?;
    let home = Home::new()?;
    let running = home.start(["get", "--embedded", &url])?;
    thread::sleep(Duration::from_secs(1));
    origin.signal(Signal::Stop)?;
    thread::sleep(Duration::from_secs(4));
    origin.signal(Signal::Continue)?;
    running.wait(LIMIT)?.expect(0);
    assert_eq!(sha256_of(&home.downloads().join("a.bin"))?, file.sha256()?);
    let hits = origin.hits("slow/a.bin")?;
    assert_eq!(hits.len(), 1, "a pause of four seconds is no reason to ask again: {hits:?}");
    Ok(())
}

#[test]
fn a_machine_that_sleeps_in_the_middle_goes_on() -> Result<()> {
    const SIZE: u64 = 24 * MIB;
    let file = random_file(SIZE)?;
    let origin = Origin::nginx("location /slow/ { limit_rate 8m; send_timeout 1s; }")?;
    let url = origin.publish("slow/a.bin", &file.path)?;
    let home = Home::new()?;
    let mut running = home.start(["get", "--embedded", &url])?;
    thread::sleep(Duration::from_secs(1));
    running.signal(Signal::Stop)?;
    thread::sleep(Duration::from_secs(6)); // the server has long given up
    running.signal(Signal::Continue)?;
    running.wait(LIMIT)?.expect(0);
    assert_eq!(sha256_of(&home.downloads().join("a.bin"))?, file.sha256()?);
    Ok(())
}
