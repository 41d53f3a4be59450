//! What can go wrong with the store. None of it is a reason for a download to fail: the caller goes to the origin.

use std::path::PathBuf;

use dray_content::ContentId;
use dray_platform::FileError;

/// An operation of the store that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file system said no.
    #[error("{0}")]
    File(#[from] FileError),
    /// Another process owns the index, or opening it takes longer than the caller would wait.
    #[error("the cache index in {} is in use by another process; try again later", .0.display())]
    Busy(PathBuf),
    /// The index failed. It has been set aside and will be made again from the side files.
    #[error("the cache index in {} failed and will be rebuilt: {reason}", .path.display())]
    Index {
        /// The store's directory.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// Somebody else can write into the store's directory, so nothing in it can be believed.
    #[error("the cache directory {} belongs to another user or can be written by others; it is not used", .0.display())]
    NotOurs(PathBuf),
    /// The content is larger than the whole store may be.
    #[error("a content of {size} bytes does not fit into a cache of {limit} bytes")]
    TooBig {
        /// Of the content.
        size: u64,
        /// Of the store.
        limit: u64,
    },
    /// Copying the content in would leave less room on the disk than the configuration wants free.
    #[error("not enough free space for the cache in {}: {free} bytes free, {wanted} wanted", .path.display())]
    NoSpace {
        /// The store's directory.
        path: PathBuf,
        /// What is free now.
        free: u64,
        /// What would have to be.
        wanted: u64,
    },
    /// The file to adopt is not the content that it was said to be.
    #[error("{} is not the content it was offered as; it was changed or cut off", .0.display())]
    NotThisContent(PathBuf),
    /// The stored bytes are not those of the content any more. They are out of the store.
    #[error("the cached copy of {id} was damaged or changed; it has been removed from the cache")]
    Corrupt {
        /// The content.
        id: ContentId,
    },
    /// The content was found and has been removed since.
    #[error("the cached copy of {id} is gone")]
    Gone {
        /// The content.
        id: ContentId,
    },
}
