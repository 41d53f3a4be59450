//! What is put into the store is found and given back.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may stop where it stands")]

mod common;

use std::cell::RefCell;

use common::{
    PIECE, Place, bytes, content, delivered, files_below, maintain, sha256, table, url, validators,
};
use dray_cache::{Adopted, Audience, CacheError, Config, NewContent, Placed, Store};
use dray_content::{Digest, PieceIndex};

#[test]
fn a_content_is_found_by_url_digest_and_root_at_once_and_in_another_process_run() {
    let place = Place::new();
    let data = bytes(1, 3 * PIECE + 17);
    let id = table(&data).root();
    let store = place.open();
    assert_eq!(place.adopt(&store, "a", &data, "http://host/a"), Adopted::New(Placed::HardLink));
    let check = |store: &Store, dest: &str| {
        let (entry, link) = store.find_url(&url("http://host/a#part")).unwrap();
        assert_eq!(link.validators, validators("\"1\""));
        assert_eq!((entry.id(), entry.size()), (id, data.len() as u64));
        assert!(entry.is_untouched());
        assert_eq!(store.find_digest(&sha256(&data)).unwrap().id(), id);
        assert_eq!(store.find_digest(&Digest::Blake3(id.0)).unwrap().id(), id);
        assert_eq!(store.find_id(&id).unwrap().digests(), [sha256(&data)]);
        assert_eq!(delivered(store, &entry, &place.at(dest)), data);
    };
    check(&store, "b");
    drop(store);
    check(&place.open(), "c");
    let store = place.open();
    assert_eq!(maintain(&store).settled, 1);
    check(&store, "d");
    drop(store);
    check(&place.open(), "e");
}

#[test]
fn what_was_never_there_is_not_found() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, 10);
    assert!(store.find_url(&url("http://host/a")).is_none());
    assert!(store.find_digest(&sha256(&data)).is_none());
    assert!(store.find_id(&table(&data).root()).is_none());
    assert!(!store.remove(&table(&data).root()).unwrap());
    assert!(!store.link_url(&table(&data).root(), &url("http://host/a"), &validators("x")).unwrap());
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn files_of_every_size_around_a_piece_come_back_as_they_were() {
    let place = Place::new();
    let store = place.open();
    for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE] {
        let data = bytes(len as u64, len);
        place.adopt(&store, &format!("in-{len}"), &data, &format!("http://host/{len}"));
        maintain(&store);
        let entry = store.find_digest(&sha256(&data)).unwrap();
        let told = RefCell::new(Vec::new());
        let dest = place.at(&format!("out-{len}"));
        store.deliver(&entry, &dest, &|done| told.borrow_mut().push(done)).unwrap();
        assert_eq!(std::fs::read(dest).unwrap(), data);
        assert!(told.borrow().is_sorted());
        assert_eq!(told.borrow().last().copied().unwrap_or(0), len as u64);
        let reader = store.read_pieces(&entry).unwrap();
        let mut joined = Vec::new();
        let mut piece = Vec::new();
        for (index, _) in entry.table().pieces() {
            reader.read(index, &mut piece).unwrap();
            joined.extend_from_slice(&piece);
        }
        assert_eq!(joined, data);
        reader.read(PieceIndex(999), &mut piece).unwrap();
        assert!(piece.is_empty());
    }
}

#[test]
fn the_same_content_under_another_url_is_stored_once() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, PIECE);
    place.adopt(&store, "a", &data, "http://host/a");
    maintain(&store);
    assert_eq!(place.adopt(&store, "b", &data, "http://host/b"), Adopted::Known);
    maintain(&store);
    assert_eq!(store.list().unwrap().len(), 1);
    for name in ["http://host/a", "http://host/b"] {
        assert!(store.find_url(&url(name)).is_some());
    }
    let id = table(&data).root();
    assert!(store.link_url(&id, &url("http://host/b"), &validators("\"2\"")).unwrap());
    assert_eq!(store.find_url(&url("http://host/b")).unwrap().1.validators, validators("\"2\""));
}

#[test]
fn a_url_leads_to_what_it_gave_last() {
    let place = Place::new();
    let store = place.open();
    place.adopt(&store, "a", &bytes(1, 100), "http://host/a");
    place.adopt(&store, "b", &bytes(2, 100), "http://host/a");
    let (entry, _) = store.find_url(&url("http://host/a")).unwrap();
    assert_eq!(entry.id(), table(&bytes(2, 100)).root());
    assert!(store.find_digest(&sha256(&bytes(1, 100))).is_some());
}

