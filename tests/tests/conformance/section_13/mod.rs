//! Delivery Optimization: IDOManager and IDODownload. Each file is one part of the section.

mod failures;
mod methods;
mod properties;
mod ranges;
mod states;

use anyhow::{Result, ensure};
use dray_api::v1::download_value::Value;
use dray_api::v1::{DownloadProperty as Property, DownloadState};
use dray_tests::{Daemon, Home};

use crate::download::text;
use crate::rig::{Rig, refused, same};
use crate::table::Row;

pub(crate) fn rows() -> Vec<Row> {
    [methods::rows(), states::rows(), ranges::rows(), properties::rows(), failures::rows()]
        .into_iter()
        .flatten()
        .collect()
}

/// 13.4, 25: only what is not volatile is there after a kill, with all that was set, and what was had of it.
pub(crate) fn outlives_the_daemon() -> Result<()> {
    let home = Home::new()?;
    let mut daemon = Daemon::start(&home)?;
    let rig = Rig::new(&home, &daemon)?;
    let (volatile, _) = rig.download_at(DownloadState::Transferred)?;
    let (finalized, _) = rig.download_at(DownloadState::Finalized)?;
    let mut kept = Vec::new();
    for state in [DownloadState::Created, DownloadState::Paused, DownloadState::Transferred] {
        let (id, place) = rig.download_at(state)?;
        rig.set_value(&id, Property::NonVolatile, Value::Flag(true))?;
        rig.set_value(&id, Property::DisplayName, text("name"))?;
        rig.set_value(&id, Property::HttpCustomHeaders, text("X-A: b"))?;
        kept.push((id, place, state));
    }
    daemon.kill()?;
    daemon.restart()?;
    // The channel connects again by itself: the first call may still find the old one.
    let _ = rig.status(&volatile);
    same(rig.status(&volatile)?.state(), DownloadState::Aborted)?;
    refused(rig.status(&finalized), "E_NOT_SET")?;
    same(rig.enumerate(None)?.len(), kept.len())?;
    for (id, place, state) in &kept {
        same(rig.status(id)?.state(), *state)?;
        same(rig.value(id, Property::LocalPath)?, text(place.display().to_string()))?;
        same(rig.value(id, Property::DisplayName)?, text("name"))?;
        same(rig.value(id, Property::HttpCustomHeaders)?, text("X-A: b"))?;
        same(rig.value(id, Property::ForegroundPriority)?, Value::Flag(true))?;
    }
    let (id, place, _) = &kept[2];
    let asked = rig.server.asks("/a").len();
    same(rig.finalize(id)?.state(), DownloadState::Finalized)?;
    ensure!(std::fs::read(place)? == rig.content.bytes.to_vec(), "another file");
    same(rig.server.asks("/a").len(), asked)?;
    let left: Vec<String> = home.downloaded()?.into_iter().filter(|name| name.starts_with(".dray")).collect();
    ensure!(left.len() <= 1, "the volatile download left something behind: {left:?}");
    Ok(())
}
