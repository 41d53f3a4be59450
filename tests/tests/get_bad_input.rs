//! Every row of bad input: one clear sentence, the documented exit code, no stray file, nothing overwritten.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::Result;
use dray_tests::{Content, FaultServer, Home, MIB, Outcome, Reply, random_bytes, system_program};

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const NOT_PERMITTED: i32 = 4;

/// No sentence is longer.
const MAX_SENTENCE: usize = 500;

/// No one reads more attempts than this.
const MAX_ASIDES: usize = 8;

/// One sentence that names what it is about. Before it, attempts that are repeated may be told, and after it a hint.
#[track_caller]
fn says(outcome: &Outcome, code: i32, needles: &[&str]) {
    outcome.expect(code);
    let is_aside = |line: &&str| line.starts_with("hint:") || line.contains("trying again");
    let (asides, sentences): (Vec<_>, Vec<_>) = outcome.complaints().into_iter().partition(is_aside);
    assert_eq!(sentences.len(), 1, "one sentence, not {}: {outcome}", sentences.len());
    assert!(sentences[0].starts_with("dray: ") && sentences[0].len() <= MAX_SENTENCE, "{outcome}");
    assert!(asides.len() <= MAX_ASIDES, "{outcome}");
    for needle in needles {
        assert!(outcome.stderr.to_lowercase().contains(&needle.to_lowercase()), "no {needle:?} in {outcome}");
    }
    for noise in ["panicked", "Caused by", "Error {", "stack backtrace", "Os {", "Some("] {
        assert!(!outcome.stderr.contains(noise), "{noise:?} in {outcome}");
    }
}

/// A download that cannot even begin: nothing comes of it, and nothing is left.
#[track_caller]
fn refused(arguments: &[&str], code: i32, needles: &[&str]) {
    let run = || -> Result<()> {
        let home = Home::new()?;
        fs::write(home.downloads().join("bystander"), "precious")?;
        let outcome = home.dray([&["get", "--embedded"], arguments].concat())?;
        says(&outcome, code, needles);
        assert_eq!(home.downloaded()?, ["bystander"], "{outcome}");
        assert_eq!(fs::read(home.downloads().join("bystander"))?, b"precious");
        Ok(())
    };
    run().expect("the harness works");
}

/// A page that always answers with this status.
fn refused_by_status(status: u16) -> Result<()> {
    let server = FaultServer::start()?;
    let url = server.page("/a.bin", move |_| Reply::status(status));
    refused(&[&url], FAILED, &[&status.to_string(), "127.0.0.1"]);
    assert!(server.asks("/a.bin").len() <= 10, "{} requests", server.asks("/a.bin").len());
    Ok(())
}

#[test]
fn what_is_no_url_is_refused() {
    refused(&["not a url"], USAGE, &["not a url"]);
    refused(&[""], USAGE, &["url"]);
    refused(&["http://"], USAGE, &["http://"]);
    refused(&["http://[::1"], USAGE, &["http://[::1"]);
}

#[test]
fn a_scheme_that_is_not_http_is_refused() {
    refused(&["ftp://example.org/a.bin"], USAGE, &["ftp", "http"]);
    refused(&["file:///etc/passwd"], USAGE, &["file", "http"]);
}

#[test]
fn a_host_that_no_one_knows_is_named() {
    refused(&["http://no-such-host.invalid/a.bin"], FAILED, &["no-such-host.invalid"]);
}

#[test]
fn a_refused_connection_is_told_with_the_address() -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    refused(&[&format!("http://127.0.0.1:{port}/a.bin")], FAILED, &["refused", &port.to_string()]);
    Ok(())
}

#[test]
fn status_401_is_final() -> Result<()> {
    refused_by_status(401)
}

#[test]
fn status_403_is_final() -> Result<()> {
    refused_by_status(403)
}

#[test]
fn status_404_is_final() -> Result<()> {
    refused_by_status(404)
}

#[test]
fn status_410_is_final() -> Result<()> {
    refused_by_status(410)
}

#[test]
fn status_416_without_a_range_is_final() -> Result<()> {
    refused_by_status(416)
}

#[test]
fn status_429_is_retried_and_then_told() -> Result<()> {
    refused_by_status(429)
}

#[test]
fn status_500_is_retried_and_then_told() -> Result<()> {
    refused_by_status(500)
}

#[test]
fn status_503_is_retried_and_then_told() -> Result<()> {
    refused_by_status(503)
}

#[test]
fn a_redirect_in_a_circle_ends() -> Result<()> {
    let server = FaultServer::start()?;
    let url = server.url("/a.bin");
    let again = url.clone();
    server.page("/a.bin", move |_| Reply::redirect(302, &again));
    refused(&[&url], FAILED, &["redirect", "127.0.0.1"]);
    assert!(server.asks("/a.bin").len() <= 60, "{} requests", server.asks("/a.bin").len());
    Ok(())
}

#[test]
fn an_endless_chain_of_redirects_ends() -> Result<()> {
    let server = FaultServer::start()?;
    for step in 0..100 {
        let next = server.url(&format!("/{}", step + 1));
        server.page(&format!("/{step}"), move |_| Reply::redirect(302, &next));
    }
    refused(&[&server.url("/0")], FAILED, &["redirect"]);
    Ok(())
}

#[test]
fn a_redirect_out_of_http_is_not_followed() -> Result<()> {
    let server = FaultServer::start()?;
    for location in ["file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1/"] {
        let url = server.page("/a.bin", move |_| Reply::redirect(302, location));
        refused(&[&url], FAILED, &["redirect"]);
    }
    Ok(())
}

