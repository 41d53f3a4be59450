//! 9.3 to 9.5: who is called, what each callback says, in which order, and when again.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dray_api::v1::{self, JobState, SuccessCode, job_event::Event};
use dray_tests::{Content, NotifyProgram, random_bytes, until};

use super::command::{until_run, with_command};
use super::listener::{Listener, answer};
use super::{ERROR, FILE, MODIFICATION, RANGES, TRANSFERRED, flagged, flags, transferred};
use crate::rig::{Place, Rig, SIZE, ask, same, urgent};
use crate::table::{Row, holds, left_out};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = who_is_called();
    rows.extend(again_and_in_order());
    rows.extend(at_most_once());
    rows.extend(more_facts());
    rows
}

fn who_is_called() -> Vec<Row> {
    vec![
        holds("9.3", "the last to listen is told, and the one before when that one leaves", |rig| {
            let id = flagged(rig, TRANSFERRED | FILE, &["/a"])?;
            let mut first = Listener::new(rig, &[&id])?;
            let mut last = Listener::new(rig, &[&id])?;
            rig.resume(&id)?;
            last.take(&id, "FileTransferred 0")?;
            let told = last.expect(&id, "JobTransferred")?;
            drop(last);
            let again = first.expect(&id, "JobTransferred")?;
            same(again.id, told.id)
        }),
        holds("9.3", "an event that has happened already is told at once", |rig| {
            let id = transferred(rig, TRANSFERRED)?;
            Listener::new(rig, &[&id])?.take(&id, "JobTransferred")?;
            let id = rig.at(Place::Error)?;
            Listener::new(rig, &[&id])?.take(&id, "JobError")
        }),
        holds("9.3", "an event is told once more to who listens again without having answered", |rig| {
            let id = transferred(rig, TRANSFERRED)?;
            let first = Listener::new(rig, &[&id])?.expect(&id, "JobTransferred")?;
            let again = Listener::new(rig, &[&id])?.expect(&id, "JobTransferred")?;
            same(again.id, first.id)
        }),
        left_out(
            "9.3",
            "a second call after the pointer was lost also of what was acknowledged",
            "what was acknowledged is over in dray, and 9.4 says until S_OK; the row of 9.4 holds that",
        ),
        left_out(
            "9.3",
            "not persisted",
            "one daemon plays these rows; section_9_what_outlives_the_daemon kills one with SIGKILL",
        ),
        left_out("9.3", "it runs in the security context of the user", "the client is a process of its own"),
        left_out("9.5", "the callback class", "a class of Windows; watch events or set a notify command"),
    ]
}

