//! The bytes of a file for one client, in order, as soon as they are there.
//!
//! One task per reader looks what is written, reads a piece of it, and hands it over; the client's own pace holds it back, so a reader
//! costs two pieces of memory however slow it is. What makes the difference between versions, and between the
//! ends of a stream, is said in the proto.

use std::time::Duration;

use dray_api::v1;
use dray_engine::{ReadError, Standing};
use dray_jobs::{Call, Caller, Code, Failure, FileIndex, JobId};
use dray_platform::identity_of::FileStamp;
use dray_ranges::{ByteRange, RangeSpec};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Request, Status};

use super::jobs::Jobs;
use crate::runner::{Outlook, Reader, code_of};
use crate::wire::{refusal, take};

/// Bytes in one message.
const PIECE_LEN: u64 = 256 << 10;
/// How far ahead of itself a reader asks for bytes: enough for a fast line, and little beside other readers of the file.
const WINDOW: u64 = 64 << 20;
/// How long a client may leave a piece lying.
const CLIENT_PATIENCE: Duration = Duration::from_secs(300);
/// Longest wait for a next byte, unless the client says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that it may say.
const MAX_PATIENCE_S: u32 = 86_400;

type Piece = Result<v1::ReadFileRangeResponse, Status>;

impl Jobs {
    pub(super) async fn read(
        &self,
        request: Request<v1::ReadFileRangeRequest>,
    ) -> Result<BoxStream<'static, Piece>, Failure> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let job = take::job_id(&request.job_id)?;
        let index = FileIndex(request.file_index);
        let patience = match request.patience_s {
            Some(seconds) if seconds > MAX_PATIENCE_S => {
                let sentence = format!("Nothing is waited for longer than {MAX_PATIENCE_S} s.");
                return Err(Failure::new(Code::E_INVALIDARG, sentence));
            }
            seconds => seconds.map_or(PATIENCE, |seconds| Duration::from_secs(seconds.into())),
        };
        let end = request.length.map(|length| request.offset.checked_add(length));
        if request.length == Some(0) || end == Some(None) || request.offset == u64::MAX {
            return Err(invalid_range(request.offset, None));
        }
        let end = end.flatten();
        self.demand(&caller, job, index, RangeSpec { offset: request.offset, length: request.length })
            .await?;
        let reader = self.runner.look(move |actor| actor.read_file(caller, job, index)).await??;
        let size = reader.live.standing().borrow().size;
        check_size(request.offset, end, size)?;
        let reading = Reading {
            reader,
            at: request.offset,
            end,
            version: None,
            window: None,
            verified_only: request.verified_only,
            patience,
        };
        let (sender, pieces) = mpsc::channel(1);
        tokio::spawn(reading.run(sender));
        let pieces = stream::unfold(pieces, |mut pieces| async move { Some((pieces.recv().await?, pieces)) });
        Ok(pieces.boxed())
    }

    /// In an on-demand job what is read is requested, and so checked; elsewhere a reader changes nothing that lasts.
    async fn demand(
        &self,
        caller: &Caller,
        job: JobId,
        file: FileIndex,
        range: RangeSpec,
    ) -> Result<(), Failure> {
        let is_due = self.look(caller.clone(), job, move |_, job| {
            let file = job.file(file)?;
            Ok(job.properties().on_demand && !file.has_arrived() && file.ranges().is_none())
        });
        if is_due.await? {
            let ranges = vec![range];
            self.call(caller.clone(), job, Call::RequestFileRanges { file, ranges }).await?;
        }
        Ok(())
    }
}

fn check_size(at: u64, end: Option<u64>, size: Option<u64>) -> Result<(), Failure> {
    match size {
        Some(size) if end.map_or(at > size, |end| end > size) => Err(invalid_range(at, Some(size))),
        _ => Ok(()),
    }
}

fn invalid_range(at: u64, size: Option<u64>) -> Failure {
    let sentence = match size {
        Some(size) => format!("The file has {size} bytes; there is no such part from byte {at} on."),
        None => format!("There is no part of that length from byte {at} on."),
    };
    Failure::new(Code::BG_E_INVALID_RANGE, sentence)
}

/// A stream under way.
struct Reading {
    reader: Reader,
    /// The next byte.
    at: u64,
    /// Offset behind the last byte; `None`: the end of the file.
    end: Option<u64>,
    /// What the bytes that were sent are of.
    version: Option<u64>,
    /// What the transfer was asked for.
    window: Option<ByteRange>,
    verified_only: bool,
    patience: Duration,
}

impl Reading {
    async fn run(mut self, pieces: mpsc::Sender<Piece>) {
        loop {
            let piece = tokio::select! {
                piece = self.next() => piece,
                () = pieces.closed() => return,
            };
            let (piece, is_last) = match piece {
                Ok(Some(piece)) => (Ok(piece), false),
                Ok(None) => return,
                Err(failure) => (Err(refusal::status(&failure)), true),
            };
            match timeout(CLIENT_PATIENCE, pieces.send(piece)).await {
                Ok(Ok(())) if !is_last => {}
                Ok(_) => return,
                Err(_) => break,
            }
        }
        // Whoever waits forever leaves the slot to others. The piece in the channel may be taken yet, and then this.
        let stalled = Failure::new(Code::E_ABORT, "Nothing was taken of the stream for 5 minutes.");
        let stalled = Err(refusal::status(&stalled));
        drop(self);
        drop(timeout(CLIENT_PATIENCE, pieces.send(stalled)).await);
    }

