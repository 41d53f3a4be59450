//! Ranges, on-demand transfer, replacement of remote names.

use anyhow::{Result, ensure};
use dray_api::v1::{self, JobState, SuccessCode};
use dray_tests::{Content, random_bytes};

use crate::rig::{MODIFIED, Place, Rig, SIZE, ask, refused, same, urgent};
use crate::table::{Row, holds, left_out};

fn range(offset: u64, length: u64) -> v1::FileRange {
    v1::FileRange { offset, length: Some(length) }
}

fn rest(offset: u64) -> v1::FileRange {
    v1::FileRange { offset, length: None }
}

/// A job with a file of these ranges of a page.
fn packed(rig: &Rig<'_>, page: &str, ranges: &[v1::FileRange]) -> Result<String> {
    let id = rig.job(&[])?;
    rig.add(&id, v1::NewFile { ranges: ranges.to_vec(), ..rig.file(page) })?;
    Ok(id)
}

fn refused_ranges(rig: &Rig<'_>, ranges: &[v1::FileRange], code: &str) -> Result<()> {
    let id = rig.job(&[])?;
    refused(rig.add(&id, v1::NewFile { ranges: ranges.to_vec(), ..rig.file("/a") }), code)
}

fn code_of_error(rig: &Rig<'_>, id: &str) -> Result<String> {
    rig.run(id, JobState::Error)?;
    Ok(rig.error(id)?.detail.unwrap_or_default().name)
}

fn request(id: &str, ranges: &[v1::FileRange]) -> v1::RequestFileRangesRequest {
    v1::RequestFileRangesRequest { job_id: id.to_owned(), file_index: 0, ranges: ranges.to_vec() }
}

fn position(id: &str, offset: u64) -> v1::UpdateDownloadPositionRequest {
    v1::UpdateDownloadPositionRequest { job_id: id.to_owned(), file_index: 0, offset }
}

fn filled(id: &str) -> v1::GetFilledFileRangesRequest {
    v1::GetFilledFileRangesRequest { job_id: id.to_owned(), file_index: 0 }
}

fn prefix(id: &str, old: &str, new: &str) -> v1::ReplaceRemotePrefixRequest {
    v1::ReplaceRemotePrefixRequest {
        job_id: id.to_owned(),
        old_prefix: old.to_owned(),
        new_prefix: new.to_owned(),
    }
}

fn name(id: &str, url: &str) -> v1::SetRemoteNameRequest {
    v1::SetRemoteNameRequest { job_id: id.to_owned(), file_index: 0, remote_url: url.to_owned() }
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = packed_ranges();
    rows.extend(random_access());
    rows.extend(remote_names());
    rows
}

