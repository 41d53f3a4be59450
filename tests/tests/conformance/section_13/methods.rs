//! 13.1: the methods.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dray_api::v1::download_value::Value;
use dray_api::v1::{self, DownloadProperty as Property, DownloadState};

use crate::download::{DoCall, enquire, ranges, text};
use crate::rig::{Rig, refused, same};
use crate::table::{Row, holds, left_out};

/// Longest wait for a message of a stream.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn rows() -> Vec<Row> {
    vec![
        holds("13.1", "CreateDownload makes a download that is CREATED, and nothing of it is set", |rig| {
            let id = rig.new_download()?;
            let status = rig.status(&id)?;
            same(status, v1::DownloadStatus { state: DownloadState::Created.into(), ..Default::default() })?;
            same(rig.value(&id, Property::Id)?, text(id.clone()))?;
            for property in [Property::Uri, Property::LocalPath, Property::DisplayName, Property::ContentId] {
                refused(rig.value(&id, property), "E_NOT_SET")?;
            }
            Ok(())
        }),
        holds(
            "13.1",
            "EnumDownloads lists by Id, Uri, ContentId, DisplayName and LocalPath, exactly",
            by_category,
        ),
        holds("13.1", "EnumDownloads by another property is E_INVALIDARG", |rig| {
            refused(rig.enumerate(Some((Property::CostPolicy, "1"))), "E_INVALIDARG")?;
            refused(rig.enumerate(Some((Property::Unspecified, ""))), "DO_E_UNKNOWN_PROPERTY_ID")
        }),
        holds("13.1", "EnumDownloads that finds nothing is DO_E_NO_DOWNLOADS", |rig| {
            refused(rig.enumerate(Some((Property::DisplayName, "nobody has this"))), "DO_E_NO_DOWNLOADS")
        }),
        holds("13.1", "a list in pages misses nothing and says nothing twice", |rig| {
            for _ in 0..3 {
                rig.new_download()?;
            }
            let all: Vec<String> = rig.enumerate(None)?.into_iter().map(|one| one.download_id).collect();
            let (mut paged, mut page_token) = (Vec::new(), String::new());
            loop {
                let request = v1::EnumDownloadsRequest { page_size: 2, page_token, ..Default::default() };
                let page = enquire!(rig, enum_downloads, request)?;
                ensure!(page.downloads.len() <= 2, "a page of {}", page.downloads.len());
                paged.extend(page.downloads.into_iter().map(|one| one.download_id));
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            same(paged, all)
        }),
        holds(
            "13.1",
            "downloads and jobs are not found in each other's lists, nor by each other's ids",
            |rig| {
                let (download, job) = (rig.new_download()?, rig.job(&["/a"])?);
                let request = v1::ListJobsRequest { page_size: 1000, ..Default::default() };
                let jobs = crate::rig::ask!(rig, list_jobs, request)?.jobs;
                ensure!(jobs.iter().any(|one| one.job_id == job), "the job is not there");
                ensure!(!jobs.iter().any(|one| one.job_id == download), "the download is among the jobs");
                ensure!(
                    !rig.enumerate(None)?.iter().any(|one| one.download_id == job),
                    "a job is among them"
                );
                refused(rig.get(&download), "BG_E_NOT_FOUND")?;
                refused(rig.cancel(&download), "BG_E_NOT_FOUND")?;
                refused(rig.status(&job), "E_NOT_SET")?;
                refused(rig.abort(&job), "E_NOT_SET")
            },
        ),
        holds("13.1", "a download that does not exist is E_NOT_SET for every call", |rig| {
            for id in ["", "x", "00000000-0000-0000-0000-000000000000"] {
                refused(rig.status(id), "E_NOT_SET")?;
                for call in [DoCall::Start, DoCall::Pause, DoCall::Finalize, DoCall::Abort] {
                    refused(rig.do_call(id, call), "E_NOT_SET")?;
                }
                refused(rig.value(id, Property::Id), "E_NOT_SET")?;
                refused(rig.value_of(id, 99), "E_NOT_SET")?;
                refused(rig.set_value(id, Property::DisplayName, text("a")), "E_NOT_SET")?;
                let named = v1::WatchDownloadsRequest { download_ids: vec![id.to_owned()] };
                refused(enquire!(rig, watch_downloads, named).map(drop), "E_NOT_SET")?;
            }
            Ok(())
        }),
        holds("13.1", "Pause stops and Start goes on, without fetching again what is here", |rig| {
            let (id, place) = rig.download_at(DownloadState::Transferring)?;
            wait_for_bytes(rig, &id, 2 << 20)?;
            rig.pause(&id)?;
            let here = rig.status(&id)?.bytes_transferred;
            let before = rig.server.asks("/slow").len();
            rig.start(&id, None)?;
            wait_for_bytes(rig, &id, here + 1)?;
            let asked = rig.server.asks("/slow");
            let range = asked.get(before).and_then(|ask| ask.range()).context("no Range")?;
            ensure!(range.0 > 0 && range.0 <= here, "from {} on, although {here} are here", range.0);
            rig.abort(&id)?;
            ensure!(!place.exists(), "a file that nobody finalized");
            Ok(())
        }),
        holds("13.1", "Finalize brings the file to its place, where nothing was before", |rig| {
            let (id, place) = rig.download_at(DownloadState::Transferred)?;
            ensure!(!place.exists(), "it is there before Finalize");
            same(rig.finalize(&id)?.state(), DownloadState::Finalized)?;
            ensure!(std::fs::read(&place)? == rig.content.bytes.to_vec(), "another file");
            refused(rig.start(&id, None), "DO_E_INVALID_STATE")
        }),
        holds("13.1", "Abort leaves nothing of the file", |rig| {
            let before = rig.home.downloaded()?.len();
            for state in [DownloadState::Transferring, DownloadState::Paused, DownloadState::Transferred] {
                let (id, _) = rig.download_at(state)?;
                same(rig.abort(&id)?.state(), DownloadState::Aborted)?;
            }
            same(rig.home.downloaded()?.len(), before)
        }),
        holds("13.1", "GetStatus has total, transferred and state", |rig| {
            let (id, _) = rig.download_at(DownloadState::Transferred)?;
            let status = rig.status(&id)?;
            same((status.bytes_total, status.bytes_transferred), (Some(crate::rig::SIZE), crate::rig::SIZE))
        }),
        holds("13.1", "the id of a property that does not exist is DO_E_UNKNOWN_PROPERTY_ID", |rig| {
            let id = rig.new_download()?;
            for number in [0, 31, 1000, -1, i32::MAX, i32::MIN] {
                refused(rig.value_of(&id, number), "DO_E_UNKNOWN_PROPERTY_ID")?;
                refused(rig.set_number(&id, number, Some(Value::Flag(true))), "DO_E_UNKNOWN_PROPERTY_ID")?;
            }
            Ok(())
        }),
        holds("13.1", "OnStatusChange tells of each state, and of progress in between", statuses),
        holds("13.1", "a stream without names tells of downloads that are created later", |rig| {
            let mut client = rig.downloads.clone();
            let all = v1::WatchDownloadsRequest::default();
            let mut stream = rig.block_on(client.watch_downloads(all))?.into_inner();
            let id = rig.new_download()?;
            rig.block_on(async {
                loop {
                    let message = tokio::time::timeout(PATIENCE, stream.message()).await??;
                    if message.context("the stream ended")?.download_id == id {
                        return Ok(());
                    }
                }
            })
        }),
        left_out(
            "13.1",
            "EnumDownloads lists only what the same caller created",
            "needs a second user whom the daemon lets create downloads; jobs/tests has the rule",
        ),
        left_out(
            "13.1",
            "GetPropertyEx and SetPropertyEx",
            "deprecated; GetProperty and SetProperty do the same",
        ),
        left_out(
            "13.1",
            "the last callback that was set is the only one told",
            "every stream is told: a stream is no property that another client could take away",
        ),
    ]
}

