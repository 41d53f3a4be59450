//! The programs that are compared, and how each is told to do the same.
//!
//! Each runs with the settings that it comes with. What has to be said is said: where the torrent is, that nothing outside the lab shall be asked
//! (no DHT, no port forwarding), and where to leave a mark when the file is complete, for those that go on giving after it.

mod curl;
mod dray;
mod squid;
mod swarms;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use dray_tests::{Running, Usage, blake3_of, sha256_of, system_program};

use super::course::{Course, python};

pub(super) use curl::over_tls as curl_over_tls;
pub(super) use dray::DrayPair;
pub(super) use swarms::{Client, give, take};

use swarms::{Seed, Torrent};

/// One that leaves its result with the kernel needs a moment to be asked.
const REAP: Duration = Duration::from_secs(10);

/// A program, in one way of using it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// One machine alone: what the line gives.
    CurlOne,
    /// Every machine for itself.
    Curl,
    /// A cache box that everyone is told to use.
    Squid,
    /// BitTorrent; everyone knows the origin as a web seed.
    Aria2,
    /// BitTorrent; a seed stands where the origin is.
    Aria2Seed,
    /// BitTorrent; everyone knows the origin as a web seed.
    Libtorrent,
    /// Only the first machine knows the origin.
    LibtorrentOne,
    /// A BitTorrent client in Rust.
    Rqbit,
    /// nginx and curl, over TLS.
    NginxTls,
    /// Ours.
    Dray,
    /// Ours, where the digest that is known proves each piece alone.
    DrayBlake3,
}

impl Tool {
    /// For the race.
    pub(super) const RACERS: &[Tool] = &[
        Tool::CurlOne,
        Tool::Dray,
        Tool::DrayBlake3,
        Tool::Squid,
        Tool::LibtorrentOne,
        Tool::Aria2Seed,
        Tool::Libtorrent,
        Tool::Aria2,
        Tool::Curl,
    ];
    /// For two machines.
    pub(super) const PAIRS: &[Tool] =
        &[Tool::Dray, Tool::DrayBlake3, Tool::Rqbit, Tool::Libtorrent, Tool::Aria2, Tool::NginxTls];

