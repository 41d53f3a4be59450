//! Opening the index, whatever state it is in: in the end there is one.

use std::path::PathBuf;
use std::time::SystemTime;

use dray_platform::value_link;

use super::catalogue::Catalogue;
use super::memory_store::MemoryStore;
use super::sled_store::SledStore;
use super::store::IndexError;
use crate::config::{MAX_OPENING_TRIES, MAX_SET_ASIDE};
use crate::layout::Layout;

/// Opens the index. The caller holds the store's lock. One that cannot be opened is set aside and a new one begun; if that
/// fails too, the index lives in memory.
pub(super) fn open(layout: &Layout) -> Result<Catalogue, IndexError> {
    let tries = value_link::get(&layout.index_opening()).and_then(|tries| tries.parse().ok()).unwrap_or(0);
    if tries >= MAX_OPENING_TRIES {
        set_aside(layout, "opening it never came to an end");
    }
    // Counted outside the database: a damaged one can take the whole process down, past every guard.
    let _ = value_link::set(&layout.index_opening(), &(tries + 1).to_string());
    let catalogue = open_sled(layout).or_else(|error| {
        set_aside(layout, &error.to_string());
        open_sled(layout)
    });
    let _ = std::fs::remove_file(layout.index_opening());
    catalogue.or_else(|error| {
        tracing::warn!(
            path = %layout.index().display(), %error,
            "the cache index cannot be kept on disk; it is kept in memory for now"
        );
        Catalogue::new(Box::new(MemoryStore::default()), false)
    })
}

fn open_sled(layout: &Layout) -> Result<Catalogue, IndexError> {
    Catalogue::new(Box::new(SledStore::open(&layout.index())?), true)
}

/// Moves the index out of the way for somebody to look at, and removes what was set aside long ago.
pub(super) fn set_aside(layout: &Layout, reason: &str) {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
    let free = (0..100).map(|n| layout.index_set_aside(&format!("{seconds}-{n:02}"))).find(|to| !to.exists());
    let Some(to) = free else { return };
    match std::fs::rename(layout.index(), &to) {
        Ok(()) => tracing::warn!(
            path = %to.display(), reason,
            "the cache index is damaged; it was set aside and is made again from the files"
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(path = %layout.index().display(), %error, "a damaged cache index cannot be set aside");
        }
    }
    let _ = std::fs::remove_file(layout.index_opening());
    let mut old = already_set_aside(layout);
    old.sort();
    old.iter().rev().skip(MAX_SET_ASIDE).for_each(|path| {
        if std::fs::remove_dir_all(path).is_err() {
            let _ = std::fs::remove_file(path);
        }
    });
}

/// The indexes that failed before, as far as they are kept.
pub(super) fn already_set_aside(layout: &Layout) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(layout.root()).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("index.corrupt-"));
    ours.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::ContentRow;
    use dray_content::ContentId;

    fn layout() -> (tempfile::TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.create().unwrap();
        (dir, layout)
    }

    #[test]
    fn a_file_in_place_of_the_index_is_set_aside() {
        let (_dir, layout) = layout();
        std::fs::write(layout.index(), b"not a directory").unwrap();
        assert!(open(&layout).unwrap().is_lasting());
        assert_eq!(already_set_aside(&layout).len(), 1);
    }

    #[test]
    fn a_row_that_makes_no_sense_condemns_the_index() {
        let (_dir, layout) = layout();
        let mut raw = SledStore::open(&layout.index()).unwrap();
        crate::index::store::IndexStore::put(&mut raw, b"cshort", b"").unwrap();
        drop(raw);
        assert_eq!(open(&layout).unwrap().contents(), 0);
        assert_eq!(already_set_aside(&layout).len(), 1);
    }

    #[test]
    fn an_index_that_takes_the_process_down_is_set_aside_unread_after_a_few_tries() {
        let (_dir, layout) = layout();
        let mut catalogue = open(&layout).unwrap();
        let row = ContentRow { size: 1, adopted_ms: 0, last_used_ms: 0 };
        catalogue.put(&ContentId([1; 32]), &row, &[]).unwrap();
        drop(catalogue);
        value_link::set(&layout.index_opening(), &(MAX_OPENING_TRIES - 1).to_string()).unwrap();
        assert_eq!(open(&layout).unwrap().contents(), 1);
        value_link::set(&layout.index_opening(), &MAX_OPENING_TRIES.to_string()).unwrap();
        assert_eq!(open(&layout).unwrap().contents(), 0);
        assert_eq!(value_link::get(&layout.index_opening()), None);
    }

    #[test]
    fn where_no_index_can_be_made_on_disk_it_is_kept_in_memory() {
        let (dir, _) = layout();
        std::fs::write(dir.path().join("file"), b"").unwrap();
        let catalogue = open(&Layout::new(&dir.path().join("file"))).unwrap();
        assert!(!catalogue.is_lasting());
        assert_eq!(catalogue.contents(), 0);
    }

    #[test]
    fn only_the_latest_failed_indexes_are_kept() {
        let (_dir, layout) = layout();
        for _ in 0..5 {
            std::fs::write(layout.index(), b"bad").unwrap();
            set_aside(&layout, "test");
        }
        assert_eq!(already_set_aside(&layout).len(), MAX_SET_ASIDE);
    }
}
