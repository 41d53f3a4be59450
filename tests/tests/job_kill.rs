//! `kill -9` at any moment: after a restart the daemon goes on by itself, and what was fetched is not fetched again.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use dray_tests::{
    Content, Daemon, FaultServer, Home, Job, MIB, Origin, random_bytes, random_file, sha256_of, until,
};

const PATIENCE: Duration = Duration::from_secs(90);
const TRANSFERRED: &str = "TRANSFERRED";
const RATE: u64 = 8 * MIB;

/// Read ahead by the kernel and not seen by the daemon when it was killed.
const IN_FLIGHT: u64 = 2 * MIB;

/// Kills a daemon so often during one transfer, at moments that depend on the seed alone.
fn survives(seed: u64, kills: u64) -> Result<()> {
    const SIZE: u64 = 32 * MIB;
    let mut random = fastrand::Rng::with_seed(seed);
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(seed, usize::try_from(SIZE)?), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(RATE));
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    for kill in 1..=kills {
        let moment = SIZE * kill / (kills + 2) + random.u64(..2 * MIB);
        server.wait_for_body_bytes("/a.bin", moment, PATIENCE)?;
        daemon.kill()?;
        assert!(!home.downloads().join("a.bin").exists(), "seed {seed}: half a file under the final name");
        daemon.restart()?;
    }
    job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
    job.call(&daemon, "complete")?.expect(0);
    assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "seed {seed}: the file is wrong");
    assert_eq!(home.downloaded()?, ["a.bin"], "seed {seed}");
    let served = server.body_bytes("/a.bin");
    let most = SIZE + kills * (RATE + IN_FLIGHT);
    assert!(served <= most, "seed {seed}: {served} bytes served, at most {most} are allowed");
    Ok(())
}

#[test]
fn one_kill_loses_at_most_a_second() -> Result<()> {
    survives(fastrand::u64(..1 << 32), 1)
}

#[test]
fn four_kills_lose_at_most_four_seconds() -> Result<()> {
    survives(fastrand::u64(..1 << 32), 4)
}

#[test]
fn kills_a_few_milliseconds_apart_never_make_a_wrong_file() -> Result<()> {
    const FILES: u64 = 4;
    const KILLS: u32 = 12;
    let seed = fastrand::u64(..1 << 32);
    let mut random = fastrand::Rng::with_seed(seed);
    let server = FaultServer::start()?;
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let job = Job::create(&daemon)?;
    let mut wanted = Vec::new();
    for number in 0..FILES {
        let content = Content::new(random_bytes(seed + number, 3_000_000), &format!("v{number}"));
        wanted.push(content.bytes.to_vec());
        let url = server.page(&format!("/{number}"), move |ask| content.answer(ask));
        job.add(&daemon, &url, &format!("{number}.bin"), &[])?.expect(0);
    }
    wanted.push([&wanted[0][1_000_000..1_100_000], &wanted[0][5..500_005]].concat());
    let ranges = ["--range", "1000000-1099999", "--range", "5-500004"];
    job.add(&daemon, &server.url("/0"), &format!("{FILES}.bin"), &ranges)?.expect(0);
    job.call(&daemon, "resume")?.expect(0);
    for _ in 0..KILLS {
        thread::sleep(Duration::from_millis(random.u64(..120)));
        daemon.kill()?;
        daemon.restart()?;
    }
    job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
    job.call(&daemon, "complete")?.expect(0);
    for (number, bytes) in wanted.iter().enumerate() {
        let file = fs::read(home.downloads().join(format!("{number}.bin")))?;
        assert!(file == *bytes, "seed {seed}: file {number} is wrong");
    }
    assert_eq!(home.downloaded()?.len(), wanted.len(), "seed {seed}: {:?}", home.downloaded()?);
    Ok(())
}

#[test]
fn nginx_sees_only_the_rest_after_a_kill() -> Result<()> {
    const SIZE: u64 = 24 * MIB;
    let file = random_file(SIZE)?;
    let origin = Origin::nginx("location /slow/ { limit_rate 8m; }")?;
    let url = origin.publish("slow/a.bin", &file.path)?;
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    thread::sleep(Duration::from_millis(1700)); // somewhere in the middle of three seconds
    daemon.kill()?;
    daemon.restart()?;
    job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
    job.call(&daemon, "complete")?.expect(0);
    assert_eq!(sha256_of(&home.downloads().join("a.bin"))?, file.sha256()?);
    let hits = origin.hits("slow/a.bin")?;
    let served: u64 = hits.iter().map(|hit| hit.body_bytes).sum();
    assert!(served <= SIZE + RATE + 2 * IN_FLIGHT, "{served} bytes served for {SIZE}: {hits:?}");
    assert_eq!(hits.last().map(|hit| hit.status), Some(206), "{hits:?}");
    Ok(())
}

