//! `drayd` as a process, which may be killed and started again on the same state.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::dray::{Outcome, Running};
use crate::home::Home;
use crate::ports;
use crate::process::{self, Group, Signal};
use crate::programs::program;
use crate::request;
use crate::wait::until;

/// How long a start may take, recovery included.
const READY: Duration = Duration::from_secs(30);

/// Numbers the daemons of one test.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The daemon of one home.
pub struct Daemon<'a> {
    home: &'a Home,
    group: Option<Group>,
    /// Tells two daemons of one home apart.
    number: u32,
    starts: u32,
    metrics_port: u16,
    config: String,
    has_peers: bool,
}

/// What every daemon that shares is told, unless its test says otherwise: nothing of it leaves this machine.
const ON_LOOPBACK: [(&str, &str); 3] = [("port", "0"), ("mdns", "false"), ("interfaces", "[\"127.0.0.1\"]")];

impl<'a> Daemon<'a> {
    /// Starts a daemon and waits until it listens.
    pub fn start(home: &'a Home) -> Result<Daemon<'a>> {
        Daemon::configured(home, "")
    }

    /// The same, with more sections in its configuration file.
    pub fn configured(home: &'a Home, config: &str) -> Result<Daemon<'a>> {
        Daemon::with(home, config, false)
    }

    /// A daemon with peers, configured by these lines of the section `[peers]`. What they leave out keeps it on loopback,
    /// on a port of its own, and unknown to all others: who shall find it is given its [`Daemon::peer_address`].
    pub fn sharing(home: &'a Home, peers: &str) -> Result<Daemon<'a>> {
        let says =
            |key: &str| peers.lines().any(|line| line.split('=').next().is_some_and(|it| it.trim() == key));
        let defaults = ON_LOOPBACK.iter().filter(|(key, _)| !says(key));
        let defaults: String = defaults.map(|(key, value)| format!("{key} = {value}\n")).collect();
        Daemon::with(home, &format!("[peers]\n{peers}\n{defaults}"), true)
    }

    fn with(home: &'a Home, config: &str, has_peers: bool) -> Result<Daemon<'a>> {
        let [metrics_port] = ports::free()?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let cache = home.path().join("drayd-cache");
        // Every daemon on this machine would like the same port, and root's the same folder.
        let own = format!("cache_dir = {cache:?}\n[metrics]\nlisten = \"127.0.0.1:{metrics_port}\"\n");
        let config = format!("{own}{config}\n");
        let mut daemon = Daemon { home, group: None, number, starts: 0, metrics_port, config, has_peers };
        daemon.restart()?;
        Ok(daemon)
    }

    /// What it tells Prometheus.
    pub fn metrics(&self) -> Result<String> {
        request::body(self.metrics_port, "metrics")
    }

    /// `dray status --json`.
    pub fn status(&self) -> Result<Value> {
        let status = self.dray(&["status", "--json"])?;
        ensure!(status.code == 0, "{status}\n{}", self.log());
        status.json()
    }

    /// Where another daemon finds this one: what its `bootstrap` takes.
    pub fn peer_address(&self) -> Result<String> {
        let port = self.status()?["peers"]["port"].as_u64().unwrap_or_default();
        ensure!(port > 0, "this daemon has no peers: {}\n{}", self.status()?, self.log());
        Ok(format!("127.0.0.1:{port}"))
    }

    /// Waits until so many peers are connected.
    pub fn wait_for_peers(&self, count: u64) -> Result<()> {
        until("peers to be connected", READY, || {
            Ok((self.status()?["peers"]["connected"].as_u64() >= Some(count)).then_some(()))
        })
        .with_context(|| self.log())
    }

    /// Where its state lies.
    pub fn state(&self) -> PathBuf {
        self.home.path().join("drayd")
    }

    /// Where its cache lies.
    pub fn cache(&self) -> PathBuf {
        self.home.path().join("drayd-cache")
    }

    /// Where its user's downloads go.
    pub fn downloads(&self) -> PathBuf {
        self.home.downloads()
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.home.path().join(format!("drayd-{}.sock", self.number))
    }

    /// Starts it on the state that is there.
    pub fn restart(&mut self) -> Result<()> {
        let config = self.home.path().join("drayd.toml");
        fs::write(&config, &self.config)?;
        let mut command = process::command(&program("drayd")?)?;
        self.home.furnish(&mut command);
        if !self.has_peers {
            // Dozens of daemons on one machine would find each other, and the neighbours of the person who tests.
            command.env("DRAY_MODE", "off");
        }
        command.arg("--config").arg(config);
        command.arg("--state-dir").arg(self.state()).arg("--socket").arg(self.socket());
        self.starts += 1;
        let mut group = Group::spawn(&mut command, &self.output("stdout"), &self.output("stderr"))?;
        let socket = self.socket();
        let ready = until("drayd to listen", READY, || {
            if let Some(status) = group.ended()? {
                bail!("drayd ended with {status}");
            }
            Ok(UnixStream::connect(&socket).is_ok().then_some(()))
        });
        self.group = Some(group);
        ready.with_context(|| self.log())
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        let mut group = self.group.take().context("drayd does not run")?;
        group.signal(Signal::Kill)?;
        group.wait(READY)?;
        Ok(())
    }

    /// SIGTERM, and the exit code.
    pub fn stop(&mut self) -> Result<i32> {
        let mut group = self.group.take().context("drayd does not run")?;
        group.signal(Signal::Terminate)?;
        Ok(process::code(group.wait(READY)?))
    }

    /// Its process number.
    pub fn id(&self) -> Result<u32> {
        Ok(self.group.as_ref().context("drayd does not run")?.id())
    }

    /// All that it wrote since its last start.
    pub fn log(&self) -> String {
        ["stdout", "stderr"].map(|name| fs::read_to_string(self.output(name)).unwrap_or_default()).concat()
    }

    /// A command that runs `dray` as a client of this daemon.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.home.command(arguments)?;
        command.env("DRAY_SOCKET", self.socket());
        Ok(command)
    }

    /// Runs `dray` to its end, as a client of this daemon.
    pub fn dray(&self, arguments: &[&str]) -> Result<Outcome> {
        self.home.run(self.command(arguments)?)
    }

    /// Starts `dray` as a client of this daemon and lets it run.
    pub fn begin(&self, arguments: &[&str]) -> Result<Running> {
        Running::start(self.command(arguments)?, self.home.path())
    }

    fn output(&self, name: &str) -> PathBuf {
        Path::new(self.home.path()).join(format!("drayd-{}-{}-{name}", self.number, self.starts))
    }
}
