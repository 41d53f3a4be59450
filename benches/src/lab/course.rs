//! What every program finds in the lab: an origin with one file, the machines, and a host for what some programs need besides.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dray_tests::{Host, Lab, LabOrigin, Link, Running, TestFile, random_file, system_program, until};

/// The name of the file everywhere.
pub(super) const NAME: &str = "update.bin";

const HELPER_READY: Duration = Duration::from_secs(20);
const TRACKER_PORT: u16 = 6969;

/// A network with everything in place and nothing fetched yet.
pub(super) struct Course {
    pub(super) lab: Lab,
    pub(super) origin: LabOrigin,
    pub(super) machines: Vec<Host>,
    /// Where a tracker or a cache box stands.
    pub(super) helper: Host,
    /// Named like the published one.
    pub(super) file: TestFile,
    pub(super) sha256: String,
    helpers: Vec<Running>,
}

impl Course {
    /// One origin on its line, and so many machines on theirs.
    pub(super) fn build(size: u64, origin: Link, machines: u8, line: Link) -> Result<Course> {
        let lab = Lab::new()?;
        let origin = LabOrigin::start(&lab.host(1, "origin", origin)?, "")?;
        let helper = lab.host(1, "helper", line)?;
        let machines = (0..machines).map(|number| lab.host(1, &format!("m{number}"), line));
        let machines = machines.collect::<Result<Vec<_>>>()?;
        let kept = random_file(size)?;
        let sha256 = kept.sha256()?;
        let path = lab.folder().join(NAME);
        if fs::hard_link(&kept.path, &path).is_err() {
            fs::copy(&kept.path, &path)?;
        }
        origin.publish(NAME, &path)?;
        let file = TestFile { path, size };
        Ok(Course { lab, origin, machines, helper, file, sha256, helpers: Vec::new() })
    }

    pub(super) fn url(&self) -> String {
        self.origin.url(NAME)
    }

    /// A folder of one machine's own.
    pub(super) fn folder(&self, machine: usize, what: &str) -> Result<PathBuf> {
        let folder = self.lab.folder().join(format!("{what}-{machine}"));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(folder)
    }

    /// Starts a program on the helper, and waits until it listens on this port.
    pub(super) fn help(&mut self, command: Command, port: u16) -> Result<()> {
        let running = Running::start(command, self.lab.folder())?;
        let url = format!("http://{}:{port}/", self.helper.address());
        let mut curl = self.helper.command(&system_program("curl")?)?;
        curl.args(["-q", "-s", "-o", "/dev/null", "--max-time", "2", &url]);
        until("the helper to listen", HELPER_READY, || {
            ensure!(!running.has_ended(), "the helper ended: {:?}", running.stdout_so_far());
            Ok(curl.status()?.success().then_some(()))
        })?;
        self.helpers.push(running);
        Ok(())
    }

    /// Starts a tracker on the helper, and makes a torrent of the file, with the origin as its web seed or without.
    pub(super) fn torrent(&mut self, web_seed: bool) -> Result<PathBuf> {
        let address = self.helper.address().to_string();
        if self.helpers.is_empty() {
            let mut tracker = self.helper.command(&python())?;
            tracker.arg(script("tracker.py")?).args([&address, &TRACKER_PORT.to_string()]);
            self.help(tracker, TRACKER_PORT)?;
        }
        let torrent = self.lab.folder().join(format!("update-{web_seed}.torrent"));
        let mut make = Command::new(python());
        make.arg(script("make_torrent.py")?).arg(&self.file.path).arg(&torrent);
        make.arg(format!("http://{address}:{TRACKER_PORT}/announce"));
        make.args(web_seed.then(|| self.url()));
        ensure!(make.status()?.success(), "no torrent of {}", self.file.path.display());
        Ok(torrent)
    }
}

/// Debian's own, which sees the modules that are Debian packages.
pub(super) fn python() -> PathBuf {
    PathBuf::from("/usr/bin/python3")
}

/// A script beside the benches.
pub(super) fn script(name: &str) -> Result<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab").join(name);
    ensure!(file.is_file(), "{} is not there: run this in the tree it was built from", file.display());
    Ok(file)
}
