//! 13.3: what a Start asks for.

use anyhow::{Context, Result, ensure};
use dray_api::v1::{self, DownloadState};
use dray_tests::{Content, random_bytes};

use crate::download::ranges;
use crate::rig::{Rig, SIZE, refused, same};
use crate::table::{Row, holds, left_out};

pub(super) fn rows() -> Vec<Row> {
    vec![
        holds("13.3", "a list of no ranges is the whole file, and so is no list at the first start", |rig| {
            for list in [ranges(&[]), None] {
                let (id, place) = rig.download_of("/a")?;
                rig.start(&id, list)?;
                arrive(rig, &id)?;
                ensure!(std::fs::read(place)? == rig.content.bytes.to_vec(), "not the whole file");
            }
            Ok(())
        }),
        holds("13.3", "ranges lie packed in the file in the order of the list", |rig| {
            let (id, place) = rig.download_of("/a")?;
            rig.start(&id, ranges(&[(5000, 100), (10, 20), (SIZE - 7, u64::MAX)]))?;
            let status = rig.wait_for_download(&id, DownloadState::Transferred)?;
            same((status.bytes_total, status.bytes_transferred), (Some(127), 127))?;
            rig.finalize(&id)?;
            let parts = [part(rig, 5000, 100), part(rig, 10, 20), part(rig, SIZE - 7, 7)];
            ensure!(std::fs::read(place)? == parts.concat(), "other bytes");
            Ok(())
        }),
        holds("13.3", "no list at a later start goes on with what was asked for", |rig| {
            let (id, _) = rig.download_of("/slow")?;
            rig.start(&id, ranges(&[(1 << 20, 9 << 20)]))?;
            super::methods::wait_for_bytes(rig, &id, 1)?;
            rig.pause(&id)?;
            rig.start(&id, None)?;
            same(rig.status(&id)?.bytes_total, Some(9 << 20))?;
            rig.abort(&id).map(drop).map_err(Into::into)
        }),
        holds("13.3", "after TRANSFERRED another list fetches another part, and no byte twice", another_part),
        holds("13.3", "what is here already is not fetched", |rig| {
            let (id, _) = rig.download_of("/a")?;
            rig.start(&id, ranges(&[(100, 100)]))?;
            rig.wait_for_download(&id, DownloadState::Transferred)?;
            let asked = rig.server.asks("/a").len();
            for again in [ranges(&[(100, 100)]), ranges(&[(150, 9)]), None] {
                same(rig.start(&id, again)?.state(), DownloadState::Transferred)?;
            }
            same(rig.server.asks("/a").len(), asked)
        }),
        holds("13.3", "the whole file may be asked for after a part", |rig| {
            let (id, place) = rig.download_of("/a")?;
            rig.start(&id, ranges(&[(100, 100)]))?;
            rig.wait_for_download(&id, DownloadState::Transferred)?;
            rig.start(&id, ranges(&[]))?;
            arrive(rig, &id)?;
            ensure!(std::fs::read(place)? == rig.content.bytes.to_vec(), "not the whole file");
            Ok(())
        }),
        holds("13.3", "an empty range, and one that begins nowhere, are DO_E_INVALID_RANGE", |rig| {
            let (id, _) = rig.download_of("/a")?;
            for bad in [(0, 0), (u64::MAX, 1), (u64::MAX - 1, 9)] {
                refused(rig.start(&id, ranges(&[bad])), "DO_E_INVALID_RANGE")?;
            }
            same(rig.status(&id)?.state(), DownloadState::Created)
        }),
        holds("13.3", "ranges that share a byte are DO_E_OVERLAPPING_RANGES", |rig| {
            let (id, _) = rig.download_of("/a")?;
            for bad in [[(0, 10), (0, 10)], [(0, 10), (9, 1)], [(5, u64::MAX), (9, 1)]] {
                refused(rig.start(&id, ranges(&bad)), "DO_E_OVERLAPPING_RANGES")?;
            }
            rig.start(&id, ranges(&[(0, 10), (10, 10)]))?;
            rig.wait_for_download(&id, DownloadState::Transferred)?;
            refused(rig.start(&id, ranges(&[(19, 10)])), "DO_E_OVERLAPPING_RANGES")
        }),
        holds("13.3", "a range beyond the end is found after the start, and another one cures it", |rig| {
            let (id, place) = rig.download_of("/a")?;
            rig.start(&id, ranges(&[(SIZE - 5, 6)]))?;
            rig.wait_for_download(&id, DownloadState::Paused)?;
            same(rig.reading(&id)?.1.as_str(), "DO_E_INVALID_RANGE")?;
            rig.start(&id, ranges(&[(SIZE - 5, 5)]))?;
            arrive(rig, &id)?;
            ensure!(std::fs::read(place)? == part(rig, SIZE - 5, 5), "other bytes");
            Ok(())
        }),
        holds("13.3", "a server without ranges is DO_E_INSUFFICIENT_RANGE_SUPPORT", |rig| {
            let (id, _) = rig.download_of("/plain")?;
            rig.set_value(
                &id,
                v1::DownloadProperty::ForegroundPriority,
                v1::download_value::Value::Flag(false),
            )?;
            rig.start(&id, ranges(&[(100, 100)]))?;
            rig.wait_for_download(&id, DownloadState::Paused)?;
            same(rig.reading(&id)?.1.as_str(), "DO_E_INSUFFICIENT_RANGE_SUPPORT")
        }),
        holds("13.3", "other ranges while it runs are DO_E_DOWNLOAD_RANGES_UNEXPECTED", |rig| {
            let (id, _) = rig.download_at(DownloadState::Transferring)?;
            refused(rig.start(&id, ranges(&[(0, 9)])), "DO_E_DOWNLOAD_RANGES_UNEXPECTED")?;
            same(rig.start(&id, ranges(&[]))?.state(), DownloadState::Transferring)?;
            rig.abort(&id).map(drop).map_err(Into::into)
        }),
        left_out(
            "13.3",
            "a stream is a sink that requires ranges: DO_E_DOWNLOAD_RANGES_EXPECTED",
            "an object of Windows; StreamInterface answers DO_E_MEMORYSTREAM_DOWNLOAD_NOT_SUPPORTED, see 13.4",
        ),
        left_out(
            "13.3",
            "a second kind of sink is DO_E_FILE_DOWNLOADSINK_ALREADY_SET",
            "there is one kind of sink, so it cannot come to this",
        ),
    ]
}

