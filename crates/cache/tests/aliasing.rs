//! The store may share a file with one destination; two destinations never share one.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may stop where it stands")]

mod common;

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use common::{PIECE, Place, bytes, delivered, maintain, table, url};
use dray_cache::{Adopted, CacheError, Config, Placed};

fn inode(path: &Path) -> u64 {
    path.metadata().unwrap().ino()
}

#[test]
fn an_adopted_file_costs_no_second_copy_and_the_next_destination_gets_its_own() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, 2 * PIECE);
    assert_eq!(place.adopt(&store, "a", &data, "http://host/a"), Adopted::New(Placed::HardLink));
    let entry = store.find_url(&url("http://host/a")).unwrap().0;
    assert_eq!(inode(entry.path()), inode(&place.at("a")));
    assert_eq!(store.deliver(&entry, &place.at("b"), &|_| ()).unwrap(), Placed::Copy);
    assert_eq!(store.deliver(&entry, &place.at("c"), &|_| ()).unwrap(), Placed::Copy);
    let inodes = [inode(&place.at("a")), inode(&place.at("b")), inode(&place.at("c"))];
    assert!(inodes[0] != inodes[1] && inodes[1] != inodes[2] && inodes[0] != inodes[2]);
}

#[test]
fn when_the_first_destination_is_gone_the_next_may_share_the_file() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, 2 * PIECE);
    place.adopt(&store, "a", &data, "http://host/a");
    std::fs::remove_file(place.at("a")).unwrap();
    let entry = store.find_url(&url("http://host/a")).unwrap().0;
    assert_eq!(store.deliver(&entry, &place.at("b"), &|_| ()).unwrap(), Placed::HardLink);
    assert_eq!(store.deliver(&entry, &place.at("c"), &|_| ()).unwrap(), Placed::Copy);
    assert_eq!(inode(entry.path()), inode(&place.at("b")));
}

#[test]
fn racing_deliveries_never_share_a_file_with_each_other() {
    let place = Place::new();
    let store = place.open();
    for round in 0..20 {
        let data = bytes(round, 1000);
        let address = format!("http://host/{round}");
        place.adopt(&store, "in", &data, &address);
        std::fs::remove_file(place.at("in")).unwrap();
        let entry = store.find_url(&url(&address)).unwrap().0;
        let dests: Vec<_> = (0..4).map(|n| place.at(&format!("out-{round}-{n}"))).collect();
        std::thread::scope(|scope| {
            for dest in &dests {
                let (store, entry, data) = (&store, &entry, &data);
                scope.spawn(move || assert_eq!(delivered(store, entry, dest), *data));
            }
        });
        let mut inodes: Vec<u64> = dests.iter().map(|dest| inode(dest)).collect();
        inodes.sort_unstable();
        inodes.dedup();
        assert_eq!(inodes.len(), dests.len());
    }
}

#[test]
fn a_destination_edited_in_place_is_noticed_and_nobody_else_gets_the_edit() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, 3 * PIECE);
    place.adopt(&store, "a", &data, "http://host/a");
    maintain(&store);
    let mut file = OpenOptions::new().write(true).open(place.at("a")).unwrap();
    file.write_all(b"edited by its owner").unwrap();
    drop(file);
    let entry = store.find_url(&url("http://host/a")).unwrap().0;
    assert!(matches!(store.deliver(&entry, &place.at("b"), &|_| ()), Err(CacheError::Corrupt { .. })));
    assert!(!place.at("b").exists());
    assert!(store.find_url(&url("http://host/a")).is_none());
    assert!(store.list().unwrap().is_empty());
    assert!(place.at("a").exists(), "the owner keeps his file");
    assert_eq!(place.adopt(&store, "c", &data, "http://host/a"), Adopted::New(Placed::HardLink));
}

#[test]
fn an_edit_whose_clock_was_turned_back_is_noticed_when_the_bytes_are_read() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, 3 * PIECE);
    place.adopt(&store, "a", &data, "http://host/a");
    let path = place.at("a");
    let before = path.metadata().unwrap().modified().unwrap();
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all(b"x").unwrap();
    file.set_modified(before).unwrap();
    let entry = store.find_url(&url("http://host/a")).unwrap().0;
    assert!(entry.is_untouched(), "the stamp cannot tell");
    let last = entry.table().pieces().last().unwrap().0;
    let reader = store.read_pieces(&entry).unwrap();
    let mut piece = Vec::new();
    reader.read(last, &mut piece).unwrap();
    assert!(matches!(reader.read(dray_content::PieceIndex(0), &mut piece), Err(CacheError::Corrupt { .. })));
    assert!(piece.is_empty());
    assert!(store.find_url(&url("http://host/a")).is_none());
}

#[test]
fn a_changed_time_alone_does_not_lose_the_content() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, 2 * PIECE);
    place.adopt(&store, "a", &data, "http://host/a");
    maintain(&store);
    File::open(place.at("a")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let entry = store.find_url(&url("http://host/a")).unwrap().0;
    assert!(!entry.is_untouched());
    assert_eq!(delivered(&store, &entry, &place.at("b")), data);
    assert!(store.find_url(&url("http://host/a")).is_some());
}

#[test]
fn a_file_that_others_may_write_is_copied_in_and_not_shared() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, 100);
    let path = place.at("a");
    std::fs::write(&path, &data).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let adopted = store.adopt(common::content(&path, &data, "http://host/a")).unwrap();
    assert_eq!(adopted, Adopted::New(Placed::Copy));
    let entry = store.find_id(&table(&data).root()).unwrap();
    assert_eq!(entry.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_already_has_two_names_is_copied_in() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, 100);
    std::fs::write(place.at("x"), &data).unwrap();
    std::fs::hard_link(place.at("x"), place.at("y")).unwrap();
    let adopted = store.adopt(common::content(&place.at("y"), &data, "http://host/a")).unwrap();
    assert_eq!(adopted, Adopted::New(Placed::Copy));
}

#[test]
fn without_hard_links_everything_is_copied() {
    let place = Place::new();
    let store = place.open_with(Config { hard_links: false, ..common::config() });
    let data = bytes(1, PIECE + 1);
    assert_eq!(place.adopt(&store, "a", &data, "http://host/a"), Adopted::New(Placed::Copy));
    let entry = store.find_url(&url("http://host/a")).unwrap().0;
    assert_eq!(store.deliver(&entry, &place.at("b"), &|_| ()).unwrap(), Placed::Copy);
    assert_eq!(std::fs::read(place.at("b")).unwrap(), data);
}
