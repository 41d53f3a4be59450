//! Whose a job is, and who calls. Who the caller is, the kernel says; this crate is told.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A user as the machine knows it: a decimal user id on Unix, a SID string on Windows. Opaque here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

impl Owner {
    /// The user with this id.
    pub fn new(id: impl Into<String>) -> Owner {
        Owner(id.into())
    }

    /// The id, as GetOwner gives it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who makes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub owner: Owner,
    /// Sees and controls every job, and is exempt from the limits of policy (reference 1.5, 7.10). Service
    /// accounts count as administrators here.
    pub administrator: bool,
}

impl Caller {
    /// An ordinary user.
    #[must_use]
    pub fn user(owner: Owner) -> Caller {
        Caller { owner, administrator: false }
    }

    /// An administrator.
    #[must_use]
    pub fn administrator(owner: Owner) -> Caller {
        Caller { owner, administrator: true }
    }

    /// Whether a job of `owner` may be seen and changed.
    #[must_use]
    pub fn may_touch(&self, owner: &Owner) -> bool {
        self.administrator || self.owner == *owner
    }
}

/// The name of a job: a UUID. Whoever creates a job makes it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub Uuid);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<JobId, uuid::Error> {
        text.parse().map(JobId)
    }
}

/// The place of a file in its job, counted from 0 in the order of adding. It never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileIndex(pub u32);

impl FileIndex {
    /// As an index into the list of files.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }

    /// The index of the file at `place`; the limit on files keeps it within 32 bits.
    pub(crate) fn at(place: usize) -> FileIndex {
        FileIndex(u32::try_from(place).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for FileIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
