//! Jobs belong to the user that the kernel names. Runs its second user only where the tests run as root.

use std::fs;
use std::process::Command;

use anyhow::Result;
use dray_tests::{Content, Daemon, FaultServer, Home, Job, random_bytes};

fn is_root() -> Result<bool> {
    Ok(Command::new("id").arg("-u").output()?.stdout == b"0\n")
}

/// `dray` as `nobody`, talking to root's daemon.
fn as_nobody(stranger: &Home, daemon: &Daemon<'_>, arguments: &[&str]) -> Result<dray_tests::Outcome> {
    let mut command = stranger.command(arguments)?;
    command.env("DRAY_SOCKET", daemon.socket());
    stranger.run(command)
}

#[test]
fn another_users_job_does_not_exist_for_one() -> Result<()> {
    if !is_root()? {
        return Ok(());
    }
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let job = Job::create(&daemon)?;
    let stranger = Home::without_rights()?;
    let listed = as_nobody(&stranger, &daemon, &["job", "list", "--json"])?;
    assert!(!listed.stdout.contains(&job.id), "{listed}");
    for verb in ["show", "resume", "suspend", "complete", "cancel"] {
        let refused = as_nobody(&stranger, &daemon, &["job", verb, &job.id])?;
        assert!([1, 3, 4].contains(&refused.code), "{verb}: {refused}");
    }
    assert_eq!(job.state(&daemon)?, "SUSPENDED");
    Ok(())
}

#[test]
fn a_job_cannot_write_where_its_owner_may_not() -> Result<()> {
    if !is_root()? {
        return Ok(());
    }
    let server = FaultServer::start()?;
    let content = Content::new(random_bytes(210, 1000), "v1");
    let url = server.page("/a.bin", move |ask| content.answer(ask));
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    let stranger = Home::without_rights()?;
    let created = as_nobody(&stranger, &daemon, &["job", "create", "theirs"])?;
    if created.code == 3 || created.code == 4 {
        return Ok(()); // root's daemon lets no one else in at all
    }
    created.expect(0);
    let id = created.stdout.trim();
    let place = home.path().join("theirs.bin").display().to_string(); // root's folder
    let added = as_nobody(&stranger, &daemon, &["job", "add", id, &url, &place])?;
    if added.code == 0 {
        as_nobody(&stranger, &daemon, &["job", "resume", "--wait", id])?;
        as_nobody(&stranger, &daemon, &["job", "complete", id])?;
    }
    assert!(!home.path().join("theirs.bin").exists(), "a stranger wrote into root's folder: {added}");
    let own = stranger.downloads().join("mine.bin");
    let id = as_nobody(&stranger, &daemon, &["job", "create", "mine"])?.expect(0).stdout.trim().to_owned();
    as_nobody(&stranger, &daemon, &["job", "add", &id, &url, &own.display().to_string()])?.expect(0);
    as_nobody(&stranger, &daemon, &["job", "resume", "--wait", &id])?.expect(0);
    as_nobody(&stranger, &daemon, &["job", "complete", &id])?.expect(0);
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&own)?);
    assert_eq!(owner, 65534, "the file belongs to the job's owner");
    Ok(())
}

#[test]
fn the_records_of_a_daemon_are_closed_to_others() -> Result<()> {
    let home = Home::new()?;
    let daemon = Daemon::start(&home)?;
    // State and records hold URLs of users: no one else may look.
    let state = std::os::unix::fs::MetadataExt::mode(&fs::metadata(daemon.state())?);
    let records_open = fs::read_dir(daemon.state())?.flatten().any(|entry| {
        let mode = std::os::unix::fs::MetadataExt::mode(&entry.metadata().expect("just listed"));
        state & 0o005 != 0 && mode & 0o004 != 0 && entry.path().is_file()
    });
    assert!(!records_open, "anyone can read the records in {}", daemon.state().display());
    daemon.dray(&["job", "list"])?.expect(0);
    Ok(())
}
