//! The temporary file of a transfer: private, with one name, and never one that somebody else put there.
//!
//! Two transfers never write the same one at once: that is for the caller to see to, who chose its name.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use dray_platform::identity_of::{self, FileStamp};
use dray_platform::open;

use crate::{FetchError, Watch};

/// Makes the temporary file of a transfer that begins at nothing. What lies there goes, and before it the claim on its bytes.
pub(crate) fn create(temp: &Path, watch: &dyn Watch) -> Result<File, FetchError> {
    clear(temp, watch)?;
    open::create_new_private(temp).map_err(|error| FetchError::local("create", temp, error.kind().into()))
}

/// Takes away what lies there, and before it the claim on its bytes: a checkpoint must never outlive what it describes.
pub(crate) fn clear(temp: &Path, watch: &dyn Watch) -> Result<(), FetchError> {
    watch.forget().map_err(|error| FetchError::local("forget the progress of", temp, error))?;
    match std::fs::remove_file(temp) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FetchError::local("replace", temp, error)),
        _ => Ok(()),
    }
}

/// Opens the temporary file that an earlier attempt left; `None` when it is not that file any more, or not ours alone.
pub(crate) fn reopen(temp: &Path, left: u64) -> io::Result<Option<File>> {
    let file = match open::open_nofollow_writable(temp) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => {
            return Ok(None);
        }
        opened => opened?,
    };
    let stamp = FileStamp::of(&file)?;
    let is_ours = stamp.file == left && stamp.links == 1 && identity_of::only_we_can_write(&file)?;
    Ok(is_ours.then_some(file))
}
