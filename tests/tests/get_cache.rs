//! The content cache: a byte that was fetched once is not fetched again, and never given out when it is wrong.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use dray_tests::{Content, FaultServer, Home, MIB, Origin, random_bytes, random_file, sha256_of};

fn body_of(server: &FaultServer, path: &str, size: u64) -> u64 {
    server.body_bytes(path) / size
}

#[test]
fn a_second_get_of_the_same_url_brings_no_body_from_nginx() -> Result<()> {
    let file = random_file(3 * MIB)?;
    let origin = Origin::nginx("")?;
    let url = origin.publish("a.bin", &file.path)?;
    let home = Home::new()?;
    for name in ["first.bin", "second.bin"] {
        home.dray(["get", "--embedded", "-o", name, &url])?.expect(0);
        assert_eq!(sha256_of(&home.downloads().join(name))?, file.sha256()?);
    }
    assert_eq!(origin.body_bytes("a.bin")?, file.size, "{:?}", origin.hits("a.bin")?);
    Ok(())
}

#[test]
fn the_same_digest_under_another_url_brings_no_body() -> Result<()> {
    let file = random_file(3 * MIB)?;
    let origin = Origin::nginx("")?;
    let [first, second] = ["one.bin", "two.bin"].map(|name| origin.publish(name, &file.path));
    let home = Home::new()?;
    let digest = file.sha256()?;
    home.dray(["get", "--embedded", "--digest", &digest, &first?])?.expect(0);
    home.dray(["get", "--embedded", "--digest", &digest, &second?])?.expect(0);
    assert_eq!(sha256_of(&home.downloads().join("two.bin"))?, digest);
    assert_eq!(origin.body_bytes("two.bin")?, 0);
    Ok(())
}

#[test]
fn a_changed_file_is_fetched_again() -> Result<()> {
    let server = FaultServer::start()?;
    let home = Home::new()?;
    for (seed, etag) in [(30, "v1"), (31, "v2")] {
        let content = Content::new(random_bytes(seed, 400_000), etag);
        let bytes = content.bytes.to_vec();
        let url = server.page("/a.bin", move |ask| content.answer(ask));
        home.dray(["get", "--embedded", "--force", &url])?.expect(0);
        assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "{etag}: the file is wrong");
    }
    Ok(())
}

#[test]
fn content_without_a_validator_is_fetched_again() -> Result<()> {
    let server = FaultServer::start()?;
    let home = Home::new()?;
    for seed in [32, 33] {
        let content = Content::anonymous(random_bytes(seed, 400_000)); // same size, other bytes
        let bytes = content.bytes.to_vec();
        let url = server.page("/a.bin", move |ask| content.answer(ask));
        home.dray(["get", "--embedded", "--force", &url])?.expect(0);
        assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "the file is wrong");
    }
    Ok(())
}

#[test]
fn no_cache_means_neither_taken_from_nor_given_to() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(34, 400_000), "v1");
    let size = content.len();
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    home.dray(["get", "--embedded", "--no-cache", "--force", &url])?.expect(0);
    home.dray(["get", "--embedded", "--force", &url])?.expect(0);
    assert_eq!(body_of(&server, "/a.bin", size), 2, "the first must not have filled the cache");
    home.dray(["get", "--embedded", "--no-cache", "--force", &url])?.expect(0);
    assert_eq!(body_of(&server, "/a.bin", size), 3, "the last must not have used it");
    Ok(())
}

#[test]
fn what_the_origin_marks_no_store_is_not_kept() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(35, 400_000), "v1");
    let size = content.len();
    let url = server.page("/a.bin", move |ask| content.answer(ask).header("Cache-Control", "no-store"));
    let home = Home::new()?;
    home.dray(["get", "--embedded", "--force", &url])?.expect(0);
    home.dray(["get", "--embedded", "--force", &url])?.expect(0);
    assert_eq!(body_of(&server, "/a.bin", size), 2);
    Ok(())
}

