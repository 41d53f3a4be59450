//! Two honest machines, over each of the transports.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may stop where it stands")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dray_exchange::{Carrier, Holding, JoinError, PieceSet, RequestError, Transport};
use dray_identity::{Group, NodeKey, PeerId};
use support::{Machine, Memory, bytes, eventually, fetch, range, theirs};

/// Seven pieces, the last one short.
const LEN: usize = 6 * (256 << 10) + 1000;

const BOTH: [(Transport, Carrier); 2] =
    [(Transport::QuicOnly, Carrier::Quic), (Transport::TcpOnly, Carrier::Tcp)];

#[tokio::test]
async fn a_content_comes_whole_with_its_table_over_each_transport() {
    for (transport, carrier) in BOTH {
        let (server, client) = (Machine::new(transport).await, Machine::new(transport).await);
        let content = Memory::complete(bytes(LEN, 1));
        server.puts(&content);
        let session = client.join(&server, &Memory::wanting(content.bytes.clone())).await.unwrap();
        assert_eq!(session.transport(), carrier);
        assert_eq!(session.peer(), server.peer());
        let holding = session.theirs().borrow().clone();
        assert_eq!(*holding, Holding::complete(LEN as u64, Some(content.table.as_ref().unwrap().root())));
        assert_eq!(session.table().await.unwrap(), **content.table.as_ref().unwrap());
        let whole = range(0, LEN as u64);
        assert_eq!(fetch(&session, whole).await.unwrap(), content.bytes);
        for (start, end) in [(0, 1), (5, 700_001), (LEN as u64 - 1, LEN as u64)] {
            let part = fetch(&session, range(start, end)).await.unwrap();
            assert_eq!(part, content.bytes[start as usize..end as usize]);
        }
        let links = client.exchange.links();
        assert_eq!(links.len(), 1);
        assert!(links[0].received >= LEN as u64 && links[0].agent.starts_with("dray/"));
        let (sent, received) = (server.exchange.counts(), client.exchange.counts());
        assert_eq!(sent.sent, received.received);
        assert_eq!((sent.connections, sent.violations, sent.refused_connections), (1, 0, 0));
        assert!(server.guard.is_empty() && client.guard.is_empty());
    }
}

#[tokio::test]
async fn a_content_that_nobody_offers_is_refused_and_the_connection_stays_for_the_next() {
    for (transport, _) in BOTH {
        let (server, client) = (Machine::new(transport).await, Machine::new(transport).await);
        let unknown = Memory::wanting(bytes(1000, 2));
        assert_eq!(client.join(&server, &unknown).await.unwrap_err(), JoinError::NotOffered);
        let known = Memory::complete(bytes(2000, 3));
        server.puts(&known);
        let session = client.join(&server, &Memory::wanting(known.bytes.clone())).await.unwrap();
        assert_eq!(fetch(&session, range(0, 2000)).await.unwrap(), known.bytes);
        assert_eq!(client.exchange.links().len(), 1);
        assert_eq!(server.exchange.links().len(), 1);
        assert!(server.guard.is_empty());
    }
}

