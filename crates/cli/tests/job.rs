//! `dray job` as a process, against a daemon that answers by rote: what is asked, what is printed, with which exit code.
#![cfg(unix)]

mod fake;

use std::process::{Command, Output};

use dray_api::v1::{
    CaughtUp, ErrorDetail, JobError, JobSnapshot, JobState, JobStateChanged, JobTransferred,
    WatchEventsResponse, job_event::Event,
};
use fake::{FIRST, Running, SECOND, event, job};
use serde_json::Value;
use tonic::Status;

fn dray(running: &Running, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dray"))
        .arg("job")
        .args(args)
        .arg("--socket")
        .arg(&running.socket)
        .current_dir(running.directory.path())
        .env_remove("DRAY_SOCKET")
        .output()
        .expect("dray runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("no signal")
}

fn json(output: &Output) -> Vec<Value> {
    out(output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn create_prints_the_id_and_nothing_else() {
    let running = fake::start();
    let output = dray(&running, &["create", "nightly", "--retry-delay", "2m", "--priority", "high"]);
    assert_eq!((code(&output), out(&output), err(&output)), (0, format!("{FIRST}\n"), String::new()));
    let asked = running.fake.with(|state| state.asked.join("\n"));
    assert!(asked.contains("display_name: Some(\"nightly\")"), "{asked}");
    assert!(asked.contains("minimum_retry_delay_s: Some(120)"), "{asked}");
    assert!(asked.contains("no_progress_timeout_s: None"), "{asked}");
}

#[test]
fn add_makes_a_relative_path_absolute_and_sends_ranges_and_digest() {
    let running = fake::start();
    let digest = format!("sha256:{}", "ab".repeat(32));
    let args =
        ["add", FIRST, "http://origin/a", "a.bin", "--range", "90-", "--range", "10-14", "--digest", &digest];
    let output = dray(&running, &args);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let file = running.fake.with(|state| state.added.remove(0));
    let directory = running.directory.path().canonicalize().expect("it exists");
    assert_eq!(file.local_path, directory.join("a.bin").to_str().expect("UTF-8"));
    assert_eq!(file.digest, digest);
    let ranges: Vec<_> = file.ranges.iter().map(|range| (range.offset, range.length)).collect();
    assert_eq!(ranges, [(90, None), (10, Some(5))]);
}

#[test]
fn a_range_or_a_digest_that_is_none_never_reaches_the_daemon() {
    let running = fake::start();
    for bad in [["--range", "9-1"], ["--range", "x"], ["--digest", "sha256:00"], ["--digest", "md5:00"]] {
        let mut args = vec!["add", FIRST, "http://origin/a", "a.bin"];
        args.extend(bad);
        assert_eq!(code(&dray(&running, &args)), 2, "{bad:?}");
    }
    assert!(running.fake.with(|state| state.added.is_empty()));
}

#[test]
fn list_goes_through_all_pages() {
    let running = fake::start();
    let output = dray(&running, &["list"]);
    let text = out(&output);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("JOB "));
    assert!(lines[1].starts_with(FIRST) && lines[1].contains("QUEUED"), "{text}");
    assert!(lines[2].starts_with(SECOND) && lines[2].contains("ERROR"), "{text}");
    assert!(!text.contains('\u{1b}'));

    let objects = json(&dray(&running, &["list", "--json"]));
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0]["jobs"][1]["job_id"], SECOND);
    assert_eq!(objects[0]["jobs"][0]["progress"]["bytes_total"], 4096);
}

#[test]
fn show_prints_ranges_in_the_order_they_were_asked_for() {
    let running = fake::start();
    let text = out(&dray(&running, &["show", FIRST]));
    let (first, second) = (text.find("10-14").expect("a range"), text.find("90-\n").expect("a range"));
    assert!(first < second, "{text}");
    let objects = json(&dray(&running, &["show", FIRST, "--json"]));
    assert_eq!(objects[0]["files"][0]["ranges"][1]["length"], Value::Null);
    assert_eq!(objects[0]["state"], "TRANSFERRING");
}

