//! What is around a download: terminals, homes that are missing or locked, other downloads, credentials, umask.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{Content, FaultServer, Home, MIB, Reply, Signal, random_bytes, system_program};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_file_gets_the_rights_that_the_umask_allows() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(180, 300_000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    for (umask, mode) in [("022", 0o644), ("077", 0o600), ("002", 0o664)] {
        let home = Home::new()?;
        for cached in [false, true] {
            let inner = home.command(["get", "--embedded", "--force", &url])?;
            let outcome =
                home.run(wrapped(&inner, "sh", &["-c", &format!("umask {umask} && exec \"$@\""), "sh"])?)?;
            outcome.expect(0);
            let found = fs::metadata(home.downloads().join("a.bin"))?.permissions().mode() & 0o777;
            assert_eq!(found, mode, "umask {umask}, from the cache: {cached}: {found:o}");
        }
    }
    Ok(())
}

#[test]
fn on_a_terminal_there_is_a_bar_with_rate_and_remaining_time() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(181, 6 << 20), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(2 * MIB));
    let home = Home::new()?;
    let inner = home.command(["get", "--embedded", &url])?;
    let line: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let mut command =
        wrapped(&inner, "script", &["--quiet", "--return", "--command", &line.join(" "), "/dev/null"])?;
    command.env("TERM", "xterm");
    let outcome = home.run(command)?;
    outcome.expect(0);
    let shown = &outcome.stdout;
    assert!(shown.contains("iB/s") && shown.contains("a.bin"), "no rate: {outcome}");
    let has_remaining_time =
        shown.contains("ETA") || shown.contains("eta") || shown.contains("2s") || shown.contains("left");
    assert!(has_remaining_time, "no remaining time: {outcome}");
    Ok(())
}

#[test]
fn without_a_home_a_download_still_works() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(182, 300_000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    let mut homeless = home.command(["get", "--embedded", &url])?;
    for key in
        ["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"]
    {
        homeless.env_remove(key);
    }
    // Root's real cache must not be touched by a test.
    homeless.env("DRAY_CACHE_DIR", home.path().join("elsewhere"));
    home.run(homeless)?.expect(0);
    let mut locked = home.command(["get", "--embedded", "--force", &url])?;
    locked.env("XDG_CACHE_HOME", "/dev/null").env("DRAY_CACHE_DIR", "/dev/null/cache");
    home.run(locked)?.expect(0);
    assert_eq!(home.downloaded()?, ["a.bin"]);
    Ok(())
}

#[test]
fn several_downloads_at_once_do_not_disturb_each_other() -> Result<()> {
    const COUNT: u64 = 6;
    let server = FaultServer::start()?;
    let home = Home::new()?;
    let mut running = Vec::new();
    for number in 0..COUNT {
        let content = Content::new(random_bytes(190 + number, 1_500_000), &format!("v{number}"));
        let url = server.page(&format!("/{number}.bin"), move |ask| content.answer(ask).at_rate(2 * MIB));
        running.push(home.start(["get", "--embedded", &url])?);
    }
    for each in running {
        each.wait(PATIENCE)?.expect(0);
    }
    for number in 0..COUNT {
        let bytes = fs::read(home.downloads().join(format!("{number}.bin")))?;
        assert!(bytes == random_bytes(190 + number, 1_500_000), "file {number} is wrong");
    }
    assert_eq!(home.downloaded()?.len() as u64, COUNT);
    Ok(())
}

#[test]
fn ctrl_c_while_waiting_for_a_silent_or_busy_server_ends_at_once() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(200, 300_000), "v1");
    let silent = server.page("/silent.bin", move |ask| content.answer(ask).stall_after(100_000));
    let busy = server.page("/busy.bin", |_| Reply::status(503).header("Retry-After", "25"));
    for (url, path) in [(silent, "/silent.bin"), (busy, "/busy.bin")] {
        let home = Home::new()?;
        let mut running = home.start(["get", "--embedded", &url])?;
        dray_tests::until("the request", PATIENCE, || Ok((!server.asks(path).is_empty()).then_some(())))?;
        std::thread::sleep(Duration::from_millis(300));
        running.signal(Signal::Interrupt)?;
        let outcome = running.wait(Duration::from_secs(5))?;
        outcome.expect(130);
    }
    Ok(())
}

