//! One run of one command.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use dray_jobs::{JobId, JobState, NotifyCommand};
use dray_platform::launch;
use tokio::process::Command;

use super::words::words;

/// How long a command may run; then it and all that it started in its process group are killed.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Where the command finds programs of the system.
#[cfg(unix)]
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
#[cfg(windows)]
const PATH: &str = r"C:\Windows\System32;C:\Windows";

/// What of the daemon's environment tells who the user is, not how the daemon was started.
#[cfg(unix)]
const KEPT: [&str; 3] = ["HOME", "USER", "LOGNAME"];
#[cfg(windows)]
const KEPT: [&str; 5] = ["SystemRoot", "USERPROFILE", "USERNAME", "TEMP", "TMP"];

/// Why a command has not taken note.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error("it could not be started: {0}")]
    Start(std::io::Error),
    #[error("it could not be waited for: {0}")]
    Wait(std::io::Error),
    #[error("it ended with {0}")]
    Exit(ExitStatus),
    #[error("it ran longer than {} seconds and was killed", .0.as_secs())]
    TooLong(Duration),
}

pub(super) async fn run(
    job: JobId,
    state: JobState,
    command: &NotifyCommand,
    time_limit: Duration,
) -> Result<(), CommandError> {
    let mut child = prepared(job, state, command).spawn().map_err(CommandError::Start)?;
    let id = child.id();
    match tokio::time::timeout(time_limit, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(CommandError::Exit(status)),
        Ok(Err(error)) => Err(CommandError::Wait(error)),
        Err(_) => {
            // It was not waited for, so its number is still its own.
            id.into_iter().for_each(launch::kill_group);
            let _ = child.kill().await;
            Err(CommandError::TooLong(time_limit))
        }
    }
}

fn prepared(job: JobId, state: JobState, command: &NotifyCommand) -> Command {
    let (job, state) = (job.to_string(), state.name());
    let mut prepared = std::process::Command::new(&command.program);
    // The first word is the program once more.
    prepared.args(words(&command.parameters).into_iter().skip(1)).arg(&job).arg(state);
    prepared.env_clear().env("PATH", PATH).env("DRAY_JOB_ID", &job).env("DRAY_JOB_STATE", state);
    for name in KEPT {
        prepared.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    prepared.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(root) = Path::new(&command.program).ancestors().last() {
        prepared.current_dir(root);
    }
    launch::alone(&mut prepared);
    Command::from(prepared)
}
