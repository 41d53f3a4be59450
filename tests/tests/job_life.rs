//! The life of a job, from `dray job create` to `complete` or `cancel`, in a real daemon.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{
    Content, Daemon, FaultServer, Home, Job, Kind, MIB, Origin, Reply, random_bytes, random_file, sha256_of,
    until,
};

const PATIENCE: Duration = Duration::from_secs(60);
const TRANSFERRED: &str = "TRANSFERRED";

#[test]
fn a_job_brings_its_files_and_shows_them_when_it_is_completed() -> Result<()> {
    let file = random_file(3 * MIB)?;
    let origin = Origin::start(Kind::Nginx)?;
    let urls = [origin.publish("a.bin", &file.path)?, origin.publish_bytes("b.bin", b"small")?];
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::create(&daemon)?;
    assert_eq!(job.state(&daemon)?, "SUSPENDED");
    for (url, name) in urls.iter().zip(["a.bin", "b.bin"]) {
        job.add(&daemon, url, name, &[])?.expect(0);
    }
    daemon.dray(&["job", "resume", "--wait", &job.id])?.expect(0);
    assert_eq!(job.state(&daemon)?, TRANSFERRED);
    for name in ["a.bin", "b.bin"] {
        assert!(!home.downloads().join(name).exists(), "{name} is visible before its job is completed");
    }
    job.call(&daemon, "complete")?.expect(0);
    assert_eq!(home.downloaded()?, ["a.bin", "b.bin"]);
    assert_eq!(sha256_of(&home.downloads().join("a.bin"))?, file.sha256()?);
    assert_eq!(fs::read(home.downloads().join("b.bin"))?, b"small");
    job.call(&daemon, "show")?.expect(1);
    Ok(())
}

#[test]
fn a_list_names_the_jobs_that_are_there() -> Result<()> {
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let jobs = [Job::create(&daemon)?, Job::create(&daemon)?];
    let listed = daemon.dray(&["job", "list", "--json"])?;
    listed.expect(0);
    for job in &jobs {
        assert!(listed.json()?.to_string().contains(&job.id), "{listed}");
    }
    let listed = daemon.dray(&["job", "list", "--all-users"])?;
    assert!(listed.stdout.contains("OWNER") && listed.stdout.contains(&jobs[0].id), "{listed}");
    jobs[0].call(&daemon, "cancel")?.expect(0);
    let listed = daemon.dray(&["job", "list"])?;
    assert!(!listed.stdout.contains(&jobs[0].id) && listed.stdout.contains(&jobs[1].id), "{listed}");
    Ok(())
}

#[test]
fn a_watcher_sees_the_job_arrive() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(120, 4 << 20), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(4 * MIB));
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::create(&daemon)?;
    job.add(&daemon, &url, "a.bin", &[])?.expect(0);
    let watcher = daemon.begin(&["job", "watch", "--json", &job.id])?;
    until("the watcher's first event", PATIENCE, || {
        Ok(watcher.stdout_so_far()?.contains('\n').then_some(()))
    })?;
    job.call(&daemon, "resume")?.expect(0);
    let seen = watcher.wait(PATIENCE)?;
    seen.expect(0);
    for word in
        ["SUSPENDED", "TRANSFERRING", TRANSFERRED, "progressed", "file_transferred", "job_transferred"]
    {
        assert!(seen.stdout.contains(word), "no {word} in {seen}");
    }
    for line in seen.stdout.lines() {
        serde_json::from_str::<serde_json::Value>(line)?;
    }
    Ok(())
}

#[test]
fn a_suspended_job_rests_and_goes_on_where_it_was() -> Result<()> {
    const SIZE: u64 = 16 * MIB;
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(121, usize::try_from(SIZE)?), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(8 * MIB));
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    server.wait_for_body_bytes("/a.bin", SIZE / 2, PATIENCE)?;
    job.call(&daemon, "suspend")?.expect(0);
    assert_eq!(job.state(&daemon)?, "SUSPENDED");
    let there = job.bytes(&daemon)?;
    assert!(there > 0, "suspending lost what was there");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(job.bytes(&daemon)?, there, "a suspended job must rest");
    job.call(&daemon, "resume")?.expect(0);
    job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
    job.call(&daemon, "complete")?.expect(0);
    assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "the file is wrong");
    let served = server.body_bytes("/a.bin");
    assert!(served <= SIZE + 4 * MIB, "{served} bytes served for {SIZE}");
    Ok(())
}

#[test]
fn a_cancelled_job_leaves_nothing() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(122, 8 << 20), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(2 * MIB));
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    server.wait_for_body_bytes("/a.bin", MIB, PATIENCE)?;
    let temporary = job.temporary(&daemon)?;
    assert!(temporary.exists());
    job.call(&daemon, "cancel")?.expect(0);
    until("the temporary file to go", PATIENCE, || Ok((!temporary.exists()).then_some(())))?;
    assert!(home.downloaded()?.is_empty(), "{:?}", home.downloaded()?);
    Ok(())
}

