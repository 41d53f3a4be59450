//! IBackgroundCopyJob.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Result, ensure};
use dray_api::v1::{self, JobPriority, JobState, SuccessCode};
use dray_tests::Content;

use crate::rig::{MODIFIED, MODIFIED_S, Place, Rig, SIZE, refused, same, urgent};
use crate::table::{Row, holds, left_out};

/// When something happened.
type Time = prost_types::Timestamp;

fn none() -> v1::JobProperties {
    v1::JobProperties::default()
}

/// A file that differs from a good one.
fn refused_file(rig: &Rig<'_>, code: &str, bend: impl Fn(&mut v1::NewFile)) -> Result<()> {
    let id = rig.job(&[])?;
    let mut file = rig.file("/a");
    bend(&mut file);
    refused(rig.add(&id, file), code)?;
    same(rig.files(&id)?.len(), 0)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = properties();
    rows.extend(adding());
    rows.extend(what_happens_to_files());
    rows
}

fn properties() -> Vec<Row> {
    vec![
        holds("3.1", "a display name is set and read, with at most 256 characters", |rig| {
            let id = rig.job(&[])?;
            let name = |length| v1::JobProperties { display_name: Some("x".repeat(length)), ..none() };
            same(rig.set(&id, name(256))?.display_name().len(), 256)?;
            refused(rig.set(&id, name(257)), "BG_E_STRING_TOO_LONG")
        }),
        holds("3.1", "a description has at most 1,024 characters", |rig| {
            let id = rig.job(&[])?;
            let text = |length| v1::JobProperties { description: Some("\u{e4}".repeat(length)), ..none() };
            same(rig.set(&id, text(1024))?.description().chars().count(), 1024)?;
            refused(rig.set(&id, text(1025)), "BG_E_STRING_TOO_LONG")
        }),
        holds("3.1", "every priority is set and read; an undefined one is E_NOTIMPL", |rig| {
            let id = rig.job(&[])?;
            let priority = |number| v1::JobProperties { priority: Some(number), ..none() };
            for number in 1..=4 {
                same(rig.set(&id, priority(number))?.priority, Some(number))?;
            }
            for number in [5, -1, i32::MAX] {
                refused(rig.set(&id, priority(number)), "E_NOTIMPL")?;
            }
            Ok(())
        }),
        holds("3.1", "undefined notify flags are E_NOTIMPL", |rig| {
            let id = rig.job(&[])?;
            let flags = |bits| v1::JobProperties { notify_flags: Some(bits), ..none() };
            same(rig.set(&id, flags(0x3f))?.notify_flags(), 0x3f)?;
            for bits in [0x40, u32::MAX] {
                refused(rig.set(&id, flags(bits)), "E_NOTIMPL")?;
            }
            Ok(())
        }),
        holds("3.1", "a retry delay below 5 s becomes 5 s", |rig| {
            let id = rig.job(&[])?;
            for (asked, set) in [(0, 5), (4, 5), (5, 5), (u32::MAX, u32::MAX)] {
                let delay = v1::JobProperties { minimum_retry_delay_s: Some(asked), ..none() };
                same(rig.set(&id, delay)?.minimum_retry_delay_s(), set)?;
            }
            Ok(())
        }),
        holds("3.1", "a no-progress timeout may be anything, 0 too", |rig| {
            let id = rig.job(&[])?;
            for timeout in [0, u32::MAX] {
                let properties = v1::JobProperties { no_progress_timeout_s: Some(timeout), ..none() };
                same(rig.set(&id, properties)?.no_progress_timeout_s(), timeout)?;
            }
            Ok(())
        }),
        holds("3.1", "properties can be set in every state that is not final", |rig| {
            for place in [
                Place::Empty,
                Place::Suspended,
                Place::Queued,
                Place::Connecting,
                Place::Transferring,
                Place::TransientError,
                Place::Error,
                Place::Transferred,
            ] {
                let id = rig.at(place)?;
                let properties = v1::JobProperties { description: Some("set".to_owned()), ..none() };
                same(rig.set(&id, properties)?.description(), "set")?;
                same(rig.get(&id)?.state(), place.state())?;
                rig.cancel(&id)?;
            }
            Ok(())
        }),
        holds("3.1", "in a final state every setter finds no job", |rig| {
            for place in [Place::Acknowledged, Place::Cancelled] {
                refused(rig.set(&rig.at(place)?, urgent()), "BG_E_NOT_FOUND")?;
            }
            Ok(())
        }),
        holds("3.1", "the owner is who the kernel says", |rig| {
            let uid = fs::metadata(rig.home.path())?.uid().to_string();
            same(rig.create(none())?.owner, uid)
        }),
        holds("3.1", "times: created and modified at once, transferred with the last file", |rig| {
            let id = rig.job(&["/a"])?;
            let seconds = |time: Option<_>| time.map(|time: Time| (time.seconds, time.nanos));
            let times = rig.get(&id)?.times.unwrap_or_default();
            ensure!(
                times.created.is_some() && seconds(times.modified) >= seconds(times.created),
                "{times:?}"
            );
            same(times.transferred, None)?;
            rig.run(&id, JobState::Transferred)?;
            let times = rig.get(&id)?.times.unwrap_or_default();
            ensure!(seconds(times.transferred) >= seconds(times.created), "{times:?}");
            Ok(())
        }),
        left_out("3.1", "SetNotifyInterface", "events are streams: 9.3, in job_notifications.rs"),
        left_out("3.1", "SetProxySettings", "proxies of a job belong to another stretch (10.6)"),
    ]
}

