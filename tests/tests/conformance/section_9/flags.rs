//! 9.1 and 9.2: ways to be told, and which events each job asks for.

use anyhow::ensure;
use dray_api::v1::{self, JobState};
use dray_tests::NotifyProgram;

use super::command::{until_run, with_command};
use super::listener::Listener;
use super::{DISABLE, ERROR, FILE, MODIFICATION, RANGES, TRANSFERRED, flagged, flags, transferred};
use crate::rig::{Place, Rig, ask, refused, same, urgent};
use crate::table::{Row, holds, left_out};

/// Of two jobs whose events have happened, only the second one's are told.
fn only_the_second(rig: &Rig<'_>, first: &str, second: &str, name: &str) -> anyhow::Result<()> {
    let mut listener = Listener::new(rig, &[first, second])?;
    listener.take(second, name)?;
    let fence = transferred(rig, TRANSFERRED)?;
    let mut listener = Listener::new(rig, &[first, second, &fence])?;
    listener.take(&fence, "JobTransferred")
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        holds("9.1", "GetState tells the end of a job that notifies nobody", |rig| {
            transferred(rig, DISABLE).map(drop)
        }),
        left_out(
            "9.1",
            "the callback class",
            "a class of Windows; the notify command is what outlives a client",
        ),
        holds("9.2", "JOB_TRANSFERRED and JOB_ERROR are on by default", |rig| {
            let id = rig.job(&["/a"])?;
            same(rig.get(&id)?.properties.unwrap_or_default().notify_flags(), TRANSFERRED | ERROR)?;
            let mut listener = Listener::new(rig, &[&id])?;
            rig.resume(&id)?;
            // No file, no range and no modification before it.
            listener.take(&id, "JobTransferred")?;
            let id = rig.at(Place::Error)?;
            Listener::new(rig, &[&id])?.take(&id, "JobError")
        }),
        holds("9.2", "without JOB_TRANSFERRED the end of a job is not told", |rig| {
            let (silent, loud) = (transferred(rig, ERROR)?, transferred(rig, TRANSFERRED)?);
            only_the_second(rig, &silent, &loud, "JobTransferred")
        }),
        holds("9.2", "without JOB_ERROR the error of a job is not told", |rig| {
            let silent = flagged(rig, TRANSFERRED, &["/missing"])?;
            rig.run(&silent, JobState::Error)?;
            only_the_second(rig, &silent, &rig.at(Place::Error)?, "JobError")
        }),
        holds("9.2", "TRANSIENT_ERROR raises no JobError", |rig| {
            let id = rig.at(Place::TransientError)?;
            let mut listener = Listener::new(rig, &[&id])?;
            let request =
                v1::SetRemoteNameRequest { job_id: id.clone(), file_index: 0, remote_url: rig.url("/a") };
            ask!(rig, set_remote_name, request)?;
            rig.resume(&id)?;
            listener.take(&id, "JobTransferred")
        }),
        holds("9.2", "with DISABLE no other bit counts", |rig| {
            let all = TRANSFERRED | ERROR | MODIFICATION | FILE | RANGES;
            let silent = flagged(rig, DISABLE | all, &["/a"])?;
            let loud = flagged(rig, TRANSFERRED, &["/a"])?;
            let mut listener = Listener::new(rig, &[&silent, &loud])?;
            rig.run(&silent, JobState::Transferred)?;
            rig.resume(&loud)?;
            listener.take(&loud, "JobTransferred")?;
            // It is owed all the same, to those who ask for it later.
            rig.set(&silent, flags(TRANSFERRED))?;
            listener.take(&silent, "JobTransferred")
        }),
        holds("9.2", "JOB_MODIFICATION tells that a property was set", |rig| {
            let id = flagged(rig, MODIFICATION, &["/a"])?;
            let mut listener = Listener::new(rig, &[&id])?;
            rig.set(&id, v1::JobProperties { description: Some("new".to_owned()), ..Default::default() })?;
            let told = listener.expect(&id, "JobModification")?;
            same(told.id, 0)
        }),
        holds("9.2", "FILE_TRANSFERRED tells of each file", |rig| {
            let id = flagged(rig, FILE, &["/a", "/a"])?;
            rig.run(&id, JobState::Transferred)?;
            let mut listener = Listener::new(rig, &[&id])?;
            let mut names = Vec::new();
            for _ in 0..2 {
                let told = listener.next()?;
                super::listener::answer(rig, &told, false)?;
                names.push(told.name());
            }
            names.sort();
            same(names, vec!["FileTransferred 0".to_owned(), "FileTransferred 1".to_owned()])
        }),
        holds("9.2", "FILE_RANGES_TRANSFERRED tells of bytes that can be read", |rig| {
            let id = flagged(rig, RANGES, &["/a"])?;
            let mut listener = Listener::new(rig, &[&id])?;
            rig.resume(&id)?;
            listener.expect(&id, "FileRangesTransferred").map(drop)
        }),
        holds(
            "9.2",
            "FILE_RANGES_TRANSFERRED is set on any job, and tells of none without random access",
            |rig| {
                let id = flagged(rig, TRANSFERRED | RANGES, &[])?;
                let ranges = vec![v1::FileRange { offset: 10, length: Some(2000) }];
                rig.add(&id, v1::NewFile { ranges, ..rig.file("/a") })?;
                let mut listener = Listener::new(rig, &[&id])?;
                rig.resume(&id)?;
                listener.take(&id, "JobTransferred")?;
                let properties = v1::JobProperties {
                    dynamic_content: Some(true),
                    notify_flags: Some(TRANSFERRED | RANGES),
                    ..urgent()
                };
                let id = rig.create(properties)?.job_id;
                rig.add(&id, rig.file("/a"))?;
                let mut listener = Listener::new(rig, &[&id])?;
                rig.resume(&id)?;
                listener.take(&id, "JobTransferred")
            },
        ),
        holds("9.2", "an undefined bit is E_NOTIMPL and changes nothing", |rig| {
            let id = rig.job(&[])?;
            for bit in 6..32 {
                refused(rig.set(&id, flags(TRANSFERRED | 1 << bit)), "E_NOTIMPL")?;
            }
            same(rig.get(&id)?.properties.unwrap_or_default().notify_flags(), TRANSFERRED | ERROR)
        }),
        holds("9.2", "modifications, files and ranges run no command line", |rig| {
            let program = NotifyProgram::new(rig.home.path(), "flags")?;
            program.succeed()?;
            let silent = with_command(rig, &program, MODIFICATION | FILE | RANGES, "/a")?;
            rig.run(&silent, JobState::Transferred)?;
            let loud = with_command(rig, &program, TRANSFERRED, "/a")?;
            rig.run(&loud, JobState::Transferred)?;
            until_run(&program, 1)?;
            ensure!(program.runs()?[0].contains(&loud), "{:?}", program.runs()?);
            rig.set(&silent, flags(TRANSFERRED))?;
            until_run(&program, 2)
        }),
        holds("9.2", "the flags of a job that has ended cannot be set", |rig| {
            for place in [Place::Acknowledged, Place::Cancelled] {
                // Where BITS says BG_E_INVALID_STATE: such a job is not found any more (7.2).
                refused(rig.set(&rig.at(place)?, flags(TRANSFERRED)), "BG_E_NOT_FOUND")?;
            }
            Ok(())
        }),
    ]
}
