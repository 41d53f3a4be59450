//! EnumDownloads: the caller's downloads in pages, perhaps only those of one category.

use dray_api::v1;
use dray_jobs::{Code, DownloadProperty, Failure, Job};
use tonic::Request;

use super::Downloads;
use crate::runner::wall;
use crate::services::pages::{self, JobsAfter};
use crate::wire::download as wire;

/// The properties that a category may name (reference 13.1).
const CATEGORIES: [DownloadProperty; 5] = [
    DownloadProperty::Id,
    DownloadProperty::Uri,
    DownloadProperty::ContentId,
    DownloadProperty::DisplayName,
    DownloadProperty::LocalPath,
];

impl Downloads {
    pub(super) async fn list(
        &self,
        request: Request<v1::EnumDownloadsRequest>,
    ) -> Result<v1::EnumDownloadsResponse, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let category = request.category.map(category).transpose()?;
        let after = JobsAfter::parse(&request.page_token)?;
        let size = pages::size(request.page_size);
        self.runner
            .look(move |actor| {
                let until = after.map_or_else(wall, |after| after.until);
                let place = |job: &Job| (job.times().created, job.id());
                let all = actor.queue().list_downloads(&caller).into_iter();
                let mut rest = all
                    .filter(|job| after.is_none_or(|after| place(job) > after.last && place(job).0 <= until))
                    .filter(|job| category.as_ref().is_none_or(|category| is_of(job, category)))
                    .peekable();
                if rest.peek().is_none() && after.is_none() {
                    return Err(Code::DO_E_NO_DOWNLOADS.into());
                }
                let mut last = None;
                let shown = rest.map(|job| {
                    let entry = wire::shown(job);
                    (place(job), entry)
                });
                let mut places = Vec::new();
                let shown = shown.map(|(place, entry)| {
                    places.push(place);
                    entry
                });
                let (downloads, is_all) = pages::fill(size, shown);
                if let Some(count) = downloads.len().checked_sub(1) {
                    last = places.get(count).copied();
                }
                let next = last.filter(|_| !is_all).map(|last| JobsAfter { last, until }.to_token());
                Ok(v1::EnumDownloadsResponse { downloads, next_page_token: next.unwrap_or_default() })
            })
            .await?
    }
}

fn category(category: v1::DownloadCategory) -> Result<(DownloadProperty, String), Failure> {
    let property = wire::take_property(category.property)?;
    if !CATEGORIES.contains(&property) {
        let sentence = format!("Downloads cannot be listed by {}.", property.name());
        return Err(Failure::new(Code::E_INVALIDARG, sentence));
    }
    // A digest has one form; what is none is that of no download.
    let value = match property {
        DownloadProperty::ContentId => wire::content_id(&category.value).unwrap_or(category.value),
        _ => category.value,
    };
    Ok((property, value))
}

fn is_of(job: &Job, (property, value): &(DownloadProperty, String)) -> bool {
    wire::text(job, *property).is_some_and(|text| text == *value)
}
