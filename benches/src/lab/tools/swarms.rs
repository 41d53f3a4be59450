//! BitTorrent: aria2, libtorrent, rqbit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use dray_tests::{Host, Running, system_program, until};

use super::super::course::{Course, NAME, python, script};
use super::{Entrant, Team, shown};

/// aria2 calls a program with a number, a count and a path when it has everything.
const HOOK: &str = "#!/bin/sh\ntouch \"${3%/*}/done\"\n";

/// How long a giver may take to be ready.
const READY: Duration = Duration::from_secs(60);
/// Then it may still have to tell the tracker.
const ANNOUNCED: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Client {
    Aria2,
    Libtorrent,
    Rqbit,
}

/// Where the bytes begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seed {
    /// The origin is a web seed that everyone knows.
    Web,
    /// It is one that the first machine alone knows.
    WebForOne,
    /// The same client gives the file where the origin is.
    Client,
}

/// A torrent that everyone has.
pub(super) struct Torrent {
    client: Client,
    /// The first machine's, and everyone else's.
    torrents: [PathBuf; 2],
    /// Runs as long as the race.
    _seed: Option<Entrant>,
}

impl Torrent {
    pub(super) fn set_up(course: &mut Course, client: Client, seed: Seed) -> Result<Torrent> {
        let torrents = [course.torrent(seed != Seed::Client)?, course.torrent(seed == Seed::Web)?];
        let seed = (seed == Seed::Client).then(|| {
            let folder = course.folder(0, "seed")?;
            give(client, course, course.origin.host(), &torrents[0], &folder)
        });
        Ok(Torrent { client, torrents, _seed: seed.transpose()? })
    }
}

impl Team for Torrent {
    fn start(&mut self, course: &Course, machine: usize) -> Result<Entrant> {
        let torrent = &self.torrents[usize::from(machine > 0)];
        let folder = course.folder(machine, "torrent")?;
        start(self.client, &course.machines[machine], torrent, &folder, false)
    }
}

/// One machine gives, another takes.
pub(in super::super) fn take(
    client: Client,
    course: &Course,
    machine: usize,
    torrent: &Path,
) -> Result<Entrant> {
    start(client, &course.machines[machine], torrent, &course.folder(machine, "torrent")?, false)
}

/// Starts a client that has the file, and waits until the tracker knows.
pub(in super::super) fn give(
    client: Client,
    course: &Course,
    host: &Host,
    torrent: &Path,
    folder: &Path,
) -> Result<Entrant> {
    fs::hard_link(&course.file.path, folder.join(NAME))?;
    let giver = start(client, host, torrent, folder, true)?;
    if giver.mark.is_some() {
        until("the giver to be ready", READY, || Ok(giver.has_it()?.then_some(())))?;
    }
    std::thread::sleep(ANNOUNCED);
    Ok(giver)
}

fn start(client: Client, host: &Host, torrent: &Path, folder: &Path, has_it: bool) -> Result<Entrant> {
    let on = |program: &Path| host.command(program);
    let mark = folder.join("done");
    let command = match client {
        Client::Aria2 => aria2(on(&system_program("aria2c")?)?, torrent, folder, has_it)?,
        Client::Libtorrent => {
            let mut command = on(&python())?;
            command.arg(script("libtorrent_client.py")?).arg(torrent).arg(folder).arg(&mark);
            command.args(has_it.then_some("--seed"));
            command
        }
        Client::Rqbit => rqbit(on(&system_program("rqbit")?)?, torrent, folder, has_it),
    };
    let mark = (client != Client::Rqbit).then_some(mark);
    Ok(Entrant { running: Running::start(command, folder)?, file: folder.join(NAME), mark })
}

fn aria2(mut command: Command, torrent: &Path, folder: &Path, has_it: bool) -> Result<Command> {
    let hook = folder.join("hook");
    fs::write(&hook, HOOK)?;
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755))?;
    command.args(["--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=true"]);
    command.args(["--seed-ratio=0", "--show-console-readout=false", "--disable-ipv6=true"]);
    if has_it {
        command.arg("--bt-seed-unverified=true");
    }
    command.arg(format!("--on-bt-download-complete={}", shown(&hook)));
    command.arg(format!("--dir={}", shown(folder))).arg(torrent);
    Ok(command)
}

fn rqbit(mut command: Command, torrent: &Path, folder: &Path, has_it: bool) -> Command {
    command.env("HOME", folder).env("XDG_CACHE_HOME", folder).env("XDG_DATA_HOME", folder);
    command.args([
        "--disable-dht",
        "--disable-upnp-port-forward",
        "download",
        "--disable-http-api",
        "--overwrite",
    ]);
    if !has_it {
        command.arg("--exit-on-finish");
    }
    command.arg("--output-folder").arg(folder).arg(torrent);
    command
}
