//! Under which name a download lands, and that no server can choose another place.

use std::fs;

use anyhow::Result;
use dray_tests::{Content, FaultServer, Home};

/// Gets a page whose answer carries this `Content-Disposition`, and tells what lies in the downloads folder afterwards.
fn named_by(disposition: &[u8]) -> Result<Vec<String>> {
    let server = FaultServer::start()?;
    let content = Content::new(*b"content", "v1");
    let disposition = disposition.to_vec();
    let url = server.page("/from-url.bin", move |ask| {
        content.answer(ask).raw_header("Content-Disposition", &disposition)
    });
    let home = Home::new()?;
    let before = outside(&home)?;
    let outcome = home.dray(["get", "--embedded", &url])?;
    let inside = home.downloaded()?;
    // What dray itself keeps (cache, state, captured output) is not a file named by a server.
    assert_eq!(outside(&home)?, before, "something was written outside the downloads folder: {outcome}");
    if outcome.code == 0 {
        assert_eq!(inside.len(), 1, "{outcome}");
        assert_eq!(fs::read(home.downloads().join(&inside[0]))?, b"content");
    } else {
        assert!(inside.is_empty(), "{inside:?} {outcome}");
    }
    Ok(inside)
}

/// The names directly above the downloads folder, without the harness's own.
fn outside(home: &Home) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(home.path())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with("stdout-") && !name.starts_with("stderr-") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[test]
fn the_url_names_the_file() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(*b"content", "v1");
    server.page("/folder/with%20space.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    home.dray(["get", "--embedded", &server.url("/folder/with%20space.bin?query=1#fragment")])?.expect(0);
    assert_eq!(home.downloaded()?, ["with space.bin"]);
    Ok(())
}

#[test]
fn no_url_names_a_file_outside_the_folder() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(*b"content", "v1");
    for path in [
        "/..%2f..%2fevil",
        "/%2e%2e",
        "/a%00b",
        "/%2Ftmp%2Fdray-evil",
        "/..%5cevil",
        "/%2ebashrc",
        "/a%0ab",
        "/%1b%5b2J",
    ] {
        let content = content.clone();
        server.page(path, move |ask| content.answer(ask));
        server.page("/", move |_| dray_tests::Reply::body(200, b"content"));
        let home = Home::new()?;
        let before = outside(&home)?;
        let outcome = home.dray(["get", "--embedded", &server.url(path)])?;
        assert_eq!(outside(&home)?, before, "{path}: {outcome}");
        for name in home.downloaded()? {
            assert!(
                !name.starts_with('.') && !name.contains(['/', '\\', '\0', '\n', '\u{1b}']),
                "{path} became {name:?}"
            );
        }
        assert!(!outcome.stderr.contains('\u{1b}'), "{path}: {outcome}");
    }
    assert!(!std::path::Path::new("/tmp/dray-evil").exists());
    Ok(())
}

#[test]
fn a_name_as_long_as_names_may_be_is_no_obstacle() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(*b"content", "v1");
    for length in [240, 255, 300] {
        let path = format!("/{}", "x".repeat(length));
        let content = content.clone();
        let url = server.page(&path, move |ask| content.answer(ask));
        let home = Home::new()?;
        home.dray(["get", "--embedded", &url])?.expect(0);
        assert_eq!(home.downloaded()?.len(), 1, "{length}: {:?}", home.downloaded()?);
    }
    Ok(())
}

#[test]
fn a_name_that_the_server_proposes_and_that_exists_is_not_overwritten() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(*b"content", "v1");
    let url = server.page("/from-url.bin", move |ask| {
        content.answer(ask).header("Content-Disposition", "attachment; filename=taken.bin")
    });
    let home = Home::new()?;
    fs::write(home.downloads().join("taken.bin"), "precious")?;
    home.dray(["get", "--embedded", &url])?.expect(1);
    assert_eq!(fs::read(home.downloads().join("taken.bin"))?, b"precious");
    assert_eq!(home.downloaded()?, ["taken.bin"]);
    Ok(())
}

#[test]
fn the_server_may_name_the_file() -> Result<()> {
    assert_eq!(named_by(b"attachment; filename=\"report.pdf\"")?, ["report.pdf"]);
    assert_eq!(named_by(b"attachment; filename=plain.txt")?, ["plain.txt"]);
    assert_eq!(named_by(b"attachment; filename=\"x\"; filename*=UTF-8''na%C3%AFve.txt")?, ["na\u{ef}ve.txt"]);
    Ok(())
}

#[test]
fn a_given_path_wins_over_every_name() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(*b"content", "v1");
    let url = server.page("/a", move |ask| {
        content.answer(ask).header("Content-Disposition", "attachment; filename=other")
    });
    let home = Home::new()?;
    home.dray(["get", "--embedded", "-o", "mine.bin", &url])?.expect(0);
    assert_eq!(home.downloaded()?, ["mine.bin"]);
    Ok(())
}

#[test]
fn a_name_that_would_leave_the_folder_does_not() -> Result<()> {
    let attacks: &[&[u8]] = &[
        b"attachment; filename=\"../evil\"",
        b"attachment; filename=\"../../evil\"",
        b"attachment; filename=\"/tmp/dray-evil\"",
        b"attachment; filename=\"a/b\"",
        b"attachment; filename=\"..\"",
        b"attachment; filename=\".\"",
        b"attachment; filename=\"..\\\\evil\"",
        b"attachment; filename*=UTF-8''..%2Fevil",
        b"attachment; filename*=UTF-8''%2Ftmp%2Fdray-evil",
        b"attachment; filename*=UTF-8''evil%00.txt",
        b"attachment; filename=\"\"",
        b"attachment; filename=\"evil\x01name\"",
        b"attachment; filename=\"\xff\xfe\"",
    ];
    for attack in attacks {
        let names = named_by(attack)?;
        for name in names {
            let shown = String::from_utf8_lossy(attack);
            assert!(
                !name.contains(['/', '\\', '\0']) && name != ".." && name != ".",
                "{shown} became {name:?}"
            );
        }
    }
    assert!(!std::path::Path::new("/tmp/dray-evil").exists());
    Ok(())
}

#[test]
fn a_name_of_dots_files_or_great_length_stays_harmless() -> Result<()> {
    let long = format!("attachment; filename=\"{}.bin\"", "x".repeat(5000));
    for disposition in [long.as_bytes(), b"attachment; filename=\".bashrc\""] {
        for name in named_by(disposition)? {
            assert!(name.len() <= 255 && !name.starts_with('.'), "{name:?}");
        }
    }
    Ok(())
}

#[test]
fn an_address_without_a_name_needs_one_or_gets_a_harmless_one() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(*b"content", "v1");
    server.page("/", move |ask| content.answer(ask));
    let home = Home::new()?;
    let outcome = home.dray(["get", "--embedded", &server.url("/")])?;
    if outcome.code == 0 {
        assert_eq!(home.downloaded()?.len(), 1, "{outcome}");
    } else {
        outcome.expect(2);
        assert!(outcome.stderr.contains("-o"), "it should say how to give a name: {outcome}");
    }
    Ok(())
}
