//! 9.6: the command line.

use std::time::Duration;

use anyhow::{Result, ensure};
use dray_api::v1::{self, JobState, SuccessCode};
use dray_tests::{NotifyProgram, until};

use super::listener::Listener;
use super::{ERROR, TRANSFERRED, transferred};
use crate::rig::{Place, Rig, refused, same, urgent};
use crate::table::{Row, holds, left_out};

/// Longest wait for a run.
const PATIENCE: Duration = Duration::from_secs(60);

fn line(program: &NotifyProgram, more: &str) -> Result<v1::JobProperties> {
    let path = program.path()?.to_owned();
    let parameters = if more.is_empty() { String::new() } else { format!("{path} {more}") };
    let notify_command = Some(v1::NotifyCommand { program: path, parameters });
    // The least that there is: 5 s.
    Ok(v1::JobProperties { notify_command, minimum_retry_delay_s: Some(5), ..v1::JobProperties::default() })
}

/// A job with these flags, this page and a command, not yet begun.
pub(super) fn with_command(rig: &Rig<'_>, program: &NotifyProgram, bits: u32, page: &str) -> Result<String> {
    let properties =
        v1::JobProperties { notify_flags: Some(bits), priority: urgent().priority, ..line(program, "")? };
    let id = rig.create(properties)?.job_id;
    rig.add(&id, rig.file(page))?;
    Ok(id)
}

pub(super) fn until_run(program: &NotifyProgram, times: usize) -> Result<()> {
    until("the command to run", PATIENCE, || Ok((program.runs()?.len() >= times).then_some(())))
}