#[test]
fn a_wrong_digest_fails_the_job_with_code_5_and_shows_no_file() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(123, 300_000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::create(&daemon)?;
    let digest = format!("sha256:{}", "0".repeat(64));
    job.add(&daemon, &url, "a.bin", &["--digest", &digest])?.expect(0);
    daemon.dray(&["job", "resume", "--wait", &job.id])?.expect(5);
    assert_eq!(job.state(&daemon)?, "ERROR");
    assert!(job.show(&daemon)?.to_string().contains("BG_E_VALIDATION_FAILED"), "{}", job.show(&daemon)?);
    job.call(&daemon, "cancel")?.expect(0);
    assert!(home.downloaded()?.is_empty(), "{:?}", home.downloaded()?);
    Ok(())
}

#[test]
fn a_file_that_is_not_there_fails_the_job_with_its_status() -> Result<()> {
    let server = FaultServer::start()?;
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::create(&daemon)?;
    job.add(&daemon, &server.url("/missing.bin"), "a.bin", &[])?.expect(0);
    daemon.dray(&["job", "resume", "--wait", &job.id])?.expect(1);
    let error = job.show(&daemon)?["error"].clone();
    assert_eq!(error["value"].as_u64(), Some(0x8019_0194), "{error}");
    assert_eq!(error["context"].as_str(), Some("REMOTE_FILE"), "{error}");
    Ok(())
}

#[test]
fn a_busy_server_makes_a_transient_error_that_passes() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(124, 300_000), "v1");
    let busy = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_busy = std::sync::Arc::clone(&busy);
    let url = server.page("/a.bin", move |ask| {
        if is_busy.load(std::sync::atomic::Ordering::Relaxed) {
            Reply::status(503)
        } else {
            content.answer(ask)
        }
    });
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    job.wait_for(&daemon, "TRANSIENT_ERROR", Duration::from_secs(120))?;
    busy.store(false, std::sync::atomic::Ordering::Relaxed);
    job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
    Ok(())
}

#[test]
fn ranges_of_a_job_are_packed_in_their_order() -> Result<()> {
    let bytes = random_bytes(125, 600_000);
    let origin = Origin::start(Kind::Nginx)?;
    let url = origin.publish_bytes("a.bin", &bytes)?;
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::begin(&daemon, &url, "a.bin", &["--range", "500000-500999", "--range", "0-99"])?;
    job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
    job.call(&daemon, "complete")?.expect(0);
    let wanted = [&bytes[500_000..501_000], &bytes[..100]].concat();
    assert!(fs::read(home.downloads().join("a.bin"))? == wanted, "the file is wrong");
    assert_eq!(origin.body_bytes("a.bin")?, 1100);
    Ok(())
}

#[test]
fn a_second_job_for_the_same_file_brings_no_body() -> Result<()> {
    let file = random_file(3 * MIB)?;
    let origin = Origin::start(Kind::Nginx)?;
    let url = origin.publish("a.bin", &file.path)?;
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    for name in ["first.bin", "second.bin"] {
        let job = Job::begin(&daemon, &url, name, &[])?;
        job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
        job.call(&daemon, "complete")?.expect(0);
        assert_eq!(sha256_of(&home.downloads().join(name))?, file.sha256()?);
    }
    assert_eq!(origin.body_bytes("a.bin")?, file.size, "{:?}", origin.hits("a.bin")?);
    Ok(())
}

#[test]
fn get_through_the_daemon_brings_the_file_and_leaves_no_job() -> Result<()> {
    let file = random_file(3 * MIB)?;
    let origin = Origin::start(Kind::Nginx)?;
    let url = origin.publish("a.bin", &file.path)?;
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    daemon.dray(&["get", "--daemon", &url])?.expect(0);
    assert_eq!(home.downloaded()?, ["a.bin"]);
    assert_eq!(sha256_of(&home.downloads().join("a.bin"))?, file.sha256()?);
    let listed = daemon.dray(&["job", "list", "--json"])?;
    assert_eq!(listed.json()?["jobs"].as_array().map(Vec::len), Some(0), "{listed}");
    Ok(())
}

#[test]
fn bad_calls_are_refused_with_one_sentence() -> Result<()> {
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::create(&daemon)?;
    for (url, name) in [("ftp://127.0.0.1/a", "a.bin"), ("http://127.0.0.1/a", "no/such/folder/a.bin")] {
        let refused = job.add(&daemon, url, name, &[])?;
        assert!([1, 2].contains(&refused.code), "{refused}");
        assert!(!refused.stderr.trim().is_empty() && !refused.stderr.contains("panicked"), "{refused}");
    }
    let nobody = "00000000-0000-4000-8000-000000000000";
    let refused = daemon.dray(&["job", "resume", nobody])?;
    refused.expect(1);
    assert!(refused.stderr.contains(nobody), "{refused}");
    job.call(&daemon, "complete")?; // whatever it says, it must not hang or crash
    daemon.dray(&["job", "list"])?.expect(0);
    Ok(())
}

#[test]
fn the_metrics_count_the_bytes() -> Result<()> {
    let file = random_file(3 * MIB)?;
    let origin = Origin::start(Kind::Nginx)?;
    let url = origin.publish("a.bin", &file.path)?;
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    job.wait_for(&daemon, TRANSFERRED, PATIENCE)?;
    let metrics = daemon.metrics()?;
    let counted =
        |line: &&str| line.starts_with("dray") && line.contains("bytes") && line.ends_with(" 3145728");
    assert!(metrics.lines().any(|line| counted(&line)), "{metrics}");
    Ok(())
}
