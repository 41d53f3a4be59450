//! A call that failed, as it travels: the code, its name, and one sentence.

use dray_api::v1::{ErrorContext, ErrorDetail, JobError};
use dray_jobs::{Code, Context, Failure, Job};
use tonic::Status;
use url::Url;

/// The status that carries a failure.
pub(crate) fn status(failure: &Failure) -> Status {
    let detail = detail(failure.code, Context::None, &failure.sentence);
    match failure.is_wrong_value {
        true => detail.into_status_as(tonic::Code::InvalidArgument),
        false => detail.into_status(),
    }
}

pub(super) fn detail(code: Code, context: Context, sentence: &str) -> ErrorDetail {
    let context = ErrorContext::from_bits(context.value()).unwrap_or(ErrorContext::Unknown);
    ErrorDetail::new(code.name(), code.value(), sentence).with_context(context)
}

/// The error of a job that has one.
pub(crate) fn job_error(job: &Job) -> Option<JobError> {
    let error = job.error().ok()?;
    let file = error.file.and_then(|index| job.file(index).ok());
    Some(JobError {
        detail: Some(detail(error.code, error.context, &error.detail)),
        file_index: error.file.map(|index| index.0),
        remote_url: file.map(|file| shown_url(file.remote().url())).unwrap_or_default(),
        local_path: file.map(|file| file.local().as_str().to_owned()).unwrap_or_default(),
        protocol: file.map(|file| file.remote().protocol().to_owned()).unwrap_or_default(),
    })
}

/// A URL without what may be secret: the query, and the user with the password.
pub(crate) fn shown_url(mut url: Url) -> String {
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only for URLs that have no host, and so no password.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.into()
}