#[test]
fn every_property_can_be_set() {
    let running = fake::start();
    let args = [
        "set",
        FIRST,
        "--notify",
        "job-error,0x10",
        "--notify-command",
        "/bin/x",
        "--notify-parameters",
        "/bin/x --job",
        "--notify-interval",
        "0",
        "--cost",
        "unrestricted,roaming",
        "--dynamic-content",
        "false",
        "--high-performance",
        "true",
        "--max-download-size",
        "9",
        "--on-demand",
        "true",
        "--peer-caching",
        "none",
        "--file-acl",
        "owner,sacl",
        "--files-at-once",
        "1",
    ];
    let output = dray(&running, &args);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let asked = running.fake.with(|state| state.asked.remove(0));
    for part in [
        "notify_flags: Some(18)",
        "program: \"/bin/x\", parameters: \"/bin/x --job\"",
        "cost_flags: Some(129)",
        "dynamic_content: Some(false)",
        "high_performance: Some(true)",
        "max_download_size_bytes: Some(9)",
        "minimum_notification_interval_ms: Some(0)",
        "on_demand_mode: Some(true)",
        "peer_caching_flags: Some(0)",
        "file_acl_flags: Some(9)",
        "files_at_once: Some(1)",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    assert_eq!(code(&dray(&running, &["set", FIRST, "--no-notify-command"])), 0);
    let asked = running.fake.with(|state| state.asked.remove(0));
    assert!(asked.contains("program: \"\""), "{asked}");
    for bad in [["--notify", "all"], ["--cost", ""], ["--on-demand", "maybe"], ["--files-at-once", "-1"]] {
        assert_eq!(code(&dray(&running, &["set", FIRST, bad[0], bad[1]])), 2, "{bad:?}");
    }
}

#[test]
fn the_calls_on_files_and_owners_ask_what_was_typed() {
    let running = fake::start();
    let rows: &[(&[&str], &str)] = &[
        (&["rename", FIRST, "http://b/", "--file", "3"], "file_index: 3, remote_url: \"http://b/\""),
        (
            &["replace-prefix", FIRST, "http://a", "http://b"],
            "old_prefix: \"http://a\", new_prefix: \"http://b\"",
        ),
        (&["validate", FIRST, "2"], "file_index: 2, valid: true"),
        (&["validate", FIRST, "--invalid"], "file_index: 0, valid: false"),
        (
            &["request", FIRST, "10-14", "90-"],
            "FileRange { offset: 10, length: Some(5) }, FileRange { offset: 90",
        ),
        (&["position", FIRST, "4096"], "offset: 4096"),
        (&["own", FIRST], "TakeOwnershipRequest"),
    ];
    for (args, asked) in rows {
        let plain = dray(&running, args);
        assert_eq!(code(&plain), 0, "{args:?}: {}", err(&plain));
        let noted = running.fake.with(|state| state.asked.join("\n"));
        assert!(noted.contains(asked), "{asked} in {noted}");
        let objects = json(&dray(&running, &[args, &["--json"][..]].concat()));
        assert_eq!((objects.len(), &objects[0]["job_id"]), (1, &FIRST.into()), "{args:?}");
    }
    assert_eq!(out(&dray(&running, &["validate", FIRST, "--invalid"])), format!("{FIRST}  ERROR\n"));
}

#[test]
fn the_bytes_of_a_file_go_to_standard_output_as_they_are_and_what_ends_them_early_to_the_other() {
    let running = fake::start();
    let part = dray(&running, &["read", FIRST, "3", "--range", "5-11", "--verified", "--patience", "2m"]);
    assert_eq!((code(&part), &part.stdout[..], err(&part).as_str()), (0, &b"by\0tes\n"[..], ""));
    let noted = running.fake.with(|state| state.asked.join("\n"));
    let asked = "file_index: 3, offset: 5, length: Some(7), verified_only: true, patience_s: Some(120)";
    assert!(noted.contains(asked), "{noted}");
    for args in [&["read", FIRST][..], &["read", FIRST, "--json"]] {
        let lost = dray(&running, args);
        assert_eq!((code(&lost), &lost.stdout[..]), (1, &b"by\0tes\n"[..]), "{args:?}");
        assert!(err(&lost).contains("BG_E_REMOTE_FILE_CHANGED"), "{}", err(&lost));
    }
}

#[test]
fn a_prefix_that_no_file_has_is_a_warning_and_no_failure() {
    let running = fake::start();
    let output = dray(&running, &["replace-prefix", FIRST, "http://nobody/", "http://b/"]);
    assert_eq!((code(&output), out(&output).as_str()), (0, ""));
    assert!(err(&output).contains("S_FALSE (0x00000001)"), "{}", err(&output));
}

#[test]
fn codes_and_errors_are_explained() {
    let running = fake::start();
    let output = dray(&running, &["code", "0x80200001"]);
    assert_eq!(out(&output), "BG_E_NOT_FOUND (0x80200001)\nThere is no such job.\n");
    let objects = json(&dray(&running, &["code", "-2145386495", "--json"]));
    assert_eq!(objects[0]["value"], 0x8020_0001_u32);
    let none = dray(&running, &["error", FIRST]);
    assert_eq!(code(&none), 1);
    assert!(err(&none).contains("BG_E_ERROR_INFORMATION_UNAVAILABLE"), "{}", err(&none));
}

#[test]
fn the_beginning_of_an_id_is_enough_if_it_is_the_beginning_of_one() {
    let running = fake::start();
    assert_eq!(code(&dray(&running, &["suspend", "1A"])), 0);
    assert!(running.fake.with(|state| state.asked[0].contains(SECOND)));
    let both = dray(&running, &["suspend", "1"]);
    assert_eq!(code(&both), 1);
    assert!(err(&both).contains("2 of your jobs"), "{}", err(&both));
    assert!(err(&dray(&running, &["suspend", "7"])).contains("none of your jobs"));
}

#[test]
fn a_refusal_is_said_once_with_code_and_hint() {
    let running = fake::start();
    let output = dray(&running, &["resume", SECOND]);
    assert_eq!(code(&output), 1);
    assert_eq!(
        err(&output),
        "dray: the job has no files\n  code: BG_E_EMPTY (0x80200003)\n  hint: add one\n"
    );
    assert_eq!(out(&output), "");
    let objects = json(&dray(&running, &["resume", SECOND, "--json"]));
    assert_eq!(objects[0]["error"]["name"], "BG_E_EMPTY");
    assert_eq!(objects[0]["error"]["value"], 0x8020_0003_u32);
}

#[test]
fn one_refusal_does_not_keep_the_other_jobs_from_being_resumed() {
    let running = fake::start();
    let output = dray(&running, &["resume", SECOND, FIRST]);
    assert_eq!(code(&output), 1);
    assert_eq!(out(&output), format!("{FIRST}  QUEUED\n"));
}

#[test]
fn a_partial_completion_is_a_warning_and_no_failure() {
    let running = fake::start();
    let output = dray(&running, &["complete", FIRST]);
    assert_eq!(code(&output), 0);
    assert!(err(&output).contains("only 2 of 5 files"), "{}", err(&output));
    assert!(err(&output).contains("BG_S_PARTIAL_COMPLETE (0x00200017)"), "{}", err(&output));
    let objects = json(&dray(&running, &["complete", FIRST, "--json"]));
    assert_eq!(objects[0]["code"]["value"], 0x0020_0017);
}

#[test]
fn exit_codes_tell_no_daemon_from_not_permitted() {
    let running = fake::start();
    assert_eq!(code(&dray(&running, &["list", "--all-users"])), 4);
    let nowhere = Running { socket: running.directory.path().join("none"), ..running };
    let output = dray(&nowhere, &["list"]);
    assert_eq!(code(&output), 3);
    assert!(err(&output).contains("no daemon listens on"), "{}", err(&output));
}

fn snapshot(state: JobState) -> Result<WatchEventsResponse, Status> {
    event(FIRST, Event::Snapshot(JobSnapshot { job: Some(job(FIRST, state)) }))
}

fn caught_up() -> Result<WatchEventsResponse, Status> {
    event("", Event::CaughtUp(CaughtUp {}))
}

fn changed(state: JobState, code: Option<u32>) -> Result<WatchEventsResponse, Status> {
    let error = code.map(|value| JobError {
        detail: Some(ErrorDetail::new("SOME_CODE", value, "it did not work")),
        ..JobError::default()
    });
    let change = JobStateChanged { state: state.into(), error, ..JobStateChanged::default() };
    event(FIRST, Event::StateChanged(change))
}

fn transferred() -> Vec<Result<WatchEventsResponse, Status>> {
    vec![
        snapshot(JobState::Transferring),
        caught_up(),
        changed(JobState::Transferred, None),
        event(FIRST, Event::JobTransferred(JobTransferred::default())),
    ]
}

#[test]
fn watch_ends_when_the_job_is_transferred() {
    let running = fake::start();
    running.fake.with(|state| state.streams.push(transferred()));
    let output = dray(&running, &["watch", FIRST]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let text = out(&output);
    let states: Vec<_> = text.lines().map(|line| line.split("  ").nth(1).unwrap_or_default()).collect();
    assert_eq!(states, ["TRANSFERRING", "TRANSFERRED"]);
}

#[test]
fn watch_prints_each_event_as_one_line_of_json() {
    let running = fake::start();
    running.fake.with(|state| state.streams.push(transferred()));
    let objects = json(&dray(&running, &["watch", FIRST, "--json"]));
    let kinds: Vec<_> = objects.iter().map(|object| object["event"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["snapshot", "caught_up", "state_changed", "job_transferred"]);
}

#[test]
fn waiting_for_a_job_whose_bytes_are_wrong_ends_with_the_integrity_code() {
    let running = fake::start();
    let events =
        vec![snapshot(JobState::Transferring), caught_up(), changed(JobState::Error, Some(0x8020_0053))];
    running.fake.with(|state| state.streams.push(events));
    let output = dray(&running, &["resume", "--wait", FIRST]);
    assert_eq!(code(&output), 5);
    assert!(out(&output).contains("it did not work"), "{}", out(&output));
}

#[test]
fn watch_goes_on_after_the_stream_broke() {
    let running = fake::start();
    running.fake.with(|state| {
        state.streams = vec![
            vec![snapshot(JobState::Transferring), caught_up(), Err(Status::unavailable("restarting"))],
            vec![snapshot(JobState::Transferred), caught_up()],
        ];
    });
    assert_eq!(code(&dray(&running, &["watch", FIRST])), 0);
}
