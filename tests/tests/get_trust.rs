//! What lies beside the destination is believed only if it is this download's own: other downloads, other users and old claims must not
//! get a byte into the file.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{Content, FaultServer, Home, MIB, Reply, Signal, random_bytes};

const PATIENCE: Duration = Duration::from_secs(60);
const SIZE: u64 = 8 * MIB;
const RATE: u64 = 4 * MIB;
const NOBODY: u32 = 65_534;

fn content(seed: u64, etag: &str) -> Result<Content> {
    Ok(Content::new(random_bytes(seed, usize::try_from(SIZE)?), etag))
}

/// A download of `url` to `x`, killed when so much was served.
fn killed(home: &Home, server: &FaultServer, path: &str, after: u64) -> Result<()> {
    let served = server.body_bytes(path);
    let mut running = home.start(["get", "--embedded", &server.url(path), "-o", "x"])?;
    server.wait_for_body_bytes(path, served + after, PATIENCE)?;
    running.signal(Signal::Kill)?;
    running.wait(PATIENCE)?;
    Ok(())
}

#[test]
fn a_claim_never_outlives_the_bytes_it_is_about() -> Result<()> {
    let (one, two) = (content(1, "one")?, content(2, "two")?);
    let server = FaultServer::start()?;
    let url = server.page("/one", {
        let one = one.clone();
        move |ask| one.answer(ask).at_rate(RATE)
    });
    server.page("/two", move |ask| two.answer(ask).at_rate(RATE));
    let home = Home::new()?;
    killed(&home, &server, "/one", SIZE / 2)?;
    // Killed before its first checkpoint: what is beside it is still the claim of the first.
    killed(&home, &server, "/two", SIZE / 16)?;
    home.dray(["get", "--embedded", &url, "-o", "x"])?.expect(0);
    assert!(fs::read(home.downloads().join("x"))? == *one.bytes, "bytes of two files");
    assert_eq!(home.downloaded()?, ["x"]);
    Ok(())
}

#[test]
fn of_two_at_once_one_fetches_and_the_other_touches_nothing() -> Result<()> {
    let one = content(3, "one")?;
    let server = FaultServer::start()?;
    let url = server.page("/one", {
        let one = one.clone();
        move |ask| one.answer(ask).at_rate(RATE)
    });
    let missing = server.page("/missing", |_| Reply::status(404));
    let home = Home::new()?;
    let first = home.start(["get", "--embedded", &url, "-o", "x"])?;
    server.wait_for_body_bytes("/one", SIZE / 4, PATIENCE)?;
    for second in [&url, &missing] {
        let refused = home.dray(["get", "--embedded", second, "-o", "x"])?;
        assert!(refused.expect(1).stderr.contains("another dray"), "{refused}");
    }
    first.wait(PATIENCE)?.expect(0);
    assert!(fs::read(home.downloads().join("x"))? == *one.bytes, "the file is wrong");
    assert_eq!(home.downloaded()?, ["x"]);
    assert!(server.body_bytes("/one") <= SIZE);
    Ok(())
}

#[test]
fn what_was_fetched_survives_an_attempt_that_is_refused() -> Result<()> {
    let one = content(4, "one")?;
    let server = FaultServer::start()?;
    server.page("/one", {
        let one = one.clone();
        move |ask| one.answer(ask).at_rate(RATE)
    });
    let home = Home::new()?;
    killed(&home, &server, "/one", SIZE / 2)?;
    let url = server.page("/one", |_| Reply::status(403));
    let refused = home.dray(["get", "--embedded", &url, "-o", "x"])?;
    assert!(refused.expect(1).stderr.contains("kept"), "{refused}");
    server.page("/one", {
        let one = one.clone();
        move |ask| one.answer(ask)
    });
    let before = server.body_bytes("/one");
    home.dray(["get", "--embedded", &url, "-o", "x"])?.expect(0);
    assert!(fs::read(home.downloads().join("x"))? == *one.bytes, "the file is wrong");
    assert!(server.body_bytes("/one") - before < SIZE, "all of it came again");
    Ok(())
}

#[test]
fn a_record_that_another_user_wrote_is_not_believed() -> Result<()> {
    let one = content(5, "one")?;
    let server = FaultServer::start()?;
    let url = server.page("/one", {
        let one = one.clone();
        move |ask| one.answer(ask)
    });
    let home = Home::new()?;
    killed(&home, &server, "/one", SIZE / 2)?;
    let state = home.downloads().join(".x.dray-state");
    if state.exists() && chown(&state, Some(NOBODY), None).is_err() {
        println!("needs root to give a file away");
        return Ok(());
    }
    home.dray(["get", "--embedded", &url, "-o", "x"])?.expect(0);
    assert!(fs::read(home.downloads().join("x"))? == *one.bytes, "the file is wrong");
    Ok(())
}

