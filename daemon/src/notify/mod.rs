//! Notify commands (reference 9.6): a program of the owner, run when a job has ended and nobody who listens took note.
//!
//! When and how often is decided by `dray_jobs`; here one command is run once. It gets nothing of the daemon: no
//! descriptors, no environment, no folder, no shell, and it cannot run for ever. [`command`] runs it, [`words`] takes
//! its command line apart.

mod command;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod words;

use dray_jobs::{JobId, JobState, NotifyCommand, Owner};
use dray_platform::peer::UserId;

/// Runs commands as the daemon's own user, and refuses those of anyone else.
#[derive(Debug, Clone)]
pub(crate) struct Commands {
    own: Owner,
}

impl Commands {
    /// For a daemon that runs as this user.
    pub(crate) fn of_user(user: &UserId) -> Commands {
        Commands::of(match user {
            UserId::Unix { uid, .. } => Owner::new(uid.to_string()),
            UserId::Windows { sid } => Owner::new(sid.clone()),
        })
    }

    /// The same by the name that jobs have for it.
    pub(crate) fn of(own: Owner) -> Commands {
        Commands { own }
    }

    /// Runs the command to its end; whether its exit code was 0.
    pub(crate) fn run(
        &self,
        job: JobId,
        owner: Owner,
        state: JobState,
        command: NotifyCommand,
    ) -> impl Future<Output = bool> + Send + 'static {
        let own = owner == self.own;
        async move {
            if !own {
                tracing::warn!(
                    %job, %owner,
                    "the notify command was not run: this daemon can run programs only as its own user"
                );
                return false;
            }
            match command::run(job, state, &command, command::TIME_LIMIT).await {
                Ok(()) => {
                    tracing::info!(%job, program = command.program, "the notify command has run");
                    true
                }
                Err(failure) => {
                    tracing::warn!(%job, program = command.program, "the notify command failed: {failure}");
                    false
                }
            }
        }
    }
}
