//! Markers: "look at this content again". One is set before a content is put in place or taken away, and is removed when the
//! index knows the outcome; so whatever a crash leaves half done is found again without searching the whole store.
//!
//! The value behind a marker is the content's size, so that the backlog is known without opening anything.

use std::time::SystemTime;

use dray_content::ContentId;
use dray_platform::identity_of::FileStamp;
use dray_platform::{FileError, durable, open, times, value_link};

use crate::config::ABANDONED_AFTER;
use crate::layout::{FileKind, Layout};

#[derive(Debug, Clone)]
pub(crate) struct Marker {
    pub(crate) id: ContentId,
    stamp: FileStamp,
}

/// The contents that wait for the index.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) contents: usize,
    pub(crate) bytes: u64,
}

/// Sets the marker, or sets it anew: whoever read it before cannot clear it then.
pub(crate) fn set(layout: &Layout, id: &ContentId, size: u64) -> Result<(), FileError> {
    value_link::set(&layout.marker(id), &size.to_string())
}

/// Up to `limit` markers.
pub(crate) fn all(layout: &Layout, limit: usize) -> Vec<Marker> {
    ids(layout)
        .filter_map(|id| Some(Marker { id, stamp: FileStamp::of_path(&layout.marker(&id)).ok()? }))
        .take(limit)
        .collect()
}

/// How much waits, counted up to `limit` contents.
pub(crate) fn backlog(layout: &Layout, limit: usize) -> Backlog {
    ids(layout).take(limit).fold(Backlog::default(), |sum, id| {
        let size = value_link::get(&layout.marker(&id)).and_then(|size| size.parse().ok()).unwrap_or(0);
        Backlog { contents: sum.contents + 1, bytes: sum.bytes.saturating_add(size) }
    })
}

impl Marker {
    /// Whether whoever set it has had time enough to finish.
    pub(crate) fn is_old(&self) -> bool {
        is_abandoned(&self.stamp)
    }

    /// Removes the marker, unless somebody has set it anew since it was read. It is taken away first and looked at then, for
    /// between a look and a removal it could be set.
    pub(crate) fn clear(&self, layout: &Layout) {
        let path = layout.marker(&self.id);
        let taken = layout.incoming().join(open::temp_name());
        if durable::replace(&path, &taken).is_err() {
            return;
        }
        if !FileStamp::of_path(&taken).is_ok_and(|now| now.unchanged_since(&self.stamp)) {
            // If it stands again already, that one will do.
            let _ = durable::rename_noreplace(&taken, &path);
        }
        let _ = std::fs::remove_file(taken);
    }
}

/// Whether a file has not been written to for so long that nobody is at work on it. A time in the future (the clock was
/// set back) says nothing, and the file is left for later.
pub(crate) fn is_abandoned(stamp: &FileStamp) -> bool {
    let age_ns = times::to_nanos(SystemTime::now()).saturating_sub(stamp.modified_ns);
    u128::try_from(age_ns).is_ok_and(|age_ns| age_ns > ABANDONED_AFTER.as_nanos())
}

fn ids(layout: &Layout) -> impl Iterator<Item = ContentId> {
    let entries = std::fs::read_dir(layout.incoming()).into_iter().flatten().flatten();
    entries.filter_map(|entry| match Layout::kind_of(entry.file_name().to_str()?) {
        FileKind::Object(id) => Some(id),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_that_was_set_anew_is_not_cleared_by_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.create().unwrap();
        let id = ContentId([1; 32]);
        set(&layout, &id, 10).unwrap();
        let old = all(&layout, 9).remove(0);
        set(&layout, &id, 20).unwrap();
        old.clear(&layout);
        assert_eq!(backlog(&layout, 9), Backlog { contents: 1, bytes: 20 });
        all(&layout, 9)[0].clear(&layout);
        assert_eq!(backlog(&layout, 9), Backlog::default());
    }

    #[test]
    fn a_fresh_marker_is_not_old_and_no_more_are_read_than_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.create().unwrap();
        (0..5).for_each(|n| set(&layout, &ContentId([n; 32]), 1).unwrap());
        assert!(!all(&layout, 5)[0].is_old());
        assert_eq!(all(&layout, 3).len(), 3);
        assert_eq!(backlog(&layout, 4).contents, 4);
    }
}
