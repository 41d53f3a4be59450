//! One user's machine: a home, the folders of the XDG specification, a folder for downloads. Gone when dropped.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::dray::{Outcome, Running};
use crate::lab::Host;
use crate::process;
use crate::programs::program;

/// No command of a test takes longer, even on two busy cores.
const LIMIT: Duration = Duration::from_secs(120);

/// The user that owns nothing.
const NOBODY: &str = "65534";

/// A home of its own for one test, so that no test sees what another, or the person at the machine, has in a cache.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    as_nobody: bool,
    /// Where its programs are plugged in, unless it is this machine's own network.
    host: Option<Host>,
}

impl Home {
    /// An empty home.
    pub fn new() -> Result<Home> {
        Home::furnished(Home { folder: shared_folder("dray-home-")?, as_nobody: false, host: None })
    }

    /// An empty home on a host of a lab.
    pub fn on(host: &Host) -> Result<Home> {
        let folder = tempfile::Builder::new().prefix("home-").tempdir_in(host.lab().folder())?;
        Home::furnished(Home { folder, as_nobody: false, host: Some(host.clone()) })
    }

    fn furnished(home: Home) -> Result<Home> {
        for name in ["home", "cache", "config", "data", "state", "run", "downloads"] {
            fs::create_dir(home.path().join(name))?;
        }
        fs::set_permissions(home.path().join("run"), fs::Permissions::from_mode(0o700))?;
        Ok(home)
    }

    /// The same, whose programs have no rights: when the tests run as root they become `nobody`, whose home this is.
    pub fn without_rights() -> Result<Home> {
        let mut home = Home::new()?;
        if effective_user()? == "0" {
            home.as_nobody = true;
            // The build may lie where only root may go.
            fs::copy(program("dray")?, home.path().join("dray"))?;
            let status = Command::new("chown").args(["-R", NOBODY]).arg(home.path()).status()?;
            anyhow::ensure!(status.success(), "chown of {} failed", home.path().display());
        }
        Ok(home)
    }

    /// The folder that holds all the others.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The current folder of each `dray`, and so where downloads go.
    pub fn downloads(&self) -> PathBuf {
        self.path().join("downloads")
    }

    /// What lies in the downloads folder, hidden files included, sorted.
    pub fn downloaded(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.downloads())? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// The environment of this home and nothing of ours: no proxy, no certificates, no settings.
    pub(crate) fn furnish(&self, command: &mut Command) {
        command.env_clear().current_dir(self.downloads());
        for key in ["PATH", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(key) {
                command.env(key, value);
            }
        }
        let folders = [
            ("HOME", "home"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_RUNTIME_DIR", "run"),
        ];
        command.env("LANG", "C.UTF-8");
        for (key, name) in folders {
            command.env(key, self.path().join(name));
        }
    }

    /// A command that runs `dray` with these arguments here.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Command> {
        let mut command = if self.as_nobody {
            let ids = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"];
            let mut command = process::command(&crate::programs::system_program("setpriv")?)?;
            command.args(ids).arg(self.path().join("dray"));
            command
        } else {
            process::command(&program("dray")?)?
        };
        command.args(arguments);
        if let Some(host) = &self.host {
            command = host.adopt(&command)?;
        }
        self.furnish(&mut command);
        Ok(command)
    }

    /// Starts `dray` and lets it run.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Running> {
        Running::start(self.command(arguments)?, self.path())
    }

    /// Runs `dray` to its end.
    pub fn dray<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Outcome> {
        self.start(arguments)?.wait(LIMIT)
    }

    /// Starts any command and lets it run.
    pub fn begin(&self, command: Command) -> Result<Running> {
        Running::start(command, self.path())
    }

    /// Runs any command of [`Home::command`], wrapped in another one perhaps, to its end.
    pub fn run(&self, command: Command) -> Result<Outcome> {
        Running::start(command, self.path())?.wait(LIMIT)
    }
}

/// A temporary folder that servers which gave up their rights can read.
pub(crate) fn shared_folder(prefix: &str) -> Result<TempDir> {
    let permissions = fs::Permissions::from_mode(0o755);
    Ok(tempfile::Builder::new().prefix(prefix).permissions(permissions).tempdir()?)
}

/// Who we are, as a number.
pub(crate) fn effective_user() -> Result<String> {
    let output = Command::new("id").arg("-u").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