fn again_and_in_order() -> Vec<Row> {
    vec![
        holds("9.4", "JobTransferred comes again until S_OK, and then no more", |rig| {
            let id = transferred(rig, TRANSFERRED)?;
            let mut listener = Listener::new(rig, &[&id])?;
            let first = listener.refuse(&id, "JobTransferred")?;
            same(listener.refuse(&id, "JobTransferred")?, first)?;
            listener.take(&id, "JobTransferred")?;
            let fence = transferred(rig, TRANSFERRED)?;
            Listener::new(rig, &[&id, &fence])?.take(&fence, "JobTransferred")
        }),
        holds("9.4", "JobError comes again until S_OK, with the error", |rig| {
            let id = rig.at(Place::Error)?;
            let mut listener = Listener::new(rig, &[&id])?;
            let first = listener.refuse(&id, "JobError")?;
            let again = listener.expect(&id, "JobError")?;
            same(again.id, first)?;
            let Event::JobFailed(failed) = &again.event else { bail!("{again:?}") };
            let error = failed.error.clone().context("no error")?;
            same(error.detail.unwrap_or_default().name.as_str(), "BG_E_HTTP_ERROR_404")?;
            same(answer(rig, &again, false)?, SuccessCode::SOk)?;
            let fence = transferred(rig, TRANSFERRED)?;
            Listener::new(rig, &[&id, &fence])?.take(&fence, "JobTransferred")
        }),
        holds("9.4", "after a refusal the command line is run, and the callback is not repeated", |rig| {
            let program = NotifyProgram::new(rig.home.path(), "instead")?;
            program.succeed()?;
            for (page, state, name) in
                [("/a", JobState::Transferred, "JobTransferred"), ("/missing", JobState::Error, "JobError")]
            {
                let runs = program.runs()?.len();
                let id = with_command(rig, &program, TRANSFERRED | ERROR, page)?;
                let mut listener = Listener::new(rig, &[&id])?;
                rig.resume(&id)?;
                listener.refuse(&id, name)?;
                rig.wait_for(&id, state)?;
                until_run(&program, runs + 1)?;
                // A refusal after it, without a command, is repeated: by then the first would have been.
                let fence = transferred(rig, TRANSFERRED)?;
                let mut other = Listener::new(rig, &[&id, &fence])?;
                other.refuse(&fence, "JobTransferred")?;
                other.take(&fence, "JobTransferred")?;
                same(program.runs()?.len(), runs + 1)?;
            }
            Ok(())
        }),
        holds(
            "9.4",
            "FileTransferred of each file comes before JobTransferred, one after the other",
            |rig| {
                let id = flagged(rig, TRANSFERRED | FILE, &["/a", "/a", "/a"])?;
                rig.run(&id, JobState::Transferred)?;
                let mut listener = Listener::new(rig, &[&id])?;
                let mut names = Vec::new();
                for _ in 0..3 {
                    let told = listener.next()?;
                    names.push(told.name());
                    // A modification, which waits for nothing, is told before the next file while this one is unanswered.
                    rig.set(&id, flags(TRANSFERRED | FILE | MODIFICATION))?;
                    listener.expect(&id, "JobModification")?;
                    rig.set(&id, flags(TRANSFERRED | FILE))?;
                    same(answer(rig, &told, false)?, SuccessCode::SOk)?;
                }
                names.sort();
                same(names, [0, 1, 2].map(|file| format!("FileTransferred {file}")).to_vec())?;
                listener.take(&id, "JobTransferred")
            },
        ),
        holds("9.4", "a refused FileTransferred comes again before that of the next file", |rig| {
            let id = flagged(rig, TRANSFERRED | FILE, &["/a", "/a"])?;
            rig.run(&id, JobState::Transferred)?;
            let mut listener = Listener::new(rig, &[&id])?;
            let told = listener.next()?;
            same(answer(rig, &told, true)?, SuccessCode::SOk)?;
            let again = listener.next()?;
            same((again.id, again.name()), (told.id, told.name()))?;
            same(answer(rig, &again, false)?, SuccessCode::SOk)?;
            let next = listener.next()?;
            ensure!(next.name().starts_with("FileTransferred") && next.name() != told.name(), "{next:?}");
            same(answer(rig, &next, false)?, SuccessCode::SOk)?;
            listener.take(&id, "JobTransferred")
        }),
        holds("9.4", "JobError comes after FileTransferred of the files that have arrived", |rig| {
            let id = flagged(rig, TRANSFERRED | ERROR | FILE, &["/a", "/missing"])?;
            let mut listener = Listener::new(rig, &[&id])?;
            rig.run(&id, JobState::Error)?;
            listener.take(&id, "FileTransferred 0")?;
            listener.take(&id, "JobError")
        }),
    ]
}

/// The next modification that this is true of; those before it are about something else.
fn modified(
    listener: &mut Listener<'_>,
    id: &str,
    is_it: impl Fn(&v1::JobModified) -> Result<bool>,
) -> Result<()> {
    loop {
        let told = listener.expect(id, "JobModification")?;
        let Event::Modified(modified) = &told.event else { bail!("{told:?}") };
        same(told.id, 0)?;
        if is_it(modified)? {
            return Ok(());
        }
    }
}

