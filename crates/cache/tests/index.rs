//! The index may be lost, damaged or owned by somebody else: nothing is lost with it.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may stop where it stands")]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Place, bytes, delivered, files_below, maintain, sha256, url};
use dray_cache::{CacheError, Config, Effort, Store};

const CONTENTS: u64 = 12;

fn filled(place: &Place) -> Store {
    let store = place.open();
    for n in 0..CONTENTS {
        place.adopt(&store, &format!("in-{n}"), &bytes(n, 500), &format!("http://host/{n}"));
    }
    maintain(&store);
    store
}

/// Everything is there, in the index too, and right.
fn check(place: &Place, store: &Store) {
    maintain(store);
    assert_eq!(store.list().unwrap().len(), usize::try_from(CONTENTS).unwrap());
    let stats = store.stats().unwrap();
    assert_eq!((stats.contents, stats.bytes), (CONTENTS, CONTENTS * 500));
    assert!(stats.index_is_lasting);
    for n in 0..CONTENTS {
        let (entry, _) = store.find_url(&url(&format!("http://host/{n}"))).unwrap();
        let out = place.at("out");
        assert_eq!(delivered(store, &entry, &out), bytes(n, 500));
        std::fs::remove_file(out).unwrap();
    }
}

fn set_aside(place: &Place) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.store_dir()).unwrap().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("index.corrupt-"))
        .collect()
}

#[test]
fn a_lost_index_is_made_again_from_the_side_files() {
    let place = Place::new();
    drop(filled(&place));
    std::fs::remove_dir_all(place.store_dir().join("index")).unwrap();
    check(&place, &place.open());
}

/// Damages each file of the index in turn, in each of several ways, and demands everything back.
fn after_damage(damage: impl Fn(&Path)) {
    let place = Place::new();
    drop(filled(&place));
    let index = place.store_dir().join("index");
    let victims: Vec<PathBuf> = files_below(&index)
        .into_iter()
        .filter(|file| file.metadata().unwrap().len() > 0)
        .map(|file| file.strip_prefix(&index).unwrap().to_owned())
        .collect();
    assert!(victims.len() >= 3, "a cookie, metadata and data: {victims:?}");
    for victim in victims {
        let victim = index.join(victim);
        // Opening rewrites the metadata under a new name each time.
        if victim.exists() {
            damage(&victim);
        }
        let store = place.open();
        check(&place, &store);
        drop(store);
        check(&place, &place.open());
    }
    for file in files_below(&index) {
        damage(&file);
    }
    check(&place, &place.open());
    assert!(!set_aside(&place).is_empty());
}

#[test]
fn an_index_with_files_cut_short_is_set_aside_and_made_again() {
    after_damage(|file| {
        let len = file.metadata().unwrap().len();
        std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(len / 2).unwrap();
    });
}

#[test]
fn an_index_with_garbled_files_is_set_aside_and_made_again() {
    after_damage(|file| {
        let len = file.metadata().unwrap().len();
        std::fs::write(file, bytes(7, usize::try_from(len).unwrap().max(100))).unwrap();
    });
}

#[test]
fn an_index_with_missing_files_is_set_aside_and_made_again() {
    after_damage(|file| std::fs::remove_file(file).unwrap());
}

#[test]
fn while_another_process_owns_the_index_contents_are_found_adopted_and_listed_all_the_same() {
    let place = Place::new();
    let owner = filled(&place);
    let guest = place.open_with(Config { index_patience: Duration::from_millis(40), ..common::config() });
    assert!(matches!(guest.maintain(Effort::Full), Err(CacheError::Busy(_))));
    assert!(matches!(guest.stats(), Err(CacheError::Busy(_))));
    let (entry, _) = guest.find_url(&url("http://host/3")).unwrap();
    assert_eq!(delivered(&guest, &entry, &place.at("out")), bytes(3, 500));
    let data = bytes(99, 300);
    place.adopt(&guest, "guest", &data, "http://host/guest");
    assert_eq!(guest.list().unwrap().len(), 13);
    assert!(owner.find_digest(&sha256(&data)).is_some(), "seen by the owner at once");
    assert_eq!(owner.stats().unwrap().contents, CONTENTS);
    assert_eq!(maintain(&owner).settled, 1);
    assert_eq!(owner.stats().unwrap().contents, CONTENTS + 1);
    drop(owner);
    drop(guest);
    let guest = place.open();
    maintain(&guest);
    assert_eq!(guest.stats().unwrap().contents, CONTENTS + 1);
}

#[test]
fn a_command_does_not_open_the_index_for_looking_and_adopting() {
    let place = Place::new();
    let store = place.open();
    place.adopt(&store, "a", &bytes(1, 10), "http://host/a");
    assert!(store.find_url(&url("http://host/a")).is_some());
    assert!(!store.maintenance_is_due());
    for n in 0..80 {
        place.adopt(&store, &format!("b{n}"), &bytes(100 + n, 10), &format!("http://host/b{n}"));
    }
    assert!(store.maintenance_is_due());
    assert!(!place.store_dir().join("index").exists());
    maintain(&store);
    assert!(!store.maintenance_is_due());
    assert_eq!(store.stats().unwrap().contents, 81);
}

#[test]
fn contents_that_lost_their_markers_are_found_once_in_each_run_of_the_machine() {
    let place = Place::new();
    let store = place.open();
    place.adopt(&store, "a", &bytes(1, 10), "http://host/a");
    for marker in files_below(&place.store_dir().join("incoming")) {
        std::fs::remove_file(marker).unwrap();
    }
    assert_eq!(maintain(&store).settled, 1);
    assert_eq!(store.stats().unwrap().contents, 1);
}
