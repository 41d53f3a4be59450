//! Downloads of Delivery Optimization, driven over the socket.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use dray_api::v1::download_value::Value;
use dray_api::v1::{self, DownloadProperty as Property, DownloadState};
use dray_tests::until;

use crate::rig::{Answer, Rig};

/// Longest wait for a state.
const PATIENCE: Duration = Duration::from_secs(60);

/// One call of the service of Delivery Optimization.
macro_rules! enquire {
    ($rig:expr, $method:ident, $request:expr) => {{
        let mut downloads = $rig.downloads.clone();
        let request = $request;
        $rig.wait(async move { downloads.$method(request).await })
    }};
}
pub(crate) use enquire;

/// The calls of table 13.2.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DoCall {
    Start,
    Pause,
    Finalize,
    Abort,
}

pub(crate) fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

pub(crate) fn ranges(ranges: &[(u64, u64)]) -> Option<v1::DownloadRanges> {
    let range = |&(offset, length): &(u64, u64)| v1::FileRange { offset, length: Some(length) };
    Some(v1::DownloadRanges { ranges: ranges.iter().map(range).collect() })
}

impl Rig<'_> {
    pub(crate) fn new_download(&self) -> Answer<String> {
        Ok(enquire!(self, create_download, v1::CreateDownloadRequest {})?.download_id)
    }

    pub(crate) fn set_value(&self, id: &str, property: Property, value: Value) -> Answer<()> {
        self.set_number(id, property.into(), Some(value))
    }

    pub(crate) fn set_number(&self, id: &str, property: i32, value: Option<Value>) -> Answer<()> {
        let value = value.map(|value| v1::DownloadValue { value: Some(value) });
        let request = v1::SetDownloadPropertyRequest { download_id: id.to_owned(), property, value };
        enquire!(self, set_download_property, request).map(drop)
    }

    pub(crate) fn value(&self, id: &str, property: Property) -> Answer<Value> {
        self.value_of(id, property.into())
    }

    pub(crate) fn value_of(&self, id: &str, property: i32) -> Answer<Value> {
        let request = v1::GetDownloadPropertyRequest { download_id: id.to_owned(), property };
        let value = enquire!(self, get_download_property, request)?.value.and_then(|value| value.value);
        Ok(value.unwrap_or(Value::Bytes(Vec::new())))
    }

    /// In the foreground, so that no other holds it up; and where it goes.
    pub(crate) fn download_of(&self, page: &str) -> Result<(String, PathBuf)> {
        let (id, place) = (self.new_download()?, self.place());
        self.set_value(&id, Property::Uri, text(self.url(page)))?;
        self.set_value(&id, Property::LocalPath, text(place.display().to_string()))?;
        self.set_value(&id, Property::ForegroundPriority, Value::Flag(true))?;
        Ok((id, place))
    }

    pub(crate) fn start(&self, id: &str, ranges: Option<v1::DownloadRanges>) -> Answer<v1::DownloadStatus> {
        let request = v1::StartDownloadRequest { download_id: id.to_owned(), ranges };
        Ok(enquire!(self, start_download, request)?.status.unwrap_or_default())
    }

    pub(crate) fn pause(&self, id: &str) -> Answer<v1::DownloadStatus> {
        let request = v1::PauseDownloadRequest { download_id: id.to_owned() };
        Ok(enquire!(self, pause_download, request)?.status.unwrap_or_default())
    }

    pub(crate) fn abort(&self, id: &str) -> Answer<v1::DownloadStatus> {
        let request = v1::AbortDownloadRequest { download_id: id.to_owned() };
        Ok(enquire!(self, abort_download, request)?.status.unwrap_or_default())
    }

    pub(crate) fn finalize(&self, id: &str) -> Answer<v1::DownloadStatus> {
        let request = v1::FinalizeDownloadRequest { download_id: id.to_owned() };
        Ok(enquire!(self, finalize_download, request)?.status.unwrap_or_default())
    }

    pub(crate) fn do_call(&self, id: &str, call: DoCall) -> Answer<v1::DownloadStatus> {
        match call {
            DoCall::Start => self.start(id, None),
            DoCall::Pause => self.pause(id),
            DoCall::Finalize => self.finalize(id),
            DoCall::Abort => self.abort(id),
        }
    }

    pub(crate) fn status(&self, id: &str) -> Answer<v1::DownloadStatus> {
        let request = v1::GetDownloadStatusRequest { download_id: id.to_owned() };
        Ok(enquire!(self, get_download_status, request)?.status.unwrap_or_default())
    }

    /// State, Error and ExtendedError, the codes by name.
    pub(crate) fn reading(&self, id: &str) -> Answer<(DownloadState, String, String)> {
        let status = self.status(id)?;
        let name = |error: Option<v1::ErrorDetail>| error.map(|error| error.name).unwrap_or_default();
        Ok((status.state(), name(status.error.clone()), name(status.extended_error)))
    }

    pub(crate) fn wait_for_download(&self, id: &str, state: DownloadState) -> Result<v1::DownloadStatus> {
        let mut last = v1::DownloadStatus::default();
        until(&format!("the download to be {}", state.short_name()), PATIENCE, || {
            last = self.status(id)?;
            if last.state() == DownloadState::Paused && state != DownloadState::Paused {
                bail!("it is paused: {last:?}");
            }
            Ok((last.state() == state).then_some(()))
        })
        .with_context(|| format!("it is {last:?}"))?;
        Ok(last)
    }

    /// A download in this state, and where its file goes.
    pub(crate) fn download_at(&self, state: DownloadState) -> Result<(String, PathBuf)> {
        let page = match state {
            DownloadState::Transferring | DownloadState::Paused => "/slow",
            _ => "/a",
        };
        let (id, place) = self.download_of(page)?;
        if state == DownloadState::Created {
            return Ok((id, place));
        }
        self.start(&id, ranges(&[]))?;
        match state {
            DownloadState::Paused => drop(self.pause(&id)?),
            DownloadState::Aborted => drop(self.abort(&id)?),
            DownloadState::Finalized => {
                self.wait_for_download(&id, DownloadState::Transferred)?;
                self.finalize(&id)?;
            }
            _ => {}
        }
        self.wait_for_download(&id, state)?;
        Ok((id, place))
    }

    pub(crate) fn enumerate(&self, category: Option<(Property, &str)>) -> Answer<Vec<v1::Download>> {
        let category = category
            .map(|(property, value)| v1::DownloadCategory { property: property.into(), value: value.into() });
        let request = v1::EnumDownloadsRequest { category, ..Default::default() };
        Ok(enquire!(self, enum_downloads, request)?.downloads)
    }
}
