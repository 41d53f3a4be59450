//! Every call with arguments out of range, in every state: a typed refusal or success, and a daemon that lives on.

use anyhow::{Result, ensure};
use dray_api::v1::download_value::Value;
use dray_api::v1::{self, DownloadState};

use crate::download::{enquire, ranges};
use crate::rig::{Answer, Place, Refused, Rig, ask};
use crate::table::{Row, holds};

const PLACES: [Place; 10] = [
    Place::Empty,
    Place::Suspended,
    Place::Queued,
    Place::Connecting,
    Place::Transferring,
    Place::TransientError,
    Place::Error,
    Place::Transferred,
    Place::Acknowledged,
    Place::Cancelled,
];

const NUMBERS: [u64; 6] = [0, 1, 1 << 31, 1 << 32, u64::MAX - 1, u64::MAX];

const TEXTS: [&str; 6] = ["", "\u{0}", "../../etc", "http://[::", "\u{202e}\u{1f4a3}", "http://h/\r\nX: y"];

/// No refusal without its code, none that speaks of a mistake of the daemon.
fn typed<T>(what: &str, outcome: Answer<T>) -> Result<()> {
    if let Err(Refused(code)) = outcome {
        ensure!(!code.starts_with("not typed") && code != "E_UNEXPECTED", "{what}: {code}");
    }
    Ok(())
}

fn bits_of(number: u64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap_or(0)
}

fn numbers(rig: &Rig<'_>, id: &str, number: u64) -> Result<()> {
    let job_id = || id.to_owned();
    let file_index = u32::try_from(number).unwrap_or(0);
    let ranges = vec![
        v1::FileRange { offset: number, length: None },
        v1::FileRange { offset: number, length: Some(number) },
    ];
    let request = v1::RequestFileRangesRequest { job_id: job_id(), file_index, ranges: ranges.clone() };
    typed("RequestFileRanges", ask!(rig, request_file_ranges, request))?;
    let request = v1::UpdateDownloadPositionRequest { job_id: job_id(), file_index, offset: number };
    typed("UpdateDownloadPosition", ask!(rig, update_download_position, request))?;
    let request =
        v1::SetValidationStateRequest { job_id: job_id(), file_index: file_index | 1, valid: false };
    typed("SetValidationState", ask!(rig, set_validation_state, request))?;
    let request = v1::GetFilledFileRangesRequest { job_id: job_id(), file_index };
    typed("GetFilledFileRanges", ask!(rig, get_filled_file_ranges, request))?;
    let request = v1::GetFileRangesRequest { job_id: job_id(), file_index };
    typed("GetFileRanges", ask!(rig, get_file_ranges, request))?;
    for length in [None, Some(number)] {
        let patience_s = Some(bits_of(number));
        let request = v1::ReadFileRangeRequest {
            job_id: job_id(),
            file_index,
            offset: number,
            length,
            verified_only: false,
            patience_s,
        };
        typed("ReadFileRange", ask!(rig, read_file_range, request))?;
    }
    typed("AddFiles", rig.add(id, v1::NewFile { ranges, ..rig.file("/a") }))?;
    let bits = u32::try_from(number & 0xffff_ffff)?;
    let none = v1::JobProperties::default;
    for properties in [
        v1::JobProperties { priority: Some(bits.cast_signed()), ..none() },
        v1::JobProperties { notify_flags: Some(bits), ..none() },
        v1::JobProperties { cost_flags: Some(bits), ..none() },
        v1::JobProperties { peer_caching_flags: Some(bits), ..none() },
        v1::JobProperties { file_acl_flags: Some(bits), ..none() },
        v1::JobProperties { files_at_once: Some(bits), ..none() },
        v1::JobProperties { no_progress_timeout_s: Some(bits), ..none() },
        v1::JobProperties { minimum_retry_delay_s: Some(bits), ..none() },
        v1::JobProperties { maximum_download_time_s: Some(bits), ..none() },
        v1::JobProperties { minimum_notification_interval_ms: Some(bits), ..none() },
        v1::JobProperties { max_download_size_bytes: Some(number), ..none() },
    ] {
        typed("UpdateJob", rig.set(id, properties))?;
    }
    Ok(())
}

