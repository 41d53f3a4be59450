//! `--range`: parts of a remote file, packed back to back in the order given.

use std::fs;

use anyhow::Result;
use dray_tests::{Home, Kind, Origin, random_bytes};

const SIZE: usize = 600_000;

fn packed(kind: Kind, ranges: &[&str]) -> Result<(Vec<u8>, Vec<u8>, u64)> {
    let bytes = random_bytes(95, SIZE);
    let origin = Origin::start(kind)?;
    let url = origin.publish_bytes("a.bin", &bytes)?;
    let home = Home::new()?;
    let mut arguments = vec!["get", "--embedded", "--no-cache"];
    for range in ranges {
        arguments.extend_from_slice(&["--range", range]);
    }
    arguments.push(&url);
    home.dray(arguments)?.expect(0);
    assert_eq!(home.downloaded()?, ["a.bin"]);
    Ok((fs::read(home.downloads().join("a.bin"))?, bytes, origin.body_bytes("a.bin")?))
}

#[test]
fn one_range_brings_its_bytes_and_no_others() -> Result<()> {
    for kind in [Kind::Nginx, Kind::Lighttpd, Kind::Caddy] {
        let (got, bytes, served) = packed(kind, &["1000-50999"])?;
        assert!(got == bytes[1000..51_000], "{kind:?}: wrong bytes");
        assert_eq!(served, 50_000, "{kind:?}");
    }
    Ok(())
}

#[test]
fn several_ranges_are_packed_in_the_order_given() -> Result<()> {
    let (got, bytes, served) = packed(Kind::Nginx, &["500000-500999", "0-99", "100-199"])?;
    let wanted = [&bytes[500_000..501_000], &bytes[0..100], &bytes[100..200]].concat();
    assert!(got == wanted, "wrong bytes");
    assert_eq!(served, 1200);
    Ok(())
}

#[test]
fn a_range_without_an_end_reaches_to_the_end_of_the_file() -> Result<()> {
    let (got, bytes, _) = packed(Kind::Nginx, &["599000-"])?;
    assert!(got == bytes[599_000..], "wrong bytes");
    Ok(())
}

#[test]
fn overlapping_ranges_are_refused() -> Result<()> {
    let home = Home::new()?;
    let outcome =
        home.dray(["get", "--embedded", "--range", "0-99", "--range", "50-149", "http://127.0.0.1:1/a"])?;
    outcome.expect(2);
    assert!(outcome.stderr.contains("overlap"), "{outcome}");
    Ok(())
}

#[test]
fn a_part_is_never_kept_as_the_whole_and_the_whole_serves_its_parts() -> Result<()> {
    let bytes = random_bytes(98, SIZE);
    let origin = Origin::start(Kind::Nginx)?;
    let url = origin.publish_bytes("a.bin", &bytes)?;
    let home = Home::new()?;
    let file = home.downloads().join("a.bin");
    for _ in 0..2 {
        home.dray(["get", "--embedded", "--force", "--range", "1000-1999", &url])?.expect(0);
        assert!(fs::read(&file)? == bytes[1000..2000], "the part is wrong");
        home.dray(["get", "--embedded", "--force", &url])?.expect(0);
        assert!(fs::read(&file)? == bytes, "the whole is wrong");
        home.dray(["get", "--embedded", "--force", "--range", "0-99", "--range", "599000-", &url])?.expect(0);
        assert!(fs::read(&file)? == [&bytes[..100], &bytes[599_000..]].concat(), "the parts are wrong");
    }
    Ok(())
}
