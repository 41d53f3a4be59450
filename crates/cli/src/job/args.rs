//! What can be typed after `dray job`. Doc comments here are what `--help` prints.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use dray_api::v1::{JobPriority, JobProperties, NotifyCommand};
use dray_content::Digest;
use dray_ranges::RangeSpec;

use super::flags::{self, Bits};

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
    /// Give a file of a job another URL; it counts from the next resume on.
    Rename(RenameArgs),
    /// Replace the beginning of the URL of every file that has it.
    ReplacePrefix(ReplacePrefixArgs),
    /// Say whether the content of a file that has arrived is good.
    Validate(ValidateArgs),
    /// Ask for parts of a file before the rest, or, in on-demand mode, alone.
    Request(RequestArgs),
    /// Let the missing bytes of a file from here on come first.
    Position(PositionArgs),
    /// Write the bytes of a file to standard output as soon as they are there, before the rest of the file.
    Read(ReadArgs),
    /// Become the owner of jobs; for administrators.
    Own {
        /// Ids of the jobs, or the beginnings of them.
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<String>,
    },
    /// Print why a job is in ERROR or TRANSIENT_ERROR.
    Error {
        /// Id of the job, or the beginning of it.
        job: String,
    },
    /// Print what a code means.
    Code {
        /// The code, as in 0x80200001 or 2149580801.
        #[arg(value_parser = code, allow_hyphen_values = true)]
        code: u32,
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
    /// Events to be told of: job-transferred, job-error, disable, job-modification, file-transferred,
    /// file-ranges-transferred, or none [default: job-transferred,job-error].
    #[arg(long, value_name = "EVENT,...", value_parser = flags::notify)]
    pub(super) notify: Option<Bits>,
    /// Full path of a program to run when the job is transferred or in error.
    #[arg(long, value_name = "PROGRAM")]
    pub(super) notify_command: Option<String>,
    /// Its command line, which begins with the program again.
    #[arg(long, value_name = "LINE", requires = "notify_command")]
    pub(super) notify_parameters: Option<String>,
    /// Run no program any more.
    #[arg(long, conflicts_with = "notify_command")]
    pub(super) no_notify_command: bool,
    /// Least time between two events that say that the job was modified, in milliseconds [default: 500].
    #[arg(long, value_name = "MS")]
    pub(super) notify_interval: Option<u32>,
    /// Network cost states in which the job may run: unrestricted, capped-usage-unknown, below-cap, near-cap,
    /// overcap-charged, overcap-throttled, usage-based, roaming, ignore-congestion, none, or a number
    /// [default: what the machine's policy says].
    #[arg(long, value_name = "STATE,...", value_parser = flags::cost)]
    pub(super) cost: Option<Bits>,
    /// Whether the server has neither sizes nor ranges; such a job needs priority foreground. Before the first resume.
    #[arg(long, value_name = "BOOL")]
    pub(super) dynamic_content: Option<bool>,
    /// Speed before the ability to go on after a crash. Before the first file.
    #[arg(long, value_name = "BOOL")]
    pub(super) high_performance: Option<bool>,
    /// Most bytes of all files together. Before the first resume.
    #[arg(long, value_name = "BYTES")]
    pub(super) max_download_size: Option<u64>,
    /// Whether only what is requested is transferred.
    #[arg(long, value_name = "BOOL")]
    pub(super) on_demand: Option<bool>,
    /// What the job may do with peers: enable-client, enable-server, disable-branch-cache, or none [default: none].
    #[arg(long, value_name = "FLAG,...", value_parser = flags::peer)]
    pub(super) peer_caching: Option<Bits>,
    /// Which parts of a file's security are copied with it: owner, group, dacl, sacl, or none [default: none].
    #[arg(long, value_name = "FLAG,...", value_parser = flags::acl)]
    pub(super) file_acl: Option<Bits>,
    /// How many files of the job transfer at the same time, 1 to 64 [default: what the daemon's configuration says].
    #[arg(long, value_name = "NUMBER")]
    pub(super) files_at_once: Option<u32>,
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
            notify_flags: self.notify.map(|flags| flags.0),
            notify_command: match (self.notify_command, self.no_notify_command) {
                (_, true) => Some(NotifyCommand::default()),
                (Some(program), false) => {
                    Some(NotifyCommand { program, parameters: self.notify_parameters.unwrap_or_default() })
                }
                (None, false) => None,
            },
            cost_flags: self.cost.map(|flags| flags.0),
            dynamic_content: self.dynamic_content,
            high_performance: self.high_performance,
            max_download_size_bytes: self.max_download_size,
            minimum_notification_interval_ms: self.notify_interval,
            on_demand_mode: self.on_demand,
            peer_caching_flags: self.peer_caching.map(|flags| flags.0),
            file_acl_flags: self.file_acl.map(|flags| flags.0),
            files_at_once: self.files_at_once,
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
pub(super) struct RenameArgs {
    /// Id of the job, or the beginning of it.
    pub(super) job: String,
    /// The new URL.
    pub(super) url: String,
    /// Number of the file in the job.
    #[arg(long, default_value_t = 0)]
    pub(super) file: u32,
}

#[derive(Debug, Args)]
pub(super) struct ReplacePrefixArgs {
    /// Id of the job, or the beginning of it.
    pub(super) job: String,
    /// What the URLs begin with now, letter by letter.
    pub(super) old: String,
    /// What takes its place.
    pub(super) new: String,
}

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Id of the job, or the beginning of it.
    pub(super) job: String,
    /// Number of the file in the job.
    #[arg(default_value_t = 0)]
    pub(super) file: u32,
    /// The content is not good: it is thrown away.
    #[arg(long)]
    pub(super) invalid: bool,
}

