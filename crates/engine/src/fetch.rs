//! The way in: a file comes from the cache when its digest is known there, else it is downloaded.

use std::borrow::Cow;
use std::sync::Arc;

use dray_cache::Store;
use dray_content::evidence::address::{self, Address};
use dray_origin::{Client, Validators};
use tokio_util::sync::CancellationToken;

use crate::blocking::Blocking;
use crate::cached::Cached;
use crate::download::Download;
use crate::{Checkpoint, Event, FetchError, Fetched, FileTask, Peers, Watch};

/// Fetches files. Cheap to clone; one engine serves all transfers of a process.
#[derive(Clone)]
pub struct Engine {
    client: Client,
    cache: Option<Cached>,
    peers: Option<Peers>,
}

impl Engine {
    /// An engine over an HTTP client and, if there are any, the machine's content cache and its peers.
    #[must_use]
    pub fn new(client: Client, cache: Option<Arc<Store>>, peers: Option<Peers>) -> Self {
        Self { client, cache: cache.map(Cached), peers }
    }

    /// Brings one file into its sink, whole, proven and on disk.
    ///
    /// After an error the sink and the last checkpoint stay where they are, so that a later call with that checkpoint goes on from
    /// there; whoever does not want that deletes both.
    ///
    /// # Errors
    /// [`FetchError`], whose `code` is the documented one; [`FetchError::Interrupted`] after `stop` was cancelled.
    pub async fn fetch(
        &self,
        task: &FileTask,
        watch: Arc<dyn Watch>,
        stop: CancellationToken,
    ) -> Result<Fetched, FetchError> {
        let named = with_digest_of_address(task);
        let task = named.as_ref();
        if let Some(fetched) = self.take_from_cache(task, &watch).await? {
            return Ok(fetched);
        }
        let resume = task.resume.clone().filter(|checkpoint| checkpoint.is_usable_for(task));
        match self.download(task, resume.clone(), &watch, &stop).await {
            // What an earlier attempt left, bytes or published digests, may be what is wrong: one more chance, from the start.
            Err(FetchError::Integrity(mismatch)) if resume.is_some() => {
                let why = format!("the resumed bytes do not make {}", mismatch.expected);
                watch.event(Event::Restarted { why });
                self.download(task, None, &watch, &stop).await
            }
            result => result,
        }
    }

    async fn download(
        &self,
        task: &FileTask,
        resume: Option<Checkpoint>,
        watch: &Arc<dyn Watch>,
        stop: &CancellationToken,
    ) -> Result<Fetched, FetchError> {
        let cache = self.cache.as_ref().filter(|_| task.may_cache());
        let mut download = Download::new(task, &self.client, cache, self.peers.as_ref(), Arc::clone(watch));
        let result = tokio::select! {
            result = download.run(resume) => result,
            () = stop.cancelled() => Err(FetchError::Interrupted),
        };
        let gifts = download.gifts();
        if !gifts.is_empty() {
            watch.event(Event::Gifts(gifts));
        }
        let closed = download.close().await;
        if matches!(result, Err(FetchError::Integrity(_))) {
            task.clear_live();
        }
        match result {
            Err(FetchError::OnlyPart) => closed.and(Err(FetchError::OnlyPart)),
            result => result.and_then(|fetched| closed.map(|()| fetched)),
        }
    }

    /// A file whose digest the caller knows needs no origin when the cache holds it.
    async fn take_from_cache(
        &self,
        task: &FileTask,
        watch: &Arc<dyn Watch>,
    ) -> Result<Option<Fetched>, FetchError> {
        let Some((cache, digest)) = self.cache.as_ref().filter(|_| task.may_cache()).zip(task.digest) else {
            return Ok(None);
        };
        match cache.by_digest(digest) {
            Some(entry) => {
                // No server is asked; what this one said when it gave the same bytes is the time stamp's source.
                let told = cache.by_url(&task.url).filter(|(known, _)| known.id() == entry.id());
                let size = Some(entry.size());
                let validators = told.map_or_else(Validators::default, |(_, validators)| validators);
                let validators = Validators { size, ..validators };
                cache.take(task, entry, validators, watch, &Blocking::default()).await
            }
            None => Ok(None),
        }
    }
}

/// The task with the digest that its URL names, where it gives none: whoever asks for such an address has named the bytes.
fn with_digest_of_address(task: &FileTask) -> Cow<'_, FileTask> {
    if task.digest.is_some() || task.layout.specs().is_some() {
        return Cow::Borrowed(task);
    }
    let url = &task.url;
    let address =
        Address { host: url.host_str().unwrap_or_default(), path: url.path(), fragment: url.fragment() };
    match address::read(&address) {
        Some(named) => {
            tracing::debug!(rule = named.rule, digest = %named.digest, "the address names its bytes");
            Cow::Owned(FileTask { digest: Some(named.digest), ..task.clone() })
        }
        None => Cow::Borrowed(task),
    }
}
