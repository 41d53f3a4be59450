//! Files.

use std::path::Path;

use anyhow::ensure;
use dray_api::v1::{self, JobState, SuccessCode};

use crate::rig::{Place, SIZE, ask, refused, same};
use crate::table::{Row, holds, left_out};

fn says(id: &str, file_index: u32, valid: bool) -> v1::SetValidationStateRequest {
    v1::SetValidationStateRequest { job_id: id.to_owned(), file_index, valid }
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        holds("5.1", "remote and local name are as they were given", |rig| {
            let id = rig.job(&[])?;
            let file = rig.file("/a?b=c");
            rig.add(&id, file.clone())?;
            let shown = rig.first_file(&id)?;
            same((shown.remote_url, shown.local_path), (file.remote_url, file.local_path))
        }),
        holds("5.1", "the size of a file is unknown until the server says it", |rig| {
            let id = rig.job(&["/a"])?;
            let before = rig.first_file(&id)?.progress.unwrap_or_default();
            same((before.bytes_total, before.bytes_transferred), (None, 0))?;
            rig.run(&id, JobState::Transferred)?;
            let after = rig.first_file(&id)?.progress.unwrap_or_default();
            same((after.bytes_total, after.bytes_transferred), (Some(SIZE), SIZE))?;
            same((after.transferred, after.completed), (true, false))
        }),
        holds("5.2", "GetFileRanges of a whole file is S_FALSE and empty", |rig| {
            let request = v1::GetFileRangesRequest { job_id: rig.job(&["/a"])?, file_index: 0 };
            let answer = ask!(rig, get_file_ranges, request)?;
            same((answer.code(), answer.ranges.len()), (SuccessCode::SFalse, 0))
        }),
        holds("5.2", "a file that is not there is BG_E_FILE_NOT_FOUND", |rig| {
            for file_index in [1, u32::MAX] {
                let request = v1::GetFileRangesRequest { job_id: rig.job(&["/a"])?, file_index };
                refused(ask!(rig, get_file_ranges, request), "BG_E_FILE_NOT_FOUND")?;
            }
            Ok(())
        }),
        holds(
            "5.3",
            "the temporary file exists once the transfer has begun, beside the destination",
            |rig| {
                let id = rig.job(&["/a"])?;
                same(rig.first_file(&id)?.temporary_path.as_str(), "")?;
                rig.run(&id, JobState::Transferred)?;
                let file = rig.first_file(&id)?;
                let temporary = Path::new(&file.temporary_path);
                same(temporary.parent(), Path::new(&file.local_path).parent())?;
                ensure!(std::fs::read(temporary)? == *rig.content.bytes, "it cannot be read");
                Ok(())
            },
        ),
        holds("5.3", "SetValidationState is E_PENDING until the file has arrived", |rig| {
            for place in [Place::Suspended, Place::Transferring, Place::Error] {
                let id = rig.at(place)?;
                for valid in [true, false] {
                    refused(ask!(rig, set_validation_state, says(&id, 0, valid)), "E_PENDING")?;
                }
                rig.cancel(&id)?;
            }
            Ok(())
        }),
        holds("5.3", "the validation state is unset, then what was said", |rig| {
            let id = rig.at(Place::Transferred)?;
            same(rig.first_file(&id)?.validation_state, None)?;
            same(ask!(rig, set_validation_state, says(&id, 0, true))?.state(), JobState::Transferred)?;
            same(rig.first_file(&id)?.validation_state, Some(true))
        }),
        holds("5.3", "SetValidationState of a file that is not there is BG_E_FILE_NOT_FOUND", |rig| {
            let id = rig.at(Place::Transferred)?;
            refused(ask!(rig, set_validation_state, says(&id, 9, true)), "BG_E_FILE_NOT_FOUND")
        }),
        holds("5.3", "a file that came from the origin did not come from a peer", |rig| {
            let file = rig.first_file(&rig.at(Place::Transferred)?)?;
            same(file.downloaded_from_peer, false)
        }),
        holds("5.4", "the bytes of a file are counted by where they came from", |rig| {
            let file = rig.first_file(&rig.at(Place::Transferred)?)?;
            let sources = file.bytes_by_source.unwrap_or_default();
            let all = sources.origin_bytes + sources.local_cache_bytes + sources.cache_host_bytes;
            same((all, sources.peer_bytes), (SIZE, 0))
        }),
        left_out("5.3", "BG_E_RECORD_DELETED", "no verdict depends on a cache record here"),
        left_out("5.4", "the header block of the last response", "HTTP options belong to another stretch"),
    ]
}
