//! Digests: given by the user, published by the origin, right and wrong.

use std::fs;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dray_tests::{Content, FaultServer, Home, Outcome, Reply, random_bytes};
use sha2::{Digest as _, Sha256, Sha512};

const WRONG: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Gets a page of these bytes whose answer is changed by `bend`.
fn get_with(
    bytes: &[u8],
    options: &[&str],
    bend: impl Fn(Reply) -> Reply + Send + Sync + 'static,
) -> Result<(Home, Outcome)> {
    let server = FaultServer::start()?;
    let content = Content::new(bytes, "v1");
    let url = server.page("/a.bin", move |ask| bend(content.answer(ask)));
    let home = Home::new()?;
    let mut arguments = vec!["get", "--embedded", &url];
    arguments.extend_from_slice(options);
    let outcome = home.dray(arguments)?;
    Ok((home, outcome))
}

#[test]
fn a_right_digest_of_each_kind_is_accepted() -> Result<()> {
    let bytes = random_bytes(10, 700_001);
    let digests = [
        format!("sha256:{}", hex(&Sha256::digest(&bytes))),
        format!("sha512:{}", hex(&Sha512::digest(&bytes))),
        format!("blake3:{}", blake3::hash(&bytes).to_hex()),
    ];
    for digest in digests {
        let (home, outcome) = get_with(&bytes, &["--digest", &digest], |reply| reply)?;
        outcome.expect(0);
        assert_eq!(fs::read(home.downloads().join("a.bin"))?, bytes);
    }
    Ok(())
}

#[test]
fn a_wrong_digest_ends_in_code_5_with_expected_got_and_from_whom() -> Result<()> {
    let bytes = random_bytes(11, 700_001);
    for algorithm in ["sha256", "blake3"] {
        let got = match algorithm {
            "sha256" => hex(&Sha256::digest(&bytes)),
            _ => blake3::hash(&bytes).to_hex().to_string(),
        };
        let (home, outcome) =
            get_with(&bytes, &["--digest", &format!("{algorithm}:{WRONG}")], |reply| reply)?;
        outcome.expect(5);
        for part in [WRONG, got.as_str(), "127.0.0.1"] {
            assert!(outcome.stderr.contains(part), "{part} is not in {outcome}");
        }
        assert!(home.downloaded()?.is_empty(), "{:?}", home.downloaded()?);
    }
    Ok(())
}

#[test]
fn a_wrong_digest_overwrites_nothing_even_when_told_to_overwrite() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(12, 50_000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    fs::write(home.downloads().join("a.bin"), "precious")?;
    let digest = format!("sha256:{WRONG}");
    home.dray(["get", "--embedded", "--force", "--digest", &digest, &url])?.expect(5);
    assert_eq!(fs::read(home.downloads().join("a.bin"))?, b"precious");
    assert_eq!(home.downloaded()?, ["a.bin"]);
    Ok(())
}

#[test]
fn an_origin_that_publishes_the_right_digest_is_served() -> Result<()> {
    let bytes = random_bytes(13, 300_000);
    let sha256 = BASE64.encode(Sha256::digest(&bytes));
    let sha512 = BASE64.encode(Sha512::digest(&bytes));
    let published = [
        ("Repr-Digest", format!("sha-256=:{sha256}:")),
        ("Repr-Digest", format!("sha-512=:{sha512}:, sha-256=:{sha256}:")),
        ("x-amz-checksum-sha256", sha256.clone()),
        ("Repr-Digest", "unknown=:AAAA:".to_owned()),
        ("Repr-Digest", "this is no structured field".to_owned()),
    ];
    for (name, value) in published {
        let (home, outcome) = get_with(&bytes, &[], move |reply| reply.header(name, &value))?;
        outcome.expect(0);
        assert_eq!(fs::read(home.downloads().join("a.bin"))?, bytes);
    }
    Ok(())
}

#[test]
fn an_origin_that_publishes_another_digest_ends_in_code_5() -> Result<()> {
    let bytes = random_bytes(14, 300_000);
    let wrong = BASE64.encode(Sha256::digest(b"something else"));
    let published = [
        ("Repr-Digest", format!("sha-256=:{wrong}:")),
        ("x-amz-checksum-sha256", wrong.clone()),
        ("x-goog-hash", "crc32c=AAAAAA==".to_owned()),
    ];
    for (name, value) in published {
        let (home, outcome) = get_with(&bytes, &[], move |reply| reply.header(name, &value))?;
        assert_eq!(outcome.code, 5, "{name}: {outcome}");
        assert!(home.downloaded()?.is_empty(), "{name}: {:?}", home.downloaded()?);
    }
    Ok(())
}

#[test]
fn a_content_md5_is_only_a_hint() -> Result<()> {
    let bytes = random_bytes(15, 300_000);
    let wrong = BASE64.encode([7; 16]);
    let (home, outcome) = get_with(&bytes, &[], move |reply| reply.header("Content-MD5", &wrong))?;
    outcome.expect(0);
    assert_eq!(fs::read(home.downloads().join("a.bin"))?, bytes);
    Ok(())
}