#[test]
fn a_removed_content_is_gone_with_all_its_files_and_its_row() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, 100);
    place.adopt(&store, "a", &data, "http://host/a");
    maintain(&store);
    assert!(store.remove(&table(&data).root()).unwrap());
    assert!(store.find_url(&url("http://host/a")).is_none());
    assert!(store.list().unwrap().is_empty());
    assert_eq!(store.stats().unwrap().bytes, 0);
    for folder in ["objects", "names", "incoming", "quarantine"] {
        assert_eq!(files_below(&place.store_dir().join(folder)), Vec::<std::path::PathBuf>::new());
    }
    assert_eq!(std::fs::read(place.at("a")).unwrap(), data, "the owner's file stays");
}

#[test]
fn a_destination_that_exists_is_never_overwritten() {
    let place = Place::new();
    let store = place.open();
    place.adopt(&store, "a", &bytes(1, 100), "http://host/a");
    let entry = store.find_url(&url("http://host/a")).unwrap().0;
    std::fs::write(place.at("b"), b"mine").unwrap();
    assert!(matches!(store.deliver(&entry, &place.at("b"), &|_| ()), Err(CacheError::File(_))));
    assert_eq!(std::fs::read(place.at("b")).unwrap(), b"mine");
}

#[test]
fn the_audience_is_remembered_and_only_ever_widens() {
    let place = Place::new();
    let store = place.open();
    let data = bytes(1, 100);
    let path = place.at("a");
    std::fs::write(&path, &data).unwrap();
    let secret =
        NewContent { audience: Audience::Only("uid:7".into()), ..content(&path, &data, "http://host/a") };
    store.adopt(secret.clone()).unwrap();
    let audience = || store.find_url(&url("http://host/a")).unwrap().0.audience().clone();
    assert_eq!(audience(), Audience::Only("uid:7".into()));
    store.adopt(content(&path, &data, "http://host/a")).unwrap();
    assert_eq!(audience(), Audience::Everyone);
    store.adopt(secret).unwrap();
    assert_eq!(audience(), Audience::Everyone);
}

#[test]
fn a_file_that_is_not_what_it_is_said_to_be_is_refused() {
    let place = Place::new();
    let store = place.open_with(Config { hard_links: false, ..common::config() });
    let path = place.at("a");
    std::fs::write(&path, bytes(1, 100)).unwrap();
    let other = content(&path, &bytes(2, 100), "http://host/a");
    assert!(matches!(store.adopt(other), Err(CacheError::NotThisContent(_))));
    let longer = content(&path, &bytes(1, 101), "http://host/a");
    assert!(matches!(store.adopt(longer), Err(CacheError::NotThisContent(_))));
    assert!(store.find_url(&url("http://host/a")).is_none());
    assert!(files_below(&place.store_dir().join("objects")).is_empty());
}

#[test]
fn many_threads_may_adopt_find_deliver_and_maintain_at_once() {
    let place = Place::new();
    let store = place.open();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (store, place) = (store.clone(), &place);
            scope.spawn(move || {
                for n in 0..25 {
                    // Half of the contents are the same in all threads.
                    let seed = if n % 2 == 0 { n } else { 1000 * (thread + 1) + n };
                    let data = bytes(seed, 2000);
                    let address = format!("http://host/{seed}");
                    place.adopt(&store, &format!("in-{thread}-{n}"), &data, &address);
                    let (entry, _) = store.find_url(&url(&address)).unwrap();
                    assert_eq!(delivered(&store, &entry, &place.at(&format!("out-{thread}-{n}"))), data);
                    if n % 8 == 0 {
                        store.maintain(dray_cache::Effort::Full).unwrap();
                    }
                }
            });
        }
    });
    maintain(&store);
    assert_eq!(store.list().unwrap().len(), 13 + 4 * 12);
    assert_eq!(store.stats().unwrap().condemned, 0);
    assert_eq!(store.waiting(), 0);
}

#[cfg(unix)]
#[test]
fn a_directory_that_others_can_write_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    drop(place.open());
    std::fs::set_permissions(place.store_dir(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Store::open(&place.store_dir(), common::config()), Err(CacheError::NotOurs(_))));
}