#[test]
fn closed_outputs_are_no_obstacle() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(203, 300_000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    for closed in [">&-", "2>&-", ">&- 2>&-", ">/dev/full 2>/dev/full"] {
        let home = Home::new()?;
        let inner = home.command(["get", "--embedded", "--json", &url])?;
        let outcome = home.run(wrapped(&inner, "sh", &["-c", &format!("\"$@\" {closed}"), "sh"])?)?;
        assert!([0, 1].contains(&outcome.code), "{closed}: {outcome}");
        assert!(
            fs::read(home.downloads().join("a.bin"))? == random_bytes(203, 300_000),
            "{closed}: the file is wrong"
        );
    }
    Ok(())
}

#[test]
fn a_folder_that_goes_away_in_the_middle_is_told() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(204, 6 << 20), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask).at_rate(4 * MIB));
    let home = Home::new()?;
    let folder = home.downloads().join("folder");
    fs::create_dir(&folder)?;
    let running = home.start(["get", "--embedded", "-o", "folder/a.bin", &url])?;
    server.wait_for_body_bytes("/a.bin", 2 * MIB, PATIENCE)?;
    fs::remove_dir_all(&folder)?;
    let outcome = running.wait(PATIENCE)?;
    outcome.expect(1);
    assert!(outcome.stderr.contains("folder") && !outcome.stderr.contains("panicked"), "{outcome}");
    assert!(home.downloaded()?.is_empty(), "{:?}", home.downloaded()?);
    Ok(())
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_server() -> Result<()> {
    let [here, there] = [FaultServer::start()?, FaultServer::start()?];
    let content = Content::new(random_bytes(201, 1000), "v1");
    let target = there.page("/a.bin", move |ask| content.answer(ask));
    let url = here.page("/a.bin", move |_| Reply::redirect(302, &target));
    let home = Home::new()?;
    let headers = ["-H", "Authorization: Bearer hidden", "-H", "Cookie: session=hidden"];
    home.dray([&["get", "--embedded", &url], &headers[..]].concat())?.expect(0);
    assert_eq!(here.asks("/a.bin")[0].header("authorization"), Some("Bearer hidden"));
    for ask in there.asks("/a.bin") {
        assert!(!format!("{ask:?}").contains("hidden"), "{ask:?}");
    }
    Ok(())
}

#[test]
fn a_password_in_the_url_is_sent_to_its_server_and_to_no_other() -> Result<()> {
    let [here, there] = [FaultServer::start()?, FaultServer::start()?];
    let content = Content::new(random_bytes(202, 1000), "v1");
    let target = there.page("/a.bin", move |ask| content.answer(ask));
    let url = here.page("/a.bin", move |_| Reply::redirect(302, &target));
    let home = Home::new()?;
    home.dray(["get", "--embedded", &url.replace("http://", "http://user:secret@")])?.expect(0);
    let basic = "Basic dXNlcjpzZWNyZXQ="; // user:secret
    assert_eq!(here.asks("/a.bin")[0].header("authorization"), Some(basic));
    assert!(there.asks("/a.bin")[0].header("authorization").is_none());
    Ok(())
}

/// The same environment and folder, another program in front.
fn wrapped(inner: &Command, program: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(system_program(program)?);
    command.args(arguments);
    if program == "sh" {
        command.arg(inner.get_program()).args(inner.get_args());
    }
    furnish(&mut command, inner);
    Ok(command)
}

fn furnish(command: &mut Command, like: &Command) {
    command.env_clear();
    for (key, value) in like.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    if let Some(folder) = like.get_current_dir() {
        command.current_dir(folder);
    }
}
