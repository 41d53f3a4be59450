//! The extensions of jobs: command line, file ACL flags, peer caching, generic properties.

use anyhow::Result;
use dray_api::v1::{self, JobState};

use crate::rig::{Place, Rig, refused, same, urgent};
use crate::table::{Row, holds, left_out};

fn none() -> v1::JobProperties {
    v1::JobProperties::default()
}

fn command(program: &str, parameters: &str) -> v1::JobProperties {
    let notify_command =
        Some(v1::NotifyCommand { program: program.to_owned(), parameters: parameters.to_owned() });
    v1::JobProperties { notify_command, ..none() }
}

/// A setting before the first file, after it, after the first Resume: the code of each, or "" for none.
fn when(rig: &Rig<'_>, setting: &v1::JobProperties, codes: [&str; 3]) -> Result<()> {
    let resumed = rig.at(Place::Transferring)?;
    rig.suspend(&resumed)?;
    for (id, code) in [rig.at(Place::Empty)?, rig.at(Place::Suspended)?, resumed].iter().zip(codes) {
        let outcome = rig.set(id, setting.clone());
        match code {
            "" => drop(outcome?),
            code => refused(outcome, code)?,
        }
    }
    Ok(())
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = commands();
    rows.extend(flags());
    rows.extend(generic());
    rows.extend([
        left_out("4.1", "replies and credentials", "uploads and credentials belong to another stretch"),
        left_out("4.3", "integrity level and elevation of the owner", "there are none off Windows"),
        left_out("4.4", "NOTIFICATION_CLSID", "a class of Windows; watch events or set a notify command"),
        left_out("4.4", "USE_STORED_CREDENTIALS", "credentials belong to another stretch"),
        left_out(
            "4.4",
            "properties of uploads are BG_E_PROPERTY_SUPPORTED_FOR_DOWNLOAD_JOBS_ONLY",
            "there are no uploads yet; jobs/tests/jobs/settings.rs has it",
        ),
        left_out("4.4", "BG_E_UNKNOWN_PROPERTY_ID", "properties are fields, so there are no unknown ids"),
        left_out("4.5", "client certificates, headers, security flags", "they belong to another stretch"),
        left_out("4.6", "HTTP methods", "they belong to another stretch"),
        left_out("4.7", "validation of server certificates", "it belongs to another stretch"),
        left_out("4.8", "helper tokens", "there are none off Windows"),
    ]);
    rows
}

fn commands() -> Vec<Row> {
    vec![
        holds("4.1", "a notify command is set, read and cleared", |rig| {
            let id = rig.job(&[])?;
            same(rig.get(&id)?.properties.unwrap_or_default().notify_command, None)?;
            let set = command("/bin/true", "/bin/true x");
            same(rig.set(&id, set.clone())?.notify_command, set.notify_command)?;
            same(rig.set(&id, command("", ""))?.notify_command, None)
        }),
        holds("4.1", "parameters without a program are refused", |rig| {
            refused(rig.set(&rig.job(&[])?, command("", "x")), "E_INVALIDARG")
        }),
        holds("4.1", "a program is a full path", |rig| {
            for program in ["true", "./true", "$HOME/true"] {
                refused(rig.set(&rig.job(&[])?, command(program, "")), "E_INVALIDARG")?;
            }
            Ok(())
        }),
        holds("4.1", "the first parameter is the program again", |rig| {
            let id = rig.job(&[])?;
            refused(rig.set(&id, command("/bin/true", "/bin/false x")), "E_INVALIDARG")?;
            rig.set(&id, command("/bin/a b", "\"/bin/a b\" x"))?;
            Ok(())
        }),
        holds("4.1", "a program has at most 260 characters, parameters 4,000", |rig| {
            let id = rig.job(&[])?;
            rig.set(&id, command(&"/x".repeat(130), ""))?;
            refused(rig.set(&id, command(&format!("{}x", "/x".repeat(130)), "")), "BG_E_STRING_TOO_LONG")?;
            rig.set(&id, command("/a", &format!("/a {}", "x".repeat(3997))))?;
            let long = command("/a", &format!("/a {}", "x".repeat(3998)));
            refused(rig.set(&id, long), "BG_E_STRING_TOO_LONG")
        }),
    ]
}

fn flags() -> Vec<Row> {
    vec![
        holds("4.2", "file ACL flags are four bits; others are E_INVALIDARG", |rig| {
            let id = rig.job(&[])?;
            let acl = |bits| v1::JobProperties { file_acl_flags: Some(bits), ..none() };
            same(rig.set(&id, acl(15))?.file_acl_flags(), 15)?;
            for bits in [16, u32::MAX] {
                refused(rig.set(&id, acl(bits)), "E_INVALIDARG")?;
            }
            Ok(())
        }),
        holds("4.2", "file ACL flags are set before TRANSFERRED", |rig| {
            let properties = v1::JobProperties { file_acl_flags: Some(1), ..none() };
            refused(rig.set(&rig.at(Place::Transferred)?, properties), "BG_E_INVALID_STATE")
        }),
        holds("4.3", "peer-caching flags are three bits, 0 by default; others are E_NOTIMPL", |rig| {
            let id = rig.job(&[])?;
            same(rig.get(&id)?.properties.unwrap_or_default().peer_caching_flags(), 0)?;
            let peers = |bits| v1::JobProperties { peer_caching_flags: Some(bits), ..none() };
            same(rig.set(&id, peers(7))?.peer_caching_flags(), 7)?;
            for bits in [8, u32::MAX] {
                refused(rig.set(&id, peers(bits)), "E_NOTIMPL")?;
            }
            Ok(())
        }),
        holds("4.3", "a maximum download time of 0 is refused", |rig| {
            let id = rig.job(&[])?;
            let most = |seconds| v1::JobProperties { maximum_download_time_s: Some(seconds), ..none() };
            same(rig.set(&id, most(1))?.maximum_download_time_s(), 1)?;
            refused(rig.set(&id, most(0)), "E_INVALIDARG")
        }),
    ]
}

