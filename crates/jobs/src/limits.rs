//! The numbers that bound everything, and the rules that all jobs of a machine share (reference 1.5, 15.1).

use std::time::Duration;

use crate::PathRules;

/// Characters in a display name.
pub const MAX_DISPLAY_NAME: usize = 256;
/// Characters in a description.
pub const MAX_DESCRIPTION: usize = 1_024;
/// Characters in a remote name.
pub const MAX_REMOTE_NAME: usize = 2_200;
/// Characters in one segment of the path of a remote name.
pub const MAX_URL_SEGMENT: usize = 260;
/// Characters in the program of a notify command.
pub const MAX_COMMAND_PROGRAM: usize = 260;
/// Characters in the parameters of a notify command.
pub const MAX_COMMAND_PARAMETERS: usize = 4_000;
/// Characters of an error detail that a job keeps; the rest is cut off.
pub const MAX_ERROR_DETAIL: usize = 1_024;
/// Characters of a validator, a digest or a content id that a job keeps. A longer one is not kept.
pub const MAX_LEARNED_TEXT: usize = 1_024;

/// Least value of the minimum retry delay, in seconds; less becomes this.
pub const MIN_RETRY_DELAY_S: u32 = 5;
/// Default of the minimum retry delay, in seconds.
pub const DEFAULT_RETRY_DELAY_S: u32 = 600;
/// Default of the no-progress timeout, in seconds: 14 days.
pub const DEFAULT_NO_PROGRESS_S: u32 = 1_209_600;
/// Default of the maximum download time, in seconds: 90 days.
pub const DEFAULT_DOWNLOAD_TIME_S: u32 = 7_776_000;
/// Default of the minimum notification interval, in milliseconds.
pub const DEFAULT_NOTIFICATION_INTERVAL_MS: u32 = 500;

/// Files of one job that run at once unless the job or the configuration says otherwise. BITS has 1; with
/// 4, many small files are not a round trip each, and one bad file does not hold up the others.
pub const DEFAULT_FILES_AT_ONCE: u32 = 4;
/// Files of a job that wait for the disk and do not count as running at once.
pub const MAX_SETTLING: u32 = 256;
/// Most files of one job that may run at once.
pub const MAX_FILES_AT_ONCE: u32 = 64;

/// Most jobs of a machine, administrators' included. Above it a record store and a listing are not what
/// they are measured for.
pub const MAX_JOBS: usize = 100_000;
/// Most files in any job, administrators' included.
pub const MAX_FILES: usize = 100_000;
/// Most ranges in any file, administrators' included.
pub const MAX_RANGES: usize = 100_000;
/// Most separate ranges that RequestFileRanges may leave pending for one file.
pub const MAX_REQUESTED_RANGES: usize = 10_000;

/// The limits of policy. Administrators are exempt from them, and bound by the `MAX_` constants alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Jobs of one owner that have not ended.
    pub jobs_per_owner: usize,
    /// Jobs of the machine that have not ended.
    pub jobs_per_machine: usize,
    /// Files in one job.
    pub files_per_job: usize,
    /// Ranges in one file.
    pub ranges_per_file: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { jobs_per_owner: 60, jobs_per_machine: 300, files_per_job: 200, ranges_per_file: 500 }
    }
}

/// What all jobs of a machine share: policy and platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Limits on numbers.
    pub limits: Limits,
    /// A job without progress or change for this long is cancelled (JobInactivityTimeout).
    pub inactivity: Duration,
    /// Maximum download time of a job that does not set its own (MaxDownloadTime), in seconds.
    pub maximum_download_time_s: u32,
    /// Files at once of a job that does not set its own.
    pub files_at_once: u32,
    /// How local names look on this machine.
    pub paths: PathRules,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            limits: Limits::default(),
            inactivity: Duration::from_secs(90 * 24 * 60 * 60),
            maximum_download_time_s: DEFAULT_DOWNLOAD_TIME_S,
            files_at_once: DEFAULT_FILES_AT_ONCE,
            paths: PathRules::Unix,
        }
    }
}
