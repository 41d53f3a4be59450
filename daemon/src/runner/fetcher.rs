//! Whatever brings a file: the engine, or in tests a script.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dray_content::{Algorithm, Digest, TableBuilder, WholeHasher};
use dray_engine::{Engine, FetchError, Fetched, FileTask, Mismatch, Watch};
use dray_platform::{open, positioned};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

/// How much of a file is read back at once.
const READ_BYTES: usize = 256 << 10;

/// Brings one file into its temporary file.
pub(crate) trait Fetcher: Send + Sync + 'static {
    /// Resolves when the file is whole, when it failed, or soon after `stop`.
    fn fetch(
        self: Arc<Self>,
        task: FileTask,
        watch: Arc<dyn Watch>,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<Fetched, FetchError>>;
}

impl Fetcher for Engine {
    fn fetch(
        self: Arc<Self>,
        mut task: FileTask,
        watch: Arc<dyn Watch>,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<Fetched, FetchError>> {
        async move {
            // A job's digest is that of the local file. The engine proves whole remote files; of packed ranges the
            // local file is another one, and is read back here.
            let packed = task.digest.take_if(|_| task.layout.specs().is_some());
            let fetched = Engine::fetch(&self, &task, watch, stop).await?;
            if let Some(expected) = packed {
                check_packed(task.temp, fetched.size, expected, task.url.host_str().unwrap_or_default())
                    .await?;
            }
            Ok(fetched)
        }
        .boxed()
    }
}

async fn check_packed(temp: PathBuf, size: u64, expected: Digest, host: &str) -> Result<(), FetchError> {
    let path = temp.clone();
    let algorithm = expected.algorithm();
    let failed = |error| FetchError::Local { act: "read", path: temp.clone(), error: Arc::new(error) };
    let got = tokio::task::spawn_blocking(move || digest_of(&path, size, algorithm)).await;
    let got = got.map_err(std::io::Error::other).flatten().map_err(failed)?;
    if got == expected {
        return Ok(());
    }
    Err(FetchError::Integrity(Mismatch {
        expected: expected.to_string(),
        got: got.to_string(),
        author: "asked for".to_owned(),
        source: host.to_owned(),
    }))
}

fn digest_of(path: &Path, size: u64, algorithm: Algorithm) -> std::io::Result<Digest> {
    let file = open::open_nofollow(path).map_err(std::io::Error::other)?;
    let mut table = TableBuilder::new(Some(size));
    let mut whole = WholeHasher::new(&[algorithm], false);
    let mut buffer = vec![0; READ_BYTES];
    let mut at = 0;
    while at < size {
        let length = usize::try_from(size - at).map_or(READ_BYTES, |left| left.min(READ_BYTES));
        positioned::read_exact_at(&file, &mut buffer[..length], at)?;
        match algorithm {
            Algorithm::Blake3 => table.feed(at, &buffer[..length]),
            _ => whole.feed(at, &buffer[..length]),
        }
        at += length as u64;
    }
    let digest = match algorithm {
        Algorithm::Blake3 => table.finish(size).map(|table| table.root().digest()),
        _ => whole.finish().0.pop(),
    };
    digest.ok_or_else(|| std::io::Error::other("the file could not be hashed"))
}
