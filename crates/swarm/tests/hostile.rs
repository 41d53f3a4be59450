//! Peers that mean no good cost a little time, and get nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use dray_identity::{Group, NodeKey};
use dray_swarm::{Incident, PeerState, Rate, Role};
use support::rogue::{Bytes, Manners, rogue};
use support::{Machine, digest, group, machine, machine_with, next, until};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;

/// A question as an honest peer would put it: "do you have or want this? I want it".
fn ask(wish: u32) -> Vec<u8> {
    let mut item = vec![1];
    item.extend_from_slice(&wish.to_be_bytes());
    item.extend_from_slice(&[2, 1, 3]);
    item.extend_from_slice(blake3::hash(&wish.to_be_bytes()).as_bytes());
    item
}

fn request(items: &[Vec<u8>]) -> Bytes {
    let mut body = vec![1, u8::try_from(items.len()).unwrap()];
    body.extend(items.iter().flatten());
    Bytes::frame(&body)
}

/// A machine that loses patience soon.
async fn impatient() -> Machine {
    machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
        config.limits.reply = Duration::from_millis(500);
        config.limits.handshake = Duration::from_millis(500);
        config.limits.asks_per_peer = Rate { burst: 100, per_second: 1.0 };
        config.limits.wishes_per_peer = 20;
    })
    .await
}

async fn still_serves_honest_ones(victim: &Machine) {
    victim.has(digest("iso"));
    let honest = machine(None, &[victim.address]).await;
    let mut found = honest.swarm.find(&[digest("iso")], Role::Wants);
    assert_eq!(next(&mut found).await.peer, victim.swarm.me());
}

fn incidents(victim: &Machine, what: Incident) -> usize {
    victim.shelf.incidents.lock().unwrap().iter().filter(|(_, one)| *one == what).count()
}

#[tokio::test]
async fn a_peer_that_floods_questions_is_refused_and_shown_the_door() {
    let victim = impatient().await;
    let rogue = rogue(victim.address, Manners::default());
    until("it is in", || victim.swarm.connected() == 1).await;
    let mut round = 0;
    until("it is out", || {
        let items: Vec<_> = (0..50).map(|wish| ask(round * 50 + wish)).collect();
        rogue.say.send(request(&items)).unwrap();
        round += 1;
        victim.swarm.connected() == 0
    })
    .await;
    let counts = victim.swarm.counts();
    assert!(counts.refused_asks >= 50, "{counts:?}");
    assert!(incidents(&victim, Incident::Flood) > 0);
    let view = victim.swarm.peers().into_iter().find(|view| view.peer == rogue.id).unwrap();
    assert_eq!(view.state, PeerState::Refused);
    still_serves_honest_ones(&victim).await;
}

#[tokio::test]
async fn a_peer_with_too_many_wishes_has_only_so_many_remembered() {
    let victim = impatient().await;
    let rogue = rogue(victim.address, Manners { addresses: Some(1), ..Manners::default() });
    until("it is in", || victim.swarm.connected() == 1).await;
    rogue.say.send(request(&(0..40).map(ask).collect::<Vec<_>>())).unwrap();
    until("some were refused", || victim.swarm.counts().refused_asks == 20).await;
    let search = |wish: u32| {
        let digest = dray_content::Digest::Blake3(*blake3::hash(&wish.to_be_bytes()).as_bytes());
        victim.swarm.find(&[digest], Role::Wants)
    };
    assert_eq!(next(&mut search(0)).await.peer, rogue.id);
    assert_eq!(next(&mut search(19)).await.peer, rogue.id);
    let mut forgotten = search(20);
    next(&mut search(1)).await;
    assert!(forgotten.try_recv().is_err());
}

#[tokio::test]
async fn oversized_cut_and_senseless_messages_end_the_connection() {
    let sorts = [
        ("longer than allowed", Bytes::raw(&[0xff; 2 + 0xffff], true)),
        ("only a length that is too large", Bytes::raw(&[0xff, 0xff], false)),
        ("half a message and then nothing", Bytes::raw(&[0, 40, 1, 1], false)),
        ("half a message and the end", Bytes::raw(&[0, 40, 1, 1], true)),
        ("an empty one", Bytes::frame(&[])),
        ("another version", Bytes::frame(&[9, 0])),
        ("more items than allowed", Bytes::frame(&[[1, 255].as_slice(), &[3; 255]].concat())),
        ("something left over", Bytes::frame(&[1, 1, 3, 3])),
        ("no digest", Bytes::frame(&[1, 1, 1, 0, 0, 0, 0, 2, 0])),
        ("a role that is none", Bytes::frame(&[1, 1, 1, 0, 0, 0, 0, 9, 1])),
    ];
    for (what, bytes) in sorts {
        let victim = impatient().await;
        let rogue = rogue(victim.address, Manners::default());
        until("it is in", || victim.swarm.connected() == 1).await;
        for sent in 0..8 {
            rogue.say.send(bytes.clone()).unwrap();
            until(what, || victim.swarm.counts().malformed > sent).await;
        }
        until(what, || victim.swarm.connected() == 0).await;
        assert!(incidents(&victim, Incident::Malformed) >= 8, "{what}");
        assert!(victim.swarm.counts().malformed >= 8, "{what}");
    }
}