fn adding() -> Vec<Row> {
    vec![
        holds("3.2", "a remote name is http or https", |rig| {
            for url in ["ftp://host/a", "file:///etc/passwd", "\\\\host\\share\\a", "a", "", "http://"] {
                refused_file(rig, "E_INVALIDARG", |file| file.remote_url = url.to_owned())?;
            }
            Ok(())
        }),
        holds("3.2", "a remote name has at most 2,200 characters, a segment 260", |rig| {
            let id = rig.job(&[])?;
            let url = |length: usize| {
                let mut url = rig.url("/");
                while url.len() + 101 <= length {
                    url.push_str(&"x".repeat(100));
                    url.push('/');
                }
                let rest = length - url.len();
                url + &"x".repeat(rest)
            };
            let file = |remote_url| v1::NewFile { remote_url, ..rig.file("/a") };
            rig.add(&id, file(url(2200)))?;
            refused(rig.add(&id, file(url(2201))), "E_INVALIDARG")?;
            rig.add(&id, file(rig.url(&format!("/{}", "x".repeat(260)))))?;
            refused(rig.add(&id, file(rig.url(&format!("/{}", "x".repeat(261))))), "E_INVALIDARG")
        }),
        holds("3.2", "a remote name has only characters that a URL may have", |rig| {
            for end in ["a b", "\u{e4}", "a\nb", "a\u{0}b"] {
                refused_file(rig, "E_INVALIDARG", |file| file.remote_url.push_str(end))?;
            }
            Ok(())
        }),
        holds("3.2", "a local name is an absolute path", |rig| {
            for path in ["", "a", "./a", "../a", "~/a"] {
                refused_file(rig, "E_INVALIDARG", |file| file.local_path = path.to_owned())?;
            }
            Ok(())
        }),
        holds("3.2", "the directory of a local name exists and is one", |rig| {
            refused_file(rig, "ERROR_PATH_NOT_FOUND", |file| file.local_path.push_str("-no/a"))?;
            let downloads = rig.home.downloads().display().to_string();
            refused_file(rig, "ERROR_DIRECTORY", |file| file.local_path = downloads.clone())
        }),
        holds("3.2", "of several files all are added or none", |rig| {
            let id = rig.job(&[])?;
            let bad = v1::NewFile { local_path: "relative".to_owned(), ..rig.file("/a") };
            let request = v1::AddFilesRequest { job_id: id.clone(), files: vec![rig.file("/a"), bad] };
            refused(crate::rig::ask!(rig, add_files, request), "E_INVALIDARG")?;
            let request = v1::AddFilesRequest { job_id: id.clone(), files: Vec::new() };
            refused(crate::rig::ask!(rig, add_files, request), "E_INVALIDARG")?;
            same(rig.files(&id)?.len(), 0)
        }),
        holds("3.2", "files can be added while others transfer", |rig| {
            let id = rig.at(Place::Transferring)?;
            same(rig.add(&id, rig.file("/a"))?, 1)?;
            same(rig.get(&id)?.state(), JobState::Transferring)?;
            rig.cancel(&id)?;
            Ok(())
        }),
        holds("3.2", "what the server has is not looked at before the job is resumed", |rig| {
            rig.job(&["/a-page-that-nobody-asks-for"])?;
            same(rig.server.asks("/a-page-that-nobody-asks-for").len(), 0)
        }),
        holds("3.2", "the modification time of the result is the server's", |rig| {
            // A page of its own: what comes from the cache has another row.
            let content =
                Content { last_modified: Some(MODIFIED.to_owned()), ..Content::new(vec![7; 3000], "dated") };
            rig.server.page("/dated", move |ask| content.answer(ask));
            let id = rig.job(&["/dated"])?;
            rig.run(&id, JobState::Transferred)?;
            let path = rig.first_file(&id)?.local_path;
            rig.complete(&id)?;
            let modified = fs::metadata(path)?.modified()?.duration_since(std::time::UNIX_EPOCH)?;
            same(modified.as_secs(), MODIFIED_S)
        }),
        left_out(
            "3.2",
            "BG_E_TOO_MANY_FILES_IN_JOB",
            "the daemon's own user is an administrator and so exempt; jobs/tests/jobs/limits.rs has it",
        ),
        holds("3.2", "the modification time of a result from the cache is the server's", |rig| {
            let bytes = dray_tests::random_bytes(302, 200_000);
            let content =
                Content { last_modified: Some(MODIFIED.to_owned()), ..Content::new(bytes, "cached") };
            rig.server.page("/cached", move |ask| content.answer(ask));
            for round in 0..2 {
                let id = rig.job(&["/cached"])?;
                rig.run(&id, JobState::Transferred)?;
                let file = rig.first_file(&id)?;
                let cached = file.bytes_by_source.unwrap_or_default().local_cache_bytes;
                same(cached, if round == 0 { 0 } else { 200_000 })?;
                rig.complete(&id)?;
                let modified =
                    fs::metadata(&file.local_path)?.modified()?.duration_since(std::time::UNIX_EPOCH)?;
                same(modified.as_secs(), MODIFIED_S)?;
                // What was delivered first was touched, so that the cache's copy may bear any time.
                fs::OpenOptions::new()
                    .append(true)
                    .open(&file.local_path)?
                    .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(5))?;
            }
            Ok(())
        }),
        left_out("3.2", "files over SMB", "dray has no SMB: E_INVALIDARG"),
        left_out(
            "3.2",
            "strictly one file after the other",
            "dray runs several at once, or one: files_at_once",
        ),
    ]
}