#[test]
fn what_came_with_credentials_is_not_given_to_one_without() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(39, 400_000), "v1");
    let size = content.len();
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    home.dray(["get", "--embedded", "--force", "-H", "Authorization: Bearer x", &url])?.expect(0);
    home.dray(["get", "--embedded", "--force", &url])?.expect(0);
    assert_eq!(body_of(&server, "/a.bin", size), 2);
    Ok(())
}

#[test]
fn a_digest_that_is_known_needs_no_server() -> Result<()> {
    let file = random_file(3 * MIB)?;
    let digest = file.sha256()?;
    let home = Home::new()?;
    let url = {
        let origin = Origin::nginx("")?;
        let url = origin.publish("a.bin", &file.path)?;
        home.dray(["get", "--embedded", "--digest", &digest, &url])?.expect(0);
        url
    };
    home.dray(["get", "--embedded", "--force", "--digest", &digest, &url])?.expect(0);
    assert_eq!(sha256_of(&home.downloads().join("a.bin"))?, digest);
    Ok(())
}

#[test]
fn another_query_is_another_file() -> Result<()> {
    let server = FaultServer::start()?;
    let home = Home::new()?;
    for seed in [300, 301] {
        // The same path and ETag: only the query tells them apart.
        let content = Content::new(random_bytes(seed, 400_000), "v1");
        let bytes = content.bytes.to_vec();
        server.page("/a.bin", move |_| content.whole());
        let url = server.url(&format!("/a.bin?{seed}"));
        home.dray(["get", "--embedded", "--force", &url])?.expect(0);
        assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "{seed}: the file is wrong");
    }
    Ok(())
}

#[test]
fn a_delivered_file_that_its_owner_edits_does_not_poison_the_cache() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(36, 400_000), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    home.dray(["get", "--embedded", "-o", "mine", &url])?.expect(0);
    flip_a_byte(&home.downloads().join("mine"))?;
    home.dray(["get", "--embedded", "-o", "again", &url])?.expect(0);
    assert!(fs::read(home.downloads().join("again"))? == bytes, "the second file is wrong");
    Ok(())
}

#[test]
fn a_damaged_object_is_fetched_anew_and_not_given_out() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(37, 400_000), "v1");
    let (bytes, size) = (content.bytes.to_vec(), content.len());
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    home.dray(["get", "--embedded", &url])?.expect(0);
    fs::remove_file(home.downloads().join("a.bin"))?;
    let object = file_of_size(home.path(), size)?.context("an object in the cache")?;
    flip_a_byte(&object)?;
    home.dray(["get", "--embedded", &url])?.expect(0);
    assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "a damaged object was given out");
    Ok(())
}

#[test]
fn a_cache_of_garbage_does_not_stop_a_download() -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(38, 400_000), "v1");
    let bytes = content.bytes.to_vec();
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    home.dray(["get", "--embedded", "--force", &url])?.expect(0);
    for file in files_below(home.path(), &home.downloads())? {
        fs::write(&file, b"garbage")?;
    }
    home.dray(["get", "--embedded", "--force", &url])?.expect(0);
    assert!(fs::read(home.downloads().join("a.bin"))? == bytes, "the file is wrong");
    Ok(())
}

fn flip_a_byte(path: &Path) -> Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(path, permissions)?;
    let byte = fs::read(path)?[1000];
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(1000))?;
    file.write_all(&[byte ^ 0xFF])?;
    Ok(())
}

fn file_of_size(folder: &Path, size: u64) -> Result<Option<PathBuf>> {
    let files = files_below(folder, Path::new("/nowhere"))?;
    Ok(files.into_iter().find(|file| fs::metadata(file).is_ok_and(|known| known.len() == size)))
}

/// Every file below `folder` that is not below `except`, without the harness's own.
fn files_below(folder: &Path, except: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path == except || name.starts_with("stdout-") || name.starts_with("stderr-") {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if entry.file_type()?.is_file() {
                files.push(path);
            }
        }
    }
    Ok(files)
}
