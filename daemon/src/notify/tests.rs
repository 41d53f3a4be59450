//! Real programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dray_jobs::{JobId, JobState, NotifyCommand, Owner};
use uuid::Uuid;

use super::Commands;
use super::command::{CommandError, TIME_LIMIT, run};

fn job() -> JobId {
    JobId(Uuid::from_u128(7))
}

/// A program of the shell in `folder`.
fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("it runs");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn command(program: &Path, rest: &str) -> NotifyCommand {
    let program = program.to_str().unwrap().to_owned();
    NotifyCommand { parameters: format!("\"{program}\" {rest}"), program }
}

#[tokio::test]
async fn a_command_is_told_the_job_and_its_state_and_nothing_of_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    // A descriptor that another program left open for this one.
    let leak = fs::File::open("/dev/zero").unwrap();
    let leak = dray_platform::launch::inheritable(&leak).unwrap();
    let text = "for word in \"$@\"; do echo \"<$word>\"; done >\"$1\"; \
                { env; ls -l /proc/self/fd; pwd; cat; } >>\"$1\"";
    let program = script(folder.path(), text);
    let rest = format!("\"{}\" 'one two' $HOME", out.display());
    run(job(), JobState::Error, &command(&program, &rest), TIME_LIMIT).await.unwrap();
    let told = fs::read_to_string(out).unwrap();
    assert!(told.contains(&format!("<'one>\n<two'>\n<$HOME>\n<{}>\n<ERROR>\n", job())), "{told}");
    assert!(told.contains(&format!("DRAY_JOB_ID={}\n", job())), "{told}");
    assert!(told.contains("DRAY_JOB_STATE=ERROR\n"), "{told}");
    assert!(!told.contains("CARGO"), "{told}");
    assert!(!told.contains("/dev/zero"), "{told}");
    assert!(told.ends_with("\n/\n"), "{told}");
    drop(leak);
}

#[tokio::test]
async fn any_exit_code_but_0_is_a_failure_and_so_is_a_program_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let failing = script(folder.path(), "exit 3");
    let failed = run(job(), JobState::Transferred, &command(&failing, ""), TIME_LIMIT).await.unwrap_err();
    assert!(matches!(failed, CommandError::Exit(status) if status.code() == Some(3)));
    let missing = NotifyCommand { program: "/no/such".to_owned(), parameters: String::new() };
    let failed = run(job(), JobState::Transferred, &missing, TIME_LIMIT).await.unwrap_err();
    assert!(matches!(failed, CommandError::Start(_)));
}

#[tokio::test]
async fn a_command_that_runs_too_long_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pid");
    let program = script(folder.path(), "sleep 1000 & echo $! >\"$1\"; wait");
    let command = command(&program, &format!("\"{}\"", out.display()));
    let failed = run(job(), JobState::Transferred, &command, Duration::from_millis(500)).await.unwrap_err();
    assert!(matches!(failed, CommandError::TooLong(_)));
    let pid = fs::read_to_string(out).unwrap();
    let stat = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
    let began = Instant::now();
    // Gone, or dead and not yet buried.
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(began.elapsed() < Duration::from_secs(20), "what it started lives on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_command_of_another_user_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let program = script(folder.path(), "echo >\"$1\"");
    let command = command(&program, &format!("\"{}\"", out.display()));
    let commands = Commands::of(Owner::new("7"));
    assert!(!commands.run(job(), Owner::new("8"), JobState::Transferred, command.clone()).await);
    assert!(!out.exists());
    assert!(commands.run(job(), Owner::new("7"), JobState::Transferred, command).await);
    assert!(out.exists());
}