fn arrive(rig: &Rig<'_>, id: &str) -> Result<()> {
    rig.wait_for_download(id, DownloadState::Transferred)?;
    same(rig.finalize(id)?.state(), DownloadState::Finalized)
}

fn part(rig: &Rig<'_>, offset: u64, length: u64) -> Vec<u8> {
    rig.content.slice(offset, offset + length - 1).to_vec()
}

fn another_part(rig: &Rig<'_>) -> Result<()> {
    let content = Content::new(random_bytes(330, 8 << 20), "parts");
    let bytes = content.bytes.to_vec();
    rig.server.page("/parts", move |ask| content.answer(ask));
    let (id, place) = rig.download_of("/parts")?;
    rig.start(&id, ranges(&[(3 << 20, 1 << 20)]))?;
    rig.wait_for_download(&id, DownloadState::Transferred)?;
    let before = rig.server.asks("/parts").len();
    rig.start(&id, ranges(&[(0, 1 << 20), (6 << 20, 4096)]))?;
    let status = rig.wait_for_download(&id, DownloadState::Transferred)?;
    same(status.bytes_transferred, (2 << 20) + 4096)?;
    for ask in &rig.server.asks("/parts")[before..] {
        let (first, last) = ask.range().context("no Range")?;
        let again = first < 4 << 20 && last.is_none_or(|last| last >= 3 << 20);
        ensure!(!again, "the first part is fetched again: {first}-{last:?}");
    }
    rig.finalize(&id)?;
    let expected = [&bytes[3 << 20..4 << 20], &bytes[..1 << 20], &bytes[6 << 20..(6 << 20) + 4096]].concat();
    ensure!(std::fs::read(place)? == expected, "other bytes");
    Ok(())
}
