//! The classic notification client, in Rust and in Python, against a real daemon and a server without ranges.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dray_tests::{Content, Daemon, FaultServer, Home, Job, KIB, NotifyProgram, Running, random_bytes, until};

const PATIENCE: Duration = Duration::from_secs(60);
const SIZE: u64 = 300 * KIB;

/// A server that sends the whole file, whatever part of it was asked for.
fn server_without_ranges(bytes: &[u8]) -> Result<(FaultServer, String)> {
    let server = FaultServer::start()?;
    let content = Content::anonymous(bytes.to_vec());
    let url = server.page("/a.bin", move |_| content.whole().without("accept-ranges"));
    Ok((server, url))
}

/// The client in Rust, begun.
fn client(home: &Home, daemon: &Daemon<'_>, job: &Job, slow_ms: &str) -> Result<Running> {
    let mut command = Command::new(dray_tests::example("classic_client")?);
    command.arg(daemon.socket()).arg(&job.id).args(["--slow-ms", slow_ms]);
    home.begin(command)
}

/// The client in Python, begun.
fn python_client(home: &Home, daemon: &Daemon<'_>, job: &Job) -> Result<Running> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests are in a folder")?;
    let python = root.join("target/python/bin/python3");
    ensure!(python.is_file(), "{} is not there; `cargo xtask setup` makes it", python.display());
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(root.join("examples/python/classic_client.py"));
    command.arg(daemon.socket()).arg(&job.id);
    home.begin(command)
}

fn job(daemon: &Daemon<'_>, url: &str, options: &[&str]) -> Result<Job> {
    let job = Job::create(daemon)?;
    job.add(daemon, url, "a.bin", options)?.expect(0);
    Ok(job)
}

#[test]
fn the_classic_client_completes_a_job_of_a_server_without_ranges() -> Result<()> {
    let bytes = random_bytes(1, usize::try_from(SIZE)?);
    let (_server, url) = server_without_ranges(&bytes)?;
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = job(&daemon, &url, &[])?;
    let running = client(&home, &daemon, &job, "0")?;
    job.call(&daemon, "resume")?.expect(0);
    let outcome = running.wait(PATIENCE)?;
    outcome.expect(0);
    let told = &outcome.stdout;
    let file = told.find("FileTransferred").with_context(|| outcome.to_string())?;
    let end = told.find("JobTransferred").with_context(|| outcome.to_string())?;
    assert!(file < end && told.contains("completed: S_OK"), "{outcome}");
    assert!(fs::read(daemon.downloads().join("a.bin"))? == bytes);
    Ok(())
}

#[test]
fn the_classic_client_goes_to_the_foreground_when_ranges_are_asked_of_a_server_without_them() -> Result<()> {
    let bytes = random_bytes(2, usize::try_from(SIZE)?);
    let (_server, url) = server_without_ranges(&bytes)?;
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = job(&daemon, &url, &["--range", "10-99"])?;
    job.call(&daemon, "resume")?.expect(0);
    let outcome = client(&home, &daemon, &job, "0")?.wait(PATIENCE)?;
    outcome.expect(0);
    let told = &outcome.stdout;
    assert!(told.contains("error: BG_E_INSUFFICIENT_RANGE_SUPPORT"), "{outcome}");
    assert_eq!(told.matches("resumed in the foreground").count(), 1, "{outcome}");
    assert!(told.contains("completed: S_OK"), "{outcome}");
    assert!(fs::read(daemon.downloads().join("a.bin"))? == bytes[10..100]);
    Ok(())
}

#[test]
fn the_classic_client_in_python_does_the_same() -> Result<()> {
    let bytes = random_bytes(4, usize::try_from(SIZE)?);
    let (_server, url) = server_without_ranges(&bytes)?;
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let whole = job(&daemon, &url, &[])?;
    let running = python_client(&home, &daemon, &whole)?;
    whole.call(&daemon, "resume")?.expect(0);
    let outcome = running.wait(PATIENCE)?;
    outcome.expect(0);
    let order = ["FileTransferred", "JobTransferred", "completed"].map(|told| outcome.stdout.find(told));
    assert!(order[0].is_some() && order.is_sorted(), "{outcome}");
    assert!(fs::read(daemon.downloads().join("a.bin"))? == bytes);
    fs::remove_file(daemon.downloads().join("a.bin"))?;

    let part = job(&daemon, &url, &["--range", "10-99"])?;
    part.call(&daemon, "resume")?.expect(0);
    let outcome = python_client(&home, &daemon, &part)?.wait(PATIENCE)?;
    outcome.expect(0);
    assert_eq!(outcome.stdout.matches("resumed in the foreground").count(), 1, "{outcome}");
    assert!(outcome.stdout.ends_with("completed\n"), "{outcome}");
    assert!(fs::read(daemon.downloads().join("a.bin"))? == bytes[10..100]);
    Ok(())
}

#[test]
fn an_event_that_was_not_acknowledged_comes_again_after_kill_9() -> Result<()> {
    let bytes = random_bytes(3, usize::try_from(SIZE)?);
    let (_server, url) = server_without_ranges(&bytes)?;
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let job = job(&daemon, &url, &[])?;
    let slow = client(&home, &daemon, &job, "2000")?;
    job.call(&daemon, "resume")?.expect(0);
    until("the client to be told", PATIENCE, || {
        Ok(slow.stdout_so_far()?.contains("FileTransferred").then_some(()))
    })?;
    daemon.kill()?;
    drop(slow);
    daemon.restart()?;
    let outcome = client(&home, &daemon, &job, "0")?.wait(PATIENCE)?;
    outcome.expect(0);
    assert!(outcome.stdout.contains("FileTransferred"), "{outcome}");
    assert!(outcome.stdout.contains("completed: S_OK"), "{outcome}");
    assert!(fs::read(daemon.downloads().join("a.bin"))? == bytes);
    Ok(())
}

#[test]
fn the_notify_command_runs_when_nobody_listens_and_again_after_a_failure_and_kill_9() -> Result<()> {
    let bytes = random_bytes(5, usize::try_from(SIZE)?);
    let (_server, url) = server_without_ranges(&bytes)?;
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let program = NotifyProgram::new(home.path(), "notify")?;
    let parameters = format!("{} more", program.path()?);
    let options =
        ["--notify-command", program.path()?, "--notify-parameters", &parameters, "--retry-delay", "5s"];
    let created = daemon.dray(&[&["job", "create"], &options[..], &["test"]].concat())?;
    created.expect(0);
    let job = Job { id: created.stdout.trim().to_owned() };
    job.add(&daemon, &url, "a.bin", &[])?.expect(0);
    job.call(&daemon, "resume")?.expect(0);
    let expected = format!("more {0} TRANSFERRED {0} TRANSFERRED", job.id);
    let runs = |count: usize| {
        until("the command to run", PATIENCE, || {
            let told = program.runs()?;
            assert!(told.iter().all(|line| *line == expected), "{told:?}");
            Ok((told.len() >= count).then_some(()))
        })
    };
    runs(1)?;
    runs(2)?;
    daemon.kill()?;
    program.succeed()?;
    daemon.restart()?;
    runs(3)?;
    until("the daemon to say so", PATIENCE, || {
        Ok(daemon.log().contains("the notify command has run").then_some(()))
    })
}
