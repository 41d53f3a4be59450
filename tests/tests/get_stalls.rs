//! Servers that fall silent. In a file of its own, since every test here waits for a timeout.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{Content, FaultServer, Home, random_bytes};

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
