//! Files that are read while they are fetched, from a real daemon: what comes early, what never comes, and what ends a reader.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dray_api::client::{self, JobClient};
use dray_api::v1::{ErrorDetail, ReadFileRangeRequest, ReadFileRangeResponse};
use dray_tests::{Ask, Content, Daemon, FaultServer, Home, Job, Reply, random_bytes, until};
use tokio::runtime::Runtime;
use tonic::{Status, Streaming};

const PATIENCE: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;
const DATE: &str = "Sun, 09 Sep 2001 01:46:40 GMT";

/// A client that reads.
struct Client {
    runtime: Runtime,
    jobs: JobClient,
}

type Pieces = Streaming<ReadFileRangeResponse>;

impl Client {
    fn of(daemon: &Daemon<'_>) -> Result<Client> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let channel = runtime.block_on(client::connect(&daemon.socket()))?;
        Ok(Client { runtime, jobs: client::jobs(channel) })
    }

    fn open(&self, request: ReadFileRangeRequest) -> Result<Pieces, String> {
        let mut jobs = self.jobs.clone();
        let answer = self.runtime.block_on(async move { jobs.read_file_range(request).await });
        answer.map(tonic::Response::into_inner).map_err(|status| code(&status))
    }

    fn piece(&self, pieces: &mut Pieces) -> Result<Option<ReadFileRangeResponse>, String> {
        let next = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, pieces.message()).await });
        next.map_err(|_| "nothing in a minute".to_owned())?.map_err(|status| code(&status))
    }

    /// All that comes, which has to be without gaps, and the code that ends it.
    fn rest(&self, pieces: &mut Pieces, from: u64) -> (Vec<u8>, Result<(), String>) {
        let mut bytes = Vec::new();
        loop {
            match self.piece(pieces) {
                Ok(Some(piece)) if piece.offset == from + bytes.len() as u64 => bytes.extend(piece.data),
                Ok(Some(piece)) => return (bytes, Err(format!("a gap before {}", piece.offset))),
                Ok(None) => return (bytes, Ok(())),
                Err(code) => return (bytes, Err(code)),
            }
        }
    }

    fn read(&self, request: ReadFileRangeRequest) -> (Vec<u8>, Result<(), String>) {
        let from = request.offset;
        match self.open(request) {
            Ok(mut pieces) => self.rest(&mut pieces, from),
            Err(code) => (Vec::new(), Err(code)),
        }
    }
}

fn code(status: &Status) -> String {
    ErrorDetail::from_status(status).map_or_else(|| format!("not typed: {status}"), |detail| detail.name)
}

fn part(job: &Job, offset: u64, length: Option<u64>) -> ReadFileRangeRequest {
    ReadFileRangeRequest { job_id: job.id.clone(), offset, length, ..ReadFileRangeRequest::default() }
}

fn whole(job: &Job) -> ReadFileRangeRequest {
    part(job, 0, None)
}

fn content(seed: u64, len: u64) -> Result<Content> {
    let bytes = random_bytes(seed, usize::try_from(len)?);
    Ok(Content { last_modified: Some(DATE.to_owned()), ..Content::new(bytes, &format!("v{seed}")) })
}

/// A page that sends a mebibyte and then, for a long time, little more; parts of it come at once.
fn throttled(server: &FaultServer, content: &Content) -> String {
    let content = content.clone();
    server.page("/slow", move |ask: &Ask| slow_whole(&content, ask))
}

fn slow_whole(content: &Content, ask: &Ask) -> Reply {
    match ask.range() {
        Some((first, _)) if first > 0 => content.answer(ask),
        _ => content.answer(ask).at_rate(MIB / 2),
    }
}

fn moving(daemon: &Daemon<'_>, job: &Job, bytes: u64) -> Result<()> {
    until("bytes to move", PATIENCE, || Ok((job.bytes(daemon)? >= bytes).then_some(())))
}