fn texts(rig: &Rig<'_>, id: &str, text: &str) -> Result<()> {
    let (job_id, text) = (|| id.to_owned(), || text.to_owned());
    let request = v1::SetRemoteNameRequest { job_id: job_id(), file_index: 0, remote_url: text() };
    typed("SetRemoteName", ask!(rig, set_remote_name, request))?;
    let request = v1::ReplaceRemotePrefixRequest { job_id: job_id(), old_prefix: text(), new_prefix: text() };
    typed("ReplaceRemotePrefix", ask!(rig, replace_remote_prefix, request))?;
    for file in [
        v1::NewFile { remote_url: text(), ..rig.file("/a") },
        v1::NewFile { local_path: text(), ..rig.file("/a") },
        v1::NewFile { digest: text(), ..rig.file("/a") },
    ] {
        typed("AddFiles", rig.add(id, file))?;
    }
    let command = v1::NotifyCommand { program: text(), parameters: text() };
    for properties in [
        v1::JobProperties { display_name: Some(text()), ..Default::default() },
        v1::JobProperties { description: Some(text()), ..Default::default() },
        v1::JobProperties { notify_command: Some(command), ..Default::default() },
    ] {
        typed("UpdateJob", rig.set(id, properties))?;
    }
    let request = v1::ListFilesRequest { job_id: job_id(), page_size: u32::MAX, page_token: text() };
    typed("ListFiles", ask!(rig, list_files, request))?;
    typed("GetJobError", rig.error(id))
}

pub(crate) fn rows() -> Vec<Row> {
    let rule = |place: Place| format!("whatever is asked of a job that is {place:?}, the answer is typed");
    let row = |place: Place| {
        holds("16.4", rule(place), move |rig| {
            let id = rig.at(place)?;
            for number in NUMBERS {
                numbers(rig, &id, number)?;
            }
            for text in TEXTS {
                texts(rig, &id, text)?;
            }
            typed("CancelJob", rig.cancel(&id))
        })
    };
    let states = [
        DownloadState::Created,
        DownloadState::Transferring,
        DownloadState::Paused,
        DownloadState::Transferred,
        DownloadState::Finalized,
        DownloadState::Aborted,
    ];
    PLACES.into_iter().map(row).chain(states.into_iter().map(of_download)).collect()
}

fn of_download(state: DownloadState) -> Row {
    let name = state.short_name();
    holds(
        "16.4",
        format!("whatever is asked of a download that is {name}, the answer is typed"),
        move |rig| {
            for number in NUMBERS {
                let (id, _) = rig.download_at(state)?;
                download_numbers(rig, &id, number)?;
                let _ = rig.abort(&id);
            }
            let (id, _) = rig.download_at(state)?;
            for text in TEXTS {
                for property in 0..=31 {
                    let value = Value::Text(text.to_owned());
                    typed("SetDownloadProperty", rig.set_number(&id, property, Some(value)))?;
                    typed("GetDownloadProperty", rig.value_of(&id, property))?;
                }
                let category = v1::DownloadCategory { property: 2, value: text.to_owned() };
                let request = v1::EnumDownloadsRequest {
                    category: Some(category),
                    page_size: u32::MAX,
                    page_token: text.to_owned(),
                };
                typed("EnumDownloads", enquire!(rig, enum_downloads, request))?;
                typed("StartDownload", rig.start(&id, None))?;
            }
            typed("AbortDownload", rig.abort(&id))
        },
    )
}

fn download_numbers(rig: &Rig<'_>, id: &str, number: u64) -> Result<()> {
    let bits = u32::try_from(number & 0xffff_ffff)?;
    // From the last on: the sink and the URL stay as they are while it can be started.
    for property in (3..=30).rev().filter(|property| *property != 5) {
        for value in [Value::Number(bits), Value::Long(number), Value::Bytes(vec![0xff; 9])] {
            typed("SetDownloadProperty", rig.set_number(id, property, Some(value)))?;
        }
    }
    // In blocking mode a start would wait.
    typed("SetDownloadProperty", rig.set_number(id, 13, Some(Value::Flag(false))))?;
    for list in [[(number, 1), (0, number)], [(number, number), (number, u64::MAX)]] {
        typed("StartDownload", rig.start(id, ranges(&list)))?;
    }
    typed("SetDownloadProperty", rig.set_number(id, bits.cast_signed(), Some(Value::Long(number))))?;
    typed("GetDownloadProperty", rig.value_of(id, bits.cast_signed()))?;
    typed("FinalizeDownload", rig.finalize(id))?;
    typed("PauseDownload", rig.pause(id))
}
