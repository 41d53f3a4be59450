//! Daemons that share: who gave what is told, and so is every reason why nobody did.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use dray_tests::{Daemon, Home, Kind, MIB, Origin, Outcome, random_file, until};
use serde_json::Value;

const SIZE: u64 = 8 * MIB;

/// What the origin is asked for at most, when peers have the file: its beginning.
const BEGINNING: u64 = 64 * 1024;

/// The decisions of the first file, and those of the machine, as `dray explain --json` has them.
fn decisions(explained: &Outcome, pointer: &str) -> Result<Vec<Value>> {
    let json = explained.expect(0).json()?;
    Ok(json
        .pointer(pointer)
        .and_then(Value::as_array)
        .with_context(|| format!("no {pointer} in {json}"))?
        .clone())
}

fn named<'a>(decisions: &'a [Value], name: &str) -> Result<&'a Value> {
    let found = decisions.iter().find(|decision| decision["name"] == name);
    found.with_context(|| format!("nothing is named {name} in {decisions:?}"))
}

#[test]
fn a_machine_gets_from_another_what_that_one_has_and_both_say_so() -> Result<()> {
    let file = random_file(SIZE)?;
    let digest = file.sha256()?;
    let origin = Origin::start(Kind::Nginx)?;
    let url = origin.publish("a.bin", &file.path)?;
    let (first_home, second_home) = (Home::new()?, Home::new()?);
    let first = Daemon::sharing(&first_home, "")?;
    let second = Daemon::sharing(&second_home, &format!("bootstrap = [\"{}\"]", first.peer_address()?))?;
    second.wait_for_peers(1)?;
    first.wait_for_peers(1)?;
    first.dray(&["get", "--daemon", "--digest", &digest, &url])?.expect(0);
    assert_eq!(origin.body_bytes("a.bin")?, SIZE);

    let got = second.dray(&["get", "--daemon", "--json", "--digest", &digest, &url])?;
    let told = got.expect(0).json()?;
    assert!(fs::read(second_home.downloads().join("a.bin"))? == fs::read(&file.path)?, "the file is wrong");
    let from_origin = origin.body_bytes("a.bin")? - SIZE;
    assert!(from_origin <= BEGINNING, "{from_origin} bytes from the origin: {got}\n{}", second.log());
    assert_eq!(
        (told["peers"].as_u64(), told["bytes"]["origin"].as_u64()),
        (Some(1), Some(from_origin)),
        "{got}"
    );
    assert_eq!(told["bytes"]["lan_peers"].as_u64(), Some(SIZE - from_origin), "{got}");

    let explained = second.dray(&["explain", "--json", &url])?;
    named(&decisions(&explained, "/files/0/decisions")?, "peers-asked")?;
    let sources = decisions(&explained, "/files/0/sources")?;
    let giver =
        sources.iter().find(|source| source["kind"] == "LAN_PEER").context("no peer gave anything")?;
    assert_eq!(giver["name"], first.status()?["peers"]["peer_id"], "{explained}");
    assert_eq!(giver["bytes"].as_u64(), Some(SIZE - from_origin), "{explained}");

    let sent = until("what was sent to be counted", std::time::Duration::from_secs(20), || {
        let status = first.status()?;
        let sent = status["bytes"]["since_start"]["sent"].as_u64().unwrap_or_default();
        Ok((sent > 0).then_some(sent))
    })?;
    // The table of the pieces comes on top.
    assert!((SIZE - from_origin..SIZE).contains(&sent), "{sent} bytes sent");
    assert!(second.metrics()?.contains(&format!("source=\"lan_peer\"}} {}", SIZE - from_origin)));
    Ok(())
}