#[tokio::test]
async fn what_each_end_has_and_fetches_is_told_as_it_changes_and_given_in_both_directions() {
    for (transport, _) in BOTH {
        let (one, two) = (Machine::new(transport).await, Machine::new(transport).await);
        let all = bytes(LEN, 4);
        let (left, right) = (Memory::wanting(all.clone()), Memory::wanting(all.clone()));
        left.has([0, 1]);
        one.puts(&left);
        let session = two.join(&one, &right).await.unwrap();
        let passive = one.next_joined().await;
        assert_eq!(passive.peer(), two.peer());
        assert!(passive.theirs().borrow().wants && session.theirs().borrow().wants);
        assert_eq!(fetch(&passive, range(0, 1)).await, Err(RequestError::NotOffered));

        right.has([6, 3]);
        right.says.send_modify(|holding| {
            let fetching = PieceSet::full(6);
            *holding = Arc::new(Holding { fetching, ..Holding::clone(holding) });
        });
        let piece = 256 << 10;
        let told = theirs(&passive, |holding| holding.have.len() == 2).await;
        assert_eq!(told.have, PieceSet::from_iter([3, 6].map(dray_content::PieceIndex)));
        theirs(&passive, |holding| holding.fetching == PieceSet::full(6)).await;
        let last = fetch(&passive, range(6 * piece, LEN as u64)).await.unwrap();
        assert_eq!(last, all[6 * piece as usize..]);

        // Pieces can also be taken back, and the rest is still to be had.
        right.says.send_modify(|holding| {
            let have = PieceSet::from_iter([dray_content::PieceIndex(6)]);
            *holding = Arc::new(Holding { have, ..Holding::clone(holding) });
        });
        theirs(&passive, |holding| holding.have.len() == 1).await;
        left.has([2, 4, 5]);
        theirs(&session, |holding| holding.have.len() == 5).await;
        let most = fetch(&session, range(0, 3 * piece)).await.unwrap();
        assert_eq!(most, all[..3 * piece as usize]);
        assert!(one.guard.is_empty() && two.guard.is_empty());
    }
}

#[tokio::test]
async fn a_late_request_for_a_piece_that_was_offered_and_is_gone_is_no_incident() {
    for (transport, _) in BOTH {
        // The news that it is gone is still on its way when the request is made.
        let (server, client) = (
            Machine::with(transport, |config| config.timing.announce = support::PATIENCE).await,
            Machine::new(transport).await,
        );
        let content = Memory::complete(bytes(LEN, 5));
        server.puts(&content);
        let session = client.join(&server, &Memory::wanting(content.bytes.clone())).await.unwrap();
        content.says.send_modify(|holding| {
            *holding = Arc::new(Holding { wants: true, ..Holding::clone(holding) });
        });
        theirs(&session, |holding| holding.wants).await;
        content.says.send_modify(|holding| {
            let have = PieceSet::full(3);
            *holding = Arc::new(Holding { have, ..Holding::clone(holding) });
        });
        let gone = fetch(&session, range(4 << 18, 5 << 18)).await;
        assert_eq!(gone, Err(RequestError::Gone));
        assert!(server.guard.is_empty());
    }
}

#[tokio::test]
async fn many_requests_run_side_by_side_and_one_too_many_is_refused_here() {
    for (transport, _) in BOTH {
        let (server, client) = (Machine::new(transport).await, Machine::new(transport).await);
        let content = Memory::complete(bytes(LEN, 6));
        server.puts(&content);
        let session = client.join(&server, &Memory::wanting(content.bytes.clone())).await.unwrap();
        let mut running = Vec::new();
        for piece in 0..8u64 {
            running.push(session.get(range(piece * 100_000, (piece + 1) * 100_000)).await.unwrap());
        }
        assert_eq!(session.get(range(0, 1)).await.unwrap_err(), RequestError::Busy);
        // Read in the opposite order: none stands in the way of another.
        while let Some(mut incoming) = running.pop() {
            let mut all = Vec::new();
            while let Some(chunk) = incoming.chunk().await.unwrap() {
                all.extend_from_slice(&chunk);
            }
            let range = incoming.range();
            assert_eq!(all, content.bytes[range.start() as usize..range.end() as usize]);
        }
        assert!(session.get(range(0, 1)).await.is_ok());
    }
}