#[test]
fn the_end_of_a_large_file_is_read_long_before_the_whole_is_there() -> Result<()> {
    let (home, server) = (Home::new()?, FaultServer::start()?);
    let letters: Vec<u8> = random_bytes(1, 32 << 20).into_iter().map(|byte| b'a' + byte % 26).collect();
    let content = Content::new(letters, "letters");
    let url = throttled(&server, &content);
    let daemon = Daemon::start(&home)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    moving(&daemon, &job, 1)?;
    let range = format!("{}-", 31 * MIB);
    let read = daemon.dray(&["job", "read", &job.id, "0", "--range", &range])?;
    read.expect(0);
    assert!(read.stdout.as_bytes() == &content.bytes[31 << 20..], "{}", read.stderr);
    let there = job.bytes(&daemon)?;
    assert!((MIB..16 * MIB).contains(&there), "{there} bytes are there");
    let ranges = daemon.dray(&["job", "ranges", &job.id, "--filled", "--json"])?;
    assert!(ranges.stdout.contains(&(31 * MIB).to_string()), "{ranges}");
    Ok(())
}

#[test]
fn a_reader_goes_along_with_the_transfer_to_its_end_and_is_told_when_all_is_verified() -> Result<()> {
    let (home, server) = (Home::new()?, FaultServer::start()?);
    let content = content(2, 4 * MIB)?;
    let page = content.clone();
    let url = server.page("/a", move |ask| page.answer(ask).at_rate(2 * MIB));
    let daemon = Daemon::start(&home)?;
    let client = Client::of(&daemon)?;
    let job = Job::create(&daemon)?;
    job.add(&daemon, &url, "a.bin", &[])?.expect(0);
    let suspended = client.read(whole(&job));
    assert_eq!(suspended, (Vec::new(), Err("BG_E_INVALID_STATE".to_owned())));
    job.call(&daemon, "resume")?.expect(0);
    let mut pieces = client.open(whole(&job)).map_err(anyhow::Error::msg)?;
    let first = client.piece(&mut pieces).map_err(anyhow::Error::msg)?.context("a piece")?;
    assert_eq!((first.offset, first.verified, first.file_size), (0, false, Some(4 * MIB)));
    let (rest, end) = client.rest(&mut pieces, first.data.len() as u64);
    assert_eq!(end, Ok(()));
    assert!([first.data, rest].concat() == content.bytes[..]);
    job.wait_for(&daemon, "TRANSFERRED", PATIENCE)?;

    let verified = ReadFileRangeRequest { verified_only: true, ..part(&job, MIB, Some(10)) };
    let mut pieces = client.open(verified).map_err(anyhow::Error::msg)?;
    let piece = client.piece(&mut pieces).map_err(anyhow::Error::msg)?.context("a piece")?;
    assert!(piece.verified && piece.data == content.bytes[1 << 20..][..10]);
    assert_eq!(client.piece(&mut pieces), Ok(None));
    assert!(client.read(whole(&job)) == (content.bytes.to_vec(), Ok(())));

    job.call(&daemon, "complete")?.expect(0);
    assert_eq!(client.read(whole(&job)).1, Err("BG_E_NOT_FOUND".to_owned()));
    Ok(())
}

#[test]
fn readers_that_never_read_hold_up_neither_their_file_nor_others() -> Result<()> {
    let (home, server) = (Home::new()?, FaultServer::start()?);
    let content = content(3, 16 * MIB)?;
    let (page, other) = (content.clone(), content.clone());
    let url = server.page("/a", move |ask| page.answer(ask).at_rate(8 * MIB));
    let other = server.page("/b", move |ask| other.answer(ask));
    let daemon = Daemon::start(&home)?;
    let client = Client::of(&daemon)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    // What one connection can hold is little, and shared by its streams: so there are several.
    let mut idle = Vec::new();
    for _ in 0..16 {
        let client = Client::of(&daemon)?;
        let readers: Result<Vec<Pieces>, String> = (0..4).map(|_| client.open(whole(&job))).collect();
        idle.push((readers.map_err(anyhow::Error::msg)?, client));
    }
    assert_eq!(client.open(whole(&job)).err(), Some("E_OUTOFMEMORY".to_owned()), "there is a limit");
    let second = Job::begin(&daemon, &other, "b.bin", &[])?;
    second.wait_for(&daemon, "TRANSFERRED", PATIENCE)?;
    job.wait_for(&daemon, "TRANSFERRED", PATIENCE)?;
    job.call(&daemon, "complete")?.expect(0);
    assert!(std::fs::read(daemon.downloads().join("a.bin"))? == content.bytes[..]);
    drop(idle);
    until("places to be free again", PATIENCE, || Ok(client.open(whole(&second)).is_ok().then_some(())))?;
    Ok(())
}