fn at_most_once() -> Vec<Row> {
    vec![
        holds(
            "9.4",
            "JobModification tells of properties, files, states and bytes, and waits for no answer",
            |rig| {
                let properties = v1::JobProperties {
                    minimum_notification_interval_ms: Some(1),
                    notify_flags: Some(MODIFICATION),
                    ..urgent()
                };
                let id = rig.create(properties)?.job_id;
                let mut listener = Listener::new(rig, &[&id])?;
                let description = Some("new".to_owned());
                rig.set(&id, v1::JobProperties { description: description.clone(), ..Default::default() })?;
                modified(&mut listener, &id, |it| {
                    Ok(it.properties.as_ref().is_some_and(|it| it.description == description))
                })?;
                rig.add(&id, rig.file("/slow"))?;
                modified(&mut listener, &id, |it| Ok(it.files_total == 1))?;
                rig.resume(&id)?;
                modified(&mut listener, &id, |_| Ok(rig.get(&id)?.state() != JobState::Suspended))?;
                let bytes = |rig: &Rig<'_>| -> Result<u64> {
                    Ok(rig.get(&id)?.progress.unwrap_or_default().bytes_transferred)
                };
                modified(&mut listener, &id, |_| Ok(bytes(rig)? > 0))?;
                let before = bytes(rig)?;
                modified(&mut listener, &id, |_| Ok(bytes(rig)? > before))?;
                rig.cancel(&id)?;
                Ok(())
            },
        ),
        holds("9.4", "modifications within the interval are merged into one", |rig| {
            let properties = v1::JobProperties {
                minimum_notification_interval_ms: Some(3_600_000),
                notify_flags: Some(TRANSFERRED | MODIFICATION),
                ..urgent()
            };
            let id = rig.create(properties)?.job_id;
            let mut listener = Listener::new(rig, &[&id])?;
            for step in 0..9 {
                let description = Some(step.to_string());
                rig.set(&id, v1::JobProperties { description, ..Default::default() })?;
            }
            rig.add(&id, rig.file("/a"))?;
            listener.expect(&id, "JobModification")?;
            rig.resume(&id)?;
            listener.take(&id, "JobTransferred")
        }),
        holds("9.4", "the interval is 500 ms by default", |rig| {
            let properties = rig.get(&rig.job(&[])?)?.properties.unwrap_or_default();
            same(properties.minimum_notification_interval_ms, Some(500))
        }),
        left_out(
            "9.4",
            "no JobModification for the change to ERROR or TRANSFERRED itself",
            "seen from outside it is merged with that of the last bytes; jobs/tests/jobs/notices.rs has it",
        ),
        holds("9.4", "FileRangesTransferred repeats no byte, and all together are the file", |rig| {
            let content = Content::new(random_bytes(320, 3 << 20), "told");
            rig.server.page("/told", move |ask| content.answer(ask).at_rate(1 << 20));
            let id = flagged(rig, TRANSFERRED | RANGES, &["/told"])?;
            let mut listener = Listener::new(rig, &[&id])?;
            rig.resume(&id)?;
            let mut ranges = Vec::new();
            let end = loop {
                let told = listener.next()?;
                let Event::FileRangesTransferred(it) = &told.event else { break told };
                same((told.id, it.file_index), (0, 0))?;
                ranges.extend(it.ranges.iter().map(|range| (range.offset, range.length.unwrap_or_default())));
            };
            same(end.name().as_str(), "JobTransferred")?;
            ensure!(ranges.len() > 1, "told only once: {ranges:?}");
            ranges.sort_unstable();
            let mut reached = 0;
            for (offset, length) in &ranges {
                same(*offset, reached)?;
                reached = offset + length;
            }
            same(reached, 3 << 20)
        }),
        left_out(
            "9.4",
            "FileTransferred is raised again when a copy of a peer was declared invalid",
            "it needs a second machine; jobs/tests/jobs/validation.rs has it",
        ),
    ]
}