fn runs_of(program: &NotifyProgram, job: &str) -> Result<usize> {
    Ok(program.runs()?.iter().filter(|run| run.contains(job)).count())
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        holds("9.6", "the command runs when a job is transferred, and when it is in error", |rig| {
            let program = NotifyProgram::new(rig.home.path(), "events")?;
            program.succeed()?;
            for (page, state, word) in
                [("/a", JobState::Transferred, "TRANSFERRED"), ("/missing", JobState::Error, "ERROR")]
            {
                let id = with_command(rig, &program, TRANSFERRED | ERROR, page)?;
                rig.run(&id, state)?;
                until("the command of this job", PATIENCE, || {
                    let expected = format!("{id} {word} {id} {word}");
                    Ok(program.runs()?.contains(&expected).then_some(()))
                })?;
            }
            same(program.runs()?.len(), 2)
        }),
        left_out(
            "9.6",
            "it runs as the user who set it, and not for service accounts",
            "it needs a second user who is served; daemon/src/notify refuses to run anyone else's command",
        ),
        holds("9.6", "a command that is set late runs even so", |rig| {
            let program = NotifyProgram::new(rig.home.path(), "late")?;
            program.succeed()?;
            for (times, id) in [transferred(rig, TRANSFERRED)?, rig.at(Place::Error)?].iter().enumerate() {
                rig.set(id, line(&program, "")?)?;
                until_run(&program, times + 1)?;
                same(runs_of(&program, id)?, 1)?;
            }
            Ok(())
        }),
        holds(
            "9.6",
            "it runs again after the retry delay until its exit code is 0, and then no more",
            |rig| {
                let program = NotifyProgram::new(rig.home.path(), "retry")?;
                let id = with_command(rig, &program, TRANSFERRED, "/a")?;
                rig.run(&id, JobState::Transferred)?;
                until_run(&program, 2)?;
                program.succeed()?;
                until_run(&program, 3)?;
                // Another command is run at least once more after the delay of the first.
                let other = NotifyProgram::new(rig.home.path(), "retry-fence")?;
                let fence = with_command(rig, &other, TRANSFERRED, "/a")?;
                rig.run(&fence, JobState::Transferred)?;
                until_run(&other, 2)?;
                other.succeed()?;
                // The third may itself have begun just before it was to succeed.
                ensure!((3..=4).contains(&runs_of(&program, &id)?), "{:?}", program.runs()?);
                Ok(())
            },
        ),
        holds(
            "9.6",
            "whatever its exit code, it does not run again once the job is completed or cancelled",
            |rig| {
                let program = NotifyProgram::new(rig.home.path(), "ended")?;
                let [completed, cancelled, waits] =
                    [(); 3].map(|()| with_command(rig, &program, TRANSFERRED, "/a"));
                let (completed, cancelled, waits) = (completed?, cancelled?, waits?);
                for id in [&completed, &cancelled] {
                    rig.run(id, JobState::Transferred)?;
                }
                until_run(&program, 2)?;
                rig.complete(&completed)?;
                rig.cancel(&cancelled)?;
                let before = (runs_of(&program, &completed)?, runs_of(&program, &cancelled)?);
                rig.run(&waits, JobState::Transferred)?;
                until("the last to be run again", PATIENCE, || {
                    Ok((runs_of(&program, &waits)? >= 2).then_some(()))
                })?;
                program.succeed()?;
                same((runs_of(&program, &completed)?, runs_of(&program, &cancelled)?), before)
            },
        ),
        holds("9.6", "with a callback that takes note it does not run", |rig| {
            let program = NotifyProgram::new(rig.home.path(), "callback")?;
            program.succeed()?;
            let taken = with_command(rig, &program, TRANSFERRED, "/a")?;
            let mut listener = Listener::new(rig, &[&taken])?;
            rig.resume(&taken)?;
            listener.take(&taken, "JobTransferred")?;
            drop(listener);
            let other = with_command(rig, &program, TRANSFERRED, "/a")?;
            rig.run(&other, JobState::Transferred)?;
            until_run(&program, 1)?;
            same((runs_of(&program, &taken)?, runs_of(&program, &other)?), (0, 1))
        }),
        holds("9.6", "it runs when the callback cannot be reached any more", |rig| {
            let program = NotifyProgram::new(rig.home.path(), "unreachable")?;
            program.succeed()?;
            let id = with_command(rig, &program, TRANSFERRED, "/a")?;
            let mut listener = Listener::new(rig, &[&id])?;
            rig.resume(&id)?;
            listener.expect(&id, "JobTransferred")?;
            same(program.runs()?.len(), 0)?;
            drop(listener);
            until("the command to run", PATIENCE, || {
                // A call lets the connection say that the stream has ended.
                rig.get(&id)?;
                Ok((runs_of(&program, &id)? == 1).then_some(()))
            })
        }),
        holds("9.6", "when the callback and the command both fail, both are tried again", |rig| {
            let program = NotifyProgram::new(rig.home.path(), "both")?;
            let id = with_command(rig, &program, TRANSFERRED, "/a")?;
            let mut listener = Listener::new(rig, &[&id])?;
            rig.resume(&id)?;
            let first = listener.refuse(&id, "JobTransferred")?;
            until_run(&program, 1)?;
            same(listener.refuse(&id, "JobTransferred")?, first)?;
            until_run(&program, 2)?;
            listener.take(&id, "JobTransferred")?;
            same(program.runs()?.len(), 2)
        }),
        holds("9.6", "both arguments empty remove it, before it is run", |rig| {
            let program = NotifyProgram::new(rig.home.path(), "removed")?;
            program.succeed()?;
            let (without, with) = (
                with_command(rig, &program, TRANSFERRED, "/a")?,
                with_command(rig, &program, TRANSFERRED, "/a")?,
            );
            let none = Some(v1::NotifyCommand::default());
            rig.set(&without, v1::JobProperties { notify_command: none, ..Default::default() })?;
            rig.run(&without, JobState::Transferred)?;
            rig.run(&with, JobState::Transferred)?;
            until_run(&program, 1)?;
            same((runs_of(&program, &without)?, runs_of(&program, &with)?), (0, 1))
        }),
        holds("9.6", "the first word of the parameters repeats the program", |rig| {
            let id = rig.job(&[])?;
            for (program, parameters) in
                [("/bin/true", "/bin/false a"), ("/bin/true", "a"), ("", "/bin/true")]
            {
                let (program, parameters) = (program.to_owned(), parameters.to_owned());
                let notify_command = Some(v1::NotifyCommand { program, parameters });
                let properties = v1::JobProperties { notify_command, ..Default::default() };
                refused(rig.set(&id, properties), "E_INVALIDARG")?;
            }
            Ok(())
        }),
        holds("9.6", "nothing in the parameters is substituted", |rig| {
            let program = NotifyProgram::new(rig.home.path(), "literal")?;
            program.succeed()?;
            let id = transferred(rig, TRANSFERRED)?;
            let words = "$HOME %JOB_ID% $(id) * ~ ; x";
            rig.set(&id, line(&program, words)?)?;
            until_run(&program, 1)?;
            // The id and the state come besides, so that nobody has to write them down by hand.
            same(program.runs()?, vec![format!("{words} {id} TRANSFERRED {id} TRANSFERRED")])?;
            same(rig.complete(&id)?.code(), SuccessCode::SOk)
        }),
    ]
}
