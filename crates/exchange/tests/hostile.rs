//! Peers that do what they should not. Each is refused within a deadline, counted, and costs no more than its budget.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may stop where it stands")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dray_exchange::wire::{ALPN, MAX_FRAME};
use dray_exchange::{Carrier, Holding, Incident, RequestError, Transport};
use dray_identity::{Group, NodeKey};
use support::raw::{Raw, frame, get, hello, holding, join, number};
use support::{Machine, Memory, bytes, eventually, fetch, range};

const LEN: usize = 6 * (256 << 10) + 1000;
const SIZE: u64 = LEN as u64;
const BOTH: [Carrier; 2] = [Carrier::Quic, Carrier::Tcp];
/// Codes with which a connection is closed.
const VIOLATION: u64 = 1;
const NOT_MEMBER: u64 = 2;
const SILENT: u64 = 6;

/// A machine whose patience is short, with one content that it has and is not downloading.
async fn server() -> (Machine, Arc<Memory>) {
    let machine = Machine::with(Transport::Auto, |config| {
        config.timing.handshake = Duration::from_millis(400);
        config.timing.message = Duration::from_millis(400);
        config.timing.stall = Duration::from_millis(400);
        config.timing.first_byte = Duration::from_millis(800);
    })
    .await;
    let content = Memory::complete(bytes(LEN, 1));
    machine.puts(&content);
    (machine, content)
}

/// A peer in a session with number 0 about a content that the machine has; it wants everything and has nothing.
async fn in_session(carrier: Carrier, server: &Machine, content: &Memory) -> Raw {
    let mut raw = Raw::greeted(carrier, server).await;
    raw.write(0, &join(0, content.digest.bytes(), &holding(content.bytes.len() as u64, &[]))).await;
    assert_eq!(raw.message().await.0, 3, "Welcome");
    raw
}

fn malformed(incident: &Incident) -> bool {
    matches!(incident, Incident::Malformed(_))
}

/// Whatever happened before, an honest peer is served.
async fn still_serves(server: &Machine, content: &Memory) {
    let client = Machine::new(Transport::Auto).await;
    let session = client.join(server, &Memory::wanting(content.bytes.clone())).await.unwrap();
    let end = 1000.min(content.bytes.len() as u64);
    assert_eq!(fetch(&session, range(0, end)).await.unwrap(), content.bytes[..end as usize]);
}

#[tokio::test]
async fn one_who_says_nothing_or_half_a_greeting_is_sent_away() {
    for carrier in BOTH {
        let (server, content) = server().await;
        let mut silent = Raw::connect(carrier, &server).await;
        silent.must_be_refused(&server, SILENT, |what| matches!(what, Incident::Stalled(_))).await;
        let mut half = Raw::connect(carrier, &server).await;
        half.write(0, &hello(None)[..7]).await;
        half.must_be_refused(&server, SILENT, |what| matches!(what, Incident::Stalled(_))).await;
        still_serves(&server, &content).await;
    }
}

#[tokio::test]
async fn a_first_message_that_is_no_greeting_ends_it() {
    for carrier in BOTH {
        let (server, _) = server().await;
        let garbage = bytes(300, 7);
        for first in [&frame(7, &[1])[..], &frame(1, &[0, 1, 2, 3]), &garbage, &frame(200, b"?")] {
            let mut raw = Raw::connect(carrier, &server).await;
            raw.write(0, first).await;
            raw.must_be_refused(&server, VIOLATION, malformed).await;
        }
    }
}