#[test]
fn a_folder_as_destination_is_refused() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(40, 1000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    fs::create_dir(home.downloads().join("folder"))?;
    let outcome = home.dray(["get", "--embedded", "-o", "folder", &url])?;
    says(&outcome, FAILED, &["folder"]);
    assert_eq!(home.downloaded()?, ["folder"]);
    Ok(())
}

#[test]
fn a_destination_in_a_folder_that_does_not_exist_is_refused() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(41, 1000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    refused(&["-o", "missing/a.bin", &url], FAILED, &["missing"]);
    Ok(())
}

#[test]
fn a_file_that_exists_is_kept_unless_told_otherwise() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(42, 1000), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    let file = home.downloads().join("a.bin");
    fs::write(&file, "precious")?;
    says(&home.dray(["get", "--embedded", &url])?, FAILED, &["a.bin", "exists", "--force"]);
    assert_eq!(fs::read(&file)?, b"precious");
    assert_eq!(home.downloaded()?, ["a.bin"]);
    home.dray(["get", "--embedded", "--force", &url])?.expect(0);
    assert_eq!(fs::read(&file)?, bytes);
    assert_eq!(home.downloaded()?, ["a.bin"]);
    Ok(())
}

#[test]
fn a_folder_that_one_may_not_write_to_is_told_with_code_4() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(43, 1000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::without_rights()?;
    fs::create_dir(home.downloads().join("locked"))?;
    fs::set_permissions(home.downloads().join("locked"), fs::Permissions::from_mode(0o555))?;
    let outcome = home.dray(["get", "--embedded", "-o", "locked/a.bin", &url])?;
    says(&outcome, NOT_PERMITTED, &["locked", "permi"]);
    assert_eq!(fs::read_dir(home.downloads().join("locked"))?.count(), 0);
    Ok(())
}

/// Runs `dray get` in a folder on a file system of its own that holds 4 MiB, in a mount namespace that ends with it.
fn on_a_small_disk(home: &Home, url: &str) -> Result<(Outcome, String)> {
    const SCRIPT: &str = "mount -t tmpfs -o size=4m small small && shift && cd small && \"$@\"; code=$?; ls -A >../left; exit $code";
    fs::create_dir(home.downloads().join("small"))?;
    let inner = home.command(["get", "--embedded", "--no-cache", url])?;
    let mut command = Command::new(system_program("unshare")?);
    command.args(["--map-root-user", "--mount", "--", "sh", "-c", SCRIPT, "sh", "-"]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.env_clear().current_dir(home.downloads());
    for (key, value) in inner.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    let outcome = home.run(command)?;
    let left = fs::read_to_string(home.downloads().join("left"))?;
    Ok((outcome, left))
}

#[test]
fn a_full_disk_is_told_and_left_clean_when_the_size_is_known() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(44, usize::try_from(8 * MIB)?), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    let (outcome, left) = on_a_small_disk(&home, &url)?;
    says(&outcome, FAILED, &["space", "small"]);
    assert_eq!(left, "", "{outcome}");
    Ok(())
}

#[test]
fn a_full_disk_is_told_and_left_clean_when_the_size_is_not_known() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(45, usize::try_from(8 * MIB)?), "v1");
    let url = server.page("/a.bin", move |_| content.whole().chunked());
    let home = Home::new()?;
    let (outcome, left) = on_a_small_disk(&home, &url)?;
    says(&outcome, FAILED, &["space", "a.bin"]);
    assert_eq!(left, "", "{outcome}");
    Ok(())
}

#[test]
fn a_digest_of_the_wrong_length_or_kind_is_refused() {
    let url = "http://127.0.0.1:1/a.bin";
    refused(&["--digest", "sha256:abcd", url], USAGE, &["sha256"]);
    refused(&["--digest", &format!("sha256:{}", "0".repeat(65)), url], USAGE, &["sha256"]);
    refused(&["--digest", &format!("sha256:{}", "g".repeat(64)), url], USAGE, &["sha256"]);
    refused(&["--digest", "md5:d41d8cd98f00b204e9800998ecf8427e", url], USAGE, &["md5"]);
    refused(&["--digest", "", url], USAGE, &["digest"]);
}

#[test]
fn a_range_beyond_the_file_is_told() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(46, 1000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    refused(&["--range", "2000-2999", &url], FAILED, &["range"]);
    refused(&["--range", "900-1000", &url], FAILED, &["range"]);
    Ok(())
}

#[test]
fn what_is_no_range_is_refused() {
    let url = "http://127.0.0.1:1/a.bin";
    for range in ["9-1", "x", "1-2-3", "-", "99999999999999999999-"] {
        refused(&["--range", range, url], USAGE, &["range"]);
    }
}

#[test]
fn unknown_options_and_missing_arguments_are_bad_usage() -> Result<()> {
    let home = Home::new()?;
    for arguments in
        [&["get"][..], &["get", "--no-such-option", "http://127.0.0.1/"], &["no-such-command"], &[]]
    {
        home.dray(arguments)?.expect(USAGE);
    }
    Ok(())
}

#[test]
fn a_password_in_the_url_is_never_shown() -> Result<()> {
    let server = FaultServer::start()?;
    server.page("/a.bin", |_| Reply::status(404));
    let url = server.url("/a.bin?token=hidden2").replace("http://", "http://user:hidden1@");
    let home = Home::new()?;
    let outcome = home.dray(["get", "--embedded", &url])?;
    outcome.expect(FAILED);
    assert!(!outcome.stderr.contains("hidden"), "{outcome}");
    Ok(())
}
