//! IBackgroundCopyError.

use anyhow::ensure;
use dray_api::v1::{self, ErrorContext};

use crate::rig::{Place, ask, refused, same};
use crate::table::{Row, holds, left_out};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        holds("6", "a job that has no error says so", |rig| {
            for place in
                [Place::Empty, Place::Suspended, Place::Queued, Place::Transferring, Place::Transferred]
            {
                let id = rig.at(place)?;
                refused(rig.error(&id), "BG_E_ERROR_INFORMATION_UNAVAILABLE")?;
                same(rig.get(&id)?.error, None)?;
                rig.cancel(&id)?;
            }
            Ok(())
        }),
        holds("6", "an error has code, context, file and protocol", |rig| {
            let id = rig.job(&["/a", "/missing?secret"])?;
            rig.run(&id, v1::JobState::Error)?;
            let error = rig.error(&id)?;
            let detail = error.detail.unwrap_or_default();
            same((detail.name.as_str(), detail.value), ("BG_E_HTTP_ERROR_404", 0x8019_0194))?;
            same(detail.context(), ErrorContext::RemoteFile)?;
            ensure!(!detail.sentence.is_empty(), "no description");
            same((error.file_index, error.protocol.as_str()), (Some(1), "http"))?;
            same(error.remote_url, rig.url("/missing"))
        }),
        holds("6", "a job in TRANSIENT_ERROR has an error too", |rig| {
            let id = rig.at(Place::TransientError)?;
            let detail = rig.error(&id)?.detail.unwrap_or_default();
            same(detail.name.as_str(), "BG_E_HTTP_ERROR_503")
        }),
        holds("6", "a call that is refused makes no error of the job", |rig| {
            let id = rig.job(&[])?;
            refused(rig.resume(&id), "BG_E_EMPTY")?;
            refused(rig.error(&id), "BG_E_ERROR_INFORMATION_UNAVAILABLE")
        }),
        holds("6", "one bad file holds the job, and Complete keeps what arrived", |rig| {
            let id = rig.job(&["/a", "/missing"])?;
            rig.run(&id, v1::JobState::Error)?;
            let completed = rig.complete(&id)?;
            same((completed.files_completed, completed.files_total), (1, 2))
        }),
        holds("6", "another remote name and Resume cure an error of the remote file", |rig| {
            let id = rig.at(Place::Error)?;
            let remote_url = rig.url("/a");
            let request = v1::SetRemoteNameRequest { job_id: id.clone(), file_index: 0, remote_url };
            ask!(rig, set_remote_name, request)?;
            rig.run(&id, v1::JobState::Transferred)?;
            refused(rig.error(&id), "BG_E_ERROR_INFORMATION_UNAVAILABLE")
        }),
        holds("6", "every context has a description", |rig| {
            for context in 1..=9 {
                let request = v1::GetErrorDescriptionRequest { value: 0, context, ..Default::default() };
                let described = ask!(rig, get_error_description, request)?;
                ensure!(!described.context_description.is_empty(), "context {context}");
            }
            let request = v1::GetErrorDescriptionRequest { context: 10, ..Default::default() };
            refused(ask!(rig, get_error_description, request), "E_INVALIDARG")
        }),
        left_out("6", "REMOTE_APPLICATION", "uploads belong to another stretch"),
    ]
}
