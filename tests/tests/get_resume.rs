//! A stopped download goes on from where it was, and what was there is not fetched again.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{
    Content, FaultServer, Home, MIB, Origin, Outcome, Signal, random_bytes, random_file, sha256_of, until,
};

const PATIENCE: Duration = Duration::from_secs(60);
const SIZE: u64 = 24 * MIB;
const RATE: u64 = 8 * MIB;

/// Read ahead by the kernel and not seen by dray when it was stopped.
const IN_FLIGHT: u64 = 4 * MIB;

struct Stopped {
    home: Home,
    server: FaultServer,
    url: String,
    bytes: Vec<u8>,
}

/// Half of a download at a steady rate, then the signal.
fn stopped_by(signal: Signal) -> Result<(Stopped, Outcome)> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(20, usize::try_from(SIZE)?), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(RATE));
    let home = Home::new()?;
    let mut running = home.start(["get", "--embedded", &url])?;
    server.wait_for_body_bytes("/a.bin", SIZE / 2, PATIENCE)?;
    running.signal(signal)?;
    let outcome = running.wait(PATIENCE)?;
    assert!(!home.downloads().join("a.bin").exists(), "half a file under the final name");
    Ok((Stopped { home, server, url, bytes }, outcome))
}

impl Stopped {
    fn part(&self) -> PathBuf {
        self.home.downloads().join(".a.bin.dray-part")
    }

    fn state(&self) -> PathBuf {
        self.home.downloads().join(".a.bin.dray-state")
    }

    /// The same command again; the file is right and alone. Gives the bytes that were served in all.
    fn goes_on(&self) -> Result<u64> {
        self.home.dray(["get", "--embedded", &self.url])?.expect(0);
        assert_eq!(self.home.downloaded()?, ["a.bin"]);
        assert!(fs::read(self.home.downloads().join("a.bin"))? == self.bytes, "the file is wrong");
        Ok(self.server.body_bytes("/a.bin"))
    }
}

#[test]
fn ctrl_c_ends_with_130_and_the_same_command_fetches_only_the_rest() -> Result<()> {
    let (stopped, outcome) = stopped_by(Signal::Interrupt)?;
    outcome.expect(130);
    assert!(stopped.part().exists(), "{:?}", stopped.home.downloaded()?);
    let served = stopped.goes_on()?;
    assert!(served <= SIZE + IN_FLIGHT, "{served} bytes served for {SIZE}");
    let asks = stopped.server.asks("/a.bin");
    let second = asks.get(1).expect("a second request");
    assert!(second.range().is_some_and(|(first, _)| first >= SIZE / 2 - RATE), "{second:?}");
    assert_eq!(second.header("if-range"), Some("\"v1\""), "{second:?}");
    Ok(())
}

#[test]
fn after_sigkill_at_most_a_second_of_progress_is_fetched_again() -> Result<()> {
    let (stopped, outcome) = stopped_by(Signal::Kill)?;
    outcome.expect(137);
    let served = stopped.goes_on()?;
    assert!(served <= SIZE + RATE + IN_FLIGHT, "{served} bytes served for {SIZE}");
    Ok(())
}

#[test]
fn nginx_serves_only_the_rest_after_ctrl_c_and_after_sigkill() -> Result<()> {
    let file = random_file(SIZE)?;
    let origin = Origin::nginx("location /slow/ { limit_rate 8m; }")?;
    for (signal, code, again) in [(Signal::Interrupt, 130, 0), (Signal::Kill, 137, RATE)] {
        let name = format!("slow/{code}.bin");
        let url = origin.publish(&name, &file.path)?;
        let home = Home::new()?;
        let mut running = home.start(["get", "--embedded", &url])?;
        thread::sleep(Duration::from_millis(1700)); // somewhere in the middle of three seconds
        running.signal(signal)?;
        running.wait(PATIENCE)?.expect(code);
        home.dray(["get", "--embedded", &url])?.expect(0);
        assert_eq!(sha256_of(&home.downloads().join(format!("{code}.bin")))?, file.sha256()?);
        let hits = origin.hits(&name)?;
        let served: u64 = hits.iter().map(|hit| hit.body_bytes).sum();
        assert!(served <= SIZE + again + IN_FLIGHT, "{served} bytes served for {SIZE}: {hits:?}");
        assert_eq!(hits.last().map(|hit| hit.status), Some(206), "{hits:?}");
    }
    Ok(())
}

#[test]
fn a_file_that_changed_at_the_origin_meanwhile_starts_over() -> Result<()> {
    let (mut stopped, _) = stopped_by(Signal::Interrupt)?;
    let changed = Content::new(random_bytes(21, usize::try_from(SIZE)?), "v2");
    stopped.bytes = changed.bytes.to_vec();
    stopped.server.page("/a.bin", move |ask| changed.answer(ask));
    stopped.goes_on()?;
    Ok(())
}

#[test]
fn a_damaged_state_file_costs_progress_and_nothing_else() -> Result<()> {
    type Damage = fn(&[u8]) -> Vec<u8>;
    let damages: [Damage; 4] = [
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |_| Vec::new(),
        |bytes| bytes.iter().map(|byte| byte ^ 0x20).collect(),
        |_| b"\0\xff not a state".repeat(1000),
    ];
    for damage in damages {
        let (stopped, _) = stopped_by(Signal::Interrupt)?;
        let state = fs::read(stopped.state())?;
        fs::write(stopped.state(), damage(&state))?;
        stopped.goes_on()?;
    }
    Ok(())
}

