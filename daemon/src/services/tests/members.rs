//! Administrators that are neither root nor the daemon's user: they control every job, and write nothing through it.

use dray_api::transport::{Caller, User};
use dray_api::v1::job_service_server::JobService;
use dray_jobs::{Code, Failure};
use tonic::Request;

use super::*;

const GROUP: u32 = 91;
/// Whose jobs the house makes, and as whom the daemon runs here.
const OWNER: u32 = 7;

fn from<T>(uid: u32, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let caller = Caller { user: User::Unix { uid, gid: uid }, groups: vec![GROUP], pid: None };
    request.extensions_mut().insert(caller);
    request
}

fn code<T>(outcome: Result<T, Failure>) -> Code {
    outcome.map_or_else(|failure| failure.code, |_| Code::S_OK)
}

/// The service of a daemon of [`OWNER`], in the house.
fn service(house: &House) -> Jobs {
    let user = peer::UserId::Unix { uid: OWNER, gid: OWNER };
    let access = Access::new(user).with_administrators(Some(GROUP));
    let (runner, hub, metrics) = (house.runner.clone(), house.hub.clone(), house.metrics.clone());
    Jobs { runner, hub, access, metrics }
}

#[tokio::test]
async fn a_member_of_the_group_gives_no_file_of_another_user_another_url() {
    let house = House::new();
    let jobs = service(&house);
    let job_id = house.job(&["a"]).await.to_string();
    let name = |job_id: &str| v1::SetRemoteNameRequest {
        job_id: job_id.to_owned(),
        file_index: 0,
        remote_url: url("b"),
    };
    let prefix = |job_id: &str| v1::ReplaceRemotePrefixRequest {
        job_id: job_id.to_owned(),
        old_prefix: "http://host/".to_owned(),
        new_prefix: "http://elsewhere/".to_owned(),
    };
    for (uid, expected) in [(1001, Code::E_ACCESSDENIED), (OWNER, Code::S_OK), (0, Code::S_OK)] {
        assert_eq!(code(jobs.rename(from(uid, name(&job_id))).await), expected, "{uid}");
        assert_eq!(code(jobs.replace_prefix(from(uid, prefix(&job_id))).await), expected, "{uid}");
    }
    // What is not there is said first, to whoever asks.
    let nobody = uuid::Uuid::new_v4().to_string();
    assert_eq!(code(jobs.rename(from(1001, name(&nobody))).await), Code::BG_E_NOT_FOUND);
    assert_eq!(code(jobs.replace_prefix(from(1001, prefix(&nobody))).await), Code::BG_E_NOT_FOUND);
}

#[tokio::test]
async fn a_member_of_the_group_takes_over_only_jobs_that_have_no_files() {
    let house = House::new();
    let jobs = service(&house);
    for (uid, expected) in [(1001, Code::BG_E_NEW_OWNER_NO_FILE_ACCESS), (0, Code::S_OK), (OWNER, Code::S_OK)]
    {
        let job_id = house.job(&["a"]).await.to_string();
        let taken = jobs.own(from(uid, v1::TakeOwnershipRequest { job_id })).await;
        assert_eq!(code(taken), expected, "{uid}");
    }
    let empty = jobs.create_job(from(OWNER, named("empty"))).await.unwrap().into_inner();
    let job_id = empty.job.unwrap().job_id;
    let taken = jobs.own(from(1001, v1::TakeOwnershipRequest { job_id })).await.unwrap();
    assert_eq!(taken.job.unwrap().owner, "1001");
}