#[tokio::test]
async fn a_peer_that_answers_nothing_is_let_go() {
    let victim = impatient().await;
    let _search = victim.swarm.find(&[digest("iso")], Role::Wants);
    let rogue = rogue(victim.address, Manners { answer: None, ..Manners::default() });
    until("it is in", || victim.swarm.connected() == 1).await;
    until("it is out", || victim.swarm.connected() == 0).await;
    assert_eq!(incidents(&victim, Incident::Silent), 1);
    let view = victim.swarm.peers().into_iter().find(|view| view.peer == rogue.id);
    assert_eq!(view.unwrap().why_not.unwrap(), "it does not answer");
}

#[tokio::test]
async fn a_peer_that_answers_nonsense_is_counted() {
    for answer in [&[1, 1, 0, 0][..], &[1, 2, 0, 0], &[1, 1, 5, 255], &[]] {
        let victim = impatient().await;
        let _search = victim.swarm.find(&[digest("iso")], Role::Wants);
        let _rogue =
            rogue(victim.address, Manners { answer: Some(Bytes::frame(answer)), ..Manners::default() });
        until("it was noticed", || incidents(&victim, Incident::Malformed) > 0).await;
    }
}

#[tokio::test]
async fn another_program_is_recognised_and_left_alone() {
    let victim = impatient().await;
    let rogue = rogue(victim.address, Manners { one_of_us: false, ..Manners::default() });
    until("it was recognised", || victim.swarm.counts().strangers == 1).await;
    until("it is out", || victim.swarm.peers().iter().all(|view| view.state == PeerState::Refused)).await;
    assert_eq!(victim.swarm.connected(), 0);
    let view = victim.swarm.peers().into_iter().find(|view| view.peer == rogue.id);
    assert_eq!(view.unwrap().why_not.unwrap(), "it is another program");
}

#[tokio::test]
async fn a_peer_with_hundreds_of_addresses_is_believed_for_its_port_only() {
    let victim = impatient().await;
    let _rogue = rogue(victim.address, Manners { addresses: Some(250), ..Manners::default() });
    until("it is in", || victim.swarm.connected() == 1).await;
    let at: Vec<_> = victim.swarm.peers().into_iter().flat_map(|view| view.addrs).collect();
    assert_eq!(at, ["127.0.0.1:9".parse::<SocketAddr>().unwrap()]);
}

#[tokio::test]
async fn a_peer_whose_description_is_too_long_does_not_get_in() {
    let victim = impatient().await;
    let _rogue = rogue(victim.address, Manners { addresses: Some(5000), ..Manners::default() });
    until("it was refused", || victim.swarm.counts().strangers == 1).await;
    until("it is out", || victim.swarm.peers().iter().all(|view| view.state == PeerState::Refused)).await;
    assert_eq!(victim.swarm.connected(), 0);
}

#[tokio::test]
async fn a_peer_that_names_neighbours_that_are_not_there_is_not_believed_for_long() {
    let victim = impatient().await;
    let mut body = vec![1, 1, 5, 32];
    for n in 0..32u8 {
        let id = NodeKey::generate().peer_id().to_bytes();
        body.push(u8::try_from(id.len()).unwrap());
        body.extend_from_slice(&id);
        body.extend_from_slice(&[4, 127, 0, 7, n, 0, 9]);
    }
    let _rogue = rogue(victim.address, Manners { answer: Some(Bytes::frame(&body)), ..Manners::default() });
    until("they were tried", || victim.swarm.counts().failed_dials >= 32).await;
    until("they were forgotten", || victim.swarm.peers().len() == 1).await;
}

#[tokio::test]
async fn a_host_that_dials_a_thousand_times_and_says_nothing_keeps_nobody_out() {
    let victim = impatient().await;
    let mut held = Vec::new();
    for _ in 0..1000 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.9.9:0".parse().unwrap()).unwrap();
        held.push(socket.connect(victim.address).await.unwrap());
    }
    still_serves_honest_ones(&victim).await;
    until("most were refused", || victim.swarm.counts().refused_connections >= 900).await;
    // Refused ones are closed; those that got in are closed when they do not prove themselves.
    for mut stream in held {
        let ended = tokio::time::timeout(support::DEADLINE, stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok());
    }
}

#[tokio::test]
async fn a_peer_of_no_group_or_another_one_does_not_get_in() {
    let ours = group("ours", &Group::generate_key_text());
    let victim = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
        config.mode = dray_swarm::Mode::Group;
        config.group = Some(ours);
        config.limits.handshake = Duration::from_millis(500);
    })
    .await;
    let mut none = rogue(victim.address, Manners::default());
    let other = Some(group("other", &Group::generate_key_text()));
    let mut other = rogue(victim.address, Manners { group: other, ..Manners::default() });
    until("both were refused", || victim.swarm.counts().failed_handshakes == 2).await;
    assert_eq!((none.ups.recv().await, other.ups.recv().await), (Some(false), Some(false)));
    assert_eq!((victim.swarm.connected(), victim.swarm.peers().len()), (0, 0));
}

#[tokio::test]
async fn a_flood_of_forged_announcements_hides_no_one() {
    if let Err(error) = support::multicast_works() {
        eprintln!("SKIPPED: no multicast on loopback here: {error}");
        return;
    }
    let floor = group("floor", &Group::generate_key_text());
    let on = |config: &mut dray_swarm::Config| {
        config.mode = dray_swarm::Mode::Group;
        config.group = Some(floor.clone());
        config.mdns = true;
    };
    let a = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), on).await;
    let flood = support::announce_rubbish(5000);
    let b = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), on).await;
    until("they find each other", || a.knows(&b) && b.knows(&a)).await;
    flood.join().unwrap().unwrap();
    assert!(a.swarm.peers().len() < 20, "{}", a.swarm.peers().len());
}
