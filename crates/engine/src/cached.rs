//! The content cache as a source of whole files, and where proven ones go.
//!
//! Only what anyone on the machine may have comes from it and goes to it: a content that was fetched with credentials, or that its
//! origin calls private, is not cached.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use dray_cache::{Audience, Entry, NewContent, Store, StoredValidators};
use dray_content::{Digest, PieceTable};
use dray_origin::Validators;
use dray_platform::clone::Placed;
use dray_platform::{open, times};
use url::Url;

use crate::blocking::Blocking;
use crate::{BytesBySource, Decision, Event, FetchError, Fetched, FileTask, GivenBy, Watch, proof, temp};

/// The smallest content that is cached, in bytes. To ask an origin whether a smaller one has changed costs as much as to fetch it.
const MIN_CACHED_LEN: u64 = 64 << 10;

/// The cache, called from async code. What reads or writes contents runs where blocking is allowed; a lookup is a link and at most one
/// small file, which takes less than the way to another thread.
#[derive(Clone)]
pub(crate) struct Cached(pub(crate) Arc<Store>);

/// A file that the cache should keep.
pub(crate) struct Proven<'a> {
    pub(crate) table: PieceTable,
    pub(crate) digests: &'a [Digest],
    pub(crate) url: &'a Url,
    pub(crate) validators: &'a Validators,
    pub(crate) file: &'a Path,
}

impl Cached {
    /// A content with that digest.
    pub(crate) fn by_digest(&self, digest: Digest) -> Option<Entry> {
        self.0.find_digest(&digest).filter(is_public)
    }

    /// A content that came from that URL, and what the origin said of it then.
    pub(crate) fn by_url(&self, url: &Url) -> Option<(Entry, Validators)> {
        let (entry, link) = self.0.find_url(url)?;
        let StoredValidators { etag, last_modified } = link.validators;
        let validators = Validators { size: Some(entry.size()), etag, last_modified };
        let is_recognisable = validators.etag.is_some() || validators.last_modified.is_some();
        (is_recognisable && is_public(&entry)).then_some((entry, validators))
    }

    /// Brings a file from the cache into the sink: every piece is verified on the way, and the digest that the caller asked for too.
    /// `None` when the cache turned out not to hold it.
    pub(crate) async fn take(
        &self,
        task: &FileTask,
        entry: Entry,
        validators: Validators,
        watch: &Arc<dyn Watch>,
        blocking: &Blocking,
    ) -> Result<Option<Fetched>, FetchError> {
        let size = entry.size();
        watch.event(Event::Decided(Decision::FromCache));
        watch.event(Event::Known {
            local_size: Some(size),
            resumed: 0,
            file_name: None,
            validators: validators.clone(),
            has_ranges: None,
        });
        task.clear_live();
        let (temp, asked, for_store) = (task.temp.clone(), task.digest, entry.clone());
        let modified = validators.modified();
        let watched = Arc::clone(watch);
        let store = Arc::clone(&self.0);
        let delivered = blocking.run(move || deliver(&store, &for_store, &temp, asked, modified, &*watched));
        if !delivered.await.unwrap_or(Err(FetchError::Interrupted))? {
            return Ok(None);
        }
        let root = entry.id().digest();
        let mut digests = vec![root];
        digests.extend(entry.digests().iter().chain(&task.digest).filter(|digest| **digest != root));
        digests.dedup();
        Ok(Some(Fetched {
            size,
            remote_size: size,
            id: Some(entry.id()),
            digests,
            bytes: BytesBySource { cache: size, ..BytesBySource::default() },
            validators,
            file_name: None,
            is_cached: true,
            is_synced: true,
            decisions: vec![Decision::FromCache],
            gifts: Vec::new(),
        }))
    }

    /// Gives a proven file to the cache. A cache that cannot take it costs a warning, never the download.
    pub(crate) async fn adopt(&self, proven: Proven<'_>, blocking: &Blocking) -> bool {
        let Proven { table, digests, url, validators, file } = proven;
        if table.size() < MIN_CACHED_LEN {
            return false;
        }
        let stored = StoredValidators {
            etag: validators.etag.clone(),
            last_modified: validators.last_modified.clone(),
        };
        let (digests, urls, file) = (digests.to_vec(), vec![(url.clone(), stored)], file.to_owned());
        let store = Arc::clone(&self.0);
        let adopted = blocking.run(move || {
            store.adopt(NewContent { table, digests, urls, audience: Audience::Everyone, file: &file })
        });
        match adopted.await {
            Some(Ok(adopted)) => {
                tracing::debug!(?adopted, "the cache holds the content");
                true
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "the content is not cached");
                false
            }
            None => false,
        }
    }
}

fn is_public(entry: &Entry) -> bool {
    *entry.audience() == Audience::Everyone
}

/// Delivers an entry and checks the digest that its side file does not vouch for. False when the origin has to be
/// asked, which a broken cache is no reason not to do.
fn deliver(
    store: &Store,
    entry: &Entry,
    path: &Path,
    asked: Option<Digest>,
    modified: Option<SystemTime>,
    watch: &dyn Watch,
) -> Result<bool, FetchError> {
    temp::clear(path, watch)?;
    let proven = Cell::new(0);
    let progress = |so_far: u64| {
        let bytes = so_far.saturating_sub(proven.replace(so_far));
        watch.event(Event::Received { bytes, from: GivenBy::Cache });
    };
    let placed = match store.deliver(entry, path, &progress) {
        Ok(placed) => placed,
        Err(error) => {
            tracing::warn!(%error, "going to the origin");
            return Ok(false);
        }
    };
    tracing::debug!(?placed, "delivered from the cache");
    // Other names of the same file have their time stamp from their own server.
    let modified = modified.filter(|_| placed != Placed::HardLink);
    let known = entry.digests().iter().copied().chain([entry.id().digest()]);
    let unproven = asked.filter(|asked| !known.clone().any(|digest| digest == *asked));
    let is_right = finish(path, unproven, entry.size(), modified)
        .map_err(|error| FetchError::local("read", path, error))?;
    if !is_right {
        // The cache's copy of this URL is another file than the one that was asked for.
        std::fs::remove_file(path).map_err(|error| FetchError::local("remove", path, error))?;
    }
    Ok(is_right)
}

/// Gives a delivered file the rights and the time stamp of an ordinary new one and its bytes the certainty of being on disk; tells whether they have
/// the digest.
fn finish(
    path: &Path,
    digest: Option<Digest>,
    size: u64,
    modified: Option<SystemTime>,
) -> std::io::Result<bool> {
    let file = open::open_nofollow_writable(path)?;
    open::share_as_usual(&file)?;
    if let Some(modified) = modified {
        times::set_modified(&file, modified)?;
    }
    file.sync_data()?;
    digest.map_or(Ok(true), |digest| proof::has_digest(&file, &digest, size))
}