#[tokio::test]
async fn without_membership_of_another_group_or_with_a_proof_of_another_connection_nobody_gets_in() {
    let group = Group::from_key_text("lab", &Group::generate_key_text()).unwrap();
    let other = Group::from_key_text("lab", &Group::generate_key_text()).unwrap();
    for carrier in BOTH {
        let server = Machine::with(Transport::Auto, |config| config.group = Some(group.clone())).await;
        let mut none = Raw::connect(carrier, &server).await;
        none.write(0, &hello(None)).await;
        none.must_be_refused(&server, NOT_MEMBER, |what| *what == Incident::NoMembership).await;

        let mut stranger = Raw::connect(carrier, &server).await;
        let proof = stranger.proof(&other);
        stranger.write(0, &hello(Some(proof))).await;
        stranger.must_be_refused(&server, NOT_MEMBER, |what| *what == Incident::WrongMembership).await;

        // A true member's proof, said again by the same member on its next connection.
        let mut member = Raw::connect(carrier, &server).await;
        let proof = member.proof(&group);
        member.write(0, &hello(Some(proof))).await;
        let (kind, body) = member.message().await;
        assert_eq!((kind, body[1]), (1, 1));
        let again = Raw::named(member.key.clone(), carrier, server.peer(), server.address, ALPN);
        let mut again = again.await.unwrap();
        again.write(0, &hello(Some(proof))).await;
        again.must_be_refused_beside(&server, &mut member).await;

        // The server's own proof, sent back to it.
        let mut mirror = Raw::connect(carrier, &server).await;
        let back: [u8; 32] = body[2..34].try_into().unwrap();
        mirror.write(0, &hello(Some(back))).await;
        mirror.must_be_refused(&server, NOT_MEMBER, |what| *what == Incident::WrongMembership).await;
    }
}

#[tokio::test]
async fn another_protocol_does_not_get_through_the_handshake() {
    for carrier in BOTH {
        let (server, content) = server().await;
        let other = Raw::named(NodeKey::generate(), carrier, server.peer(), server.address, b"h3").await;
        assert!(other.is_err());
        let nobody = NodeKey::generate().peer_id();
        let other = Raw::named(NodeKey::generate(), carrier, nobody, server.address, ALPN).await;
        assert!(other.is_err(), "the name is proven in the handshake");
        still_serves(&server, &content).await;
    }
}

#[tokio::test]
async fn messages_that_are_too_long_empty_malformed_or_unknown_end_the_connection() {
    let too_long = (MAX_FRAME as u32 + 1).to_be_bytes();
    let bitmap_longer_than_the_size = {
        let holding = [vec![2], number(SIZE), vec![1, 1, 0xFF], vec![0, 0]].concat();
        join(0, &[3; 32], &holding)
    };
    let cases: [&[u8]; 9] = [
        &too_long,
        &[0xFF; 5],
        &0u32.to_be_bytes(),
        &frame(9, b"?"),
        &frame(127, b""),
        &frame(2, b""),
        &frame(1, &hello(None)[5..]),
        &frame(32, &get(0, 0, 1)[5..]),
        &bitmap_longer_than_the_size,
    ];
    for carrier in BOTH {
        let (server, content) = server().await;
        for case in cases {
            let mut raw = Raw::greeted(carrier, &server).await;
            raw.write(0, case).await;
            raw.must_be_refused(&server, VIOLATION, malformed).await;
        }
        still_serves(&server, &content).await;
    }
}

#[tokio::test]
async fn a_message_of_a_later_version_is_skipped_and_the_connection_lives() {
    for carrier in BOTH {
        let (server, content) = server().await;
        let mut raw = in_session(carrier, &server, &content).await;
        raw.write(0, &frame(128, &[9; 1000])).await;
        raw.write(0, &frame(255, b"")).await;
        raw.write(0, &frame(7, &[42, 1, 2, 3])).await;
        assert_eq!(raw.message().await, (8, vec![42]));
        assert!(server.guard.is_empty());
    }
}