fn by_category(rig: &Rig<'_>) -> Result<()> {
    let (id, place) = rig.download_of("/category")?;
    let digest = format!("sha256:{}", "0a".repeat(32));
    rig.set_value(&id, Property::ContentId, text(digest.to_uppercase().replace("SHA256", "sha256")))?;
    rig.set_value(&id, Property::DisplayName, text("Of A Category"))?;
    let (uri, place) = (rig.url("/category"), place.display().to_string());
    for (property, value) in [
        (Property::Id, id.as_str()),
        (Property::Uri, &uri),
        (Property::ContentId, &digest),
        (Property::DisplayName, "Of A Category"),
        (Property::LocalPath, &place),
    ] {
        let found = rig.enumerate(Some((property, value)))?;
        same(found.iter().map(|one| one.download_id.as_str()).collect(), vec![id.as_str()])?;
        let part = &value[..value.len() - 1];
        refused(rig.enumerate(Some((property, part))), "DO_E_NO_DOWNLOADS")?;
    }
    refused(rig.enumerate(Some((Property::DisplayName, "of a category"))), "DO_E_NO_DOWNLOADS")
}

pub(super) fn wait_for_bytes(rig: &Rig<'_>, id: &str, bytes: u64) -> Result<()> {
    dray_tests::until("some bytes", PATIENCE, || {
        Ok((rig.status(id)?.bytes_transferred >= bytes).then_some(()))
    })
}

fn statuses(rig: &Rig<'_>) -> Result<()> {
    let (id, _) = rig.download_of("/slow")?;
    rig.set_value(&id, Property::CallbackFreqSeconds, Value::Number(0))?;
    let mut client = rig.downloads.clone();
    let named = v1::WatchDownloadsRequest { download_ids: vec![id.clone()] };
    let mut stream = rig.block_on(client.watch_downloads(named))?.into_inner();
    let mut told = Vec::new();
    let mut next = || -> Result<Option<v1::DownloadStatus>> {
        let message = rig.block_on(async { tokio::time::timeout(PATIENCE, stream.message()).await })??;
        Ok(message.and_then(|message| message.status))
    };
    told.push(next()?.context("no first status")?);
    rig.start(&id, ranges(&[]))?;
    while told.last().is_some_and(|status| status.bytes_transferred == 0) {
        told.push(next()?.context("the stream ended")?);
    }
    rig.pause(&id)?;
    rig.abort(&id)?;
    while let Some(status) = next()? {
        told.push(status);
    }
    let states: Vec<DownloadState> = told.iter().map(v1::DownloadStatus::state).collect();
    same(states.first(), Some(&DownloadState::Created))?;
    same(states.last(), Some(&DownloadState::Aborted))?;
    ensure!(states.contains(&DownloadState::Transferring), "{states:?}");
    Ok(())
}