fn what_happens_to_files() -> Vec<Row> {
    vec![
        holds("3.3", "Suspend keeps the part that is there, and Resume goes on with it", |rig| {
            let id = rig.job(&["/slow"])?;
            rig.run(&id, JobState::Transferring)?;
            dray_tests::until("a megabyte", std::time::Duration::from_secs(60), || {
                let progress = rig.get(&id)?.progress.unwrap_or_default();
                Ok((progress.bytes_transferred > 1 << 20).then_some(()))
            })?;
            rig.suspend(&id)?;
            let there = rig.get(&id)?.progress.unwrap_or_default().bytes_transferred;
            ensure!(there > 0, "nothing is kept");
            rig.run(&id, JobState::Transferring)?;
            let now = rig.get(&id)?.progress.unwrap_or_default().bytes_transferred;
            ensure!(now >= there, "{now} bytes after {there}");
            rig.cancel(&id)?;
            Ok(())
        }),
        holds("3.3", "Cancel deletes what arrived and what was on its way", |rig| {
            let id = rig.job(&["/a", "/slow"])?;
            rig.run(&id, JobState::Transferring)?;
            let paths: Vec<String> =
                dray_tests::until("both files", std::time::Duration::from_secs(60), || {
                    let files = rig.files(&id)?;
                    let there = files.iter().all(|file| Path::new(&file.temporary_path).exists());
                    Ok(there.then(|| files.into_iter().map(|file| file.temporary_path).collect()))
                })?;
            same(rig.cancel(&id)?, SuccessCode::SOk)?;
            ensure!(paths.iter().all(|path| !Path::new(path).exists()), "left behind: {paths:?}");
            Ok(())
        }),
        holds("3.3", "Complete gives the files of a TRANSFERRED job their names", |rig| {
            let id = rig.at(Place::Transferred)?;
            let file = rig.first_file(&id)?;
            ensure!(!Path::new(&file.local_path).exists(), "it is visible before");
            let completed = rig.complete(&id)?;
            same((completed.code(), completed.files_completed), (SuccessCode::SOk, 1))?;
            ensure!(fs::read(&file.local_path)? == *rig.content.bytes, "not the file");
            ensure!(!Path::new(&file.temporary_path).exists(), "the temporary file is still there");
            Ok(())
        }),
        holds("3.3", "Complete of a job that is not TRANSFERRED keeps what arrived", |rig| {
            let id = rig.job(&["/a", "/slow"])?;
            rig.resume(&id)?;
            dray_tests::until("the first file", std::time::Duration::from_secs(60), || {
                Ok(rig.first_file(&id)?.progress.unwrap_or_default().transferred.then_some(()))
            })?;
            let files = rig.files(&id)?;
            let completed = rig.complete(&id)?;
            let counts = (completed.files_completed, completed.files_total);
            same((completed.code(), counts), (SuccessCode::BgSPartialComplete, (1, 2)))?;
            let there: Vec<bool> = files.iter().map(|file| Path::new(&file.local_path).exists()).collect();
            same(there, vec![true, false])
        }),
        holds(
            "3.3",
            "when a rename fails the job stays TRANSFERRED, and Complete may be called again",
            |rig| {
                let id = rig.at(Place::Transferred)?;
                let path = rig.first_file(&id)?.local_path;
                fs::create_dir(&path)?;
                ensure!(rig.complete(&id).is_err(), "a directory was replaced");
                same(rig.get(&id)?.state(), JobState::Transferred)?;
                fs::remove_dir(&path)?;
                same(rig.complete(&id)?.code(), SuccessCode::SOk)
            },
        ),
        holds("3.4", "priority can be changed while the job runs", |rig| {
            let id = rig.at(Place::Transferring)?;
            let high = v1::JobProperties { priority: Some(JobPriority::High.into()), ..none() };
            same(rig.set(&id, high)?.priority(), JobPriority::High)?;
            rig.cancel(&id)?;
            Ok(())
        }),
        holds("3.4", "foreground jobs run beside each other", |rig| {
            let ids = [rig.at(Place::Transferring)?, rig.at(Place::Transferring)?];
            for id in ids {
                same(rig.get(&id)?.state(), JobState::Transferring)?;
                rig.cancel(&id)?;
            }
            Ok(())
        }),
        holds("3.4", "a lower level waits for a higher one", |rig| {
            let of = |priority: JobPriority| -> Result<String> {
                let properties = v1::JobProperties { priority: Some(priority.into()), ..none() };
                let id = rig.create(properties)?.job_id;
                rig.add(&id, rig.file("/slow"))?;
                Ok(id)
            };
            let (low, high) = (of(JobPriority::Low)?, of(JobPriority::High)?);
            rig.run(&low, JobState::Transferring)?;
            rig.run(&high, JobState::Transferring)?;
            rig.wait_for(&low, JobState::Queued)?;
            rig.cancel(&high)?;
            rig.wait_for(&low, JobState::Transferring)?;
            rig.cancel(&low)?;
            Ok(())
        }),
        left_out("3.4", "background jobs use idle bandwidth only", "bandwidth belongs to another stretch"),
        left_out(
            "3.3",
            "the file belongs to the caller of Complete",
            "one user is served; job_users.rs has owners",
        ),
        holds("3.3", "a file of no bytes arrives", |rig| {
            rig.server.page("/nothing", |_| dray_tests::Reply::body(200, b""));
            let id = rig.job(&["/nothing"])?;
            rig.run(&id, JobState::Transferred)?;
            same(rig.get(&id)?.progress.unwrap_or_default().bytes_total, Some(0))?;
            rig.complete(&id)?;
            Ok(())
        }),
        holds("3.1", "progress counts files and bytes", |rig| {
            let id = rig.job(&["/a", "/plain"])?;
            same(rig.get(&id)?.progress.unwrap_or_default().bytes_total, None)?;
            rig.run(&id, JobState::Transferred)?;
            let progress = rig.get(&id)?.progress.unwrap_or_default();
            same((progress.bytes_total, progress.bytes_transferred), (Some(2 * SIZE), 2 * SIZE))?;
            same((progress.files_total, progress.files_transferred), (2, 2))
        }),
    ]
}
