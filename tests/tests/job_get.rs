//! `dray get` as a client of the daemon: the same command, the same promises.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{Content, Daemon, FaultServer, Home, Job, MIB, Reply, Signal, random_bytes};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn ctrl_c_ends_with_130_and_the_same_command_fetches_only_the_rest() -> Result<()> {
    const SIZE: u64 = 16 * MIB;
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(220, usize::try_from(SIZE)?), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(8 * MIB));
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let mut running = daemon.begin(&["get", "--daemon", &url])?;
    server.wait_for_body_bytes("/a.bin", SIZE / 2, PATIENCE)?;
    running.signal(Signal::Interrupt)?;
    running.wait(PATIENCE)?.expect(130);
    assert!(!home.downloads().join("a.bin").exists());
    let second = daemon.dray(&["get", "--daemon", &url])?;
    assert_eq!(second.code, 0, "{second}\n{}", daemon.log());
    assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "the file is wrong");
    assert_eq!(home.downloaded()?, ["a.bin"]);
    let served = server.body_bytes("/a.bin");
    assert!(served <= SIZE + 4 * MIB, "{served} bytes served for {SIZE}");
    Ok(())
}

#[test]
fn another_digest_or_range_is_another_command() -> Result<()> {
    const SIZE: u64 = 8 * MIB;
    let wrong = format!("sha256:{}", "0".repeat(64));
    let others: [(&[&str], i32); 2] = [(&["--digest", &wrong], 5), (&["--range", "100-199"], 0)];
    for (options, code) in others {
        let server = FaultServer::start()?;
        let content = Content::new(random_bytes(230, usize::try_from(SIZE)?), "v1");
        let bytes = content.bytes.to_vec();
        let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(8 * MIB));
        let home = Home::new()?;
        let daemon = Daemon::start(&home)?;
        let mut running = daemon.begin(&["get", "--daemon", &url])?;
        server.wait_for_body_bytes("/a.bin", SIZE / 2, PATIENCE)?;
        running.signal(Signal::Interrupt)?;
        running.wait(PATIENCE)?.expect(130);
        let outcome = daemon.dray(&[&["get", "--daemon", &url], options].concat())?;
        assert_eq!(outcome.code, code, "{options:?}: {outcome}");
        if code == 0 {
            assert!(
                fs::read(home.downloads().join("a.bin"))? == bytes[100..200],
                "{options:?}: the file is wrong"
            );
        } else {
            assert!(!home.downloads().join("a.bin").exists(), "{options:?}: {outcome}");
        }
    }
    Ok(())
}

#[test]
fn failures_have_the_same_codes_and_leave_nothing() -> Result<()> {
    let server = FaultServer::start()?;
    server.page("/missing.bin", |_| Reply::status(404));
    let content = Content::new(random_bytes(221, 300_000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let wrong = format!("sha256:{}", "0".repeat(64));
    let cases: [(&[&str], i32); 4] = [
        (&["get", "--daemon", &server.url("/missing.bin")], 1),
        (&["get", "--daemon", "--digest", &wrong, &url], 5),
        (&["get", "--daemon", "--range", "900000-900001", &url], 1),
        (&["get", "--daemon", "--digest", "sha256:abcd", &url], 2),
    ];
    for (arguments, code) in cases {
        let outcome = daemon.dray(arguments)?;
        assert_eq!(outcome.code, code, "{arguments:?}: {outcome}");
        assert!(outcome.complaints().iter().any(|line| line.starts_with("dray: ")), "{outcome}");
        assert!(home.downloaded()?.is_empty(), "{arguments:?} left {:?}", home.downloaded()?);
    }
    let listed = daemon.dray(&["job", "list", "--json"])?;
    assert_eq!(listed.json()?["jobs"].as_array().map(Vec::len), Some(0), "{listed}");
    Ok(())
}

#[test]
fn a_file_that_exists_is_kept_unless_told_otherwise() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(222, 1000), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    fs::write(home.downloads().join("a.bin"), "precious")?;
    daemon.dray(&["get", "--daemon", &url])?.expect(1);
    assert_eq!(fs::read(home.downloads().join("a.bin"))?, b"precious");
    daemon.dray(&["get", "--daemon", "--force", &url])?.expect(0);
    assert_eq!(fs::read(home.downloads().join("a.bin"))?, bytes);
    assert_eq!(home.downloaded()?, ["a.bin"]);
    Ok(())
}

#[test]
fn a_daemon_that_dies_under_a_get_is_waited_for() -> Result<()> {
    const SIZE: u64 = 16 * MIB;
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(223, usize::try_from(SIZE)?), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(8 * MIB));
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let running = daemon.begin(&["get", "--daemon", &url])?;
    server.wait_for_body_bytes("/a.bin", SIZE / 2, PATIENCE)?;
    daemon.kill()?;
    daemon.restart()?;
    let outcome = running.wait(PATIENCE)?;
    assert!([0, 1, 3].contains(&outcome.code), "{outcome}");
    if outcome.code != 0 {
        daemon.dray(&["get", "--daemon", &url])?.expect(0);
    }
    assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "the file is wrong");
    let served = server.body_bytes("/a.bin");
    let asks = server.asks("/a.bin");
    assert!(served <= SIZE + 12 * MIB, "{served} bytes served for {SIZE}: {outcome}\n{asks:?}");
    Ok(())
}

#[test]
fn garbage_and_silence_on_the_socket_hurt_no_one() -> Result<()> {
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::create(&daemon)?;
    let mut silent = Vec::new();
    for number in 0..64 {
        let mut stream = UnixStream::connect(daemon.socket())?;
        match number % 3 {
            0 => stream.write_all(&random_bytes(number, 4096)).unwrap_or(()), // it may hang up on us
            1 => stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap_or(()),
            _ => {}
        }
        silent.push(stream);
    }
    assert_eq!(job.state(&daemon)?, "SUSPENDED");
    drop(silent);
    job.call(&daemon, "cancel")?.expect(0);
    Ok(())
}