#[tokio::test]
async fn sessions_that_make_no_sense_end_the_connection() {
    for carrier in BOTH {
        let (server, content) = server().await;
        let digest = content.digest.bytes();
        let cases: [&[u8]; 7] = [
            // Joined twice under one number; a number of the other end; falling numbers.
            &join(0, digest, &holding(SIZE, &[])),
            &join(3, digest, &holding(SIZE, &[])),
            &[join(8, &[1; 32], &holding(5, &[])), join(6, &[1; 32], &holding(5, &[]))].concat(),
            // Answers to what was never asked, and news of and farewell to what never was.
            &frame(3, &[&[1][..], &holding(SIZE, &[])].concat()),
            &frame(4, &[1, 1]),
            &frame(5, &[40, 1]),
            &frame(6, &[40]),
        ];
        for case in cases {
            let mut raw = in_session(carrier, &server, &content).await;
            raw.write(0, case).await;
            raw.must_be_refused(&server, VIOLATION, malformed).await;
        }
    }
}

#[tokio::test]
async fn one_who_contradicts_himself_is_sent_away() {
    for carrier in BOTH {
        let machine = server().await.0;
        let content = Memory::new(bytes(LEN, 2), Holding::wanting(None), true);
        machine.puts(&content);
        let other_size = [vec![0, 1 | 2], number(SIZE + 1)].concat();
        let beyond_the_end = [vec![0, 1 | 8], vec![0, 1, 7, 0]].concat();
        for news in [other_size, beyond_the_end] {
            let mut raw = in_session(carrier, &machine, &content).await;
            let session = machine.next_joined().await;
            raw.write(0, &frame(5, &news)).await;
            raw.must_be_refused(&machine, VIOLATION, |what| *what == Incident::Contradiction).await;
            assert!(!session.is_open());
        }
    }
}

#[tokio::test]
async fn floods_end_the_connection() {
    for carrier in BOTH {
        let (server, content) = server().await;
        let flood = |incident: &Incident| matches!(incident, Incident::Flood(_));
        let mut pings = Raw::greeted(carrier, &server).await;
        let many: Vec<u8> = (0..1000).flat_map(|_| frame(200, &[1])).collect();
        for _ in 0..60 {
            pings.write(0, &many).await;
        }
        pings.must_be_refused(&server, VIOLATION, flood).await;

        let mut joins = Raw::greeted(carrier, &server).await;
        let many: Vec<u8> = (0..400).flat_map(|i| join(i * 2, &[i as u8; 32], &holding(5, &[]))).collect();
        joins.write(0, &many).await;
        joins.must_be_refused(&server, VIOLATION, flood).await;
        still_serves(&server, &content).await;
    }
}

#[tokio::test]
async fn half_a_message_and_half_a_request_do_not_wait_for_ever() {
    for carrier in BOTH {
        let (server, content) = server().await;
        let stalled = |incident: &Incident| matches!(incident, Incident::Stalled(_));
        let mut message = Raw::greeted(carrier, &server).await;
        message.write(0, &frame(7, &[1, 2, 3])[..6]).await;
        message.must_be_refused(&server, VIOLATION, stalled).await;

        // As many as there may be, all hanging: each is refused, and others are served meanwhile.
        let mut requests = in_session(carrier, &server, &content).await;
        for _ in 0..32 {
            let stream = requests.open().await;
            requests.write(stream, &get(0, 0, 1)[..3]).await;
        }
        still_serves(&server, &content).await;
        server.guard.wait_for(requests.peer(), stalled).await;
        let (_, kind, _) = eventually_served(&mut requests).await;
        assert_eq!(kind, 34);
    }
}

/// The places of the hanging requests are free again.
async fn eventually_served(raw: &mut Raw) -> (u32, u8, Vec<u8>) {
    tokio::time::sleep(Duration::from_millis(500)).await;
    raw.ask(&get(0, 0, 100)).await
}

