//! Downloads of Delivery Optimization (reference 13): one file each, with states, properties and codes of their own.
//!
//! A download is a job of the type [`DoDownload`](crate::JobType::DoDownload): it runs through the same machine, queue and
//! records, and has at most one file, which is made by the first Start. What differs is here: `table` is 13.2, `property`
//! and `values` are 13.4, `start` is 13.3, `status` is what a client sees, `codes` which DO code stands for which of BITS.
//! The two kinds are never found in each other's lists.

mod calls;
mod codes;
mod patience;
mod property;
mod start;
mod status;
pub mod table;
mod values;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Code, LocalName, RemoteName};

pub use property::{DownloadProperty, DownloadValue, PropertyUse};
pub use start::Wanted;
pub use status::{DownloadState, DownloadStatus};

/// No-progress time of a download in the foreground that sets none, in seconds (reference 12.2).
pub const FOREGROUND_NO_PROGRESS_S: u32 = 3_600;
/// No-progress time of any other download that sets none, in seconds (reference 12.2).
pub const BACKGROUND_NO_PROGRESS_S: u32 = 86_400;
/// Least no-progress time, in seconds (reference 13.4).
pub const MIN_NO_PROGRESS_S: u32 = 60;
/// Default of CallbackFreqSeconds (reference 13.4).
pub const DEFAULT_CALLBACK_S: u32 = 1;
/// A download that has not ended by then is removed, whatever happened to it (reference 16.2, 23).
pub const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Pauses before the next attempts in a row that bring nothing, in seconds; the last one stays (reference 13.6).
pub const RETRY_DELAYS_S: [u64; 5] = [2, 4, 8, 16, 30];
/// Downloads that have ended and are still answered for: the latest ones.
pub const MAX_ENDED: usize = 256;
/// Bytes of a block of headers.
pub const MAX_HEADER_BLOCK: usize = 8_192;
/// Headers of a download, of both blocks together: what a request may carry besides its own.
pub const MAX_HEADERS: usize = 32;
/// Characters of a correlation vector.
pub const MAX_CORRELATION: usize = 256;

/// What a client does with a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadCall {
    /// Start: begins, goes on, or fetches another part.
    Start(Wanted),
    /// Pause.
    Pause,
    /// Abort.
    Abort,
    /// Finalize. Ends like [`Call::Complete`](crate::Call::Complete), in two steps.
    Finalize,
    /// SetProperty.
    Set(DownloadProperty, DownloadValue),
}

/// What a download has besides what every job has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Download {
    pub(crate) uri: Option<RemoteName>,
    pub(crate) content_id: Option<String>,
    pub(crate) local: Option<LocalName>,
    pub(crate) display_name: Option<String>,
    pub(crate) headers: Option<String>,
    pub(crate) auth_headers: Option<String>,
    pub(crate) cost_policy: Option<u32>,
    pub(crate) callback_percent: Option<u32>,
    pub(crate) callback_seconds: Option<u32>,
    pub(crate) no_progress_s: Option<u32>,
    pub(crate) blocking: bool,
    pub(crate) correlation: Option<String>,
    pub(crate) check_mandatory: bool,
    pub(crate) total_size: Option<u64>,
    pub(crate) no_cellular: bool,
    pub(crate) non_volatile: bool,
    /// How many of the ranges, from the first, have arrived with an earlier Start.
    pub(crate) arrived_ranges: usize,
    /// Attempts in a row that brought nothing.
    pub(crate) attempts: u32,
    /// What was wrong before the present error.
    pub(crate) extended: Option<Code>,
}

impl Download {
    pub(crate) fn retry_delay(&self) -> Duration {
        let last = RETRY_DELAYS_S.len() - 1;
        let place = usize::try_from(self.attempts).map_or(last, |attempts| attempts.min(last));
        Duration::from_secs(RETRY_DELAYS_S[place])
    }
}
