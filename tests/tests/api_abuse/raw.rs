//! Bytes instead of calls.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::Result;
use dray_tests::until;

use crate::{PATIENCE, Watched, with_daemon};

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
/// END_HEADERS.
const ALL_HEADERS: u8 = 4;
/// END_STREAM.
const LAST: u8 = 1;

/// Connections of a kind that misbehaves at once.
const CROWD: u32 = 100;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The beginning of a connection.
pub(crate) fn hello() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// Headers that nobody has seen before, as they are (RFC 7541, 6.2.2).
fn headers(list: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in list {
        block.push(0);
        for text in [name, value] {
            // Below 127 bytes a length is one byte.
            block.push(u8::try_from(text.len()).unwrap_or(126));
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The beginning of a call.
pub(crate) fn call(stream: u32, path: &str) -> Vec<u8> {
    let list = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    frame(HEADERS, ALL_HEADERS, stream, &headers(&list))
}

/// A message of gRPC that says it has `claimed` bytes.
fn message(stream: u32, flags: u8, claimed: u32, bytes: &[u8]) -> Vec<u8> {
    let payload = [&[0][..], &claimed.to_be_bytes(), bytes].concat();
    frame(DATA, flags, stream, &payload)
}

/// A whole call with an empty message.
pub(crate) fn empty_call(stream: u32, path: &str) -> Vec<u8> {
    [call(stream, path), message(stream, LAST, 0, &[])].concat()
}

fn connect(watched: &Watched<'_>) -> Result<UnixStream> {
    let socket = UnixStream::connect(watched.daemon.socket())?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Whether the other end closes within the time that is allowed, whatever it says before.
fn is_closed(mut socket: &UnixStream) -> Result<bool> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

#[test]
fn what_is_no_http_2_is_let_go_of() -> Result<()> {
    with_daemon(|watched| {
        let garbage: Vec<u8> =
            (0..4096_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        let wrong: [Vec<u8>; 6] = [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            garbage.clone(),
            [PREFACE, &garbage].concat(),
            [hello(), frame(DATA, 0, 0, b"for no stream")].concat(),
            [hello(), frame(HEADERS, ALL_HEADERS, 1, &garbage)].concat(),
            [hello(), frame(SETTINGS, 0, 0, b"odd")].concat(),
        ];
        for bytes in &wrong {
            let mut socket = connect(watched)?;
            // The other end may be gone before all is written.
            let _ = socket.write_all(bytes);
            assert!(is_closed(&socket)?, "{:?}", &bytes[..bytes.len().min(60)]);
        }
        watched.is_well("after garbage")
    })
}

#[test]
fn half_a_message_and_then_nothing_holds_nobody_up() -> Result<()> {
    with_daemon(|watched| {
        let job_service = "/dray.v1.JobService/CreateJob";
        let begun = [hello(), call(1, job_service)].concat();
        let halves: [Vec<u8>; 6] = [
            PREFACE[..10].to_vec(),
            hello()[..PREFACE.len() + 4].to_vec(),
            begun[..begun.len() - 20].to_vec(),
            begun.clone(),
            [begun.clone(), message(1, 0, 1000, &[b'x'; 10])].concat(),
            [begun, frame(DATA, 0, 1, &[0, 0])].concat(),
        ];
        let mut hanging = Vec::new();
        for number in 0..CROWD {
            let mut socket = connect(watched)?;
            socket.write_all(&halves[number as usize % halves.len()])?;
            hanging.push(socket);
        }
        watched.is_well("while a hundred clients hang")?;
        watched.create()?;
        drop(hanging);
        watched.is_well("after they are gone")
    })
}

#[test]
fn a_message_that_claims_too_much_is_refused_before_it_comes() -> Result<()> {
    with_daemon(|watched| {
        for claimed in [2 << 20, u32::MAX] {
            let mut socket = connect(watched)?;
            let path = "/dray.v1.JobService/AddFiles";
            let bytes = [hello(), call(1, path), message(1, 0, claimed, &[b'x'; 100])].concat();
            socket.write_all(&bytes)?;
            // OUT_OF_RANGE (11) or RESOURCE_EXHAUSTED (8), as header text: HPACK without Huffman or with it, so only that
            // something is said.
            socket.set_read_timeout(Some(Duration::from_millis(200)))?;
            let mut answered = Vec::new();
            until("an answer", PATIENCE, || {
                let mut buffer = [0; 4096];
                if let Ok(count) = (&socket).read(&mut buffer) {
                    answered.extend(&buffer[..count]);
                }
                Ok(has_headers(&answered).then_some(()))
            })?;
        }
        watched.is_well("after messages without end were announced")
    })
}

/// Whether there is an answer among these frames.
fn has_headers(mut bytes: &[u8]) -> bool {
    while let [a, b, c, kind, rest @ ..] = bytes {
        if *kind == HEADERS {
            return true;
        }
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        bytes = rest.get(5 + length..).unwrap_or_default();
    }
    false
}

#[test]
fn floods_of_pings_settings_and_calls_cost_the_daemon_little() -> Result<()> {
    const FLOOD: u32 = 20_000;
    with_daemon(|watched| {
        for kind in [PING, SETTINGS, HEADERS] {
            let mut socket = connect(watched)?;
            // Nobody reads the answers, so that sooner or later nothing more is taken.
            socket.set_write_timeout(Some(Duration::from_secs(1)))?;
            let mut sent = socket.write_all(&hello());
            for number in 0..FLOOD {
                let bytes = match kind {
                    PING => frame(PING, 0, 0, &[7; 8]),
                    SETTINGS => frame(SETTINGS, 0, 0, &[]),
                    _ => empty_call(number * 2 + 1, "/dray.v1.DaemonService/GetStatus"),
                };
                sent = sent.and_then(|()| socket.write_all(&bytes));
                if sent.is_err() {
                    break;
                }
            }
            watched.is_well(&format!("during a flood of frames of type {kind}"))?;
        }
        Ok(())
    })
}

#[test]
fn streams_that_nobody_reads_are_bounded_and_slow_down_nobody() -> Result<()> {
    const UNREAD: u32 = 60;
    const EVENTS: u32 = 3_000;
    with_daemon(|watched| {
        let mut deaf = Vec::new();
        for path in ["/dray.v1.JobService/WatchEvents", "/dray.v1.DeliveryOptimizationService/WatchDownloads"]
        {
            let mut socket = connect(watched)?;
            socket.write_all(&hello())?;
            for number in 0..UNREAD {
                socket.write_all(&empty_call(number * 2 + 1, path))?;
            }
            deaf.push(socket);
        }
        let job = watched.create()?;
        for number in 0..EVENTS {
            watched.rename(&job, number)?;
        }
        watched.is_well("while 120 streams are not read")?;
        drop(deaf);
        watched.is_well("after they are gone")
    })
}
