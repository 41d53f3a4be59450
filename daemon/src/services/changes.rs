//! The calls that change one file, the URLs of many, or the owner.

use dray_api::v1;
use dray_jobs::{Call, Code, Failure, FileIndex, RemoteName};
use tonic::Request;

use super::jobs::Jobs;
use crate::wire::{show, take};

impl Jobs {
    pub(super) async fn request_ranges(
        &self,
        request: Request<v1::RequestFileRangesRequest>,
    ) -> Result<v1::RequestFileRangesResponse, Failure> {
        let caller = self.caller(&request);
        let request = request.into_inner();
        let call = Call::RequestFileRanges {
            file: FileIndex(request.file_index),
            ranges: take::ranges(&request.ranges),
        };
        let changed = self.change(caller, &request.job_id, call).await?;
        Ok(v1::RequestFileRangesResponse { state: show::state(changed.state).into() })
    }

    pub(super) async fn position(
        &self,
        request: Request<v1::UpdateDownloadPositionRequest>,
    ) -> Result<v1::UpdateDownloadPositionResponse, Failure> {
        let caller = self.caller(&request);
        let request = request.into_inner();
        let call =
            Call::UpdateDownloadPosition { file: FileIndex(request.file_index), offset: request.offset };
        self.change(caller, &request.job_id, call).await?;
        Ok(v1::UpdateDownloadPositionResponse {})
    }

    pub(super) async fn rename(
        &self,
        request: Request<v1::SetRemoteNameRequest>,
    ) -> Result<v1::SetRemoteNameResponse, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let job = take::job_id(&request.job_id)?;
        let file = FileIndex(request.file_index);
        // A wrong job or file is said before a wrong URL.
        self.look(caller.clone(), job, move |_, job| job.file(file).map(drop)).await?;
        // The daemon would write other bytes for whoever may not write them.
        self.access.may_write(&caller)?;
        let remote = RemoteName::parse(&request.remote_url)?;
        self.call(caller, job, Call::SetRemoteName { file, remote }).await?;
        Ok(v1::SetRemoteNameResponse {})
    }

    pub(super) async fn replace_prefix(
        &self,
        request: Request<v1::ReplaceRemotePrefixRequest>,
    ) -> Result<v1::ReplaceRemotePrefixResponse, Failure> {
        let caller = self.caller(&request)?;
        let v1::ReplaceRemotePrefixRequest { job_id, old_prefix: old, new_prefix: new } =
            request.into_inner();
        let job = take::job_id(&job_id)?;
        self.look(caller.clone(), job, |_, _| Ok(())).await?;
        self.access.may_write(&caller)?;
        let changed = self.call(caller, job, Call::ReplaceRemotePrefix { old, new }).await?;
        Ok(v1::ReplaceRemotePrefixResponse { code: show::success(changed.code).into() })
    }

    pub(super) async fn validate(
        &self,
        request: Request<v1::SetValidationStateRequest>,
    ) -> Result<v1::SetValidationStateResponse, Failure> {
        let caller = self.caller(&request);
        let request = request.into_inner();
        let call = Call::SetValidationState { file: FileIndex(request.file_index), valid: request.valid };
        let changed = self.change(caller, &request.job_id, call).await?;
        Ok(v1::SetValidationStateResponse { state: show::state(changed.state).into() })
    }

    pub(super) async fn own(
        &self,
        request: Request<v1::TakeOwnershipRequest>,
    ) -> Result<v1::TakeOwnershipResponse, Failure> {
        let caller = self.caller(&request)?;
        let job = take::job_id(&request.get_ref().job_id)?;
        let may_write = self.access.may_write(&caller);
        self.look(caller.clone(), job, move |_, job| {
            if may_write.is_err() && !job.files().is_empty() {
                return Err(Code::BG_E_NEW_OWNER_NO_FILE_ACCESS.into());
            }
            Ok(())
        })
        .await?;
        self.call(caller.clone(), job, Call::TakeOwnership).await?;
        Ok(v1::TakeOwnershipResponse { job: self.shown(caller, job).await? })
    }
}
