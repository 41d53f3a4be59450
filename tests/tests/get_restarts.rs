//! The server is killed and comes back; or the command is killed, at any moment, and is run again.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{Content, FaultServer, Home, MIB, Origin, Signal, random_bytes, random_file, sha256_of};

const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn a_server_that_is_killed_and_comes_back_is_asked_for_the_rest() -> Result<()> {
    const SIZE: u64 = 24 * MIB;
    let file = random_file(SIZE)?;
    let mut origin = Origin::nginx("location /slow/ { limit_rate 8m; }")?;
    let root = origin.root_certificate()?.display().to_string();
    let name = "slow/a.bin";
    let plain = origin.publish(name, &file.path)?;
    for url in [plain, origin.h1_url(name)?, origin.h2_url(name)?] {
        let home = Home::new()?;
        let running = home.start(["get", "--embedded", "--ca", &root, &url])?;
        thread::sleep(Duration::from_millis(1500));
        origin.restart()?;
        running.wait(PATIENCE)?.expect(0);
        assert_eq!(sha256_of(&home.downloads().join("a.bin"))?, file.sha256()?, "{url}");
        let last = origin.hits(name)?.pop();
        assert_eq!(last.map(|hit| hit.status), Some(206), "{url} was not resumed");
    }
    Ok(())
}

#[test]
fn kills_at_any_moment_leave_nothing_that_makes_the_next_file_wrong() -> Result<()> {
    const ROUNDS: u64 = 25;
    let seed = fastrand::u64(..1 << 32);
    let mut random = fastrand::Rng::with_seed(seed);
    let server = FaultServer::start()?;
    let home = Home::new()?; // one home: cache, parts and states of all rounds meet in it
    for round in 0..ROUNDS {
        let content = Content::new(random_bytes(seed + round % 3, 2_000_000), &format!("v{}", round % 3));
        let bytes = content.bytes.to_vec();
        let url = server.page("/a.bin", move |ask| content.answer(ask));
        let mut running = home.start(["get", "--embedded", "--force", &url])?;
        thread::sleep(Duration::from_micros(random.u64(..60_000)));
        running.signal(Signal::Kill)?;
        running.wait(PATIENCE)?;
        home.dray(["get", "--embedded", "--force", &url])?.expect(0);
        assert!(
            fs::read(home.downloads().join("a.bin"))? == bytes,
            "seed {seed}, round {round}: the file is wrong"
        );
        assert_eq!(home.downloaded()?, ["a.bin"], "seed {seed}, round {round}");
    }
    Ok(())
}
