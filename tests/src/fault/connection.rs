//! One connection: requests in, answers out, byte for byte as the test wants them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::reply::Framing;
use super::{Ask, Reply, Shared};

/// How often a waiting connection looks whether the server is stopped.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// No request of a test is longer.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Written at once; also the unit of counting and of pacing.
const SLICE: usize = 16 * 1024;

pub(super) fn serve(mut stream: TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(HEARTBEAT));
    let mut pending = Vec::new();
    while let Ok(Some(header)) = next_header(&mut stream, &mut pending, shared) {
        let Some(ask) = Ask::parse(&header) else { return };
        let head_only = ask.method == "HEAD";
        let (reply, counter) = shared.decide(ask);
        if send(&mut stream, &reply, head_only, &counter, shared).is_err() || !reply.keeps_connection() {
            return;
        }
    }
}

/// The next request's header, or none when the peer or the server is done. Bodies of requests are not expected.
fn next_header(stream: &mut TcpStream, pending: &mut Vec<u8>, shared: &Shared) -> io::Result<Option<String>> {
    let mut block = [0; 4096];
    loop {
        if let Some(end) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            let header = String::from_utf8_lossy(&pending[..end]).into_owned();
            pending.drain(..end + 4);
            return Ok(Some(header));
        }
        if shared.is_stopped() || pending.len() > MAX_HEADER_BYTES {
            return Ok(None);
        }
        match stream.read(&mut block) {
            Ok(0) => return Ok(None),
            Ok(read) => pending.extend_from_slice(&block[..read]),
            Err(error) if is_heartbeat(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_heartbeat(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn send(
    stream: &mut TcpStream,
    reply: &Reply,
    head_only: bool,
    counter: &AtomicU64,
    shared: &Shared,
) -> io::Result<()> {
    stream.write_all(&header(reply))?;
    if head_only || reply.status == 304 || reply.status == 204 {
        return Ok(());
    }
    let start = Instant::now();
    let mut sent = 0_u64;
    for slice in reply.body.chunks(SLICE) {
        let (slice, limit) = within_limits(slice, sent, reply);
        pace(start, sent, reply.bytes_per_s, shared)?;
        frame(stream, slice, reply.framing)?;
        sent += slice.len() as u64;
        counter.fetch_add(slice.len() as u64, Ordering::Relaxed);
        match limit {
            Some(Limit::Cut) => return Err(ErrorKind::ConnectionAborted.into()),
            Some(Limit::Stall) => return stall(stream, shared),
            None => {}
        }
    }
    if reply.framing == Framing::Chunked {
        stream.write_all(b"0\r\n\r\n")?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Limit {
    Cut,
    Stall,
}

/// The part of the slice that may still go out, and what happens after it.
fn within_limits<'a>(slice: &'a [u8], sent: u64, reply: &Reply) -> (&'a [u8], Option<Limit>) {
    let limits = [(reply.cut_after, Limit::Cut), (reply.stall_after, Limit::Stall)];
    for (after, limit) in limits {
        let Some(after) = after else { continue };
        let left = usize::try_from(after.saturating_sub(sent)).unwrap_or(usize::MAX);
        if left <= slice.len() {
            return (&slice[..left], Some(limit));
        }
    }
    (slice, None)
}

fn frame(stream: &mut TcpStream, slice: &[u8], framing: Framing) -> io::Result<()> {
    if framing != Framing::Chunked {
        return stream.write_all(slice);
    }
    if slice.is_empty() {
        return Ok(()); // an empty chunk would be the end
    }
    write!(stream, "{:x}\r\n", slice.len())?;
    stream.write_all(slice)?;
    stream.write_all(b"\r\n")
}

/// Waits until the rate allows the next slice.
fn pace(start: Instant, sent: u64, bytes_per_s: Option<u64>, shared: &Shared) -> io::Result<()> {
    let Some(rate) = bytes_per_s else { return Ok(()) };
    let due = Duration::from_micros(sent.saturating_mul(1_000_000) / rate.max(1));
    while start.elapsed() < due {
        if shared.is_stopped() {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        thread::sleep((due - start.elapsed().min(due)).min(HEARTBEAT));
    }
    Ok(())
}

/// Says nothing until the peer goes away.
fn stall(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let mut block = [0; 512];
    while !shared.is_stopped() {
        match stream.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if is_heartbeat(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn header(reply: &Reply) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status)).into_bytes();
    for (name, value) in &reply.headers {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    }
    let ending = match reply.framing {
        Framing::Length if reply.status == 304 => String::new(),
        Framing::Length => format!("Content-Length: {}\r\n", reply.body.len()),
        Framing::Claimed(bytes) => format!("Content-Length: {bytes}\r\n"),
        Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
        Framing::Close => "Connection: close\r\n".to_owned(),
    };
    text.extend_from_slice(ending.as_bytes());
    text.extend_from_slice(b"\r\n");
    text
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        304 => "Not Modified",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        _ => "As The Test Wants",
    }
}