fn packed_ranges() -> Vec<Row> {
    vec![
        holds("8.1", "a range begins anywhere but at 2^64 - 1", |rig| {
            refused_ranges(rig, &[range(u64::MAX, 1)], "BG_E_INVALID_RANGE")?;
            packed(rig, "/a", &[range(u64::MAX - 1, 1)]).map(drop)
        }),
        holds("8.1", "a range has at least one byte, and ends before 2^64", |rig| {
            refused_ranges(rig, &[range(5, 0)], "BG_E_INVALID_RANGE")?;
            refused_ranges(rig, &[range(u64::MAX - 1, 9)], "BG_E_INVALID_RANGE")
        }),
        holds("8.1", "ranges do not overlap, in whatever order they stand", |rig| {
            for ranges in [
                [range(0, 10), range(9, 1)],
                [range(9, 5), range(0, 10)],
                [range(3, 1), range(3, 1)],
                [range(100, 5), range(100, 2)],
                [rest(0), range(5, 1)],
                [rest(5), rest(9)],
            ] {
                refused_ranges(rig, &ranges, "BG_E_OVERLAPPING_RANGES")?;
            }
            Ok(())
        }),
        holds("8.1", "ranges may touch", |rig| {
            packed(rig, "/a", &[range(0, 100), range(100, 100)]).map(drop)
        }),
        holds("8.1", "ranges are written back to back in the order given", |rig| {
            let id = packed(rig, "/a", &[range(100, 100), range(900, 100), range(400, 100)])?;
            rig.run(&id, JobState::Transferred)?;
            let path = rig.first_file(&id)?.local_path;
            rig.complete(&id)?;
            let bytes = &rig.content.bytes;
            let expected = [&bytes[100..200], &bytes[900..1000], &bytes[400..500]].concat();
            ensure!(std::fs::read(path)? == expected, "not those bytes");
            Ok(())
        }),
        holds("8.1", "a range to the end may stand anywhere in the list", |rig| {
            let id = packed(rig, "/a", &[range(24, 17), rest(99_000), range(83, 7)])?;
            rig.run(&id, JobState::Transferred)?;
            let path = rig.first_file(&id)?.local_path;
            rig.complete(&id)?;
            let bytes = &rig.content.bytes;
            let expected = [&bytes[24..41], &bytes[99_000..], &bytes[83..90]].concat();
            ensure!(std::fs::read(path)? == expected, "not those bytes");
            Ok(())
        }),
        holds("8.1", "a range beyond the file is an error of the job after Resume", |rig| {
            for beyond in [range(SIZE - 1, 2), range(SIZE + 1, 1), rest(SIZE + 1)] {
                same(code_of_error(rig, &packed(rig, "/a", &[beyond])?)?.as_str(), "BG_E_INVALID_RANGE")?;
            }
            Ok(())
        }),
        holds("8.1", "a server without ranges is BG_E_INSUFFICIENT_RANGE_SUPPORT", |rig| {
            let id = rig.create(v1::JobProperties::default())?.job_id;
            rig.add(&id, v1::NewFile { ranges: vec![range(10, 10)], ..rig.file("/plain") })?;
            same(code_of_error(rig, &id)?.as_str(), "BG_E_INSUFFICIENT_RANGE_SUPPORT")?;
            // As long as the file is small, the foreground needs no ranges (10.7).
            rig.set(&id, urgent())?;
            rig.run(&id, JobState::Transferred)?;
            let asked = rig.server.asks("/plain").last().and_then(dray_tests::Ask::range);
            same(asked, None)?;
            let path = rig.first_file(&id)?.local_path;
            rig.complete(&id)?;
            ensure!(std::fs::read(path)? == rig.content.bytes[10..20], "not those bytes");
            Ok(())
        }),
        holds("8.1", "the total is the sum of the ranges, unknown with one to the end", |rig| {
            let id = packed(rig, "/a", &[range(0, 100), range(200, 50)])?;
            same(rig.get(&id)?.progress.unwrap_or_default().bytes_total, Some(150))?;
            let id = packed(rig, "/a", &[range(0, 100), rest(200)])?;
            same(rig.get(&id)?.progress.unwrap_or_default().bytes_total, None)
        }),
        holds("8.1", "a whole file and one with ranges may be in one job", |rig| {
            let id = packed(rig, "/a", &[range(0, 100)])?;
            rig.add(&id, rig.file("/a"))?;
            rig.run(&id, JobState::Transferred)?;
            same(rig.get(&id)?.progress.unwrap_or_default().bytes_total, Some(100 + SIZE))
        }),
        left_out(
            "8.1",
            "BG_E_TOO_MANY_RANGES_IN_FILE above 500",
            "the daemon's own user is an administrator and so exempt; jobs/tests/jobs/limits.rs has it",
        ),
        left_out("8.1", "E_INVALIDARG for a count of 0", "in the proto, no ranges are the whole file"),
        left_out("8.1", "E_NOTIMPL for uploads", "uploads belong to another stretch"),
        holds("8.2", "GetFileRanges gives what was asked, in that order", |rig| {
            let asked = [range(24, 17), rest(111), range(83, 7)];
            let job_id = packed(rig, "/a", &asked)?;
            let answer = ask!(rig, get_file_ranges, v1::GetFileRangesRequest { job_id, file_index: 0 })?;
            same((answer.code(), answer.ranges), (SuccessCode::SOk, asked.to_vec()))
        }),
        holds("8.2", "what RequestFileRanges asked for is not in GetFileRanges", |rig| {
            let job_id = rig.job(&["/a"])?;
            ask!(rig, request_file_ranges, request(&job_id, &[range(0, 9)]))?;
            let answer = ask!(rig, get_file_ranges, v1::GetFileRangesRequest { job_id, file_index: 0 })?;
            same((answer.code(), answer.ranges.len()), (SuccessCode::SFalse, 0))
        }),
        holds("8.3", "a file added with ranges has no random access", |rig| {
            let id = packed(rig, "/a", &[range(0, 100)])?;
            let code = "BG_E_RANDOM_ACCESS_NOT_SUPPORTED";
            refused(ask!(rig, request_file_ranges, request(&id, &[range(0, 1)])), code)?;
            refused(ask!(rig, update_download_position, position(&id, 0)), code)?;
            refused(ask!(rig, get_filled_file_ranges, filled(&id)), code)
        }),
    ]
}

