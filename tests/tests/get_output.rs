//! What `dray get` prints: one JSON object for scripts, a sentence with the sources for people, and neither mixed up.

use anyhow::Result;
use dray_tests::{Content, FaultServer, Home, Reply, random_bytes};

#[test]
fn json_is_one_object_on_stdout() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(96, 300_000), "v1");
    let root = blake3::hash(&content.bytes).to_hex().to_string();
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    let outcome = home.dray(["get", "--embedded", "--json", &url])?;
    outcome.expect(0);
    let object = outcome.json()?;
    assert!(object.is_object(), "{outcome}");
    let text = object.to_string();
    for part in ["300000", "a.bin", root.as_str()] {
        assert!(text.contains(part), "{part} is not in {outcome}");
    }
    Ok(())
}

#[test]
fn json_tells_a_failure_too() -> Result<()> {
    let server = FaultServer::start()?;
    let url = server.page("/a.bin", |_| Reply::status(404));
    let home = Home::new()?;
    let outcome = home.dray(["get", "--embedded", "--json", &url])?;
    outcome.expect(1);
    assert!(outcome.json()?.to_string().contains("404"), "{outcome}");
    Ok(())
}

#[test]
fn without_json_stdout_stays_empty_and_a_line_says_where_the_bytes_came_from() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(97, 300_000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    for source in ["from 127.0.0.1", "cache"] {
        let outcome = home.dray(["get", "--embedded", "--force", &url])?;
        outcome.expect(0);
        assert_eq!(outcome.stdout, "", "{outcome}");
        assert!(
            outcome.complaints().iter().any(|line| line.contains("a.bin") && line.contains(source)),
            "{outcome}"
        );
        assert!(!outcome.stderr.contains('\u{1b}'), "no colours where no one can see them: {outcome}");
    }
    Ok(())
}

#[test]
fn help_and_version_go_to_stdout() -> Result<()> {
    let home = Home::new()?;
    for arguments in [&["--help"][..], &["get", "--help"], &["job", "--help"], &["version"], &["--version"]] {
        let outcome = home.dray(arguments)?;
        outcome.expect(0);
        assert!(!outcome.stdout.trim().is_empty() && outcome.stderr.is_empty(), "{arguments:?}: {outcome}");
    }
    Ok(())
}

#[test]
fn no_daemon_is_told_with_code_3() -> Result<()> {
    let home = Home::new()?;
    let outcome = home.dray(["get", "--daemon", "http://127.0.0.1:1/a.bin"])?;
    outcome.expect(3);
    assert!(outcome.stderr.contains("drayd"), "{outcome}");
    home.dray(["job", "list"])?.expect(3);
    Ok(())
}
