//! A client that is told of jobs, one event after the other, and has to acknowledge them.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use dray_api::v1::{self, SuccessCode, job_event::Event};
use tonic::Streaming;

use crate::rig::{Rig, ask, same};

/// Longest wait for an event: longer than the rest of 5 s after a refusal.
const PATIENCE: Duration = Duration::from_secs(60);

/// What stands in the place of a callback object.
pub(super) struct Listener<'a> {
    rig: &'a Rig<'a>,
    stream: Streaming<v1::WatchEventsResponse>,
}

/// One call of a callback.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) id: u64,
    pub(super) job: String,
    pub(super) event: Event,
}

impl<'a> Listener<'a> {
    /// Listens to these jobs.
    pub(super) fn new(rig: &'a Rig<'a>, jobs: &[&str]) -> Result<Listener<'a>> {
        let job_ids = jobs.iter().map(|&id| id.to_owned()).collect();
        let request = v1::WatchEventsRequest { job_ids, acknowledge: true, ..Default::default() };
        let stream = ask!(rig, watch_events, request)?;
        let mut listener = Listener { rig, stream };
        while !matches!(listener.any()?.event, Event::CaughtUp(_)) {}
        Ok(listener)
    }

    fn any(&mut self) -> Result<Told> {
        let Listener { rig, stream } = self;
        let message = rig.block_on(async { tokio::time::timeout(PATIENCE, stream.message()).await });
        let message = message.context("nothing was told")??.context("the stream ended")?;
        let told = message.event.context("a message without an event")?;
        let event = told.event.context("an event of no known kind")?;
        Ok(Told { id: told.event_id, job: told.job_id, event })
    }

    /// The next event, whatever it is.
    pub(super) fn next(&mut self) -> Result<Told> {
        let told = self.any()?;
        match told.event {
            Event::Snapshot(_) | Event::CaughtUp(_) | Event::EventsLost(_) => bail!("{told:?}"),
            _ => Ok(told),
        }
    }

    /// The next event, which has to be this one, of this job.
    pub(super) fn expect(&mut self, job: &str, name: &str) -> Result<Told> {
        let told = self.next()?;
        same((told.job.as_str(), told.name().as_str()), (job, name))?;
        Ok(told)
    }

    /// The same, acknowledged.
    pub(super) fn take(&mut self, job: &str, name: &str) -> Result<()> {
        let told = self.expect(job, name)?;
        same(answer(self.rig, &told, false)?, SuccessCode::SOk)
    }

    /// The same, refused; its number.
    pub(super) fn refuse(&mut self, job: &str, name: &str) -> Result<u64> {
        let told = self.expect(job, name)?;
        same(answer(self.rig, &told, true)?, SuccessCode::SOk)?;
        Ok(told.id)
    }
}

impl Told {
    /// Which callback it is; of a file with its number.
    pub(super) fn name(&self) -> String {
        match &self.event {
            Event::FileTransferred(it) => {
                format!("FileTransferred {}", it.file.as_ref().map_or(u32::MAX, |file| file.index))
            }
            Event::JobTransferred(_) => "JobTransferred".to_owned(),
            Event::JobFailed(_) => "JobError".to_owned(),
            Event::Modified(_) => "JobModification".to_owned(),
            Event::FileRangesTransferred(_) => "FileRangesTransferred".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// The return value of a callback.
pub(super) fn answer(rig: &Rig<'_>, told: &Told, rejected: bool) -> Result<SuccessCode> {
    let request = v1::AcknowledgeEventRequest { event_id: told.id, rejected };
    Ok(ask!(rig, acknowledge_event, request)?.code())
}