#[test]
fn what_a_call_has_answered_survives_a_kill_right_after_it() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(130, 4 << 20), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(MIB));
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let again = |daemon: &mut Daemon<'_>| daemon.kill().and_then(|()| daemon.restart());
    let job = Job::create(&daemon)?;
    again(&mut daemon)?;
    assert_eq!(job.state(&daemon)?, "SUSPENDED");
    job.add(&daemon, &url, "a.bin", &[])?.expect(0);
    again(&mut daemon)?;
    assert_eq!(job.show(&daemon)?["files"][0]["remote_url"].as_str(), Some(url.as_str()));
    job.call(&daemon, "resume")?.expect(0);
    again(&mut daemon)?;
    assert_ne!(job.state(&daemon)?, "SUSPENDED");
    job.call(&daemon, "suspend")?.expect(0);
    again(&mut daemon)?;
    assert_eq!(job.state(&daemon)?, "SUSPENDED");
    job.call(&daemon, "cancel")?.expect(0);
    again(&mut daemon)?;
    job.call(&daemon, "show")?.expect(1);
    assert!(home.downloaded()?.is_empty(), "{:?}", home.downloaded()?);
    Ok(())
}

#[test]
fn a_transferred_job_stays_transferred_without_another_byte() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(131, 2 << 20), "v1");
    let (bytes, size) = (content.bytes.to_vec(), content.len());
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
    daemon.kill()?;
    daemon.restart()?;
    assert_eq!(job.state(&daemon)?, TRANSFERRED);
    job.call(&daemon, "complete")?.expect(0);
    assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "the file is wrong");
    assert_eq!(server.body_bytes("/a.bin"), size);
    Ok(())
}

#[test]
fn a_kill_while_completing_leaves_whole_files_or_none() -> Result<()> {
    const FILES: u64 = 20;
    const ROUNDS: u32 = 8;
    let server = FaultServer::start()?;
    let contents: Vec<Content> =
        (0..FILES).map(|n| Content::new(random_bytes(140 + n, 200_000), &format!("v{n}"))).collect();
    for (number, content) in contents.iter().cloned().enumerate() {
        server.page(&format!("/{number}"), move |ask| content.answer(ask));
    }
    let seed = fastrand::u64(..1 << 32);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..ROUNDS {
        let delay = Duration::from_micros(random.u64(..40_000));
        let home = Home::new()?;
        let mut daemon = Daemon::start(&home)?;
        let job = Job::create(&daemon)?;
        for number in 0..contents.len() {
            job.add(&daemon, &server.url(&format!("/{number}")), &format!("{number}.bin"), &[])?.expect(0);
        }
        job.call(&daemon, "resume")?.expect(0);
        job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
        let completing = daemon.begin(&["job", "complete", &job.id])?;
        thread::sleep(delay);
        daemon.kill()?;
        let before = home.downloaded()?;
        let first = completing.wait(PATIENCE)?;
        daemon.restart()?;
        // Completed already, or being completed by the daemon itself, or to be completed now.
        let second = job.call(&daemon, "complete")?;
        let mut names: Vec<String> = (0..contents.len()).map(|number| format!("{number}.bin")).collect();
        names.sort();
        let ended = until("the names", PATIENCE, || Ok((home.downloaded()? == names).then_some(())));
        let story = format!(
            "killed after {delay:?} (seed {seed}); then there was {before:?}, now {:?}\nfirst: {first}\nsecond: {second}\n{}",
            home.downloaded()?,
            daemon.log()
        );
        assert!([0, 1].contains(&second.code), "{story}");
        ended.with_context(|| story.clone())?;
        for (number, content) in contents.iter().enumerate() {
            let bytes =
                fs::read(home.downloads().join(format!("{number}.bin"))).with_context(|| story.clone())?;
            assert!(bytes == *content.bytes, "file {number} is wrong: {story}");
        }
    }
    Ok(())
}

#[test]
fn a_polite_stop_loses_nothing() -> Result<()> {
    const SIZE: u64 = 16 * MIB;
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(160, usize::try_from(SIZE)?), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(RATE));
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    server.wait_for_body_bytes("/a.bin", SIZE / 2, PATIENCE)?;
    assert_eq!(daemon.stop()?, 0);
    daemon.restart()?;
    job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
    job.call(&daemon, "complete")?.expect(0);
    assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "the file is wrong");
    let served = server.body_bytes("/a.bin");
    assert!(served <= SIZE + IN_FLIGHT, "{served} bytes served for {SIZE}");
    Ok(())
}