    /// The next piece; `None` after the last.
    async fn next(&mut self) -> Result<Option<v1::ReadFileRangeResponse>, Failure> {
        let mut standing = self.reader.live.standing();
        let mut outlook = self.reader.outlook.clone();
        let deadline = Instant::now() + self.patience;
        loop {
            // In this order: bytes that were written before the end was said are seen.
            let ahead = outlook.borrow_and_update().clone();
            let there = standing.borrow_and_update().clone();
            check_size(self.at, self.end, there.size)?;
            if self.is_done(there.size) {
                return Ok(None);
            }
            if self.version.is_some_and(|version| version != there.version) {
                // Perhaps the job has ended, which is the better reason.
                return Err(outlook.borrow().end.clone().unwrap_or_else(changed));
            }
            self.ask_ahead(&there);
            let is_ready = there.is_proven && ahead.proven.is_some() || !self.verified_only;
            if is_ready && let Some(piece) = self.read(&there, &ahead).await? {
                return Ok(Some(piece));
            }
            if let Some(end) = ahead.end {
                return Err(end);
            }
            let woken = async {
                tokio::select! {
                    Ok(()) = standing.changed() => {}
                    Ok(()) = outlook.changed() => {}
                    else => std::future::pending().await,
                }
            };
            if timeout_at(deadline, woken).await.is_err() {
                let waited = self.patience.as_secs();
                let sentence = format!(
                    "Byte {} of the file did not come within {waited} s; read on from there later.",
                    self.at
                );
                return Err(Failure::new(Code::E_PENDING, sentence));
            }
        }
    }

    fn is_done(&self, size: Option<u64>) -> bool {
        self.end.or(size).is_some_and(|end| self.at >= end)
    }

    /// Keeps what is asked of the transfer some way ahead.
    fn ask_ahead(&mut self, there: &Standing) {
        let left = self.window.map_or(0, |window| window.end().saturating_sub(self.at));
        let end = self.end.or(there.size).unwrap_or(u64::MAX);
        let is_enough = left >= WINDOW / 2 || self.window.is_some_and(|window| window.end() >= end);
        let to = self.at.saturating_add(WINDOW).min(end);
        if let Some(window) = ByteRange::new(self.at, to).filter(|_| !is_enough) {
            self.window = Some(window);
            self.reader.wait_for(window.into());
        }
    }

    /// A piece of what is there; `None` when the next byte is not.
    async fn read(
        &mut self,
        there: &Standing,
        ahead: &Outlook,
    ) -> Result<Option<v1::ReadFileRangeResponse>, Failure> {
        let wanted = ByteRange::new(self.at, self.end.unwrap_or(u64::MAX));
        let Some(wanted) = wanted.filter(|_| there.written.contains(self.at)) else { return Ok(None) };
        let (live, version, path) = (self.reader.live.clone(), there.version, ahead.path.clone());
        let proven = ahead.proven.filter(|_| there.is_proven);
        let read = tokio::task::spawn_blocking(move || -> Result<(Vec<u8>, bool), ReadError> {
            let bytes = live.read(&path, version, wanted, PIECE_LEN)?;
            let is_whole = match proven {
                Some(proven) => FileStamp::of_path(&path).is_ok_and(|stamp| proven.is(&stamp)),
                None => false,
            };
            Ok((bytes, is_whole))
        });
        let (bytes, is_verified) = match read.await.map_err(|_| Failure::from(Code::E_UNEXPECTED))? {
            Ok(read) => read,
            Err(ReadError::NotThere) => return Ok(None),
            // The file is on its way to another name, or another version has begun: the next look tells which.
            Err(ReadError::OtherVersion) if self.is_stale(there, ahead) => return Ok(None),
            Err(ReadError::OtherVersion) => return Err(changed()),
            Err(ReadError::Io(error)) => {
                let sentence = format!("The temporary file cannot be read: {error}.");
                return Err(Failure::new(code_of(error.kind()), sentence));
            }
        };
        if proven.is_some() && !is_verified {
            return Err(changed());
        }
        let offset = self.at;
        self.at += bytes.len() as u64;
        self.version = Some(version);
        let verified = is_verified;
        Ok(Some(v1::ReadFileRangeResponse { offset, data: bytes, verified, file_size: there.size }))
    }

    /// Whether something has happened since this was looked at.
    fn is_stale(&self, there: &Standing, ahead: &Outlook) -> bool {
        let version = self.reader.live.standing().borrow().version;
        let now = self.reader.outlook.borrow();
        version != there.version || now.path != ahead.path || now.end.is_some()
    }
}

fn changed() -> Failure {
    let sentence =
        "The file has changed, proved wrong or started over; what was read of it so far does not count.";
    Failure::new(Code::BG_E_REMOTE_FILE_CHANGED, sentence)
}
