//! Files of at most one piece: read whole, hashed, and written in one go. No queue, no writer, no checkpoint, because a file that
//! comes in one answer is either there or not.

use std::io;
use std::path::Path;

use dray_content::{MIN_PIECE_LEN, TableBuilder, WholeHasher};
use dray_origin::{OriginError, Response};
use dray_platform::{open, positioned, times};

use crate::opening::Start;
use crate::proof::{Hashes, Proof};
use crate::sink::Version;
use crate::{Event, FetchError, FileTask, GivenBy, Watch, temp};

/// Whether a download that begins like this is done here: whole, from its first byte, and known to be small.
pub(crate) fn is_small(task: &FileTask, start: &Start) -> bool {
    let is_short = start.head.validators.size.is_some_and(|size| size <= MIN_PIECE_LEN);
    let is_all = |response: &Response| {
        response.start == 0 && response.range.is_none_or(|range| Some(range.end()) == response.size)
    };
    is_short
        && task.layout.specs().is_none()
        && start.have.all.is_empty()
        && start.response.as_ref().is_some_and(is_all)
}

/// Reads an answer that is known to be small.
pub(crate) async fn read(mut response: Response, watch: &dyn Watch) -> Result<Vec<u8>, OriginError> {
    let mut bytes =
        Vec::with_capacity(usize::try_from(response.promised().unwrap_or_default()).unwrap_or_default());
    while let Some(chunk) = response.chunk().await? {
        watch.event(Event::Received { bytes: chunk.len() as u64, from: GivenBy::Origin });
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Hashes the bytes and writes them to the sink; `must_sync` waits until they are on disk.
pub(crate) fn store(
    temp: &Path,
    watch: &dyn Watch,
    bytes: &[u8],
    version: &Version,
    modified: Option<std::time::SystemTime>,
    must_sync: bool,
) -> Result<Proof, FetchError> {
    let size = bytes.len() as u64;
    let mut hashes = Hashes {
        table: TableBuilder::new(Some(size)),
        whole: WholeHasher::new(&version.algorithms, version.published.crc32c.is_some()),
    };
    hashes.feed(0, bytes);
    let file = temp::create(temp, watch)?;
    let write = || -> io::Result<Proof> {
        positioned::write_all_at(&file, bytes, 0)?;
        let proof = hashes.prove(&file, size)?;
        open::share_as_usual(&file)?;
        if let Some(modified) = modified {
            times::set_modified(&file, modified)?;
        }
        if must_sync {
            file.sync_data()?;
        }
        Ok(proof)
    };
    write().map_err(|error| FetchError::local("write", temp, error))
}