#[tokio::test]
async fn one_who_reads_his_requests_one_after_the_other_holds_up_neither_himself_nor_others() {
    for (transport, _) in BOTH {
        let server = Machine::with(transport, |config| config.limits.upload_slots = 2).await;
        let content = Memory::complete(bytes(40 << 20, 7));
        server.puts(&content);
        let mut clients = Vec::new();
        for _ in 0..3 {
            let client = Machine::new(transport).await;
            let session = client.join(&server, &Memory::wanting(content.bytes.clone())).await.unwrap();
            clients.push((client, session));
        }
        let mut downloads = tokio::task::JoinSet::new();
        for (client, session) in clients {
            let expected = Arc::clone(&content);
            downloads.spawn(async move {
                let mut requests = Vec::new();
                for part in 0..5 {
                    requests.push(session.get(range(part << 23, (part + 1) << 23)).await.unwrap());
                }
                for mut request in requests {
                    let mut at = request.range().start() as usize;
                    while let Some(chunk) = request.chunk().await.unwrap() {
                        assert_eq!(chunk, expected.bytes[at..at + chunk.len()]);
                        at += chunk.len();
                    }
                }
                drop(client);
            });
        }
        while let Some(done) = downloads.join_next().await {
            done.unwrap();
        }
        assert!(server.guard.is_empty());
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_stops_the_reading_at_the_other_end() {
    for (transport, _) in BOTH {
        let (server, client) = (Machine::new(transport).await, Machine::new(transport).await);
        let content = Memory::complete(vec![7; 64 << 20]);
        server.puts(&content);
        let session = client.join(&server, &Memory::wanting(content.bytes.clone())).await.unwrap();
        let mut incoming = session.get(range(0, 64 << 20)).await.unwrap();
        assert!(incoming.chunk().await.unwrap().is_some());
        drop(incoming);
        // The slot is free again: all others can be had at once.
        assert_eq!(fetch(&session, range(63 << 20, 64 << 20)).await.unwrap().len(), 1 << 20);
        assert!(content.read.load(Ordering::Relaxed) < 32 << 20, "{:?}", content.read);
        assert!(server.guard.is_empty());
    }
}

#[tokio::test]
async fn a_content_that_cannot_be_read_costs_the_request_and_nothing_else() {
    for (transport, _) in BOTH {
        let (server, client) = (Machine::new(transport).await, Machine::new(transport).await);
        let content = Memory::complete(bytes(LEN, 8));
        server.puts(&content);
        let session = client.join(&server, &Memory::wanting(content.bytes.clone())).await.unwrap();
        content.is_broken.store(true, Ordering::Relaxed);
        assert_eq!(fetch(&session, range(0, 10)).await, Err(RequestError::Unavailable));
        content.is_broken.store(false, Ordering::Relaxed);
        assert_eq!(fetch(&session, range(0, 10)).await.unwrap(), content.bytes[..10]);
        assert!(client.guard.is_empty());
    }
}

#[tokio::test]
async fn a_session_ends_for_both_when_one_leaves_or_lets_go_and_can_be_opened_again() {
    for (transport, _) in BOTH {
        let (one, two) = (Machine::new(transport).await, Machine::new(transport).await);
        let content = Memory::wanting(bytes(LEN, 9));
        one.puts(&content);
        for explicit in [true, false] {
            let session = two.join(&one, &Memory::wanting(content.bytes.clone())).await.unwrap();
            let passive = one.next_joined().await;
            let mut watched = passive.theirs();
            if explicit {
                session.leave();
                assert_eq!(fetch(&session, range(0, 1)).await, Err(RequestError::NotOffered));
            } else {
                drop(session);
            }
            let ended =
                tokio::time::timeout(support::PATIENCE, async { while watched.changed().await.is_ok() {} });
            ended.await.unwrap();
            assert!(!passive.is_open());
        }
        // The connection stays: a session is not a connection.
        assert_eq!(one.exchange.links().len(), 1);
        assert_eq!(one.exchange.links()[0].sessions, 0);
        // One who has all he wants lets the session go on for the other.
        content.has(0..content.count());
        let session = two.join(&one, &Memory::wanting(content.bytes.clone())).await.unwrap();
        one.next_joined().await.detach();
        assert_eq!(fetch(&session, range(0, LEN as u64)).await.unwrap(), content.bytes);
    }
}

#[tokio::test]
async fn the_same_content_is_one_session_however_often_and_from_whichever_end_it_is_joined() {
    for (transport, _) in BOTH {
        let (one, two) = (Machine::new(transport).await, Machine::new(transport).await);
        let (left, right) = (Memory::wanting(bytes(LEN, 10)), Memory::wanting(bytes(LEN, 10)));
        one.puts(&left);
        two.puts(&right);
        // Both at once, several times: connections and joins cross in every way.
        for _ in 0..10 {
            let (a, b) = tokio::join!(one.join(&two, &left), two.join(&one, &right));
            let (a, b) = (a.unwrap(), b.unwrap());
            let again = one.join(&two, &left).await.unwrap();
            assert_eq!(one.exchange.links()[0].sessions, 1);
            assert_eq!(two.exchange.links()[0].sessions, 1);
            drop((again, a, b));
            while let Ok(passive) = one.joined.lock().await.try_recv() {
                drop(passive);
            }
            while let Ok(passive) = two.joined.lock().await.try_recv() {
                drop(passive);
            }
            eventually("the end of the sessions", || {
                let none = |machine: &Machine| machine.exchange.links().iter().all(|link| link.sessions == 0);
                (none(&one) && none(&two)).then_some(())
            })
            .await;
        }
        assert!(one.guard.is_empty() && two.guard.is_empty());
    }
}

#[tokio::test]
async fn calling_each_other_at_the_same_moment_leaves_one_connection() {
    for (transport, _) in BOTH {
        for round in 0..8 {
            let (one, two) = (Machine::new(transport).await, Machine::new(transport).await);
            let (left, right) = (Memory::wanting(bytes(5000, round)), Memory::wanting(bytes(5000, round)));
            let (other_left, other_right) =
                (Memory::wanting(bytes(6000, round)), Memory::wanting(bytes(6000, round)));
            one.puts(&left);
            one.puts(&other_left);
            two.puts(&right);
            two.puts(&other_right);
            // About two different contents, so that both sessions have to end up on the same connection.
            let (a, b) = tokio::join!(one.join(&two, &left), two.join(&one, &other_right));
            let (a, b) = (a.unwrap(), b.unwrap());
            eventually("one connection with two sessions", || {
                let is_one = |machine: &Machine| {
                    let links = machine.exchange.links();
                    links.len() == 1 && links[0].sessions == 2
                };
                (is_one(&one) && is_one(&two)).then_some(())
            })
            .await;
            assert!(a.is_open() && b.is_open());
        }
    }
}

#[tokio::test]
async fn a_machine_that_comes_back_is_reached_again_and_sessions_of_before_are_over() {
    for (transport, _) in BOTH {
        let client = Machine::new(transport).await;
        let key = NodeKey::generate();
        for round in 0..2 {
            let server = Machine::named(key.clone(), transport, |_| {}).await;
            let content = Memory::complete(bytes(LEN, round));
            server.puts(&content);
            let session = client.join(&server, &Memory::wanting(content.bytes.clone())).await.unwrap();
            assert_eq!(fetch(&session, range(0, LEN as u64)).await.unwrap(), content.bytes);
            server.exchange.close().await;
            let mut watched = session.theirs();
            let ended =
                tokio::time::timeout(support::PATIENCE, async { while watched.changed().await.is_ok() {} });
            ended.await.unwrap();
            assert!(matches!(fetch(&session, range(0, 1)).await, Err(RequestError::Closed)));
            eventually("the end of the connection", || client.exchange.links().is_empty().then_some(()))
                .await;
        }
    }
}

#[tokio::test]
async fn members_of_a_group_meet_and_nobody_else() {
    let text = Group::generate_key_text();
    let group = |name: &str| Some(Group::from_key_text(name, &text).unwrap());
    for (transport, _) in BOTH {
        let member = |group| Machine::with(transport, |config| config.group = group);
        let content = Memory::complete(bytes(LEN, 11));
        let server = member(group("lab")).await;
        server.puts(&content);
        let wanted = Memory::wanting(content.bytes.clone());
        let friend = member(group("lab")).await;
        let session = friend.join(&server, &wanted).await.unwrap();
        assert_eq!(fetch(&session, range(0, 10)).await.unwrap(), content.bytes[..10]);
        for stranger in [member(None).await, member(group("other")).await] {
            assert_eq!(stranger.join(&server, &wanted).await.unwrap_err(), JoinError::NotMember);
            server.guard.wait_for(stranger.peer(), |_| true).await;
        }
        // Nor does a machine without a group talk to a member of one.
        let loner = member(None).await;
        loner.puts(&content);
        assert_eq!(friend.join(&loner, &wanted).await.unwrap_err(), JoinError::NotMember);
        assert!(loner.guard.is_empty(), "to be a member of a group is no offence");
    }
}

#[tokio::test]
async fn a_peer_that_the_guard_does_not_want_is_not_talked_to_by_either_end() {
    for (transport, _) in BOTH {
        let (server, client) = (Machine::new(transport).await, Machine::new(transport).await);
        let content = Memory::complete(bytes(LEN, 12));
        server.puts(&content);
        let wanted = Memory::wanting(content.bytes.clone());
        server.guard.unwanted.lock().unwrap().push(client.peer());
        assert!(matches!(client.join(&server, &wanted).await, Err(JoinError::Rejected(_))));
        server.guard.unwanted.lock().unwrap().clear();
        client.guard.unwanted.lock().unwrap().push(server.peer());
        assert_eq!(client.join(&server, &wanted).await.unwrap_err(), JoinError::NotAdmitted);
        client.guard.unwanted.lock().unwrap().clear();
        let session = client.join(&server, &wanted).await.unwrap();
        server.exchange.disconnect(&client.peer());
        let mut watched = session.theirs();
        let ended =
            tokio::time::timeout(support::PATIENCE, async { while watched.changed().await.is_ok() {} });
        ended.await.unwrap();
    }
}

#[tokio::test]
async fn nobody_at_the_address_or_somebody_else_there_is_an_error_in_time() {
    let client = Machine::with(Transport::Auto, |config| {
        config.timing.dial = std::time::Duration::from_millis(800);
    })
    .await;
    let server = Machine::new(Transport::Auto).await;
    let wanted = Memory::wanting(bytes(10, 1));
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    for addresses in [&[server.address][..], &[nobody], &[]] {
        let lent = Arc::clone(&wanted) as Arc<dyn dray_exchange::Volume>;
        let joined = client.exchange.join(PeerId::random(), addresses, &[wanted.digest], lent).await;
        assert!(matches!(joined, Err(JoinError::Unreachable(_))), "{joined:?}");
    }
    let nameless = client.exchange.join(server.peer(), &[server.address], &[], wanted).await;
    assert_eq!(nameless.unwrap_err(), JoinError::BadContent);
}

#[tokio::test]
async fn where_the_preferred_transport_is_blocked_the_other_one_is_used() {
    let content = Memory::complete(bytes(LEN, 13));
    let wanted = Memory::wanting(content.bytes.clone());
    // On loopback TCP is preferred; this server does not listen on it.
    let deaf = Machine::with(Transport::Auto, |config| config.tcp = None).await;
    deaf.puts(&content);
    let client = Machine::new(Transport::Auto).await;
    let session = client.join(&deaf, &wanted).await.unwrap();
    assert_eq!(session.transport(), Carrier::Quic);
    let server = Machine::new(Transport::Auto).await;
    server.puts(&content);
    assert_eq!(client.join(&server, &wanted).await.unwrap().transport(), Carrier::Tcp);
    let without_udp = Machine::with(Transport::Auto, |config| config.udp = None).await;
    assert_eq!(without_udp.join(&server, &wanted).await.unwrap().transport(), Carrier::Tcp);
}

#[tokio::test]
async fn contents_of_different_sizes_are_not_the_same() {
    for (transport, _) in BOTH {
        let (server, client) = (Machine::new(transport).await, Machine::new(transport).await);
        let content = Memory::complete(bytes(LEN, 14));
        server.puts(&content);
        let wanted = Memory::wanting(content.bytes.clone());
        wanted.says.send_replace(Arc::new(Holding::wanting(Some(LEN as u64 + 1))));
        assert_eq!(client.join(&server, &wanted).await.unwrap_err(), JoinError::AnotherSize);
        wanted.says.send_replace(Arc::new(Holding::wanting(None)));
        assert!(client.join(&server, &wanted).await.is_ok());
        wanted.says.send_replace(Arc::new(Holding::wanting(Some(9 << 40))));
        assert_eq!(client.join(&server, &wanted).await.unwrap_err(), JoinError::BadContent);
    }
}
