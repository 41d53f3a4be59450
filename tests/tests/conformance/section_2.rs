//! IBackgroundCopyManager and the enumerators.

use anyhow::ensure;
use dray_api::v1::{self, JobPriority, JobState};

use crate::rig::{Place, ask, refused, same};
use crate::table::{Row, holds, left_out};

fn named(name: &str) -> v1::JobProperties {
    v1::JobProperties { display_name: Some(name.to_owned()), ..v1::JobProperties::default() }
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        holds("2.1", "a new job is a SUSPENDED download without files and without errors", |rig| {
            let job = rig.create(named("new"))?;
            same(
                (job.state(), job.r#type(), job.error_count),
                (JobState::Suspended, v1::JobType::Download, 0),
            )?;
            same(job.progress.unwrap_or_default().files_total, 0)
        }),
        holds("2.1", "a new job has the documented values", |rig| {
            let properties = rig.create(named("new"))?.properties.unwrap_or_default();
            same(properties.priority(), JobPriority::Normal)?;
            same(properties.notify_flags(), 3)?;
            same(properties.description(), "")?;
            same(properties.minimum_retry_delay_s(), 600)?;
            same(properties.no_progress_timeout_s(), 1_209_600)?;
            same(properties.maximum_download_time_s(), 7_776_000)
        }),
        holds("2.1", "a display name is required", |rig| {
            refused(ask!(rig, create_job, v1::CreateJobRequest::default()), "E_INVALIDARG")
        }),
        holds("2.1", "a display name has at most 256 characters", |rig| {
            rig.create(named(&"\u{e4}".repeat(256)))?;
            refused(rig.create(named(&"x".repeat(257))), "E_INVALIDARG")
        }),
        holds("2.1", "display names are not unique, and one may be empty", |rig| {
            let (one, two) = (rig.create(named(""))?, rig.create(named(""))?);
            ensure!(one.job_id != two.job_id, "one id for two jobs");
            Ok(())
        }),
        holds("2.1", "an undefined type is refused", |rig| {
            let request = v1::CreateJobRequest { r#type: 77, properties: Some(named("x")) };
            refused(ask!(rig, create_job, request), "E_NOTIMPL")
        }),
        left_out(
            "2.1",
            "UPLOAD and UPLOAD_REPLY jobs",
            "uploads belong to another stretch; E_NOTIMPL until then",
        ),
        left_out(
            "2.1",
            "BG_E_TOO_MANY_JOBS_PER_USER and _PER_MACHINE",
            "the daemon's own user is an administrator and so exempt; jobs/tests/jobs/limits.rs has both",
        ),
        left_out("2.1", "restricted tokens cannot create jobs", "there are none off Windows"),
        holds("2.2", "an id that no job has is BG_E_NOT_FOUND", |rig| {
            for id in ["", "x", "00000000-0000-4000-8000-000000000000", &"9".repeat(5000)] {
                refused(rig.get(id), "BG_E_NOT_FOUND")?;
            }
            Ok(())
        }),
        holds("2.2", "a job that has ended is BG_E_NOT_FOUND", |rig| {
            for place in [Place::Acknowledged, Place::Cancelled] {
                refused(rig.get(&rig.at(place)?), "BG_E_NOT_FOUND")?;
            }
            Ok(())
        }),
        left_out(
            "2.2",
            "E_ACCESSDENIED for a job of another user",
            "dray says BG_E_NOT_FOUND, so that an id tells strangers nothing; job_users.rs has it",
        ),
        holds("2.3", "the list has the caller's jobs, and none that has ended", |rig| {
            let (alive, ended) = (rig.job(&[])?, rig.at(Place::Cancelled)?);
            for all_users in [false, true] {
                let request = v1::ListJobsRequest { page_size: 1000, all_users, ..Default::default() };
                let listed = ask!(rig, list_jobs, request)?.jobs;
                ensure!(listed.iter().any(|job| job.job_id == alive), "{alive} is missing");
                ensure!(listed.iter().all(|job| job.job_id != ended), "{ended} has ended");
            }
            Ok(())
        }),
        left_out(
            "2.3",
            "everyone's jobs are for administrators",
            "needs a second user who is served; daemon/src/services/access.rs and jobs/tests have it",
        ),
        holds("2.4", "every code has a description", |rig| {
            let value = 0x8020_0001;
            let request = v1::GetErrorDescriptionRequest { value, ..Default::default() };
            let described = ask!(rig, get_error_description, request)?;
            same(described.name.as_str(), "BG_E_NOT_FOUND")?;
            ensure!(!described.description.is_empty(), "no description");
            let request = v1::GetErrorDescriptionRequest { value: u32::MAX, ..Default::default() };
            ensure!(!ask!(rig, get_error_description, request)?.description.is_empty(), "no description");
            Ok(())
        }),
        holds("2.4", "a language without texts is refused", |rig| {
            let language = "tlh".to_owned();
            let request = v1::GetErrorDescriptionRequest { value: 1, language, ..Default::default() };
            refused(ask!(rig, get_error_description, request), "ERROR_RESOURCE_LANG_NOT_FOUND")
        }),
        holds("2.5", "a listing is a snapshot: what is created during it does not appear in it", |rig| {
            let first = v1::ListJobsRequest { page_size: 1, ..Default::default() };
            rig.job(&[])?;
            rig.job(&[])?;
            let page = ask!(rig, list_jobs, first)?;
            std::thread::sleep(std::time::Duration::from_millis(2));
            let late = rig.job(&[])?;
            let page_token = page.next_page_token;
            let rest = v1::ListJobsRequest { page_size: 1000, page_token, ..Default::default() };
            let rest = ask!(rig, list_jobs, rest)?;
            ensure!(rest.jobs.iter().all(|job| job.job_id != late), "a late job is listed");
            same(rest.next_page_token.as_str(), "")
        }),
        holds("2.5", "files are listed in the order of adding", |rig| {
            let id = rig.job(&["/a", "/b", "/c"])?;
            let request = v1::ListFilesRequest { job_id: id, page_size: 2, ..Default::default() };
            let page = ask!(rig, list_files, request.clone())?;
            let rest = v1::ListFilesRequest { page_token: page.next_page_token, ..request };
            let rest = ask!(rig, list_files, rest)?.files;
            let urls: Vec<String> = page.files.into_iter().chain(rest).map(|file| file.remote_url).collect();
            same(urls, ["/a", "/b", "/c"].map(|page| rig.url(page)).to_vec())
        }),
        holds("2.5", "a page token of nobody is E_INVALIDARG", |rig| {
            let page_token = "x".to_owned();
            let request = v1::ListJobsRequest { page_token: page_token.clone(), ..Default::default() };
            refused(ask!(rig, list_jobs, request), "E_INVALIDARG")?;
            let request = v1::ListFilesRequest { job_id: rig.job(&[])?, page_token, ..Default::default() };
            refused(ask!(rig, list_files, request), "E_INVALIDARG")
        }),
        left_out("2.5", "Skip, Reset, Clone, GetCount", "a listing is pages with tokens, which clients keep"),
    ]
}
