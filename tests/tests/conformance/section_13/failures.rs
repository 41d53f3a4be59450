//! 13.6: how failures look.

use anyhow::ensure;
use dray_api::v1::DownloadProperty as Property;
use dray_api::v1::DownloadState;

use crate::download::text;
use crate::rig::{refused, same};
use crate::table::{Row, holds, left_out};

pub(super) fn rows() -> Vec<Row> {
    vec![
        holds("13.6", "404 and 403 are PAUSED with the status as the error, and not tried again", |rig| {
            rig.server.page("/forbidden", |_| dray_tests::Reply::status(403));
            for (page, code) in [("/missing-too", 0x8019_0194), ("/forbidden", 0x8019_0193)] {
                let (id, _) = rig.download_of(page)?;
                rig.start(&id, None)?;
                let status = rig.wait_for_download(&id, DownloadState::Paused)?;
                same(status.error.map(|error| error.value), Some(code))?;
                same(rig.server.asks(page).len(), 1)?;
            }
            Ok(())
        }),
        holds("13.6", "other failures are tried again until they pass", |rig| {
            let content = rig.content.clone();
            rig.server.page("/recovers", move |ask| match ask.nth {
                0 => dray_tests::Reply::status(503).header("Retry-After", "3600"),
                _ => content.answer(ask),
            });
            let (id, _) = rig.download_of("/recovers")?;
            rig.start(&id, None)?;
            rig.wait_for_download(&id, DownloadState::Transferred)?;
            same(rig.server.asks("/recovers").len(), 2)
        }),
        holds("13.6", "a destination that exists is ERROR_FILE_EXISTS and stays as it is", |rig| {
            let (id, place) = rig.download_of("/a")?;
            std::fs::write(&place, b"mine")?;
            refused(rig.start(&id, None), "ERROR_FILE_EXISTS")?;
            rig.abort(&id)?;
            ensure!(std::fs::read(&place)? == b"mine", "the file is another");
            Ok(())
        }),
        holds("13.6", "a destination below a file is refused at the start", |rig| {
            let (id, place) = rig.download_of("/a")?;
            std::fs::write(&place, b"mine")?;
            let below = text(place.join("a").display().to_string());
            rig.set_value(&id, Property::LocalPath, below)?;
            ensure!(rig.start(&id, None).is_err(), "it was started");
            same(rig.status(&id)?.state(), DownloadState::Created)
        }),
        holds("13.6", "a start when all bytes are here asks the server for nothing", |rig| {
            let (id, _) = rig.download_at(DownloadState::Transferred)?;
            let asked = rig.server.asks("/a").len();
            same(rig.start(&id, None)?.state(), DownloadState::Transferred)?;
            same(rig.server.asks("/a").len(), asked)
        }),
        left_out(
            "13.6",
            "no usable network pauses with DO_E_BLOCKED_BY_NO_NETWORK",
            "the daemon has no source of network events yet; jobs/tests has the rule",
        ),
        left_out(
            "13.6",
            "the pauses between attempts are 2, 4, 8, 16, 30, 30 ... seconds",
            "no test waits that long; jobs/tests has them in virtual time",
        ),
        left_out(
            "13.6",
            "no byte for the no-progress time pauses with DO_E_DOWNLOAD_NO_PROGRESS and what was wrong last",
            "no test waits a minute; jobs/tests has it in virtual time",
        ),
        left_out(
            "13.6",
            "408, 409, 425 and 429 are not tried again",
            "they say themselves that a later attempt may succeed, and are tried again as in a job",
        ),
        left_out(
            "13.6",
            "a partial file that was deleted while paused fails the resume with 0x80070002",
            "what is lost is fetched again",
        ),
        left_out(
            "13.6",
            "a second download to the same path aborts the first",
            "each has a temporary file of its own; the last one that is finalized has the name",
        ),
        left_out(
            "13.6",
            "DO_E_NO_SERVICE when the service does not run",
            "without a daemon there is nobody to answer: a client sees UNAVAILABLE of gRPC",
        ),
        left_out(
            "13.6",
            "connect timeouts, and the ban of a cache host",
            "settings of the whole daemon, tested with it",
        ),
        left_out("13.6", "the helper that starts and waits", "of the SDK, not of the API"),
    ]
}