#[tokio::test]
async fn what_was_never_offered_is_not_given_and_asking_too_often_ends_the_connection() {
    for carrier in BOTH {
        let (server, _) = server().await;
        let growing = Memory::wanting(bytes(LEN, 3));
        growing.has([0, 2]);
        server.puts(&growing);
        let mut raw = in_session(carrier, &server, &growing).await;
        let (stream, kind, body) = raw.ask(&get(0, 0, 256 << 10)).await;
        assert_eq!((kind, body), (34, number(256 << 10)));
        assert_eq!(raw.read(stream, 256 << 10).await, growing.bytes[..256 << 10]);
        let piece = 256 << 10;
        for (start, len) in [(piece, 1), (0, piece + 1), (2 * piece - 1, 2), (SIZE - 1, 2), (u64::MAX - 2, 1)]
        {
            let (_, kind, body) = raw.ask(&get(0, start, len)).await;
            assert_eq!((kind, body), (35, vec![1]), "{start}+{len}");
        }
        let (_, kind, body) = raw.ask(&get(4, 0, 1)).await;
        assert_eq!((kind, body), (35, vec![4]), "no such session");
        server.guard.wait_for(raw.peer(), |what| *what == Incident::NotOffered).await;
        for _ in 0..58 {
            raw.ask(&get(0, piece, 1)).await;
        }
        let last = raw.open().await;
        raw.write(last, &get(0, piece, 1)).await;
        raw.must_be_refused(&server, VIOLATION, |what| matches!(what, Incident::Flood(_))).await;
        assert_eq!(growing.read.load(Ordering::Relaxed), piece, "nothing else was even read");
    }
}

#[tokio::test]
async fn requests_that_are_no_requests_end_the_connection() {
    for carrier in BOTH {
        let (server, content) = server().await;
        for case in
            [frame(7, &[1]), frame(32, &[0, 5, 0]), frame(200, b""), vec![0, 0, 0, 200, 32], vec![0; 8]]
        {
            let mut raw = in_session(carrier, &server, &content).await;
            let stream = raw.open().await;
            raw.write(stream, &case).await;
            raw.must_be_refused(&server, VIOLATION, malformed).await;
        }
    }
}

#[tokio::test]
async fn one_who_asks_and_does_not_read_costs_a_bounded_amount_and_loses_his_places() {
    for carrier in BOTH {
        let machine = server().await.0;
        let large = Memory::complete(vec![5; 64 << 20]);
        machine.puts(&large);
        let mut raw = in_session(carrier, &machine, &large).await;
        raw.stop_reading();
        for _ in 0..16 {
            let stream = raw.open().await;
            raw.write(stream, &get(0, 0, 64 << 20)).await;
            raw.finish(stream).await;
        }
        // Others are served while he sits there.
        still_serves(&machine, &large).await;
        machine.guard.wait_for(raw.peer(), |what| *what == Incident::NotReading).await;
        let read = large.read.load(Ordering::Relaxed);
        assert!(read < 64 << 20, "{} MiB were read for someone who takes nothing", read >> 20);
    }
}

#[tokio::test]
async fn rules_of_the_streams_over_tls_are_kept_up() {
    // Kind, stream, value, and how many bytes follow.
    type Frame = (u8, u32, u32, usize);
    let rules: [(&str, &[Frame]); 6] = [
        ("more data than credit", &[(0, 2, 60_000, 60_000), (0, 2, 60_000, 60_000)]),
        ("a frame too long", &[(0, 2, 65_528, 9)]),
        ("an unknown kind", &[(9, 2, 0, 0)]),
        ("a number out of order", &[(0, 6, 1, 1)]),
        ("a stream that we never opened", &[(0, 1, 1, 1)]),
        ("credit beyond all numbers", &[(4, 0, u32::MAX, 0), (4, 0, u32::MAX, 0)]),
    ];
    let (server, content) = server().await;
    for (rule, frames) in rules {
        let mut raw = Raw::greeted(Carrier::Tcp, &server).await;
        for (kind, stream, value, len) in frames {
            raw.mux(*kind, *stream, *value, &vec![0; *len]).await;
        }
        raw.must_be_refused(&server, VIOLATION, |what| malformed(what) && !rule.is_empty()).await;
    }
    let mut many = Raw::greeted(Carrier::Tcp, &server).await;
    for stream in 1..60 {
        many.mux(0, stream * 2, 1, &[0]).await;
    }
    many.must_be_refused(&server, VIOLATION, malformed).await;
    still_serves(&server, &content).await;
}

