//! Corrupt and truncated state files: the daemon says so, sets the bad file aside, and starts.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use dray_tests::{Content, Daemon, FaultServer, Home, Job, MIB, random_bytes};

const PATIENCE: Duration = Duration::from_secs(90);

/// Which of a daemon's folders.
type Folder = for<'a, 'b> fn(&'a Daemon<'b>) -> PathBuf;

type Damage = fn(&[u8]) -> Vec<u8>;

const DAMAGES: [(&str, Damage); 4] = [
    ("cut in half", |bytes| bytes[..bytes.len() / 2].to_vec()),
    ("emptied", |_| Vec::new()),
    ("overwritten with noise", |bytes| random_bytes(99, bytes.len().max(64))),
    ("zeroed", |bytes| vec![0; bytes.len().max(64)]),
];

/// Files below a folder, the temporary files of jobs and lock files without content left out.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_type()?.is_file() && entry.metadata()?.size() > 0 {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A daemon with one job half done and one transferred, stopped; each of its state files damaged in turn.
fn each_damage(folder: Folder, check: impl Fn(&mut Daemon<'_>, &str) -> Result<()>) -> Result<()> {
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(170, 2 << 20), "v1");
    let other = content.clone();
    let slow = server.page("/slow.bin", move |ask| content.answer(ask).at_rate(MIB));
    let fast = server.page("/fast.bin", move |ask| other.answer(ask));
    for (damage_name, damage) in DAMAGES {
        let home = Home::new()?;
        let mut daemon = Daemon::start(&home)?;
        let done = Job::begin(&daemon, &fast, "fast.bin", &[])?;
        done.wait_for(&daemon, "TRANSFERRED", PATIENCE)?;
        Job::begin(&daemon, &slow, "slow.bin", &[])?;
        daemon.kill()?;
        let files = files_below(&folder(&daemon))?;
        assert!(!files.is_empty(), "the daemon keeps its state in {}", folder(&daemon).display());
        for file in files {
            if !file.exists() {
                continue; // set aside or rewritten since the listing
            }
            let before = fs::read(&file)?;
            fs::write(&file, damage(&before))?;
            let what = format!("{} {damage_name}", file.display());
            daemon.restart().map_err(|error| error.context(what.clone()))?;
            check(&mut daemon, &what)?;
            let again = Job::begin(&daemon, &fast, "again.bin", &[])?;
            again.wait_for(&daemon, "TRANSFERRED", PATIENCE).map_err(|error| error.context(what.clone()))?;
            again.call(&daemon, "cancel")?.expect(0);
            daemon.kill()?;
        }
    }
    Ok(())
}

#[test]
fn a_daemon_starts_on_damaged_records_and_says_what_it_set_aside() -> Result<()> {
    each_damage(
        |daemon| daemon.state(),
        |daemon, what| {
            daemon.dray(&["job", "list"])?.expect(0);
            let log = daemon.log();
            let told = ["set aside", "aside", "damaged", "corrupt"].iter().any(|word| log.contains(word));
            assert!(told, "{what}, and the log says nothing of it:\n{log}");
            Ok(())
        },
    )
}

#[test]
fn a_daemon_starts_on_a_damaged_cache() -> Result<()> {
    each_damage(
        |daemon| daemon.cache(),
        |daemon, _| {
            daemon.dray(&["job", "list"])?.expect(0);
            Ok(())
        },
    )
}

#[test]
fn a_daemon_with_a_bad_configuration_says_where_and_does_not_start() -> Result<()> {
    let home = Home::new()?;
    for bad in ["[limits]\nfiles_per_jobb = 3", "this is not toml", "[log]\nformat = \"purple\""] {
        let error = match Daemon::configured(&home, bad) {
            Ok(_) => anyhow::bail!("started with {bad:?}"),
            Err(error) => format!("{error:#}"),
        };
        assert!(error.contains("drayd.toml") && error.contains("line"), "{error}");
    }
    Ok(())
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused() -> Result<()> {
    let home = Home::new()?;
    let _first = Daemon::start(&home)?;
    let second = Daemon::start(&home);
    assert!(second.is_err(), "two daemons on one state folder");
    Ok(())
}
