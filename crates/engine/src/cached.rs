//! The content cache as a source of whole files, and where proven ones go.
//!
//! Only what anyone on the machine may have comes from it and goes to it: a content that was fetched with credentials, or that its
//! origin calls private, is not cached.

use std::cell::Cell;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use dray_cache::{Audience, CacheError, Entry, NewContent, Store, StoredValidators};
use dray_content::{Digest, PieceTable};
use dray_origin::Validators;
use dray_platform::open;
use url::Url;

use crate::{Event, FetchError, Watch};

/// The cache, called from async code: every call runs where blocking is allowed.
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
    pub(crate) async fn by_digest(&self, digest: Digest) -> Option<Entry> {
        self.run(move |store| store.find_digest(&digest)).await?.filter(is_public)
    }

    /// A content that came from that URL, and what the origin said of it then.
    pub(crate) async fn by_url(&self, url: &Url) -> Option<(Entry, Validators)> {
        let url = url.clone();
        let (entry, link) = self.run(move |store| store.find_url(&url)).await??;
        let StoredValidators { etag, last_modified } = link.validators;
        let validators = Validators { size: Some(entry.size()), etag, last_modified };
        let is_recognisable = validators.etag.is_some() || validators.last_modified.is_some();
        (is_recognisable && is_public(&entry)).then_some((entry, validators))
    }

    /// Puts a content into the sink, every piece of it verified on the way. False when the cache turned out not to hold it.
    pub(crate) async fn deliver(
        &self,
        entry: &Entry,
        temp: &Path,
        watch: &Arc<dyn Watch>,
    ) -> Result<bool, FetchError> {
        let (entry, path, watch) = (entry.clone(), temp.to_owned(), Arc::clone(watch));
        let delivered = self.run(move |store| {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(FetchError::local("replace", &path, error));
                }
                _ => {}
            }
            let proven = Cell::new(0);
            let progress = |so_far: u64| {
                watch.event(Event::Received { bytes: so_far.saturating_sub(proven.replace(so_far)) });
            };
            match store.deliver(&entry, &path, &progress) {
                Ok(placed) => {
                    tracing::debug!(?placed, "delivered from the cache");
                    finish(&path).map_err(|error| FetchError::local("sync", &path, error)).map(|()| true)
                }
                Err(error @ (CacheError::Corrupt { .. } | CacheError::Gone { .. })) => {
                    tracing::warn!(%error, "going to the origin");
                    Ok(false)
                }
                Err(error) => Err(error.into()),
            }
        });
        delivered.await.unwrap_or(Err(FetchError::Interrupted))
    }

    /// Gives a proven file to the cache. A cache that cannot take it costs a warning, never the download.
    pub(crate) async fn adopt(&self, proven: Proven<'_>) -> bool {
        let Proven { table, digests, url, validators, file } = proven;
        let stored = StoredValidators {
            etag: validators.etag.clone(),
            last_modified: validators.last_modified.clone(),
        };
        let (digests, urls, file) = (digests.to_vec(), vec![(url.clone(), stored)], file.to_owned());
        let adopted = self.run(move |store| {
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

    async fn run<T: Send + 'static>(&self, act: impl FnOnce(&Store) -> T + Send + 'static) -> Option<T> {
        let store = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || act(&store)).await.ok()
    }
}

fn is_public(entry: &Entry) -> bool {
    *entry.audience() == Audience::Everyone
}

/// Gives a delivered file the rights of an ordinary new one, and its bytes the certainty of being on disk.
fn finish(path: &Path) -> std::io::Result<()> {
    let file = open::open_nofollow_writable(path)?;
    open::share_as_usual(&file)?;
    file.sync_data()
}