#[test]
fn a_part_that_is_shorter_than_its_state_claims_is_not_believed() -> Result<()> {
    let (stopped, _) = stopped_by(Signal::Interrupt)?;
    fs::OpenOptions::new().write(true).open(stopped.part())?.set_len(MIB)?;
    stopped.goes_on()?;
    Ok(())
}

#[test]
fn a_part_without_its_state_is_not_believed() -> Result<()> {
    let (stopped, _) = stopped_by(Signal::Interrupt)?;
    fs::remove_file(stopped.state())?;
    fs::write(stopped.part(), vec![0xAA; usize::try_from(SIZE)?])?;
    stopped.goes_on()?;
    Ok(())
}

#[test]
fn a_part_that_is_a_link_to_somewhere_else_is_not_written_through() -> Result<()> {
    let (stopped, _) = stopped_by(Signal::Interrupt)?;
    let victim = stopped.home.path().join("victim");
    fs::write(&victim, "precious")?;
    fs::remove_file(stopped.part())?;
    std::os::unix::fs::symlink(&victim, stopped.part())?;
    stopped.home.dray(["get", "--embedded", &stopped.url])?;
    assert_eq!(fs::read(&victim)?, b"precious");
    Ok(())
}

#[test]
fn what_is_left_of_a_whole_file_is_not_taken_for_its_ranges() -> Result<()> {
    let (stopped, _) = stopped_by(Signal::Interrupt)?;
    let ranges = ["--range", "20000000-20000999", "--range", "5-1004"];
    stopped.home.dray([&["get", "--embedded", &stopped.url], &ranges[..]].concat())?.expect(0);
    let wanted = [&stopped.bytes[20_000_000..20_001_000], &stopped.bytes[5..1005]].concat();
    assert!(fs::read(stopped.home.downloads().join("a.bin"))? == wanted, "the file is wrong");
    Ok(())
}

#[test]
fn what_is_left_of_ranges_is_not_taken_for_the_whole_file_or_for_others() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(23, usize::try_from(SIZE)?), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(RATE));
    for options in [&[][..], &["--range", "9000000-16999999", "--range", "0-999999"]] {
        let home = Home::new()?;
        let before = server.body_bytes("/a.bin");
        let mut running = home.start(["get", "--embedded", "--range", "8000000-23999999", &url])?;
        server.wait_for_body_bytes("/a.bin", before + 8 * MIB, PATIENCE)?;
        running.signal(Signal::Interrupt)?;
        running.wait(PATIENCE)?.expect(130);
        home.dray([&["get", "--embedded", &url], options].concat())?.expect(0);
        let wanted = match options {
            [] => bytes.clone(),
            _ => [&bytes[9_000_000..17_000_000], &bytes[..1_000_000]].concat(),
        };
        assert!(fs::read(home.downloads().join("a.bin"))? == wanted, "{options:?}: the file is wrong");
    }
    Ok(())
}

#[test]
fn what_is_left_of_another_url_is_not_taken_for_this_one() -> Result<()> {
    let (stopped, _) = stopped_by(Signal::Interrupt)?;
    // The same name, size and ETag in another folder.
    let other = Content::new(random_bytes(24, usize::try_from(SIZE)?), "v1");
    let bytes = other.bytes.to_vec();
    let url = stopped.server.page("/other/a.bin", move |ask| other.answer(ask));
    stopped.home.dray(["get", "--embedded", &url])?.expect(0);
    assert!(fs::read(stopped.home.downloads().join("a.bin"))? == bytes, "the file is wrong");
    Ok(())
}

#[test]
fn a_digest_given_at_the_second_try_is_checked_over_all_bytes() -> Result<()> {
    let wrong = format!("sha256:{}", "0".repeat(64));
    let (stopped, _) = stopped_by(Signal::Interrupt)?;
    stopped.home.dray(["get", "--embedded", "--digest", &wrong, &stopped.url])?.expect(5);
    assert!(stopped.home.downloaded()?.is_empty(), "{:?}", stopped.home.downloaded()?);
    Ok(())
}

#[test]
fn bytes_that_were_changed_on_disk_meanwhile_are_found_by_the_digest() -> Result<()> {
    let (stopped, _) = stopped_by(Signal::Interrupt)?;
    let mut part = fs::read(stopped.part())?;
    part[1_000_000] ^= 1;
    fs::write(stopped.part(), part)?;
    let right = stopped.home.path().join("right");
    fs::write(&right, &stopped.bytes)?;
    let outcome = stopped.home.dray(["get", "--embedded", "--digest", &sha256_of(&right)?, &stopped.url])?;
    if outcome.code == 0 {
        assert!(fs::read(stopped.home.downloads().join("a.bin"))? == stopped.bytes, "the file is wrong");
    } else {
        outcome.expect(5);
        assert!(!stopped.home.downloads().join("a.bin").exists());
    }
    Ok(())
}

#[test]
fn two_of_the_same_at_once_never_make_a_wrong_file() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(22, usize::try_from(4 * MIB)?), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(4 * MIB));
    let home = Home::new()?;
    let first = home.start(["get", "--embedded", &url])?;
    let part = home.downloads().join(".a.bin.dray-part");
    until("the first to begin", PATIENCE, || Ok(part.exists().then_some(())))?;
    let second = home.start(["get", "--embedded", &url])?;
    let codes = [first.wait(PATIENCE)?.code, second.wait(PATIENCE)?.code];
    assert!(codes.contains(&0), "{codes:?}");
    assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "the file is wrong");
    Ok(())
}
