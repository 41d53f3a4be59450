//! The harness itself: what the other tests believe of it.

use std::process::Command;

use anyhow::Result;
use dray_tests::{Authority, Content, FaultServer, Kind, Origin, random_bytes, system_program};

fn curl(arguments: &[&str]) -> Result<(i32, Vec<u8>)> {
    let output = Command::new(system_program("curl")?)
        .args(["-q", "-s", "--noproxy", "*"])
        .args(arguments)
        .output()?;
    Ok((output.status.code().unwrap_or(-1), output.stdout))
}

#[test]
fn every_real_server_serves_and_logs() -> Result<()> {
    let bytes = random_bytes(1, 100_000);
    for kind in Kind::ALL {
        let origin = Origin::start(kind)?;
        let url = origin.publish_bytes("a.bin", &bytes)?;
        assert_eq!(curl(&[&url])?, (0, bytes.clone()), "{kind:?}");
        let (code, part) = curl(&["-r", "100-199", &url])?;
        assert_eq!((code, part.as_slice()), (0, &bytes[100..200]), "{kind:?}");
        let hits = origin.hits("a.bin")?;
        assert_eq!(hits.len(), 2, "{kind:?}: {hits:?}");
        if kind != Kind::Busybox {
            assert_eq!(origin.body_bytes("a.bin")?, 100_100, "{kind:?}: {hits:?}");
            assert_eq!(hits[1].range.as_deref(), Some("bytes=100-199"), "{kind:?}");
        }
    }
    Ok(())
}

#[test]
fn nginx_serves_over_tls_with_and_without_http2() -> Result<()> {
    let origin = Origin::nginx("")?;
    origin.publish_bytes("a.bin", b"over tls")?;
    let root = origin.root_certificate()?.display().to_string();
    for (url, version) in [(origin.h2_url("a.bin")?, "2"), (origin.h1_url("a.bin")?, "1.1")] {
        let (code, text) = curl(&["--cacert", &root, "-w", "%{http_version}", &url])?;
        assert_eq!((code, String::from_utf8(text)?), (0, format!("over tls{version}")));
        let (code, _) = curl(&[&url])?;
        assert_ne!(code, 0, "a stranger's root must not be trusted");
    }
    Ok(())
}

#[test]
fn an_authority_writes_its_root() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::create(folder.path())?;
    assert!(std::fs::read_to_string(authority.root())?.starts_with("-----BEGIN CERTIFICATE-----"));
    Ok(())
}

#[test]
fn the_fault_server_is_honest_until_it_is_told_otherwise() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(2, 50_000), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/honest", move |ask| content.answer(ask));
    assert_eq!(curl(&[&url])?, (0, bytes.clone()));
    assert_eq!(curl(&["-r", "49990-", &url])?, (0, bytes[49_990..].to_vec()));
    assert_eq!(server.asks("/honest").len(), 2);
    assert_eq!(server.asks("/honest")[1].range(), Some((49_990, None)));
    assert_eq!(server.body_bytes("/honest"), 50_010);
    let (_, status) = curl(&["-o", "/dev/null", "-w", "%{http_code}", "-H", "If-None-Match: \"v1\"", &url])?;
    assert_eq!(status, b"304");
    Ok(())
}

#[test]
fn the_fault_server_cuts_lies_and_chunks() -> Result<()> {
    const CURL_PARTIAL_FILE: i32 = 18;
    const CURL_TIMEOUT: i32 = 28;
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(3, 50_000), "v1");
    let bytes = content.bytes.to_vec();
    let [a, b, c, d] = [(); 4].map(|()| content.clone());
    let cut = server.page("/cut", move |ask| a.answer(ask).cut_after(20_000));
    let claim = server.page("/claim", move |ask| b.answer(ask).claiming(60_000));
    let chunked = server.page("/chunked", move |ask| c.answer(ask).chunked());
    let stalled = server.page("/stalled", move |ask| d.answer(ask).stall_after(20_000));
    assert_eq!(curl(&[&cut])?, (CURL_PARTIAL_FILE, bytes[..20_000].to_vec()));
    assert_eq!(curl(&[&claim])?, (CURL_PARTIAL_FILE, bytes.clone()));
    assert_eq!(curl(&[&chunked])?, (0, bytes.clone()));
    assert_eq!(curl(&["-m", "1", &stalled])?, (CURL_TIMEOUT, bytes[..20_000].to_vec()));
    Ok(())
}
