//! The headers of a download may hold credentials: they are its owner's, and no other administrator's.
//!
//! Whoever sets another URI sends them to another server, and whoever sets another path lets the daemon write where the
//! owner may and others may not; so these are the owner's too. Root can do all of it anyway.

use dray_jobs::{Code, DownloadProperty, Failure, Job, Owner};

/// Whether the value may be shown to whoever asks.
pub(super) fn may_get(
    job: &Job,
    property: DownloadProperty,
    asking: &Owner,
    all: bool,
) -> Result<(), Failure> {
    use DownloadProperty::{HttpCustomAuthHeaders, HttpCustomHeaders};
    let is_secret = matches!(property, HttpCustomHeaders | HttpCustomAuthHeaders);
    if is_secret { of_owner(job, property, asking, all) } else { Ok(()) }
}

/// Whether whoever asks may set it.
pub(super) fn may_set(
    job: &Job,
    property: DownloadProperty,
    asking: &Owner,
    all: bool,
) -> Result<(), Failure> {
    match property {
        DownloadProperty::Uri | DownloadProperty::LocalPath => of_owner(job, property, asking, all),
        _ => may_get(job, property, asking, all),
    }
}

fn of_owner(job: &Job, property: DownloadProperty, asking: &Owner, all: bool) -> Result<(), Failure> {
    if all || job.owner() == asking {
        return Ok(());
    }
    let sentence = format!("The {} of a download is its owner's alone.", property.name());
    Err(Failure::new(Code::E_ACCESSDENIED, sentence))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dray_jobs::{Caller, JobId, JobType, NewJob, Now, Rules};

    use super::*;

    #[test]
    fn headers_and_from_where_to_where_are_the_owners() {
        let (owner, other) = (Owner::new("1000"), Owner::new("1001"));
        let new = NewJob {
            id: JobId(uuid::Uuid::from_u128(1)),
            display_name: String::new(),
            job_type: JobType::DoDownload,
            settings: Vec::new(),
        };
        let rules = Arc::new(Rules::default());
        let (job, _) = Job::create(Now::default(), &Caller::user(owner.clone()), new, rules).unwrap();
        for property in DownloadProperty::ALL.iter().copied() {
            assert_eq!(may_set(&job, property, &owner, false), Ok(()));
            assert_eq!(may_get(&job, property, &other, true), Ok(()), "root");
            let is_header = property.name().starts_with("HttpCustom");
            assert_eq!(may_get(&job, property, &other, false).is_err(), is_header, "{property:?}");
            let is_place = matches!(property, DownloadProperty::Uri | DownloadProperty::LocalPath);
            let is_refused = may_set(&job, property, &other, false).is_err();
            assert_eq!(is_refused, is_header || is_place, "{property:?}");
        }
    }
}