#[tokio::test]
async fn answers_that_are_wrong_are_errors_of_the_request_and_incidents_of_the_peer() {
    for carrier in BOTH {
        let machine = server().await.0;
        let wanted = Memory::wanting(bytes(LEN, 4));
        machine.puts(&wanted);
        let mut raw = Raw::greeted(carrier, &machine).await;
        raw.write(0, &join(0, wanted.digest.bytes(), &holding(SIZE, &[(0, 7)]))).await;
        assert_eq!(raw.message().await.0, 3);
        let session = machine.next_joined().await;
        let data = |len: u64| frame(34, &number(len));
        // What the peer answers to a request for a hundred bytes, and what becomes of it.
        let wrong = |what| Err(RequestError::WrongAnswer(what));
        let cases = [
            (data(100), vec![9; 100], true, Ok(vec![9; 100])),
            (data(101), vec![9; 101], true, wrong("it announces another number of bytes")),
            (data(100), vec![9; 101], true, wrong("it is too long")),
            (data(100), vec![9; 99], true, wrong("it is too short")),
            (frame(7, &[1]), vec![], true, wrong("its head is malformed")),
            (vec![0xFF; 9], vec![], true, wrong("its head is malformed")),
            (frame(35, &[3]), vec![], true, Err(RequestError::Busy)),
            (frame(35, &[99]), vec![], true, Err(RequestError::Unavailable)),
            (data(100), vec![9; 10], false, Err(RequestError::Stalled)),
            (vec![0, 0], vec![], false, Err(RequestError::Stalled)),
        ];
        let mut id = 1;
        for (head, body, ends, expected) in cases {
            let answer = async {
                raw.accept(id).await;
                raw.write(id, &[head, body].concat()).await;
                if ends {
                    raw.finish(id).await;
                }
            };
            let (got, ()) = tokio::join!(fetch(&session, range(0, 100)), answer);
            if matches!(got, Err(RequestError::WrongAnswer(_))) {
                machine.guard.wait_for(raw.peer(), |what| matches!(what, Incident::WrongAnswer(_))).await;
            }
            assert_eq!(got, expected);
            id += 2;
        }
        let lie = async {
            raw.accept(id).await;
            let table = [&SIZE.to_be_bytes()[..], &[1; 6 * 32]].concat();
            raw.write(id, &[data(8 + 7 * 32), table, vec![1; 32]].concat()).await;
            raw.finish(id).await;
        };
        let (table, ()) = tokio::join!(session.table(), lie);
        assert_eq!(table.unwrap().size(), SIZE, "a table of the right form is the caller's to judge");
    }
}

impl Raw {
    /// As `must_be_refused`, where another connection of the same peer stays.
    async fn must_be_refused_beside(&mut self, server: &Machine, other: &mut Raw) {
        server.guard.wait_for(self.peer(), |what| *what == Incident::WrongMembership).await;
        assert_eq!(self.closed().await, NOT_MEMBER);
        other.write(0, &frame(7, &[5])).await;
        assert_eq!(other.message().await, (8, vec![5]));
    }
}

#[tokio::test]
async fn more_silent_handshakes_than_there_are_places_do_not_keep_others_out_for_long() {
    let (server, content) = server().await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(tokio::net::TcpStream::connect(server.address).await.unwrap());
    }
    for stream in &mut silent {
        // The beginning of a ClientHello, and nothing more.
        let _ = tokio::io::AsyncWriteExt::write_all(stream, &[0x16, 3, 1, 2, 0, 1]).await;
    }
    let client = Machine::new(Transport::TcpOnly).await;
    let wanted = Memory::wanting(content.bytes.clone());
    let begun = std::time::Instant::now();
    while client.join(&server, &wanted).await.is_err() {
        assert!(begun.elapsed() < support::PATIENCE);
    }
    eventually("the connection", || (!server.exchange.links().is_empty()).then_some(())).await;
}
