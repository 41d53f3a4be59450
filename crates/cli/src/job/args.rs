//! What can be typed after `dray job`. Doc comments here are what `--help` prints.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use dray_api::v1::{JobPriority, JobProperties};
use dray_content::Digest;
use dray_ranges::RangeSpec;

const SECONDS_PER_MINUTE: u32 = 60;
const SECONDS_PER_HOUR: u32 = 3600;
const SECONDS_PER_DAY: u32 = 86_400;

/// `dray job`.
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    #[command(subcommand)]
    pub(super) command: JobCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum JobCommand {
    /// Create a job, without files and suspended; prints its id.
    Create(CreateArgs),
    /// Add a file to a job.
    Add(AddArgs),
    /// Print which bytes of a file were asked for, or are there.
    Ranges(RangesArgs),
    /// Change properties of a job.
    Set(SetArgs),
    /// Start jobs, or make them try again now.
    Resume(ResumeArgs),
    /// Stop jobs and keep what they have.
    Suspend {
        /// Ids of the jobs, or the beginnings of them.
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<String>,
    },
    /// End jobs and delete what they have.
    Cancel {
        /// Ids of the jobs, or the beginnings of them.
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<String>,
    },
    /// End jobs and give the files that have arrived their final names. Files that have not are deleted.
    Complete {
        /// Ids of the jobs, or the beginnings of them.
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<String>,
    },
    /// Print everything about a job and its files.
    Show {
        /// Id of the job, or the beginning of it.
        job: String,
    },
    /// Print one line for each of your jobs.
    List {
        /// Everyone's jobs; for administrators.
        #[arg(long)]
        all_users: bool,
    },
    /// Follow jobs until each has been transferred, completed or cancelled, or has failed.
    Watch {
        /// Ids of the jobs, or the beginnings of them; none means all of yours.
        #[arg(value_name = "JOB")]
        jobs: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// Name of the job, for people; need not be unique.
    pub(super) name: String,
    #[command(flatten)]
    pub(super) properties: PropertyArgs,
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// Id of the job, or the beginning of it.
    pub(super) job: String,
    /// Name of the job, for people.
    #[arg(long)]
    pub(super) name: Option<String>,
    #[command(flatten)]
    pub(super) properties: PropertyArgs,
}

#[derive(Debug, Args)]
pub(super) struct PropertyArgs {
    /// What the job is for.
    #[arg(long)]
    pub(super) description: Option<String>,
    /// How urgent it is [default: normal].
    #[arg(long, value_enum)]
    pub(super) priority: Option<PriorityArg>,
    /// Least wait between a transient error and the next attempt, as in 90, 10m, 2h [default: 10m, at least 5].
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(super) retry_delay: Option<u32>,
    /// How long transient errors may go on without a byte moved; 0: not at all [default: 14d].
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(super) no_progress_timeout: Option<u32>,
    /// How long the transfer may take, waiting not counted [default: 90d].
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(super) max_download_time: Option<u32>,
}

impl PropertyArgs {
    pub(super) fn with_name(self, name: Option<String>) -> JobProperties {
        JobProperties {
            display_name: name,
            description: self.description,
            priority: self.priority.map(|priority| priority.to_api().into()),
            minimum_retry_delay_s: self.retry_delay,
            no_progress_timeout_s: self.no_progress_timeout,
            maximum_download_time_s: self.max_download_time,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum PriorityArg {
    /// Someone is waiting.
    Foreground,
    High,
    Normal,
    Low,
}

impl PriorityArg {
    fn to_api(self) -> JobPriority {
        match self {
            Self::Foreground => JobPriority::Foreground,
            Self::High => JobPriority::High,
            Self::Normal => JobPriority::Normal,
            Self::Low => JobPriority::Low,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Id of the job, or the beginning of it.
    pub(super) job: String,
    /// Where the file comes from.
    pub(super) url: String,
    /// Where it goes, once the job is completed. Its directory has to exist.
    pub(super) local: PathBuf,
    /// Only these bytes, written one range after the other; may be repeated. LAST is included, FIRST- is to the end.
    #[arg(long = "range", value_name = "FIRST-LAST")]
    pub(super) ranges: Vec<RangeSpec>,
    /// What the bytes have to hash to: sha256:HEX, sha512:HEX or blake3:HEX.
    #[arg(long)]
    pub(super) digest: Option<Digest>,
}

#[derive(Debug, Args)]
pub(super) struct RangesArgs {
    /// Id of the job, or the beginning of it.
    pub(super) job: String,
    /// Number of the file in the job.
    #[arg(default_value_t = 0)]
    pub(super) file: u32,
    /// What is there now, not what was asked for.
    #[arg(long)]
    pub(super) filled: bool,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Ids of the jobs, or the beginnings of them.
    #[arg(required = true, value_name = "JOB")]
    pub(super) jobs: Vec<String>,
    /// Follow the jobs until each has been transferred or has stopped.
    #[arg(long)]
    pub(super) wait: bool,
}

/// A time as people write it: a number of seconds, or a number with s, m, h or d.
fn seconds(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], SECONDS_PER_MINUTE),
        Some((at, 'h')) => (&text[..at], SECONDS_PER_HOUR),
        Some((at, 'd')) => (&text[..at], SECONDS_PER_DAY),
        _ => (text, 1),
    };
    let number: u32 =
        number.parse().map_err(|_| "write a number of seconds, or one with s, m, h or d".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| format!("more than {} seconds", u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_time_is_seconds_unless_it_has_a_unit() {
        assert_eq!(seconds("0"), Ok(0));
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("14d"), Ok(1_209_600));
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        for text in ["", "m", "-1", "1.5h", "10 m", "5w", "99999999999", "99999d", "1ü"] {
            assert!(seconds(text).is_err(), "{text:?}");
        }
    }
}
