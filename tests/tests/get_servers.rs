//! `dray get` from every real server.

use anyhow::Result;
use dray_tests::{Home, Kind, MIB, Origin, blake3_of, random_file, sha256_of, toolchain_library};

/// One file from one server: right bytes under the URL's name, one GET, nothing else left.
fn brings_the_file(kind: Kind) -> Result<()> {
    let file = random_file(5 * MIB + 123)?;
    let origin = Origin::start(kind)?;
    let url = origin.publish("file.bin", &file.path)?;
    let home = Home::new()?;
    home.dray(["get", "--embedded", "--digest", &file.sha256()?, &url])?.expect(0);
    assert_eq!(home.downloaded()?, ["file.bin"]);
    assert_eq!(sha256_of(&home.downloads().join("file.bin"))?, file.sha256()?);
    let hits = origin.hits("file.bin")?;
    assert_eq!(hits.len(), 1, "one request is enough for a whole file: {hits:?}");
    assert_eq!(hits[0].method, "GET");
    Ok(())
}

#[test]
fn nginx_gives_a_file() -> Result<()> {
    brings_the_file(Kind::Nginx)
}

#[test]
fn apache_gives_a_file() -> Result<()> {
    brings_the_file(Kind::Apache)
}

#[test]
fn lighttpd_gives_a_file() -> Result<()> {
    brings_the_file(Kind::Lighttpd)
}

#[test]
fn caddy_gives_a_file() -> Result<()> {
    brings_the_file(Kind::Caddy)
}

#[test]
fn busybox_gives_a_file() -> Result<()> {
    brings_the_file(Kind::Busybox)
}

#[test]
fn the_toolchains_own_library_comes_over_http2_and_http1_with_tls() -> Result<()> {
    let file = toolchain_library()?;
    let origin = Origin::nginx("")?;
    origin.publish("library.so", &file.path)?;
    let root = origin.root_certificate()?.display().to_string();
    for url in [origin.h2_url("library.so")?, origin.h1_url("library.so")?] {
        let home = Home::new()?;
        home.dray(["get", "--embedded", "--ca", &root, &url])?.expect(0);
        assert_eq!(blake3_of(&home.downloads().join("library.so"))?, blake3_of(&file.path)?);
    }
    Ok(())
}

#[test]
fn a_server_whose_certificate_no_one_vouches_for_is_not_believed() -> Result<()> {
    let origin = Origin::nginx("")?;
    origin.publish_bytes("a.bin", b"secret")?;
    let home = Home::new()?;
    let outcome = home.dray(["get", "--embedded", &origin.h2_url("a.bin")?])?;
    outcome.expect(1);
    assert!(outcome.stderr.contains("certificate"), "{outcome}");
    assert!(home.downloaded()?.is_empty());
    Ok(())
}

#[test]
fn an_empty_file_is_a_file() -> Result<()> {
    for kind in [Kind::Nginx, Kind::Busybox] {
        let origin = Origin::start(kind)?;
        let url = origin.publish_bytes("empty", b"")?;
        let home = Home::new()?;
        home.dray(["get", "--embedded", &url])?.expect(0);
        assert_eq!(std::fs::read(home.downloads().join("empty"))?, b"", "{kind:?}");
    }
    Ok(())
}
