//! One gibibyte from every real server: stopped in the middle, gone on with, right in the end.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{GIB, Home, Kind, MIB, Origin, Signal, blake3_of, random_file, until};

const PATIENCE: Duration = Duration::from_secs(120);

/// Stopped when so much of it is on disk.
const BEGUN: u64 = 200 * MIB;

/// What a fast server has already given to the kernel, and what was received but not yet recorded.
const IN_FLIGHT: u64 = 128 * MIB;

fn is_resumed(kind: Kind) -> Result<()> {
    let file = random_file(GIB)?;
    let origin = Origin::start(kind)?;
    let url = origin.publish("large.bin", &file.path)?;
    let home = Home::new()?;
    let mut running = home.start(["get", "--embedded", &url])?;
    let part = home.downloads().join(".large.bin.dray-part");
    until("a good part of the file", PATIENCE, || {
        let there = fs::metadata(&part).map(|known| known.blocks() * 512).unwrap_or(0);
        Ok((there >= BEGUN || !running.is_running()?).then_some(()))
    })?;
    running.signal(Signal::Interrupt)?;
    running.wait(PATIENCE)?.expect(130);
    home.start(["get", "--embedded", &url])?.wait(PATIENCE)?.expect(0);
    assert_eq!(blake3_of(&home.downloads().join("large.bin"))?, blake3_of(&file.path)?, "{kind:?}");
    assert_eq!(home.downloaded()?, ["large.bin"]);
    let hits = origin.hits("large.bin")?;
    assert_eq!(hits.len(), 2, "{kind:?}: {hits:?}");
    if kind != Kind::Busybox {
        assert_eq!(hits[1].status, 206, "{kind:?}: {hits:?}");
        assert!(hits[1].body_bytes <= GIB - BEGUN + IN_FLIGHT, "{kind:?} served all of it again: {hits:?}");
    }
    Ok(())
}

#[test]
fn one_gibibyte_from_nginx_is_resumed() -> Result<()> {
    is_resumed(Kind::Nginx)
}

#[test]
fn one_gibibyte_from_apache_is_resumed() -> Result<()> {
    is_resumed(Kind::Apache)
}

#[test]
fn one_gibibyte_from_lighttpd_is_resumed() -> Result<()> {
    is_resumed(Kind::Lighttpd)
}

#[test]
fn one_gibibyte_from_caddy_is_resumed() -> Result<()> {
    is_resumed(Kind::Caddy)
}

#[test]
fn one_gibibyte_from_busybox_is_resumed_or_fetched_again() -> Result<()> {
    is_resumed(Kind::Busybox)
}