#[test]
fn a_job_that_is_cancelled_or_suspended_ends_its_readers_and_one_that_goes_on_is_read_on() -> Result<()> {
    let (home, server) = (Home::new()?, FaultServer::start()?);
    let content = content(4, 16 * MIB)?;
    let page = content.clone();
    let url = server.page("/a", move |ask| page.answer(ask).at_rate(4 * MIB));
    let daemon = Daemon::start(&home)?;
    let client = Client::of(&daemon)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    let mut pieces = client.open(whole(&job)).map_err(anyhow::Error::msg)?;
    let first = client.piece(&mut pieces).map_err(anyhow::Error::msg)?.context("a piece")?.data;
    job.call(&daemon, "suspend")?.expect(0);
    let (more, end) = client.rest(&mut pieces, first.len() as u64);
    assert_eq!(end, Err("BG_E_INVALID_STATE".to_owned()));
    let bytes = [first, more].concat();
    let read = bytes.len() as u64;
    assert!(content.bytes.starts_with(&bytes));

    job.call(&daemon, "resume")?.expect(0);
    let mut pieces = client.open(part(&job, read, None)).map_err(anyhow::Error::msg)?;
    let piece = client.piece(&mut pieces).map_err(anyhow::Error::msg)?.context("a piece")?;
    assert!(piece.offset == read && content.bytes[usize::try_from(read)?..].starts_with(&piece.data));
    job.call(&daemon, "cancel")?.expect(0);
    let (_, end) = client.rest(&mut pieces, read + piece.data.len() as u64);
    assert_eq!(end, Err("BG_E_NOT_FOUND".to_owned()));
    assert_eq!(home.downloaded()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn bytes_of_two_versions_are_never_read_as_one_file() -> Result<()> {
    let (home, server) = (Home::new()?, FaultServer::start()?);
    let (old, new) = (content(5, 8 * MIB)?, content(6, 8 * MIB)?);
    let versions = (old.clone(), new.clone());
    let url = server.page("/a", move |ask| match ask.nth {
        0 => versions.0.answer(ask).at_rate(4 * MIB).cut_after(3 * MIB),
        _ => versions.1.answer(ask),
    });
    let daemon = Daemon::start(&home)?;
    let client = Client::of(&daemon)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    let (read, end) = client.read(whole(&job));
    assert_eq!(end, Err("BG_E_REMOTE_FILE_CHANGED".to_owned()), "after {} bytes", read.len());
    assert!(!read.is_empty() && old.bytes.starts_with(&read), "{} bytes", read.len());
    assert!(client.read(whole(&job)) == (new.bytes.to_vec(), Ok(())));
    Ok(())
}

#[test]
fn what_proves_wrong_in_the_end_ends_its_readers_with_a_code() -> Result<()> {
    let (home, server) = (Home::new()?, FaultServer::start()?);
    let content = content(7, 2 * MIB)?;
    let page = content.clone();
    let url = server.page("/a", move |ask| page.answer(ask).at_rate(4 * MIB));
    let daemon = Daemon::start(&home)?;
    let client = Client::of(&daemon)?;
    let digest = format!("sha256:{}", "0".repeat(64));
    let job = Job::begin(&daemon, &url, "a.bin", &["--digest", &digest])?;
    let verified = ReadFileRangeRequest { verified_only: true, ..whole(&job) };
    let (read, end) = client.read(verified);
    ensure!(read.is_empty() && end.is_err(), "{} bytes, {end:?}", read.len());
    job.wait_for(&daemon, "ERROR", PATIENCE)?;
    assert_eq!(client.read(whole(&job)), (Vec::new(), Err("BG_E_VALIDATION_FAILED".to_owned())));
    Ok(())
}

#[test]
fn on_demand_what_is_read_is_fetched_and_nothing_else() -> Result<()> {
    let (home, server) = (Home::new()?, FaultServer::start()?);
    let content = content(8, 16 * MIB)?;
    let page = content.clone();
    let url = server.page("/a", move |ask| page.answer(ask));
    let daemon = Daemon::start(&home)?;
    let client = Client::of(&daemon)?;
    let job = Job::create(&daemon)?;
    daemon.dray(&["job", "set", &job.id, "--on-demand", "true"])?.expect(0);
    job.add(&daemon, &url, "a.bin", &[])?.expect(0);
    for (offset, length) in [(9 * MIB, 1000), (3 * MIB, 2000)] {
        let mut asked = client.open(part(&job, offset, Some(length))).map_err(anyhow::Error::msg)?;
        assert_eq!(client.rest(&mut asked, offset).1, Err("BG_E_INVALID_STATE".to_owned()));
        job.call(&daemon, "resume")?.expect(0);
        let (read, end) = client.read(part(&job, offset, Some(length)));
        assert_eq!(end, Ok(()));
        assert!(read == content.bytes[usize::try_from(offset)?..][..usize::try_from(length)?]);
        job.wait_for(&daemon, "SUSPENDED", PATIENCE)?;
    }
    assert_eq!(job.bytes(&daemon)?, 3000);
    assert!(server.body_bytes("/a") < MIB, "{} bytes were sent", server.body_bytes("/a"));
    Ok(())
}

#[test]
fn a_file_added_with_ranges_is_read_as_it_lies_on_the_disk() -> Result<()> {
    let (home, server) = (Home::new()?, FaultServer::start()?);
    let content = content(9, MIB)?;
    let page = content.clone();
    let url = server.page("/a", move |ask| page.answer(ask).at_rate(64 << 10));
    let daemon = Daemon::start(&home)?;
    let client = Client::of(&daemon)?;
    let job = Job::begin(&daemon, &url, "a.bin", &["--range", "500000-599999", "--range", "100-199"])?;
    let packed = [&content.bytes[500_000..600_000], &content.bytes[100..200]].concat();
    assert!(client.read(part(&job, 10, Some(100_050))) == (packed[10..100_060].to_vec(), Ok(())));
    assert_eq!(client.read(part(&job, 100_000, Some(101))).1, Err("BG_E_INVALID_RANGE".to_owned()));
    Ok(())
}

#[test]
fn a_reader_hears_why_nothing_comes() -> Result<()> {
    let (home, server) = (Home::new()?, FaultServer::start()?);
    let content = content(10, MIB)?;
    let url = server.page("/a", move |ask| content.answer(ask).stall_after(1000));
    let daemon = Daemon::start(&home)?;
    let client = Client::of(&daemon)?;
    let job = Job::begin(&daemon, &url, "a.bin", &[])?;
    let refused = |request: ReadFileRangeRequest| client.read(request).1.unwrap_err();
    let (read, end) = client.read(ReadFileRangeRequest { patience_s: Some(1), ..whole(&job) });
    assert_eq!((read.len(), end), (1000, Err("E_PENDING".to_owned())));
    assert_eq!(refused(part(&job, 0, Some(0))), "BG_E_INVALID_RANGE");
    assert_eq!(refused(part(&job, u64::MAX, None)), "BG_E_INVALID_RANGE");
    assert_eq!(refused(part(&job, u64::MAX - 1, Some(2))), "BG_E_INVALID_RANGE");
    assert_eq!(refused(part(&job, MIB, Some(1))), "BG_E_INVALID_RANGE");
    assert_eq!(client.read(part(&job, MIB, None)), (Vec::new(), Ok(())), "nothing is left to read");
    assert_eq!(refused(ReadFileRangeRequest { file_index: 1, ..whole(&job) }), "BG_E_FILE_NOT_FOUND");
    assert_eq!(refused(ReadFileRangeRequest { patience_s: Some(86_401), ..whole(&job) }), "E_INVALIDARG");
    let nobody = Job { id: "00000000-0000-4000-8000-000000000000".to_owned() };
    assert_eq!(refused(whole(&nobody)), "BG_E_NOT_FOUND");
    assert_eq!(refused(ReadFileRangeRequest { job_id: "x".to_owned(), ..whole(&job) }), "BG_E_NOT_FOUND");
    // In the background it would wait for its time slice.
    let missing = Job::create(&daemon)?;
    daemon.dray(&["job", "set", &missing.id, "--priority", "foreground"])?.expect(0);
    missing.add(&daemon, &server.url("/missing"), "b.bin", &[])?.expect(0);
    missing.call(&daemon, "resume")?.expect(0);
    assert_eq!(refused(whole(&missing)), "BG_E_HTTP_ERROR_404");
    let killed = client.open(part(&job, 1000, None)).map_err(anyhow::Error::msg)?;
    drop(daemon);
    drop(killed);
    Ok(())
}