fn random_access() -> Vec<Row> {
    vec![
        holds("8.4", "dynamic content has no random access", |rig| {
            let id = rig.at(Place::Queued)?;
            let code = "BG_E_RANDOM_ACCESS_NOT_SUPPORTED";
            refused(ask!(rig, request_file_ranges, request(&id, &[range(0, 1)])), code)?;
            refused(ask!(rig, update_download_position, position(&id, 0)), code)
        }),
        holds("8.4", "requests may overlap each other and what is there", |rig| {
            let id = rig.job(&["/a"])?;
            ask!(rig, request_file_ranges, request(&id, &[range(10, 10), range(15, 10), range(10, 1)]))?;
            ask!(rig, request_file_ranges, request(&id, &[range(0, 12)]))?;
            same(rig.first_file(&id)?.requested_ranges, vec![range(0, 25)])
        }),
        holds("8.4", "a request that is none is refused at the call", |rig| {
            let id = rig.job(&["/a"])?;
            refused(ask!(rig, request_file_ranges, request(&id, &[])), "E_INVALIDARG")?;
            for bad in [range(0, 0), range(u64::MAX, 1), range(u64::MAX - 1, 9)] {
                refused(ask!(rig, request_file_ranges, request(&id, &[bad])), "BG_E_INVALID_RANGE")?;
            }
            refused(ask!(rig, update_download_position, position(&id, u64::MAX)), "BG_E_INVALID_RANGE")
        }),
        holds("8.4", "outside of a file whose size is known is BG_E_INVALID_RANGE", |rig| {
            let id = rig.at(Place::Transferred)?;
            ask!(rig, request_file_ranges, request(&id, &[range(SIZE - 1, 1)]))?;
            refused(
                ask!(rig, request_file_ranges, request(&id, &[range(SIZE - 1, 2)])),
                "BG_E_INVALID_RANGE",
            )?;
            refused(ask!(rig, update_download_position, position(&id, SIZE)), "BG_E_INVALID_RANGE")
        }),
        holds("8.4", "the calls change no state, in any state", |rig| {
            for place in [
                Place::Suspended,
                Place::Connecting,
                Place::Transferring,
                Place::TransientError,
                Place::Error,
                Place::Transferred,
            ] {
                let id = rig.at(place)?;
                same(ask!(rig, request_file_ranges, request(&id, &[range(0, 9)]))?.state(), place.state())?;
                ask!(rig, update_download_position, position(&id, 5))?;
                same(rig.get(&id)?.state(), place.state())?;
                rig.cancel(&id)?;
            }
            for place in [Place::Acknowledged, Place::Cancelled] {
                let id = rig.at(place)?;
                refused(ask!(rig, request_file_ranges, request(&id, &[range(0, 9)])), "BG_E_NOT_FOUND")?;
                refused(ask!(rig, update_download_position, position(&id, 5)), "BG_E_NOT_FOUND")?;
            }
            Ok(())
        }),
        holds("8.4", "GetFilledFileRanges is nothing before and everything at the end", |rig| {
            let id = rig.job(&["/a"])?;
            same(ask!(rig, get_filled_file_ranges, filled(&id))?.ranges, Vec::new())?;
            rig.run(&id, JobState::Transferred)?;
            same(ask!(rig, get_filled_file_ranges, filled(&id))?.ranges, vec![range(0, SIZE)])
        }),
        holds("8.4", "in a job that is not on demand the rest of the file follows", |rig| {
            let id = rig.job(&["/a"])?;
            ask!(rig, request_file_ranges, request(&id, &[range(50_000, 9)]))?;
            rig.run(&id, JobState::Transferred)?;
            same(rig.get(&id)?.progress.unwrap_or_default().bytes_transferred, SIZE)
        }),
        holds("8.5", "a file that changed on its server starts over, and is whole", |rig| {
            let versions = ["one", "two"].map(|etag| {
                let seed = if etag == "one" { 310 } else { 311 };
                Content::new(random_bytes(seed, 4 << 20), etag)
            });
            let new = versions[1].bytes.to_vec();
            rig.server.page("/changes", move |ask| match ask.nth {
                0 => versions[0].answer(ask).at_rate(1 << 20),
                _ => versions[1].answer(ask),
            });
            let id = rig.job(&["/changes"])?;
            rig.run(&id, JobState::Transferring)?;
            dray_tests::until("a megabyte", std::time::Duration::from_secs(60), || {
                let progress = rig.get(&id)?.progress.unwrap_or_default();
                Ok((progress.bytes_transferred > 1 << 20).then_some(()))
            })?;
            rig.suspend(&id)?;
            rig.run(&id, JobState::Transferred)?;
            let path = rig.first_file(&id)?.local_path;
            rig.complete(&id)?;
            ensure!(std::fs::read(path)? == new, "not the new version");
            Ok(())
        }),
    ]
}