#[test]
fn machines_with_other_keys_of_a_group_do_not_share_and_are_told_why() -> Result<()> {
    let homes = [Home::new()?, Home::new()?];
    for home in &homes {
        let key = home.path().join("lab.key");
        home.dray(["group", "new", "lab", "-o", key.to_str().context("a path")?])?.expect(0);
        assert_eq!(fs::metadata(&key)?.permissions().mode() & 0o777, 0o600);
    }
    let group = |home: &Home| format!("group = \"lab\"\ngroup_key_file = {:?}", home.path().join("lab.key"));
    let first = Daemon::sharing(&homes[0], &group(&homes[0]))?;
    let peers = format!("{}\nbootstrap = [\"{}\"]", group(&homes[1]), first.peer_address()?);
    let second = Daemon::sharing(&homes[1], &peers)?;
    until("the key to be called different", std::time::Duration::from_secs(40), || {
        let explained = second.dray(&["explain", "--json", "http://127.0.0.1/a.bin"])?;
        let machine = decisions(&explained, "/machine")?;
        let said = machine.iter().any(|told| {
            told["against"] == true
                && told["sentence"].as_str().is_some_and(|text| text.contains("group"))
                && told["hint"].as_str().is_some_and(|text| text.contains("key"))
        });
        Ok(said.then_some(()))
    })
    .with_context(|| {
        second.dray(&["explain", "http://127.0.0.1/a.bin"]).map_or_else(|e| e.to_string(), |o| o.stdout)
    })?;
    assert_eq!(second.status()?["peers"]["connected"].as_u64(), Some(0));
    let shown = second.dray(&["peers"])?;
    assert!(shown.stdout.contains("UNREACHABLE") && shown.stdout.contains("key is another one"), "{shown}");
    for shown in [second.dray(&["config", "show"])?.stdout, second.log(), first.log()] {
        assert!(!shown.contains("dray-group-1:"), "{shown}");
    }
    Ok(())
}

#[test]
fn peers_that_are_off_are_told_as_the_reason_also_after_the_end_of_the_job_and_a_restart() -> Result<()> {
    let file = random_file(2 * MIB)?;
    let origin = Origin::start(Kind::Nginx)?;
    let url = origin.publish("a.bin", &file.path)?;
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    daemon.dray(&["get", "--daemon", "--digest", &file.sha256()?, &url])?.expect(0);
    for _ in 0..2 {
        let explained = daemon.dray(&["explain", "--json", &url])?;
        let told = decisions(&explained, "/files/0/decisions")?;
        let mode = named(&told, "mode")?;
        assert_eq!(mode["against"], true, "{explained}");
        assert!(
            mode["sentence"].as_str().is_some_and(|text| text.contains("the mode is off")),
            "{explained}"
        );
        assert!(mode["hint"].as_str().is_some_and(|text| text.contains("drayd.toml")), "{explained}");
        let bytes =
            explained.json()?.pointer("/files/0/bytes_by_source/origin_bytes").and_then(Value::as_u64);
        assert_eq!(bytes, Some(2 * MIB), "{explained}");
        let said = daemon.dray(&["peers"])?;
        assert!(said.expect(0).stderr.contains("the mode is off"), "{said}");
        daemon.stop()?;
        daemon.restart()?;
    }
    Ok(())
}

#[test]
fn a_file_that_nobody_vouches_for_comes_without_peers_and_that_is_told() -> Result<()> {
    let file = random_file(2 * MIB)?;
    let origin = Origin::start(Kind::Nginx)?;
    let url = origin.publish("a.bin", &file.path)?;
    let home = Home::new()?;
    let daemon = Daemon::sharing(&home, "")?;
    daemon.dray(&["get", "--daemon", &url])?.expect(0);
    let explained = daemon.dray(&["explain", "--json", &url])?;
    let told = decisions(&explained, "/files/0/decisions")?;
    let reason = named(&told, "no-digest")?;
    assert!(reason["hint"].as_str().is_some_and(|text| text.contains("--digest")), "{explained}");
    let text = daemon.dray(&["explain", &url])?;
    assert!(text.stdout.contains("\n    try: Give the digest"), "{text}");
    Ok(())
}

#[test]
fn a_port_that_is_taken_gives_way_unless_it_was_asked_for() -> Result<()> {
    let (first_home, second_home) = (Home::new()?, Home::new()?);
    let first = Daemon::sharing(&first_home, "")?;
    let port = first.status()?["peers"]["port"].as_u64().context("a port")?;
    let second = Daemon::sharing(&second_home, &format!("port = {port}"))?;
    let status = second.status()?;
    assert_eq!(status["peers"]["active"], false, "{status}");
    assert!(
        status["peers"]["why_off"].as_str().is_some_and(|why| why.contains(&port.to_string())),
        "{status}"
    );
    let warned = status["warnings"].as_array().is_some_and(|all| {
        all.iter().any(|warning| warning.as_str().is_some_and(|text| text.contains(&port.to_string())))
    });
    assert!(warned, "{status}");
    Ok(())
}
