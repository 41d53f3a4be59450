//! A child process and all that it starts: ended together, at the latest when this process ends.

use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::programs::system_program;
use crate::wait::until;

/// How long a server may take to end after SIGTERM before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The signals that tests send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A polite end.
    Terminate,
    /// The end, with no chance to tidy up.
    Kill,
    /// Frozen, as a machine that sleeps.
    Stop,
    /// Goes on after [`Signal::Stop`].
    Continue,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "INT",
            Signal::Terminate => "TERM",
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        }
    }
}

/// A child that leads a process group of its own.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    ended: Option<ExitStatus>,
}

/// A command that runs `program` and is killed by the kernel when the thread that starts it is gone, even if that was killed too.
pub(crate) fn command(program: &Path) -> Result<Command> {
    let mut command = Command::new(system_program("setpriv")?);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    Ok(command)
}

impl Group {
    /// Starts `command` with its output in the two files.
    pub(crate) fn spawn(command: &mut Command, stdout: &Path, stderr: &Path) -> Result<Group> {
        command.stdin(Stdio::null()).stdout(File::create(stdout)?).stderr(File::create(stderr)?);
        let child =
            command.process_group(0).spawn().with_context(|| format!("could not start {command:?}"))?;
        Ok(Group { child, ended: None })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        until("a process to end", limit, || self.ended())
    }

    /// Sends a signal to the child and all of its group.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.ended()?.is_some() {
            return Ok(()); // its number may belong to someone else by now
        }
        // The shell's own kill: std offers only SIGKILL, and only for the child itself.
        let line = format!("kill -s {} -- -{}", signal.name(), self.child.id());
        let status = Command::new("/bin/sh").args(["-c", &line]).stderr(Stdio::null()).status()?;
        if !status.success() && self.ended()?.is_none() {
            anyhow::bail!("`{line}` ended with {status}");
        }
        Ok(())
    }

    /// SIGTERM, some patience, SIGKILL.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.signal(Signal::Terminate)?;
        if self.wait(PATIENCE).is_err() {
            self.signal(Signal::Kill)?;
            self.wait(PATIENCE)?;
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The code of a normal exit, or 128 plus the signal's number, as a shell says it.
pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}
