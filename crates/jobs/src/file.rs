//! A file of a job: what was asked, how far it is, what is known of it.

use dray_ranges::{Layout, RangeSet, RangeSpec};
use serde::{Deserialize, Serialize};

use crate::effect::RunId;
use crate::limits::MAX_LEARNED_TEXT;
use crate::{JobError, LocalName, NewFile, RemoteName};

/// Where the bytes of a file came from, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BySource {
    /// The server named by the URL.
    pub origin: u64,
    /// Other machines' daemons.
    pub peer: u64,
    /// A cache host that stands in for the origin.
    pub cache_host: u64,
    /// This machine's own cache.
    pub local_cache: u64,
}

impl BySource {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: BySource) -> BySource {
        BySource {
            origin: self.origin.saturating_add(other.origin),
            peer: self.peer.saturating_add(other.peer),
            cache_host: self.cache_host.saturating_add(other.cache_host),
            local_cache: self.local_cache.saturating_add(other.local_cache),
        }
    }
}

/// What a transfer finds out about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learned {
    /// Size of the whole remote file, in bytes.
    pub size: Option<u64>,
    /// Its ETag, as sent.
    pub etag: Option<String>,
    /// Its time stamp, as sent.
    pub last_modified: Option<String>,
    /// BLAKE3 root of the content.
    pub content_id: Option<String>,
    /// Whether its server has ranges.
    pub has_ranges: Option<bool>,
}

impl Learned {
    /// Takes over what `newer` knows. Text beyond its limit is not taken.
    fn update(&mut self, newer: Learned) {
        fn text(mine: &mut Option<String>, newer: Option<String>) {
            if let Some(text) = newer.filter(|text| text.len() <= MAX_LEARNED_TEXT) {
                *mine = Some(text);
            }
        }
        self.size = newer.size.or(self.size);
        self.has_ranges = newer.has_ranges.or(self.has_ranges);
        text(&mut self.etag, newer.etag);
        text(&mut self.last_modified, newer.last_modified);
        text(&mut self.content_id, newer.content_id);
    }
}

/// BG_FILE_PROGRESS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileProgress {
    /// Bytes to transfer: with ranges, their sum. `None` while it is not known (BG_SIZE_UNKNOWN).
    pub bytes_total: Option<u64>,
    /// Bytes that are there.
    pub bytes_transferred: u64,
    /// Every byte is there and verified.
    pub transferred: bool,
    /// The file stands under its final name.
    pub completed: bool,
}

/// How far a file is in its own life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// To be started.
    Waiting,
    /// Being transferred.
    Running,
    /// Every byte has come; they are being brought to the disk.
    Settling,
    /// Ended with an error; starts again with a retry or Resume.
    Failed(JobError),
    /// On-demand: nothing more is asked for.
    Parked,
    /// Every byte is there.
    Transferred,
    /// Under its final name.
    Completed,
}

/// A file of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub(crate) remote: RemoteName,
    /// The name that the record keeps while one set by SetRemoteName waits for Resume.
    pub(crate) recorded_remote: Option<RemoteName>,
    pub(crate) local: LocalName,
    pub(crate) layout: Layout,
    pub(crate) digest: Option<String>,
    pub(crate) requested: RangeSet,
    pub(crate) phase: Phase,
    pub(crate) run: RunId,
    pub(crate) transferred: u64,
    pub(crate) sources: BySource,
    pub(crate) learned: Learned,
    pub(crate) validation: Option<bool>,
    pub(crate) origin_only: bool,
    /// FileTransferred has not been taken note of.
    pub(crate) notice_due: bool,
}

impl File {
    /// A file that was asked for like this, with its ranges checked.
    pub(crate) fn new(new: NewFile, layout: Layout) -> File {
        File {
            remote: new.remote,
            recorded_remote: None,
            local: new.local,
            layout,
            digest: new.digest,
            requested: RangeSet::new(),
            phase: Phase::Waiting,
            run: RunId(0),
            transferred: 0,
            sources: BySource::default(),
            learned: Learned::default(),
            validation: None,
            origin_only: false,
            notice_due: false,
        }
    }

    /// GetRemoteName.
    #[must_use]
    pub fn remote(&self) -> &RemoteName {
        &self.remote
    }

    /// GetLocalName: the final path.
    #[must_use]
    pub fn local(&self) -> &LocalName {
        &self.local
    }

    /// GetFileRanges: what AddFileWithRanges asked for, in that order. `None` is S_FALSE: the whole file.
    #[must_use]
    pub fn ranges(&self) -> Option<&[RangeSpec]> {
        self.layout.specs()
    }

    /// How the local file is made of the remote one.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The digest that was given with the file.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// What RequestFileRanges asked for so far, as offsets in the remote file.
    #[must_use]
    pub fn requested(&self) -> &RangeSet {
        &self.requested
    }

    /// The present (or, when none runs, last) run of its transfer.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// What is known of it.
    #[must_use]
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Where its bytes came from.
    #[must_use]
    pub fn sources(&self) -> BySource {
        self.sources
    }

    /// GetProgress.
    #[must_use]
    pub fn progress(&self) -> FileProgress {
        FileProgress {
            bytes_total: self.total(),
            bytes_transferred: self.transferred,
            transferred: self.has_arrived(),
            completed: self.phase == Phase::Completed,
        }
    }

    /// Bytes to transfer, as far as that is known.
    pub(crate) fn total(&self) -> Option<u64> {
        self.layout.local_len(self.learned.size)
    }

    /// Whether every byte is there.
    #[must_use]
    pub fn has_arrived(&self) -> bool {
        matches!(self.phase, Phase::Transferred | Phase::Completed)
    }

    /// Whether a transfer of it runs, which it does until the bytes are on the disk.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Settling)
    }

    /// The error it ended with, until it starts again.
    #[must_use]
    pub fn error(&self) -> Option<&JobError> {
        match &self.phase {
            Phase::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// What SetValidationState said; `None` when it was never called (GetValidationState gives false).
    #[must_use]
    pub fn validation(&self) -> Option<bool> {
        self.validation
    }

    /// Whether it may come from the origin only, because the client found a peer's copy invalid.
    #[must_use]
    pub fn origin_only(&self) -> bool {
        self.origin_only
    }

    pub(crate) fn learn(&mut self, newer: Learned) {
        self.learned.update(newer);
    }

    /// Back to nothing: its bytes are no good.
    pub(crate) fn reset(&mut self) {
        self.transferred = 0;
        self.sources = BySource::default();
        self.learned = Learned::default();
        self.notice_due = false;
    }
}