#[test]
fn a_pipe_or_an_endless_file_in_place_of_the_record_holds_nothing_up() -> Result<()> {
    let one = content(6, "one")?;
    let server = FaultServer::start()?;
    let url = server.page("/one", {
        let one = one.clone();
        move |ask| one.answer(ask)
    });
    for trap in [
        "mkfifo .x.dray-state",
        "ln -s /dev/zero .x.dray-state",
        "mkfifo .x.dray-part",
        "mkfifo .x.dray-state-new",
    ] {
        let home = Home::new()?;
        let set = Command::new("sh").args(["-c", trap]).current_dir(home.downloads()).status()?;
        assert!(set.success());
        let outcome = home.start(["get", "--embedded", &url, "-o", "x"])?.wait(PATIENCE)?;
        outcome.expect(0);
        assert!(fs::read(home.downloads().join("x"))? == *one.bytes, "{trap}");
        assert_eq!(home.downloaded()?, ["x"], "{trap}");
    }
    Ok(())
}

#[test]
fn a_part_that_others_could_write_to_is_begun_anew() -> Result<()> {
    let one = content(7, "one")?;
    let server = FaultServer::start()?;
    let url = server.page("/one", {
        let one = one.clone();
        move |ask| one.answer(ask).at_rate(RATE)
    });
    let home = Home::new()?;
    killed(&home, &server, "/one", SIZE / 2)?;
    let part = home.downloads().join(".x.dray-part");
    fs::set_permissions(&part, fs::Permissions::from_mode(0o666))?;
    home.dray(["get", "--embedded", &url, "-o", "x"])?.expect(0);
    assert!(fs::read(home.downloads().join("x"))? == *one.bytes, "the file is wrong");
    Ok(())
}

#[test]
fn a_server_that_goes_by_dates_cannot_make_the_cache_deliver_an_older_file() -> Result<()> {
    let dated = |seed, date: &str| -> Result<Content> {
        let mut content = content(seed, "unused")?;
        (content.etag, content.last_modified) = (None, Some(date.to_owned()));
        Ok(content)
    };
    let newer = dated(8, "Wed, 11 Nov 2020 11:11:11 GMT")?;
    let older = dated(9, "Tue, 10 Nov 2020 10:10:10 GMT")?;
    let server = FaultServer::start()?;
    let url = server.page("/a.bin", {
        let (newer, older) = (newer.clone(), older.clone());
        move |ask| match ask.nth {
            0 => newer.answer(ask),
            // "Not newer than what you have", which it is not.
            _ if ask.header("if-modified-since").is_some() => Reply::status(304),
            _ => older.answer(ask),
        }
    });
    let home = Home::new()?;
    home.dray(["get", "--embedded", &url, "-o", "first"])?.expect(0);
    home.dray(["get", "--embedded", &url, "-o", "second"])?.expect(0);
    assert!(
        fs::read(home.downloads().join("second"))? == *older.bytes,
        "the file that is not there any more"
    );
    Ok(())
}

#[test]
fn bytes_that_the_disk_once_refused_are_not_taken_for_written() -> Result<()> {
    let one = content(10, "one")?;
    let server = FaultServer::start()?;
    let url = server.page("/one", {
        let one = one.clone();
        move |ask| one.answer(ask).at_rate(RATE)
    });
    let home = Home::new()?;
    // The first sync of the part, half a second on, fails; the system reports that once. (strace counts by thread.)
    let dray = home.command(["get", "--embedded", "--no-cache", &url, "-o", "x"])?;
    let mut traced = Command::new("strace");
    traced.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
        "-e",
        "inject=fdatasync:error=EIO:when=1",
    ]);
    traced.arg(dray.get_program()).args(dray.get_args());
    traced.current_dir(dray.get_current_dir().unwrap_or(&home.downloads()));
    for (name, value) in dray.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    let outcome = home.begin(traced)?.wait(PATIENCE)?;
    assert!(outcome.expect(1).stderr.contains("cannot sync"), "{outcome}");
    // It ends there, and not at the end, when the next sync would have been believed.
    assert!(server.body_bytes("/one") < SIZE, "all was fetched");
    assert!(!home.downloads().join("x").exists());
    home.dray(["get", "--embedded", &url, "-o", "x"])?.expect(0);
    assert!(fs::read(home.downloads().join("x"))? == *one.bytes, "the file is wrong");
    Ok(())
}