fn more_facts() -> Vec<Row> {
    vec![
        holds("9.4", "at most four callbacks of an owner wait for their answers", |rig| {
            let jobs: Vec<String> = (0..6).map(|_| transferred(rig, TRANSFERRED)).collect::<Result<_>>()?;
            let last = flagged(rig, MODIFICATION, &[])?;
            let all: Vec<&str> = jobs.iter().chain([&last]).map(String::as_str).collect();
            let mut listener = Listener::new(rig, &all)?;
            let mut waiting = Vec::new();
            for _ in 0..4 {
                waiting.push(listener.next()?);
            }
            let mut others = jobs.clone();
            for round in 0..2 {
                // A modification, which waits for nothing, is told although a fifth event is owed.
                let description = Some(round.to_string());
                rig.set(&last, v1::JobProperties { description, ..Default::default() })?;
                listener.expect(&last, "JobModification")?;
                let first = waiting.remove(0);
                same(answer(rig, &first, false)?, SuccessCode::SOk)?;
                waiting.push(listener.next()?);
                others.retain(|job| *job != first.job);
            }
            for told in &waiting {
                same(told.name().as_str(), "JobTransferred")?;
                same(answer(rig, told, false)?, SuccessCode::SOk)?;
                others.retain(|job| *job != told.job);
            }
            same(others, Vec::new())
        }),
        left_out(
            "9.4",
            "a blocked handler starves its own user alone",
            "it needs a second user who is served; jobs/tests/jobs/delivery.rs has it",
        ),
        holds("9.4", "a handler may call Complete before it returns", |rig| {
            let id = transferred(rig, TRANSFERRED)?;
            let told = Listener::new(rig, &[&id])?.expect(&id, "JobTransferred")?;
            same(rig.complete(&id)?.code(), SuccessCode::SOk)?;
            same(answer(rig, &told, false)?, SuccessCode::SFalse)
        }),
        holds("9.4", "a handler may call Cancel before it returns", |rig| {
            let id = flagged(rig, TRANSFERRED | FILE, &["/a", "/slow"])?;
            let mut listener = Listener::new(rig, &[&id])?;
            rig.resume(&id)?;
            let told = listener.expect(&id, "FileTransferred 0")?;
            rig.cancel(&id)?;
            same(answer(rig, &told, false)?, SuccessCode::SFalse)
        }),
        holds("9.4", "a handler of an error may mend the job and call Resume before it returns", |rig| {
            let id = rig.at(Place::Error)?;
            let mut listener = Listener::new(rig, &[&id])?;
            let told = listener.expect(&id, "JobError")?;
            let remote_url = rig.url("/a");
            let request = v1::SetRemoteNameRequest { job_id: id.clone(), file_index: 0, remote_url };
            ask!(rig, set_remote_name, request)?;
            rig.resume(&id)?;
            same(answer(rig, &told, false)?, SuccessCode::SFalse)?;
            listener.take(&id, "JobTransferred")
        }),
        holds("9.4", "a callback brings the job as it is, also the file and where it lies", |rig| {
            let id = flagged(rig, TRANSFERRED | FILE, &["/a"])?;
            rig.run(&id, JobState::Transferred)?;
            let mut listener = Listener::new(rig, &[&id])?;
            let told = listener.expect(&id, "FileTransferred 0")?;
            let Event::FileTransferred(it) = &told.event else { bail!("{told:?}") };
            same(it.file.clone(), Some(rig.first_file(&id)?))?;
            answer(rig, &told, false)?;
            let told = listener.expect(&id, "JobTransferred")?;
            let Event::JobTransferred(it) = &told.event else { bail!("{told:?}") };
            same(it.progress.unwrap_or_default().bytes_transferred, SIZE)
        }),
        holds("9.4", "an answer to no event is S_FALSE", |rig| {
            let id = transferred(rig, TRANSFERRED)?;
            let mut listener = Listener::new(rig, &[&id])?;
            let told = listener.expect(&id, "JobTransferred")?;
            same(answer(rig, &told, false)?, SuccessCode::SOk)?;
            for rejected in [false, true] {
                same(answer(rig, &told, rejected)?, SuccessCode::SFalse)?;
            }
            let request = v1::AcknowledgeEventRequest { event_id: 0, rejected: false };
            same(ask!(rig, acknowledge_event, request)?.code(), SuccessCode::SFalse)
        }),
        holds("9.4", "a client that does not read its events holds up no call", |rig| {
            let id = flagged(rig, TRANSFERRED | MODIFICATION | FILE | RANGES, &["/a"])?;
            let _idle = Listener::new(rig, &[&id])?;
            rig.run(&id, JobState::Transferred)?;
            until("the job to be completed", Duration::from_secs(60), || {
                Ok((rig.complete(&id)?.code() == SuccessCode::SOk).then_some(()))
            })
        }),
    ]
}