    pub(super) fn name(self) -> &'static str {
        match self {
            Tool::CurlOne => "curl-one",
            Tool::Curl => "curl",
            Tool::Squid => "squid",
            Tool::Aria2 => "aria2",
            Tool::Aria2Seed => "aria2-seed",
            Tool::Libtorrent => "libtorrent",
            Tool::LibtorrentOne => "libtorrent-one",
            Tool::Rqbit => "rqbit",
            Tool::NginxTls => "nginx-tls",
            Tool::Dray => "dray",
            Tool::DrayBlake3 => "dray-blake3",
        }
    }

    /// What a reader of the table should know of it.
    pub(super) fn about(self) -> &'static str {
        match self {
            Tool::CurlOne => "curl, one machine alone",
            Tool::Curl => "curl, every machine for itself",
            Tool::Squid => "squid as a cache box, curl on the machines",
            Tool::Aria2 => "aria2, BitTorrent with a web seed",
            Tool::Aria2Seed => "aria2, BitTorrent with a seed at the origin",
            Tool::Libtorrent => "libtorrent as it comes, with a web seed",
            Tool::LibtorrentOne => "libtorrent, one machine chosen by hand to fetch",
            Tool::Rqbit => "rqbit",
            Tool::NginxTls => "nginx + curl over TLS",
            Tool::Dray => "dray, SHA-256 digest",
            Tool::DrayBlake3 => "dray, BLAKE3 digest",
        }
    }

    /// The same between two machines, where nobody knows the origin.
    pub(super) fn about_pair(self) -> &'static str {
        match self {
            Tool::Aria2 => "aria2, BitTorrent",
            Tool::Libtorrent => "libtorrent",
            other => other.about(),
        }
    }

    pub(super) fn is_ours(self) -> bool {
        matches!(self, Tool::Dray | Tool::DrayBlake3)
    }

    /// Why it cannot run here.
    pub(super) fn missing(self) -> Option<String> {
        let program = match self {
            Tool::CurlOne | Tool::Curl | Tool::NginxTls | Tool::Dray | Tool::DrayBlake3 => return None,
            Tool::Squid => "squid",
            Tool::Aria2 | Tool::Aria2Seed => "aria2c",
            Tool::Rqbit => "rqbit",
            Tool::Libtorrent | Tool::LibtorrentOne => {
                let mut import = std::process::Command::new(python());
                let status =
                    import.args(["-c", "import libtorrent"]).stderr(std::process::Stdio::null()).status();
                return (!status.is_ok_and(|it| it.success()))
                    .then(|| "the Debian package python3-libtorrent is not installed".to_owned());
            }
        };
        system_program(program).err().map(|_| format!("{program} is not installed"))
    }

    /// A machine alone is always one.
    pub(super) fn machines(self, asked: u8) -> u8 {
        if self == Tool::CurlOne { 1 } else { asked }
    }

    /// What takes minutes, and always as many, need not be measured often.
    pub(super) fn most_runs(self) -> usize {
        if matches!(self, Tool::Curl | Tool::Aria2) { 1 } else { usize::MAX }
    }

    /// Everything that may be there before the race.
    pub(super) fn team(self, course: &mut Course) -> Result<Box<dyn Team>> {
        Ok(match self {
            Tool::CurlOne | Tool::Curl | Tool::NginxTls => Box::new(curl::Alone),
            Tool::Squid => Box::new(squid::CacheBox::set_up(course)?),
            Tool::Aria2 => Box::new(Torrent::set_up(course, Client::Aria2, Seed::Web)?),
            Tool::Aria2Seed => Box::new(Torrent::set_up(course, Client::Aria2, Seed::Client)?),
            Tool::Libtorrent => Box::new(Torrent::set_up(course, Client::Libtorrent, Seed::Web)?),
            Tool::LibtorrentOne => Box::new(Torrent::set_up(course, Client::Libtorrent, Seed::WebForOne)?),
            Tool::Rqbit => Box::new(Torrent::set_up(course, Client::Rqbit, Seed::Web)?),
            Tool::Dray => Box::new(dray::Fleet::set_up(course, course.sha256.clone())?),
            Tool::DrayBlake3 => Box::new(dray::Fleet::set_up(course, blake3_of(&course.file.path)?)?),
        })
    }
}

/// A program on all machines.
pub(super) trait Team {
    /// The machine begins to want the file.
    fn start(&mut self, course: &Course, machine: usize) -> Result<Entrant>;

    /// What has run on each machine since before the race has cost.
    fn usage(&self) -> Result<Vec<Usage>> {
        Ok(Vec::new())
    }

    /// What it has to say when something went wrong.
    fn log(&self) -> String {
        String::new()
    }
}

/// What one machine does.
pub(super) struct Entrant {
    pub(super) running: Running,
    /// Where the file will be.
    pub(super) file: PathBuf,
    /// What appears when the file is complete; without it, the program ends.
    pub(super) mark: Option<PathBuf>,
}

impl Entrant {
    pub(super) fn has_it(&self) -> Result<bool> {
        let has_ended = self.running.has_ended();
        match &self.mark {
            None => Ok(has_ended),
            Some(mark) if mark.exists() => Ok(true),
            Some(_) => {
                ensure!(!has_ended, "it ended too early: {}", self.running.stdout_so_far()?);
                Ok(false)
            }
        }
    }

    /// The file is the right one, whatever the program says.
    pub(super) fn check(self, sha256: &str) -> Result<()> {
        if self.mark.is_none() {
            let outcome = self.running.wait(REAP)?;
            ensure!(outcome.code == 0, "{outcome}");
        }
        let found = sha256_of(&self.file)?;
        ensure!(found == sha256, "{} has the wrong bytes", self.file.display());
        Ok(())
    }
}

/// A path as an argument inside a larger one.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
