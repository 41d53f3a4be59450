//! Prints what the store's operations cost on this machine: `cargo run -p dray-cache --example measure -- DIRECTORY`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for a developer's eyes")]

use std::path::Path;
use std::time::{Duration, Instant};

use dray_cache::{Audience, Config, Effort, NewContent, Store, StoredValidators};
use dray_content::TableBuilder;

fn main() {
    let dir = std::env::args().nth(1).expect("a directory to work in");
    let dir = Path::new(&dir).join("dray-cache-measure");
    std::fs::create_dir_all(&dir).unwrap();
    measure(&dir);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn measure(dir: &Path) {
    let config =
        || Config { min_free_bytes: 0, index_patience: Duration::from_secs(60), ..Config::default() };
    let open = || Store::open(&dir.join("store"), config()).unwrap();
    let store = timed("open, new store", open);
    for (name, len, count) in [("1 KiB", 1 << 10, 1000), ("1 GiB", 1 << 30, 1)] {
        let tables: Vec<_> = (0..count).map(|n| write(&dir.join(format!("{name}-{n}")), len, n)).collect();
        let adopt = || {
            for (n, table) in tables.iter().enumerate() {
                let file = dir.join(format!("{name}-{n}"));
                let url = format!("http://host/{name}/{n}").parse().unwrap();
                let validators = StoredValidators { etag: Some("\"e\"".to_owned()), last_modified: None };
                let new = NewContent {
                    table: table.clone(),
                    digests: Vec::new(),
                    urls: vec![(url, validators)],
                    audience: Audience::Everyone,
                    file: &file,
                };
                store.adopt(new).unwrap();
            }
        };
        timed(&format!("adopt {count} of {name}"), adopt);
        timed(&format!("settle {count} of {name}"), || while store.maintain(Effort::Full).unwrap().more {});
        let find = |n| {
            let url = format!("http://host/{name}/{n}").parse().unwrap();
            store.find_url(&url).unwrap().0
        };
        timed(&format!("find {count} of {name}"), || (0..count).for_each(|n| drop(find(n))));
        let deliver = |what: &str| {
            for n in 0..count {
                store.deliver(&find(n), &dir.join(format!("{what}-{name}-{n}")), &|_| ()).unwrap();
            }
        };
        timed(&format!("deliver {count} of {name}, copied"), || deliver("copy"));
        (0..count).for_each(|n| std::fs::remove_file(dir.join(format!("{name}-{n}"))).unwrap());
        timed(&format!("deliver {count} of {name}, linked"), || deliver("link"));
    }
    timed("drop, index open", || drop(store));
    for _ in 0..3 {
        let store = timed("open, filled store", open);
        timed("first use of the index", || store.stats().unwrap());
        timed("drop, index open", || drop(store));
    }
    let store = open();
    timed("drop, index never opened", || drop(store));
}

fn write(path: &Path, len: usize, seed: usize) -> dray_content::PieceTable {
    let mut bytes = vec![0u8; len];
    bytes.chunks_mut(8).enumerate().for_each(|(n, chunk)| {
        let word = ((n ^ seed << 32) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    });
    std::fs::write(path, &bytes).unwrap();
    let mut builder = TableBuilder::new(Some(len as u64));
    builder.feed(0, &bytes);
    builder.finish(len as u64).unwrap()
}

fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let outcome = act();
    println!("{what:34} {:>10.3} ms", start.elapsed().as_secs_f64() * 1e3);
    outcome
}
