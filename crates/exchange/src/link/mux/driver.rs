//! Moves frames between the state and the wire: one task that reads and writes at once.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::Shared;
use super::frame::{HEAD, Head, Kind};
use crate::link::{CloseCode, LinkError};

/// Space for reading is given in this size; slices of it go to the streams' readers without a copy.
const READ_SPACE: usize = 64 << 10;
/// A read with less space than this would cut records into crumbs.
const LEAST_SPACE: usize = 16 << 10;
/// Bytes gathered for one write.
const BATCH: usize = 256 << 10;
/// For the last frame to leave when this end closes the connection.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) async fn run(io: impl AsyncRead + AsyncWrite + Send + 'static, shared: Arc<Shared>) {
    let (reader, mut writer) = tokio::io::split(io);
    let why = tokio::select! {
        why = read(reader, &shared) => why,
        why = write(&mut writer, &shared) => why,
    };
    shared.end(why);
    // What users were told first is the reason that counts.
    let code = match shared.lock().ended() {
        Some(LinkError::ClosedHere(code)) => code,
        Some(LinkError::Violation(_)) => CloseCode::Violation,
        _ => return,
    };
    let close = Head { kind: Kind::Close, stream: 0, value: code.number() }.to_bytes();
    let goodbye = async {
        writer.write_all(&close).await?;
        writer.shutdown().await
    };
    // Whether it arrives or not, it is over.
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

async fn read<T: AsyncRead>(mut reader: ReadHalf<T>, shared: &Shared) -> LinkError {
    let mut buffer = BytesMut::with_capacity(READ_SPACE);
    // The stream whose data is coming, and how much of it.
    let mut coming: Option<(u32, usize)> = None;
    loop {
        if let Err(what) = take_apart(&mut buffer, &mut coming, shared) {
            return LinkError::Violation(what);
        }
        if let Some(why) = shared.lock().ended() {
            return why;
        }
        if buffer.capacity() - buffer.len() < LEAST_SPACE {
            buffer.reserve(READ_SPACE);
        }
        match reader.read_buf(&mut buffer).await {
            Ok(0) => return LinkError::Lost("the other end closed it without a word".into()),
            Ok(read) => shared.heard.fetch_add(read as u64, Ordering::Relaxed),
            Err(error) => return LinkError::Lost(error.to_string()),
        };
    }
}

/// Hands on all that is whole; what is left is the beginning of a head.
fn take_apart(
    buffer: &mut BytesMut,
    coming: &mut Option<(u32, usize)>,
    shared: &Shared,
) -> Result<(), &'static str> {
    let mut state = shared.lock();
    loop {
        if let Some((stream, left)) = coming.take() {
            let now = left.min(buffer.len());
            if now > 0 {
                state.received_data(stream, buffer.split_to(now).freeze());
            }
            if now < left {
                *coming = Some((stream, left - now));
                break;
            }
        }
        let Some(head) = buffer.first_chunk::<HEAD>() else { break };
        let head = Head::from_bytes(*head).ok_or("a frame that does not exist")?;
        let _ = buffer.split_to(HEAD);
        state.received_head(head)?;
        if head.kind == Kind::Data {
            *coming = Some((head.stream, head.value as usize));
        }
    }
    if state.has_arrivals() {
        shared.arrived.notify_one();
    }
    if state.has_room() {
        shared.room.notify_waiters();
    }
    drop(state);
    shared.to_write.notify_one();
    Ok(())
}

async fn write<T: AsyncWrite>(writer: &mut WriteHalf<T>, shared: &Shared) -> LinkError {
    let mut batch: Vec<Bytes> = Vec::new();
    loop {
        {
            let mut state = shared.lock();
            if let Some(why) = state.ended() {
                return why;
            }
            let mut gathered = 0;
            while gathered < BATCH
                && let Some((head, data)) = state.next_frame()
            {
                gathered += HEAD + data.len();
                batch.push(Bytes::copy_from_slice(&head.to_bytes()));
                if !data.is_empty() {
                    batch.push(data);
                }
            }
            if state.has_room() {
                shared.room.notify_waiters();
            }
        }
        let done = if batch.is_empty() {
            shared.to_write.notified().await;
            Ok(())
        } else {
            write_all(writer, &mut batch).await
        };
        if let Err(error) = done {
            return LinkError::Lost(error.to_string());
        }
    }
}

async fn write_all<T: AsyncWrite>(writer: &mut WriteHalf<T>, batch: &mut Vec<Bytes>) -> std::io::Result<()> {
    {
        let mut slices: Vec<IoSlice<'_>> = batch.iter().map(|bytes| IoSlice::new(bytes)).collect();
        let mut left = &mut slices[..];
        while !left.is_empty() {
            let written = writer.write_vectored(left).await?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut left, written);
        }
    }
    batch.clear();
    writer.flush().await
}
