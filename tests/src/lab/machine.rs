//! A host that has dray: its `drayd`, and `dray` as its client.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::host::Host;
use super::usage::Usage;
use crate::dray::{Outcome, Running};
use crate::home::Home;
use crate::process::{self, Group, Signal};
use crate::programs::program;
use crate::wait::until;

/// How long a start may take on a machine where twenty daemons start at once.
const READY: Duration = Duration::from_secs(30);

/// A machine. The daemon runs from [`Machine::start`] on.
pub struct Machine {
    host: Host,
    home: Home,
    config: String,
    daemon: Option<Group>,
    starts: u32,
}

impl Machine {
    /// A machine that has never run dray. `config` is its drayd.toml, beyond what keeps it to its own folders.
    pub fn new(host: &Host, config: &str) -> Result<Machine> {
        let home = Home::on(host)?;
        let own = format!("cache_dir = {:?}\n", home.path().join("drayd-cache"));
        let config = format!("{own}{config}\n[metrics]\nlisten = \"off\"\n");
        Ok(Machine { host: host.clone(), home, config, daemon: None, starts: 0 })
    }

    /// The same, started.
    pub fn started(host: &Host, config: &str) -> Result<Machine> {
        let mut machine = Machine::new(host, config)?;
        machine.start()?;
        Ok(machine)
    }

    /// Where it is plugged in.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its user's folders.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Starts `drayd` on the state that is there, and waits until it listens.
    pub fn start(&mut self) -> Result<()> {
        self.spawn()?;
        self.ready()
    }

    /// Starts `drayd` and does not wait: many start at once.
    pub fn spawn(&mut self) -> Result<()> {
        let config = self.home.path().join("drayd.toml");
        fs::write(&config, &self.config)?;
        let mut command = process::command(&program("drayd")?)?;
        command.arg("--config").arg(config).arg("--state-dir").arg(self.home.path().join("drayd"));
        command.arg("--socket").arg(self.socket());
        let mut command = self.host.adopt(&command)?;
        self.home.furnish(&mut command);
        self.starts += 1;
        self.daemon = Some(Group::spawn(&mut command, &self.output("stdout"), &self.output("stderr"))?);
        Ok(())
    }

    /// Waits until it listens.
    pub fn ready(&mut self) -> Result<()> {
        let socket = self.socket();
        let daemon = self.daemon.as_mut().context("drayd was not started")?;
        let ready = until("drayd to listen", READY, || {
            if let Some(status) = daemon.ended()? {
                bail!("drayd ended with {status}");
            }
            Ok(UnixStream::connect(&socket).is_ok().then_some(()))
        });
        ready.with_context(|| self.log())
    }

    /// SIGKILL, as when the power goes.
    pub fn kill(&mut self) -> Result<()> {
        let mut daemon = self.daemon.take().context("drayd does not run")?;
        daemon.signal(Signal::Kill)?;
        daemon.wait(READY).map(drop)
    }

    /// SIGTERM.
    pub fn stop(&mut self) -> Result<()> {
        let mut daemon = self.daemon.take().context("drayd does not run")?;
        daemon.signal(Signal::Terminate)?;
        daemon.wait(READY).map(drop)
    }

    /// Sends the daemon a signal: a machine can be put to sleep and woken.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.daemon.as_mut().context("drayd does not run")?.signal(signal)
    }

    /// What the daemon has cost since its start.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of_group(self.daemon.as_ref().context("drayd does not run")?.id())
    }

    /// All that the daemon wrote since its last start.
    pub fn log(&self) -> String {
        let texts =
            ["stdout", "stderr"].map(|name| fs::read_to_string(self.output(name)).unwrap_or_default());
        format!("--- drayd on {} ({})\n{}", self.host.name(), self.host.address(), texts.concat())
    }

    /// A command that runs `dray` here, as a client of the daemon.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.home.command(arguments)?;
        command.env("DRAY_SOCKET", self.socket());
        Ok(command)
    }

    /// Runs `dray` to its end.
    pub fn dray(&self, arguments: &[&str]) -> Result<Outcome> {
        self.home.run(self.command(arguments)?)
    }

    /// Starts `dray` and lets it run.
    pub fn begin(&self, arguments: &[&str]) -> Result<Running> {
        self.home.begin(self.command(arguments)?)
    }

    /// Starts `dray get` through the daemon; the file goes to `name` in the downloads folder.
    pub fn get(&self, url: &str, name: &str, options: &[&str]) -> Result<Running> {
        self.begin(&[&["get", "--daemon", "--json", url, "-o", name], options].concat())
    }

    /// `dray status --json`.
    pub fn status(&self) -> Result<Value> {
        let told = self.dray(&["status", "--json"])?;
        ensure!(told.code == 0, "{told}\n{}", self.log());
        told.json()
    }

    /// How many peers are connected.
    pub fn connected(&self) -> Result<usize> {
        let status = self.status()?;
        let count = status["peers"]["connected"].as_u64();
        Ok(usize::try_from(count.with_context(|| format!("no peers in {status}"))?)?)
    }

    /// `dray peers --json`.
    pub fn peers(&self) -> Result<Value> {
        let told = self.dray(&["peers", "--json"])?;
        ensure!(told.code == 0, "{told}\n{}", self.log());
        told.json()
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("drayd.sock")
    }

    fn output(&self, name: &str) -> PathBuf {
        self.home.path().join(format!("drayd-{}-{name}", self.starts))
    }
}
