//! The calls that only look: lists of jobs and files, and what is asked and there of a file.

use dray_api::v1::{self, SuccessCode};
use dray_jobs::{Code, Failure, FileIndex};
use dray_ranges::{ByteRange, RangeSet};
use tonic::Request;

use super::jobs::Jobs;
use super::pages::{self, JobsAfter};
use crate::runner::wall;
use crate::wire::{show, take};

impl Jobs {
    pub(super) async fn list(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<v1::ListJobsResponse, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let after = JobsAfter::parse(&request.page_token)?;
        let size = pages::size(request.page_size);
        let mut page = self
            .runner
            .look(move |actor| {
                let until = after.map_or_else(wall, |after| after.until);
                let queue = actor.queue();
                let jobs = queue.list(&caller, request.all_users)?;
                let jobs = jobs.into_iter().filter_map(|id| queue.job(id));
                let rest = jobs.filter(|job| {
                    let place = (job.times().created, job.id());
                    after.is_none_or(|after| place > after.last) && job.times().created <= until
                });
                let mut last = None;
                let shown = rest.map(|job| ((job.times().created, job.id()), show::job(job)));
                let (jobs, is_all) = pages::fill(size, shown.map(|(_, job)| job));
                if let Some(id) = jobs.last().and_then(|job| job.job_id.parse().ok()) {
                    last = queue.job(id).map(|job| (job.times().created, job.id()));
                }
                let next = last.filter(|_| !is_all).map(|last| JobsAfter { last, until }.to_token());
                Ok::<_, Failure>(v1::ListJobsResponse { jobs, next_page_token: next.unwrap_or_default() })
            })
            .await??;
        self.access.names().fill(&mut page.jobs).await;
        Ok(page)
    }

    pub(super) async fn files(
        &self,
        request: Request<v1::ListFilesRequest>,
    ) -> Result<v1::ListFilesResponse, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let job = take::job_id(&request.job_id)?;
        let from = pages::files_from(&request.page_token)?;
        let size = pages::size(request.page_size);
        self.look(caller, job, move |_, job| {
            let files = job.files().iter().enumerate().skip(from);
            let shown = files.map(|(place, file)| {
                let index = FileIndex(u32::try_from(place).unwrap_or(u32::MAX));
                show::file(job, index, file)
            });
            let (files, is_all) = pages::fill(size, shown);
            let next = if is_all { String::new() } else { (from + files.len()).to_string() };
            Ok(v1::ListFilesResponse { files, next_page_token: next })
        })
        .await
    }

    pub(super) async fn file_ranges(
        &self,
        request: Request<v1::GetFileRangesRequest>,
    ) -> Result<v1::GetFileRangesResponse, Failure> {
        let caller = self.caller(&request)?;
        let job = take::job_id(&request.get_ref().job_id)?;
        let index = FileIndex(request.get_ref().file_index);
        self.look(caller, job, move |_, job| {
            let ranges = job.file(index)?.ranges();
            let code = if ranges.is_some() { SuccessCode::SOk } else { SuccessCode::SFalse };
            let ranges = ranges.into_iter().flatten().map(show::range_spec).collect();
            Ok(v1::GetFileRangesResponse { code: code.into(), ranges })
        })
        .await
    }

    pub(super) async fn filled_ranges(
        &self,
        request: Request<v1::GetFilledFileRangesRequest>,
    ) -> Result<v1::GetFilledFileRangesResponse, Failure> {
        let caller = self.caller(&request)?;
        let job = take::job_id(&request.get_ref().job_id)?;
        let index = FileIndex(request.get_ref().file_index);
        self.look(caller, job, move |actor, job| {
            let file = job.file(index)?;
            if file.ranges().is_some() || !job.job_type().is_download() {
                return Err(Code::BG_E_RANDOM_ACCESS_NOT_SUPPORTED.into());
            }
            let filled: RangeSet = if file.has_arrived() {
                ByteRange::new(0, file.progress().bytes_transferred).into_iter().collect()
            } else {
                actor.written((job.id(), index))
            };
            Ok(v1::GetFilledFileRangesResponse { ranges: show::filled(&filled) })
        })
        .await
    }
}
