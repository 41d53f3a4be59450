//! 13.2: the states, and the table of what each call does in each of them.

use anyhow::Result;
use dray_api::v1::DownloadState::{self, Aborted, Created, Finalized, Paused, Transferred, Transferring};

use crate::download::DoCall;
use crate::rig::{Rig, refused, same};
use crate::table::{Row, holds, left_out};

/// What a cell says: another state, nothing, or DO_E_INVALID_STATE.
#[derive(Clone, Copy, Debug)]
enum Cell {
    To(DownloadState),
    NoOp,
    No,
}

const CALLS: [DoCall; 4] = [DoCall::Start, DoCall::Pause, DoCall::Finalize, DoCall::Abort];

/// Laid out like the table: Start, Pause, Finalize, Abort.
#[rustfmt::skip]
const TABLE: [(DownloadState, [Cell; 4]); 6] = [
    (Created,      [Cell::To(Transferring), Cell::NoOp,       Cell::No,            Cell::To(Aborted)]),
    (Transferring, [Cell::NoOp,             Cell::To(Paused), Cell::No,            Cell::To(Aborted)]),
    (Transferred,  [Cell::NoOp,             Cell::NoOp,       Cell::To(Finalized), Cell::To(Aborted)]),
    (Paused,       [Cell::To(Transferring), Cell::NoOp,       Cell::No,            Cell::To(Aborted)]),
    (Finalized,    [Cell::No,               Cell::No,         Cell::NoOp,          Cell::No]),
    (Aborted,      [Cell::No,               Cell::No,         Cell::No,            Cell::NoOp]),
];

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (from, cells) in TABLE {
        for (call, cell) in CALLS.into_iter().zip(cells) {
            let rule = format!("{call:?} of a download that is {}: {cell:?}", from.short_name());
            rows.push(holds("13.2", rule, move |rig| play_cell(rig, from, call, cell)));
        }
    }
    rows.extend(readings());
    rows
}

fn play_cell(rig: &Rig<'_>, from: DownloadState, call: DoCall, cell: Cell) -> Result<()> {
    let (id, _) = rig.download_at(from)?;
    let after = match cell {
        Cell::No => {
            refused(rig.do_call(&id, call), "DO_E_INVALID_STATE")?;
            from
        }
        Cell::NoOp => {
            rig.do_call(&id, call)?;
            from
        }
        Cell::To(Transferring) => {
            // A small file may be here before the next look.
            let started = rig.do_call(&id, call)?.state();
            if started != Transferred {
                same(started, Transferring)?;
            }
            rig.abort(&id)?;
            return Ok(());
        }
        Cell::To(state) => {
            same(rig.do_call(&id, call)?.state(), state)?;
            state
        }
    };
    same(rig.status(&id)?.state(), after)?;
    let _ = rig.abort(&id); // the others of the table need the line
    Ok(())
}

fn readings() -> Vec<Row> {
    let none = String::new;
    vec![
        holds("13.2", "PAUSED by the client has no errors", move |rig| {
            let (id, _) = rig.download_at(Paused)?;
            same(rig.reading(&id)?, (Paused, none(), none()))?;
            rig.abort(&id).map(drop).map_err(Into::into)
        }),
        holds("13.2", "PAUSED with an error is to be cured by the client, who starts it again", move |rig| {
            let (id, place) = rig.download_of("/missing")?;
            rig.start(&id, None)?;
            rig.wait_for_download(&id, Paused)?;
            same(rig.reading(&id)?, (Paused, "BG_E_HTTP_ERROR_404".to_owned(), none()))?;
            let uri = crate::download::text(rig.url("/a"));
            rig.set_value(&id, dray_api::v1::DownloadProperty::Uri, uri)?;
            rig.start(&id, None)?;
            rig.wait_for_download(&id, Transferred)?;
            rig.finalize(&id)?;
            same(std::fs::read(place)? == rig.content.bytes.to_vec(), true)
        }),
        holds(
            "13.2",
            "TRANSFERRING with an error: the last attempt failed and another follows",
            move |rig| {
                let (id, _) = rig.download_of("/busy")?;
                rig.start(&id, None)?;
                dray_tests::until("an error", std::time::Duration::from_secs(60), || {
                    let (state, error, _) = rig.reading(&id)?;
                    same(state, Transferring)?;
                    Ok((error == "BG_E_HTTP_ERROR_503").then_some(()))
                })?;
                rig.abort(&id).map(drop).map_err(Into::into)
            },
        ),
        holds("13.2", "TRANSFERRED and FINALIZED have no errors", move |rig| {
            let (id, _) = rig.download_at(Transferred)?;
            same(rig.reading(&id)?, (Transferred, none(), none()))?;
            rig.finalize(&id)?;
            same(rig.reading(&id)?, (Finalized, none(), none()))
        }),
        left_out(
            "13.2",
            "PAUSED with an extended error alone goes on by itself",
            "the daemon has no source of network or policy events yet; jobs/tests has the rule",
        ),
    ]
}
