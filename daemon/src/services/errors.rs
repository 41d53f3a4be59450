//! What errors mean: of a job, and of any code.

use dray_api::v1::{self, ErrorContext};
use dray_jobs::{Code, Context, Failure};
use tonic::Request;

use super::jobs::Jobs;
use crate::wire::{refusal, take};

/// The only language of our sentences.
const LANGUAGE: &str = "en";

impl Jobs {
    pub(super) async fn error(
        &self,
        request: Request<v1::GetJobErrorRequest>,
    ) -> Result<v1::GetJobErrorResponse, Failure> {
        let caller = self.caller(&request)?;
        let job = take::job_id(&request.get_ref().job_id)?;
        self.look(caller, job, |_, job| {
            job.error()?;
            Ok(v1::GetJobErrorResponse { error: refusal::job_error(job) })
        })
        .await
    }
}

/// GetErrorDescription. Anyone may ask: it tells nothing of any job.
pub(super) fn describe(
    request: &v1::GetErrorDescriptionRequest,
) -> Result<v1::GetErrorDescriptionResponse, Failure> {
    let language = request.language.split(['-', '_']).next().unwrap_or_default();
    if !language.is_empty() && !language.eq_ignore_ascii_case(LANGUAGE) {
        return Err(Code::ERROR_RESOURCE_LANG_NOT_FOUND.into());
    }
    let unknown = || Failure::new(Code::E_INVALIDARG, format!("There is no context {}.", request.context));
    let context = ErrorContext::try_from(request.context).map_err(|_| unknown())?;
    let context = context.bits().and_then(Context::from_value);
    let code = Code::from_value(request.value);
    Ok(v1::GetErrorDescriptionResponse {
        name: code.name(),
        description: code.text().to_owned(),
        context_description: context.map(|context| context.text().to_owned()).unwrap_or_default(),
        is_transient: code.is_transient(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(value: u32, context: i32, language: &str) -> Result<v1::GetErrorDescriptionResponse, Code> {
        let request = v1::GetErrorDescriptionRequest { value, context, language: language.to_owned() };
        describe(&request).map_err(|failure| failure.code)
    }

    #[test]
    fn every_number_has_a_description() {
        for code in Code::named() {
            let described = ask(code.value(), 0, "").unwrap();
            assert!(described.name == code.name() && !described.description.is_empty());
        }
        assert_eq!(ask(0x8019_0194, 0, "en").unwrap().name, "BG_E_HTTP_ERROR_404");
        assert_eq!(ask(0xffff_fffe, 0, "en-GB").unwrap().name, "0xfffffffe");
        assert!(ask(0x8019_01f7, 0, "").unwrap().is_transient);
    }

    #[test]
    fn a_context_is_described_when_it_is_asked_for() {
        assert_eq!(ask(0, 0, "").unwrap().context_description, "");
        assert!(ask(0, ErrorContext::RemoteFile.into(), "").unwrap().context_description.contains("remote"));
        assert_eq!(ask(0, 77, ""), Err(Code::E_INVALIDARG));
    }

    #[test]
    fn a_language_without_texts_is_refused() {
        assert_eq!(ask(0, 0, "de"), Err(Code::ERROR_RESOURCE_LANG_NOT_FOUND));
    }
}