fn generic() -> Vec<Row> {
    vec![
        holds("4.4", "COST_FLAGS are set at any time, and only defined ones", |rig| {
            when(rig, &v1::JobProperties { cost_flags: Some(0x8000_00ff), ..none() }, ["", "", ""])?;
            let undefined = v1::JobProperties { cost_flags: Some(0x100), ..none() };
            refused(rig.set(&rig.job(&[])?, undefined), "E_INVALIDARG")
        }),
        holds("4.4", "DYNAMIC_CONTENT is set before the first Resume", |rig| {
            let dynamic = v1::JobProperties { dynamic_content: Some(true), ..none() };
            when(rig, &dynamic, ["", "", "BG_E_READ_ONLY_PROPERTY_AFTER_RESUME"])
        }),
        holds("4.4", "DYNAMIC_CONTENT goes with neither ranges nor on-demand mode", |rig| {
            let id = rig.job(&[])?;
            let ranges = vec![v1::FileRange { offset: 0, length: Some(1) }];
            rig.add(&id, v1::NewFile { ranges: ranges.clone(), ..rig.file("/a") })?;
            let dynamic = v1::JobProperties { dynamic_content: Some(true), ..none() };
            refused(rig.set(&id, dynamic.clone()), "BG_E_UNSUPPORTED_JOB_CONFIGURATION")?;
            let id = rig.create(dynamic.clone())?.job_id;
            let ranged = v1::NewFile { ranges, ..rig.file("/a") };
            refused(rig.add(&id, ranged), "BG_E_UNSUPPORTED_JOB_CONFIGURATION")?;
            let both = v1::JobProperties { on_demand_mode: Some(true), ..dynamic };
            refused(rig.create(both), "BG_E_UNSUPPORTED_JOB_CONFIGURATION")
        }),
        holds("4.4", "a job with DYNAMIC_CONTENT runs only in the foreground", |rig| {
            let id = rig.at(Place::Queued)?;
            same(rig.get(&id)?.state(), JobState::Queued)?;
            rig.set(&id, urgent())?;
            rig.wait_for(&id, JobState::Transferred)
        }),
        holds("4.4", "HIGH_PERFORMANCE is set before any file is added", |rig| {
            let fast = v1::JobProperties { high_performance: Some(true), ..none() };
            let late = "BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE";
            when(rig, &fast, ["", late, late])
        }),
        holds("4.4", "MAX_DOWNLOAD_SIZE is set before the first Resume", |rig| {
            let most = v1::JobProperties { max_download_size_bytes: Some(u64::MAX), ..none() };
            when(rig, &most, ["", "", "BG_E_READ_ONLY_PROPERTY_AFTER_RESUME"])
        }),
        holds("4.4", "a MAX_DOWNLOAD_SIZE of 0 is refused", |rig| {
            let none = v1::JobProperties { max_download_size_bytes: Some(0), ..none() };
            refused(rig.set(&rig.job(&[])?, none), "BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE")
        }),
        holds("4.4", "exceeding MAX_DOWNLOAD_SIZE is an error of the job", |rig| {
            let small = v1::JobProperties { max_download_size_bytes: Some(99_999), ..urgent() };
            let id = rig.create(small)?.job_id;
            rig.add(&id, rig.file("/a"))?;
            rig.run(&id, JobState::Error)?;
            let error = rig.error(&id)?.detail.unwrap_or_default();
            same(error.name.as_str(), "BG_E_MAX_DOWNLOAD_SIZE_LIMIT_REACHED")?;
            let exact = v1::JobProperties { max_download_size_bytes: Some(100_000), ..urgent() };
            let id = rig.create(exact)?.job_id;
            rig.add(&id, rig.file("/a"))?;
            rig.run(&id, JobState::Transferred)
        }),
        holds("4.4", "MINIMUM_NOTIFICATION_INTERVAL_MS is 500 by default and set at any time", |rig| {
            let id = rig.job(&[])?;
            let default = rig.get(&id)?.properties.unwrap_or_default();
            same(default.minimum_notification_interval_ms(), 500)?;
            when(
                rig,
                &v1::JobProperties { minimum_notification_interval_ms: Some(0), ..none() },
                ["", "", ""],
            )
        }),
        holds("4.4", "ON_DEMAND_MODE is off by default and set at any time", |rig| {
            let id = rig.job(&[])?;
            same(rig.get(&id)?.properties.unwrap_or_default().on_demand_mode, Some(false))?;
            when(rig, &v1::JobProperties { on_demand_mode: Some(true), ..none() }, ["", "", ""])
        }),
    ]
}
