//! One file's story: where its bytes came from, and what was decided on the way.

use dray_jobs::{BySource, File, FileIndex, Job, JobId};
use serde::{Deserialize, Serialize};

use crate::wire::refusal::shown_url;

/// Sources of one file that are told apart; beyond, those that gave least are left out.
pub(crate) const MAX_ACCOUNTS: usize = 64;
/// Decisions of one file that are kept; the first ones say most.
pub(crate) const MAX_TOLD: usize = 64;

/// A file as it stood at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Story {
    pub(crate) job: JobId,
    pub(crate) file: FileIndex,
    /// Whose job it was.
    pub(crate) owner: String,
    /// Without its query, which may hold a secret.
    pub(crate) url: String,
    pub(crate) local: String,
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) transferred: bool,
    /// BLAKE3 root.
    pub(crate) content: Option<String>,
    /// All attempts together.
    pub(crate) bytes: BySource,
    /// The last attempt.
    pub(crate) accounts: Vec<Account>,
    pub(crate) told: Vec<Told>,
}

impl Story {
    /// How the file stands in its job; nothing is told yet.
    pub(crate) fn of(job: &Job, index: FileIndex, file: &File, at_ms: u64) -> Story {
        Story {
            job: job.id(),
            file: index,
            owner: job.owner().as_str().to_owned(),
            url: shown_url(file.remote().url()),
            local: file.local().as_str().to_owned(),
            at_ms,
            transferred: file.has_arrived(),
            content: file.learned().content_id.clone(),
            bytes: file.sources(),
            accounts: Vec::new(),
            told: Vec::new(),
        }
    }
}

/// Something that gives bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    Origin,
    CacheHost,
    LanPeer,
    GroupPeer,
    LocalCache,
}

/// What one source gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) source: Source,
    /// A host, or the identity of a peer.
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) bytes: u64,
    pub(crate) wasted: u64,
    pub(crate) remark: String,
}

/// One decision, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) sentence: String,
    pub(crate) hint: String,
    /// A reason for not using some source.
    pub(crate) against: bool,
}
