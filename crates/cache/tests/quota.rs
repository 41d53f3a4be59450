//! The store keeps to its limits.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may stop where it stands")]

mod common;

use std::time::{Duration, SystemTime};

use common::{Place, bytes, content, maintain, sha256, url};
use dray_cache::{CacheError, Config, Store};

fn limited(place: &Place, max_bytes: u64) -> Store {
    place.open_with(Config { max_bytes, ..common::config() })
}

/// Sets when a content was last used, by the clock that eviction goes by.
fn last_used(store: &Store, n: u64, seconds_ago: u64) {
    let side = store.find_url(&url(&format!("http://host/{n}"))).unwrap().0.path().with_extension("meta");
    let file = std::fs::OpenOptions::new().write(true).open(side).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds_ago)).unwrap();
}

fn fill(place: &Place, store: &Store, count: u64) {
    for n in 0..count {
        place.adopt(store, &format!("in-{n}"), &bytes(n, 1000), &format!("http://host/{n}"));
    }
}

fn present(store: &Store, count: u64) -> Vec<u64> {
    (0..count).filter(|n| store.find_url(&url(&format!("http://host/{n}"))).is_some()).collect()
}

#[test]
fn what_was_not_used_for_longest_gives_way() {
    let place = Place::new();
    let store = place.open();
    fill(&place, &store, 6);
    maintain(&store);
    for n in 0..6 {
        last_used(&store, n, 1000 - n * 10);
    }
    let entry = store.find_url(&url("http://host/0")).unwrap().0;
    store.deliver(&entry, &place.at("out"), &|_| ()).unwrap();
    drop((entry, store));
    let store = limited(&place, 3500);
    let done = maintain(&store);
    assert_eq!((done.evicted, done.evicted_bytes), (3, 3000));
    assert_eq!(present(&store, 6), [0, 4, 5], "0 was used just now");
    assert_eq!(store.stats().unwrap().bytes, 3000);
    assert_eq!(maintain(&store).evicted, 0);
    assert_eq!(store.waiting(), 0);
    assert_eq!(std::fs::read(place.at("in-1")).unwrap(), bytes(1, 1000), "destinations are not the store's");
}

#[test]
fn what_is_in_use_stays_however_full_the_store_is() {
    let place = Place::new();
    let store = limited(&place, 1500);
    fill(&place, &store, 1);
    let held = store.find_url(&url("http://host/0")).unwrap().0;
    fill(&place, &store, 4);
    maintain(&store);
    assert!(present(&store, 4).contains(&0));
    drop(held);
    place.adopt(&store, "new", &bytes(50, 1200), "http://host/new");
    maintain(&store);
    assert!(store.stats().unwrap().bytes <= 1500);
}

#[test]
fn a_content_larger_than_the_store_is_refused() {
    let place = Place::new();
    let store = limited(&place, 999);
    std::fs::write(place.at("a"), bytes(1, 1000)).unwrap();
    let refused = store.adopt(content(&place.at("a"), &bytes(1, 1000), "http://host/a"));
    assert!(matches!(refused, Err(CacheError::TooBig { size: 1000, limit: 999 })));
}

#[test]
fn on_a_full_disk_nothing_is_copied_in_and_unshared_contents_go() {
    let place = Place::new();
    let store = place.open();
    fill(&place, &store, 2);
    std::fs::remove_file(place.at("in-0")).unwrap();
    maintain(&store);
    drop(store);
    let full = Config { min_free_bytes: u64::MAX / 2, hard_links: false, ..common::config() };
    let store = place.open_with(full.clone());
    std::fs::write(place.at("b"), b"new").unwrap();
    let refused = store.adopt(content(&place.at("b"), b"new", "http://host/b"));
    assert!(matches!(refused, Err(CacheError::NoSpace { .. })));
    maintain(&store);
    assert_eq!(present(&store, 2), [1], "removing a second name of a file would free nothing");
    assert!(store.find_digest(&sha256(&bytes(0, 1000))).is_none());
    // Sharing a file costs nothing, so it is allowed.
    let store = place.open_with(Config { hard_links: true, ..full });
    store.adopt(content(&place.at("b"), b"new", "http://host/b")).unwrap();
}