#[derive(Debug, Args)]
pub(super) struct RequestArgs {
    /// Id of the job, or the beginning of it.
    pub(super) job: String,
    /// Bytes that are wanted. LAST is included, FIRST- is to the end.
    #[arg(required = true, value_name = "FIRST-LAST")]
    pub(super) ranges: Vec<RangeSpec>,
    /// Number of the file in the job.
    #[arg(long, default_value_t = 0)]
    pub(super) file: u32,
}

#[derive(Debug, Args)]
pub(super) struct ReadArgs {
    /// Id of the job, or the beginning of it.
    pub(super) job: String,
    /// Number of the file in the job.
    #[arg(default_value_t = 0)]
    pub(super) file: u32,
    /// Only these bytes. LAST is included, FIRST- is to the end.
    #[arg(long, value_name = "FIRST-LAST")]
    pub(super) range: Option<RangeSpec>,
    /// Write nothing before the whole file has arrived and is verified.
    #[arg(long)]
    pub(super) verified: bool,
    /// Longest wait for a next byte, as in 90, 10m, 2h [default: 1m].
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(super) patience: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct PositionArgs {
    /// Id of the job, or the beginning of it.
    pub(super) job: String,
    /// First byte that is wanted soon, counted from 0.
    pub(super) offset: u64,
    /// Number of the file in the job.
    #[arg(long, default_value_t = 0)]
    pub(super) file: u32,
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

/// A code as people find it in logs: hexadecimal with 0x, or decimal, perhaps negative.
fn code(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok().or_else(|| text.parse().ok().map(i32::cast_unsigned)),
    };
    parsed.ok_or_else(|| "write a 32-bit number, as in 0x80200001".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{code, seconds};

    #[test]
    fn a_code_is_hexadecimal_decimal_or_negative() {
        for text in ["0x80200001", "0X80200001", "2149580801", "-2145386495"] {
            assert_eq!(code(text), Ok(0x8020_0001), "{text}");
        }
        for text in ["", "0x", "0x180200001", "BG_E_NOT_FOUND", "4294967296"] {
            assert!(code(text).is_err(), "{text}");
        }
    }

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
