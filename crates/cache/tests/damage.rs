//! Whatever happens to the store's files, nothing wrong is given out, and what can be saved is saved.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may stop where it stands")]

mod common;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use common::{PIECE, Place, bytes, delivered, files_below, maintain, sha256, table, url};
use dray_cache::{CacheError, Config, Effort, Store};
use dray_content::ContentId;

/// A store whose objects are not shared with any destination, with one durable content of three pieces.
fn one_content(place: &Place) -> (Store, Vec<u8>, PathBuf) {
    let store = place.open_with(Config { hard_links: false, ..common::config() });
    let data = bytes(1, 3 * PIECE);
    place.adopt(&store, "a", &data, "http://host/a");
    maintain(&store);
    let object = store.find_digest(&sha256(&data)).unwrap().path().to_owned();
    (store, data, object)
}

fn quarantined(place: &Place) -> usize {
    files_below(&place.store_dir().join("quarantine")).len()
}

#[test]
fn an_object_cut_short_or_grown_is_not_found_and_kept_for_a_look() {
    for len in [0, 3 * PIECE as u64 - 1, 3 * PIECE as u64 + 1] {
        let place = Place::new();
        let (store, _, object) = one_content(&place);
        OpenOptions::new().write(true).open(&object).unwrap().set_len(len).unwrap();
        assert!(store.find_url(&url("http://host/a")).is_none());
        assert_eq!(quarantined(&place), 1);
        assert!(store.list().unwrap().is_empty());
        assert_eq!(store.stats().unwrap().condemned, 1);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_while_delivering() {
    for at in [0, PIECE as u64, 3 * PIECE as u64 - 1] {
        let place = Place::new();
        let (store, data, object) = one_content(&place);
        let file = OpenOptions::new().write(true).open(&object).unwrap();
        file.write_all_at(&[data[at as usize] ^ 4], at).unwrap();
        let entry = store.find_url(&url("http://host/a")).unwrap().0;
        let outcome = store.deliver(&entry, &place.at("out"), &|_| ());
        assert!(matches!(outcome, Err(CacheError::Corrupt { .. })));
        assert!(!place.at("out").exists());
        assert!(store.find_url(&url("http://host/a")).is_none());
        assert_eq!(quarantined(&place), 1);
    }
}

#[test]
fn an_object_that_vanished_is_gone_without_fuss() {
    let place = Place::new();
    let (store, _, object) = one_content(&place);
    let entry = store.find_url(&url("http://host/a")).unwrap().0;
    std::fs::remove_file(&object).unwrap();
    assert!(matches!(store.deliver(&entry, &place.at("out"), &|_| ()), Err(CacheError::Gone { .. })));
    assert!(store.find_url(&url("http://host/a")).is_none());
    maintain(&store);
    assert!(files_below(&place.store_dir().join("objects")).is_empty());
}

#[test]
fn a_content_whose_side_file_is_garbled_or_cut_is_read_and_kept() {
    for damage in [
        |side: &PathBuf| std::fs::write(side, b"garbage").unwrap(),
        |side: &PathBuf| {
            let len = side.metadata().unwrap().len();
            OpenOptions::new().write(true).open(side).unwrap().set_len(len / 2).unwrap();
        },
    ] {
        let place = Place::new();
        let (store, data, object) = one_content(&place);
        damage(&object.with_extension("meta"));
        assert!(store.find_digest(&sha256(&data)).is_none());
        assert_eq!(quarantined(&place), 1);
        maintain(&store);
        // The marker is young, as if somebody were still writing the side file; when it is old the bytes are read.
        age(&place, "incoming");
        maintain(&store);
        let entry = store.find_id(&table(&data).root()).unwrap();
        assert_eq!(delivered(&store, &entry, &place.at("out")), data);
        assert!(store.find_digest(&sha256(&data)).is_none(), "names cannot be read from bytes");
        assert_eq!(place.adopt(&store, "again", &data, "http://host/a"), dray_cache::Adopted::Known);
        assert!(store.find_digest(&sha256(&data)).is_some());
    }
}

#[test]
fn a_lone_object_that_is_not_what_its_name_says_is_removed() {
    let place = Place::new();
    let (store, data, object) = one_content(&place);
    std::fs::remove_file(object.with_extension("meta")).unwrap();
    let file = OpenOptions::new().write(true).open(&object).unwrap();
    file.write_all_at(&[data[5] ^ 1], 5).unwrap();
    drop(store);
    std::fs::remove_dir_all(place.store_dir().join("index")).unwrap();
    let store = place.open();
    maintain(&store);
    age(&place, "incoming");
    maintain(&store);
    assert!(!object.exists());
    assert_eq!(store.waiting(), 0);
}

#[test]
fn lost_names_are_found_in_the_open_index_and_restored() {
    let place = Place::new();
    let (store, data, _) = one_content(&place);
    std::fs::remove_dir_all(place.store_dir().join("names")).unwrap();
    assert!(store.find_digest(&sha256(&data)).is_some());
    assert!(store.find_url(&url("http://host/a")).is_some());
    drop(store);
    assert!(place.open().find_url(&url("http://host/a")).is_some());
}

#[test]
fn a_name_that_leads_to_the_wrong_content_is_a_miss() {
    let place = Place::new();
    let (store, _, _) = one_content(&place);
    let names = files_below(&place.store_dir().join("names"));
    place.adopt(&store, "b", &bytes(2, 100), "http://host/b");
    let wrong = files_below(&place.store_dir().join("names")).into_iter().find(|name| !names.contains(name));
    let target = std::fs::read_link(wrong.unwrap()).unwrap();
    for name in names {
        std::fs::remove_file(&name).unwrap();
        std::os::unix::fs::symlink(&target, &name).unwrap();
    }
    assert!(store.find_url(&url("http://host/a")).is_none());
}

#[test]
fn what_was_not_synced_before_the_machine_went_down_is_proven_by_reading() {
    let place = Place::new();
    let store = place.open();
    let (good, bad) = (bytes(1, 2 * PIECE), bytes(2, 2 * PIECE));
    place.adopt(&store, "good", &good, "http://host/good");
    place.adopt(&store, "bad", &bad, "http://host/bad");
    let object = store.find_digest(&sha256(&bad)).unwrap().path().to_owned();
    drop(store);
    // As after a power cut: another run of the machine, and zeros where bytes never reached the disk.
    for file in files_below(&place.store_dir().join("objects")) {
        if file.extension().is_some() {
            forget_this_boot(&file);
        }
    }
    let time = object.metadata().unwrap().modified().unwrap();
    let file = OpenOptions::new().write(true).open(&object).unwrap();
    file.write_all_at(&[0; 4096], PIECE as u64).unwrap();
    file.set_modified(time).unwrap();

    let store = place.open();
    let brief = store.maintain(Effort::Brief).unwrap();
    assert_eq!((brief.settled, brief.dropped), (0, 0), "a command does not read whole files");
    let full = maintain(&store);
    assert_eq!((full.settled, full.dropped), (1, 1));
    assert!(store.find_digest(&sha256(&good)).is_some());
    assert!(store.find_digest(&sha256(&bad)).is_none());
}

#[test]
fn foreign_and_abandoned_files_do_no_harm() {
    let place = Place::new();
    let (store, data, object) = one_content(&place);
    let objects = place.store_dir().join("objects");
    std::fs::create_dir_all(objects.join("zz")).unwrap();
    std::fs::write(objects.join("zz/notes.txt"), b"hello").unwrap();
    std::fs::write(objects.join("stray"), b"").unwrap();
    let temp = place.store_dir().join("incoming/.dray-0000000000000000.tmp");
    std::fs::write(&temp, b"half").unwrap();
    maintain(&store);
    assert!(temp.exists(), "somebody may be writing it");
    age(&place, "incoming");
    maintain(&store);
    assert!(!temp.exists());
    std::fs::remove_file(&object).unwrap();
    std::fs::create_dir(&object).unwrap();
    assert!(store.find_digest(&sha256(&data)).is_none());
    maintain(&store);
}

#[test]
fn a_store_whose_folders_were_removed_while_open_goes_on() {
    let place = Place::new();
    let (store, _, _) = one_content(&place);
    for folder in ["objects", "names"] {
        std::fs::remove_dir_all(place.store_dir().join(folder)).unwrap();
    }
    assert!(store.find_url(&url("http://host/a")).is_none());
    place.adopt(&store, "b", &bytes(2, 100), "http://host/b");
    assert!(store.find_url(&url("http://host/b")).is_some());
    let _ = store.find_id(&ContentId([0; 32]));
}

/// Makes everything in a folder look as if it had been there since yesterday.
fn age(place: &Place, folder: &str) {
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
    for path in files_below(&place.store_dir().join(folder)) {
        let status = std::process::Command::new("touch")
            .args(["-h", "-d", &humantime(yesterday)])
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

fn humantime(time: SystemTime) -> String {
    format!("@{}", time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

/// Changes the run of the machine that a side file names, and its checksum with it.
fn forget_this_boot(side: &std::path::Path) {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let mut bytes = std::fs::read(side).unwrap();
    let at = bytes.windows(36).position(|window| window == boot.trim().as_bytes()).unwrap();
    bytes[at..at + 36].copy_from_slice("00000000-0000-0000-0000-000000000000".as_bytes());
    let end = bytes.len() - 4;
    let sum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_be_bytes());
    std::fs::write(side, bytes).unwrap();
}
