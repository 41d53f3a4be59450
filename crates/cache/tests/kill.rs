//! A process that is killed while it fills and maintains the store leaves nothing that is wrong.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may stop where it stands")]

mod common;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Place, bytes, content, delivered, files_below, maintain, table, url};
use dray_cache::{Effort, Store};

/// How often the process is killed.
const KILLS: u64 = 40;
/// Contents that are adopted, delivered and removed over and over.
const CONTENTS: u64 = 24;
/// Names the directory to the process that is to be killed, which is this program once more.
const VICTIM: &str = "DRAY_TEST_KILL_VICTIM";

fn size_of(n: u64) -> usize {
    [10, 5_000, 300_000, 700_000][usize::try_from(n % 4).unwrap()]
}

fn address(n: u64) -> String {
    format!("http://host/{n}")
}

#[test]
fn killed_at_any_moment_the_store_claims_nothing_that_is_not_right() {
    if let Ok(dir) = std::env::var(VICTIM) {
        be_the_victim(std::path::Path::new(&dir));
    }
    let place = Place::new();
    drop(place.open());
    let mut random = fastrand::Rng::with_seed(0x6472_6179);
    let mut found = 0;
    for round in 0..KILLS {
        let mut child = start_victim(&place);
        std::thread::sleep(Duration::from_micros(random.u64(1_000..120_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = place.open();
        found += check_all(&place, &store);
        // In every third round the owner's part is done here, in the others the next victim inherits the backlog.
        if round % 3 == 0 {
            maintain(&store);
            check_index(&store);
        }
    }
    let store = place.open();
    maintain(&store);
    check_index(&store);
    assert_eq!(store.stats().unwrap().condemned, 0, "a kill damages nothing");
    assert!(found > 100, "the victims got somewhere: {found}");
    assert!(files_below(&place.store_dir().join("quarantine")).is_empty());
}

/// Whatever the store says it has, it has. Gives back how much that was.
fn check_all(place: &Place, store: &Store) -> usize {
    let mut found = 0;
    for n in 0..CONTENTS {
        if let Some((entry, _)) = store.find_url(&url(&address(n))) {
            let out = place.at("out");
            assert_eq!(delivered(store, &entry, &out), bytes(n, size_of(n)));
            std::fs::remove_file(out).unwrap();
            found += 1;
        }
    }
    found
}

/// The index and the files say the same.
fn check_index(store: &Store) {
    let listed = store.list().unwrap();
    for content in &listed {
        let entry = store.find_id(&content.id).expect("every row has its files");
        assert_eq!(entry.size(), content.size);
    }
    for n in 0..CONTENTS {
        let id = table(&bytes(n, size_of(n))).root();
        let in_index = listed.iter().any(|content| content.id == id);
        assert_eq!(store.find_id(&id).is_some(), in_index, "content {n}");
    }
}

fn start_victim(place: &Place) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed_at_any_moment_the_store_claims_nothing_that_is_not_right"])
        .env(VICTIM, place.at(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn be_the_victim(dir: &std::path::Path) -> ! {
    let store = Store::open(&dir.join("store"), common::config()).unwrap();
    let mut random = fastrand::Rng::new();
    let work = dir.join(format!("victim-{}", std::process::id()));
    std::fs::create_dir(&work).unwrap();
    for step in 0u64.. {
        let n = random.u64(..CONTENTS);
        let data = bytes(n, size_of(n));
        let path = work.join(step.to_string());
        std::fs::write(&path, &data).unwrap();
        store.adopt(content(&path, &data, &address(n))).unwrap();
        match random.u8(..6) {
            0 => drop(store.maintain(Effort::Full)),
            1 => drop(store.remove(&table(&data).root())),
            2 => std::fs::remove_file(&path).unwrap(),
            _ => {}
        }
    }
    unreachable!("a victim works until it is killed")
}