fn remote_names() -> Vec<Row> {
    vec![
        holds("8.6", "SetRemoteName changes one file, whatever the scheme", |rig| {
            let id = rig.job(&["/a", "/b"])?;
            ask!(rig, set_remote_name, name(&id, "https://host/c"))?;
            let urls: Vec<String> = rig.files(&id)?.into_iter().map(|file| file.remote_url).collect();
            same(urls, vec!["https://host/c".to_owned(), rig.url("/b")])
        }),
        holds("8.6", "SetRemoteName of what is no URL is E_INVALIDARG", |rig| {
            let id = rig.job(&["/a"])?;
            for url in ["", "a", "ftp://host/a", &format!("http://h/{}", "x/".repeat(1100))] {
                refused(ask!(rig, set_remote_name, name(&id, url)), "E_INVALIDARG")?;
            }
            same(rig.first_file(&id)?.remote_url, rig.url("/a"))
        }),
        holds("8.6", "ReplaceRemotePrefix changes every file that begins so, letter by letter", |rig| {
            let id = rig.job(&["/x/a", "/X/b", "/x/c"])?;
            let code =
                ask!(rig, replace_remote_prefix, prefix(&id, &rig.url("/x/"), "https://host/y/"))?.code();
            same(code, SuccessCode::SOk)?;
            let urls: Vec<String> = rig.files(&id)?.into_iter().map(|file| file.remote_url).collect();
            same(urls, vec!["https://host/y/a".to_owned(), rig.url("/X/b"), "https://host/y/c".to_owned()])
        }),
        holds("8.6", "ReplaceRemotePrefix with nothing that matches is S_FALSE", |rig| {
            let id = rig.job(&["/a"])?;
            let code = ask!(rig, replace_remote_prefix, prefix(&id, "http://nobody/", "http://b/"))?.code();
            same(code, SuccessCode::SFalse)
        }),
        holds(
            "8.6",
            "an empty prefix, or one that makes no URL, is E_INVALIDARG and changes nothing",
            |rig| {
                let id = rig.job(&["/a"])?;
                for (old, new) in [("", "http://b/"), ("http://", ""), ("http://", "ftp://"), ("", "")] {
                    refused(ask!(rig, replace_remote_prefix, prefix(&id, old, new)), "E_INVALIDARG")?;
                }
                same(rig.first_file(&id)?.remote_url, rig.url("/a"))
            },
        ),
        holds("8.6", "both calls keep the state, and find no job that has ended", |rig| {
            for place in [Place::Suspended, Place::Transferring, Place::Error, Place::Transferred] {
                let id = rig.at(place)?;
                ask!(rig, set_remote_name, name(&id, &rig.url("/slow?again")))?;
                ask!(rig, replace_remote_prefix, prefix(&id, &rig.url("/slow"), &rig.url("/slow")))?;
                same(rig.get(&id)?.state(), place.state())?;
                rig.cancel(&id)?;
            }
            let id = rig.at(Place::Cancelled)?;
            refused(ask!(rig, set_remote_name, name(&id, &rig.url("/a"))), "BG_E_NOT_FOUND")?;
            refused(ask!(rig, replace_remote_prefix, prefix(&id, "http:", "https:")), "BG_E_NOT_FOUND")
        }),
        holds("8.6", "a file that has arrived is never fetched again", |rig| {
            let id = rig.at(Place::Transferred)?;
            ask!(rig, set_remote_name, name(&id, &rig.url("/never")))?;
            rig.resume(&id)?;
            same(rig.get(&id)?.state(), JobState::Transferred)?;
            rig.complete(&id)?;
            same(rig.server.asks("/never").len(), 0)
        }),
        holds(
            "8.6",
            "a file in progress whose new place has another version starts over, and is whole",
            |rig| {
                let (here, there) = (
                    Content::new(random_bytes(312, 4 << 20), "here"),
                    Content::new(random_bytes(313, 4 << 20), "there"),
                );
                let bytes = there.bytes.to_vec();
                rig.server.page("/here", move |ask| here.answer(ask).at_rate(1 << 20));
                rig.server.page("/there", move |ask| there.answer(ask));
                let id = rig.job(&["/here"])?;
                rig.run(&id, JobState::Transferring)?;
                dray_tests::until("a megabyte", std::time::Duration::from_secs(60), || {
                    let progress = rig.get(&id)?.progress.unwrap_or_default();
                    Ok((progress.bytes_transferred > 1 << 20).then_some(()))
                })?;
                rig.suspend(&id)?;
                ask!(rig, set_remote_name, name(&id, &rig.url("/there")))?;
                rig.run(&id, JobState::Transferred)?;
                let path = rig.first_file(&id)?.local_path;
                rig.complete(&id)?;
                ensure!(std::fs::read(path)? == bytes, "not the file of the new place");
                Ok(())
            },
        ),
        holds(
            "8.6",
            "a file in progress goes on at a new place with the same size and time stamp, by either call",
            |rig| {
                let dated = |etag: &str| Content {
                    last_modified: Some(MODIFIED.to_owned()),
                    ..Content::new(random_bytes(314, 4 << 20), etag)
                };
                let (here, there) = (dated("of one server"), dated("of another"));
                rig.server.page("/same/here", move |ask| here.answer(ask).at_rate(1 << 20));
                for place in ["/named", "/prefixed"] {
                    let there = there.clone();
                    rig.server.page(place, move |ask| there.answer(ask));
                    let id = half_of(rig, "/same/here")?;
                    if place == "/named" {
                        rig.suspend(&id)?;
                        ask!(rig, set_remote_name, name(&id, &rig.url(place)))?;
                        rig.resume(&id)?;
                    } else {
                        let moved = prefix(&id, &rig.url("/same/here"), &rig.url(place));
                        ask!(rig, replace_remote_prefix, moved)?;
                    }
                    rig.wait_for(&id, JobState::Transferred)?;
                    let first = rig.server.asks(place).first().and_then(dray_tests::Ask::range);
                    ensure!(first.is_some_and(|(from, _)| from > 1 << 19), "it started over: {first:?}");
                    let path = rig.first_file(&id)?.local_path;
                    rig.complete(&id)?;
                    ensure!(std::fs::read(path)? == there_bytes(), "not the file");
                }
                Ok(())
            },
        ),
        holds(
            "8.4",
            "in on-demand mode only what was asked for is transferred, and the job ends SUSPENDED",
            |rig| {
                let id = on_demand(rig)?;
                ask!(rig, request_file_ranges, request(&id, &[range(50_000, 9), range(10, 10)]))?;
                rig.resume(&id)?;
                rig.wait_for(&id, JobState::Suspended)?;
                same(
                    ask!(rig, get_filled_file_ranges, filled(&id))?.ranges,
                    vec![range(10, 10), range(50_000, 9)],
                )?;
                same(rig.get(&id)?.progress.unwrap_or_default().bytes_transferred, 19)?;
                let temporary = std::fs::read(rig.first_file(&id)?.temporary_path)?;
                same(&temporary[50_000..50_009], &rig.content.bytes[50_000..50_009])
            },
        ),
        holds(
            "8.4",
            "a new request followed by Resume continues, and the whole file in the end is TRANSFERRED",
            |rig| {
                let id = on_demand(rig)?;
                ask!(rig, request_file_ranges, request(&id, &[range(0, 1000)]))?;
                rig.resume(&id)?;
                rig.wait_for(&id, JobState::Suspended)?;
                ask!(rig, request_file_ranges, request(&id, &[rest(900)]))?;
                rig.run(&id, JobState::Transferred)?;
                let path = rig.first_file(&id)?.local_path;
                rig.complete(&id)?;
                ensure!(std::fs::read(path)? == rig.content.bytes[..], "not the file");
                Ok(())
            },
        ),
        holds("8.4", "on demand of a server without ranges is BG_E_RANDOM_ACCESS_NOT_SUPPORTED", |rig| {
            let id = rig.create(v1::JobProperties { on_demand_mode: Some(true), ..urgent() })?.job_id;
            rig.add(&id, rig.file("/plain"))?;
            ask!(rig, request_file_ranges, request(&id, &[range(50_000, 9)]))?;
            rig.run(&id, JobState::Error)?;
            let error = rig.error(&id)?.detail.unwrap_or_default();
            same(error.name.as_str(), "BG_E_RANDOM_ACCESS_NOT_SUPPORTED")
        }),
        holds("8.4", "what was asked for comes first, and then the rest, whichever call asked", |rig| {
            for call in ["RequestFileRanges", "UpdateDownloadPosition"] {
                let id = rig.at(Place::Transferring)?;
                let end = (32_u64 << 20) - 1000;
                if call == "RequestFileRanges" {
                    ask!(rig, request_file_ranges, request(&id, &[range(end, 1000)]))?;
                } else {
                    ask!(rig, update_download_position, position(&id, end))?;
                }
                dray_tests::until(call, std::time::Duration::from_secs(20), || {
                    let there = ask!(rig, get_filled_file_ranges, filled(&id))?.ranges;
                    Ok(there.last().is_some_and(|last| last.offset == end).then_some(()))
                })?;
                let there = rig.get(&id)?.progress.unwrap_or_default().bytes_transferred;
                ensure!(there < 24 << 20, "nearly all was there: {there}");
                same(rig.get(&id)?.state(), JobState::Transferring)?;
                rig.cancel(&id)?;
            }
            Ok(())
        }),
    ]
}

/// A job that has fetched a part of a page of 4 MiB, and more than half a mebibyte of it.
fn half_of(rig: &Rig<'_>, page: &str) -> Result<String> {
    let id = rig.job(&[page])?;
    rig.run(&id, JobState::Transferring)?;
    dray_tests::until("a part", std::time::Duration::from_secs(60), || {
        let there = ask!(rig, get_filled_file_ranges, filled(&id))?.ranges;
        Ok((there.iter().filter_map(|range| range.length).sum::<u64>() > 3 << 19).then_some(()))
    })?;
    Ok(id)
}

fn there_bytes() -> Vec<u8> {
    random_bytes(314, 4 << 20)
}

/// A job in on-demand mode with the bytes of `/a`, on a page that is not in the cache.
fn on_demand(rig: &Rig<'_>) -> Result<String> {
    let id = rig.create(v1::JobProperties { on_demand_mode: Some(true), ..urgent() })?.job_id;
    let (page, content) = (format!("/on-demand/{id}"), rig.content.clone());
    rig.server.page(&page, move |ask| content.answer(ask));
    rig.add(&id, rig.file(&page))?;
    Ok(id)
}
