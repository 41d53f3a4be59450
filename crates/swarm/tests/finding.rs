//! Machines find each other, and each other's contents.

mod support;

use std::time::Duration;

use dray_identity::{Group, NodeKey};
use dray_swarm::{Bootstrap, Mode, PeerState, Reach, Role, Way};
use support::{Machine, digest, group, loopback, machine, machine_with, next, until};

#[tokio::test]
async fn two_machines_find_each_others_content_over_a_bootstrap_address() {
    let a = machine(None, &[]).await;
    let b = machine(None, &[a.address]).await;
    a.has(digest("iso"));
    let mut found = b.swarm.find(&[digest("iso")], Role::Wants);
    let candidate = next(&mut found).await;
    assert_eq!(candidate.peer, a.swarm.me());
    assert_eq!(candidate.addrs, [a.address]);
    assert_eq!((candidate.role, candidate.way), (Role::Has, Way::Lan));
}

#[tokio::test]
async fn a_search_is_told_when_all_who_are_connected_were_asked_and_knows_their_answers_then() {
    let a = machine(None, &[]).await;
    let b = machine(None, &[a.address]).await;
    let c = machine(None, &[a.address, b.address]).await;
    until("all are connected", || [&a, &b, &c].iter().all(|one| one.swarm.connected() == 2)).await;
    a.has(digest("iso"));
    let mut finding = c.swarm.seek(&[digest("iso")], Role::Wants);
    finding.asked.await.unwrap();
    assert_eq!(finding.candidates.try_recv().unwrap().peer, a.swarm.me());
    assert!(finding.candidates.try_recv().is_err());
    let lonely = machine(None, &[]).await;
    lonely.swarm.seek(&[digest("iso")], Role::Wants).asked.await.unwrap();
}

#[tokio::test]
async fn who_asks_later_is_a_candidate_for_who_asked_before() {
    let a = machine(None, &[]).await;
    let b = machine(None, &[a.address]).await;
    let mut first = a.swarm.find(&[digest("iso"), digest("same by another name")], Role::Wants);
    until("they are connected", || a.knows(&b) && b.knows(&a)).await;
    let mut second = b.swarm.find(&[digest("same by another name")], Role::Wants);
    assert_eq!(next(&mut first).await.peer, b.swarm.me());
    let candidate = next(&mut second).await;
    assert_eq!((candidate.peer, candidate.role), (a.swarm.me(), Role::Wants));
}

#[tokio::test]
async fn a_wish_is_forgotten_when_its_search_ends() {
    let a = machine(None, &[]).await;
    let b = machine(None, &[a.address]).await;
    until("they are connected", || a.knows(&b) && b.knows(&a)).await;
    let search = a.swarm.find(&[digest("iso")], Role::Wants);
    let before = b.swarm.counts().asked;
    until("b was asked", || b.swarm.counts().asked > before).await;
    drop(search);
    until("b was told that it is over", || b.swarm.counts().asked > before + 1).await;
    let before = a.swarm.counts().asked;
    let mut late = b.swarm.find(&[digest("iso")], Role::Wants);
    until("a was asked", || a.swarm.counts().asked > before).await;
    // The answer to a second search proves that the answer to the first is in.
    a.has(digest("other"));
    next(&mut b.swarm.find(&[digest("other")], Role::Wants)).await;
    assert!(late.try_recv().is_err());
}

#[tokio::test]
async fn machines_that_know_one_member_come_to_know_all() {
    let group = group("site", &Group::generate_key_text());
    let hub = machine(Some(group.clone()), &[]).await;
    let mut all = vec![hub];
    for _ in 0..19 {
        all.push(machine(Some(group.clone()), &[all[0].address]).await);
    }
    until("everyone is connected with everyone", || all.iter().all(|one| one.swarm.connected() == 19)).await;
    all[7].has(digest("iso"));
    let mut found = all[13].swarm.find(&[digest("iso")], Role::Wants);
    assert_eq!(next(&mut found).await.peer, all[7].swarm.me());
}

#[tokio::test]
async fn a_machine_that_dies_is_missed_and_one_that_returns_is_found_again() {
    let a = machine(None, &[]).await;
    let b = machine(None, &[a.address]).await;
    b.has(digest("iso"));
    let mut found = a.swarm.find(&[digest("iso")], Role::Wants);
    assert_eq!(next(&mut found).await.peer, b.swarm.me());
    let (key, address, me) = (b.key.clone(), b.address, b.swarm.me());
    b.stop().await;
    until("a misses b", || a.swarm.connected() == 0).await;
    // It knows nobody now; a has to find it.
    let b = machine_with(key, address, |_| {}).await;
    b.has(digest("iso"));
    let again = next(&mut found).await;
    assert_eq!((again.peer, again.addrs), (me, vec![address]));
}

#[tokio::test]
async fn two_groups_on_one_wire_do_not_mix() {
    let (red, blue) = (group("red", &Group::generate_key_text()), group("blue", &Group::generate_key_text()));
    let red_one = machine(Some(red.clone()), &[]).await;
    let blue_one = machine(Some(blue.clone()), &[red_one.address]).await;
    let open = machine(None, &[red_one.address, blue_one.address]).await;
    let red_two = machine(Some(red), &[red_one.address, blue_one.address, open.address]).await;
    let blue_two = machine(Some(blue), &[blue_one.address, red_one.address, open.address]).await;
    until("members find each other", || red_one.knows(&red_two) && blue_one.knows(&blue_two)).await;
    until("the stranger among the members was noticed", || blue_one.swarm.members()[0].why_not.is_some())
        .await;
    until("strangers were refused", || {
        [&red_one, &blue_one].iter().all(|one| one.swarm.counts().failed_handshakes >= 2)
    })
    .await;
    for one in [&red_one, &red_two, &blue_one, &blue_two] {
        assert_eq!(one.swarm.connected(), 1);
    }
    assert_eq!(open.swarm.connected(), 0);
    let members = blue_one.swarm.members();
    assert_eq!((members.len(), members[0].connected), (1, None));
    assert!(
        members[0].why_not.as_ref().unwrap().contains("its group or its key is another one"),
        "{members:?}"
    );
}

#[tokio::test]
async fn how_things_stand_with_each_bootstrap_member_is_shown() {
    let a = machine(None, &[]).await;
    let gone = machine(None, &[]).await.address;
    let b = machine(None, &[a.address, gone]).await;
    until("the first is there", || b.swarm.members()[0].connected == Some(a.swarm.me())).await;
    until("the other is not", || b.swarm.members()[1].why_not.is_some()).await;
    assert!(b.swarm.members()[1].why_not.as_ref().unwrap().contains("refused"));
    assert_eq!(b.swarm.members()[1].place, gone.to_string());
}

#[tokio::test]
async fn a_hub_holds_a_hundred_machines() {
    let hub = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
        config.limits.connections_per_address = 200;
        config.limits.pending_per_address = 32;
        config.limits.dials_per_address.burst = 400;
    })
    .await;
    hub.has(digest("iso"));
    let mut leaves = Vec::new();
    for _ in 0..100 {
        let leaf = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
            config.bootstrap = vec![Bootstrap::Address(hub.address)];
            // A star: this test is about the hub.
            config.limits.wanted_connections = 1;
        })
        .await;
        leaves.push(leaf);
    }
    until("all are connected", || hub.swarm.connected() == 100).await;
    for leaf in &leaves {
        let mut found = leaf.swarm.find(&[digest("iso")], Role::Wants);
        assert_eq!(next(&mut found).await.peer, hub.swarm.me());
    }
}

#[tokio::test]
async fn an_unwelcome_peer_is_refused_and_the_reason_is_shown() {
    let a = machine(None, &[]).await;
    let b = machine(None, &[a.address]).await;
    until("they are connected", || a.knows(&b)).await;
    a.shelf.unwelcome.lock().unwrap().insert(b.swarm.me(), "it gave wrong bytes".to_owned());
    a.swarm.disconnect(b.swarm.me(), "it gave wrong bytes");
    until("b is gone", || a.swarm.connected() == 0).await;
    until("b was refused at its return", || a.swarm.counts().refused_connections > 0).await;
    let view = a.swarm.peers().into_iter().find(|view| view.peer == b.swarm.me()).unwrap();
    assert_eq!((view.state, view.why_not.as_deref()), (PeerState::Refused, Some("it gave wrong bytes")));
    assert_eq!(a.swarm.connected(), 0);
}

#[tokio::test]
async fn an_address_outside_the_reach_is_neither_dialled_nor_let_in() {
    let closed = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
        config.reach = Reach::Listed(vec!["10.0.0.0/8".parse().unwrap()]);
    })
    .await;
    let open = machine(None, &[closed.address]).await;
    until("it was refused", || closed.swarm.counts().refused_connections > 0).await;
    assert_eq!((closed.swarm.connected(), open.swarm.connected()), (0, 0));
}

#[tokio::test]
async fn a_connection_over_an_excluded_interface_is_refused() {
    let a = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
        config.interfaces.exclude = vec!["lo".parse().unwrap()];
        config.reach = Reach::Anywhere;
    })
    .await;
    let b = machine(None, &[a.address]).await;
    until("it was refused", || a.swarm.counts().refused_connections > 0).await;
    assert_eq!(b.swarm.connected(), 0);
}

#[tokio::test]
async fn machines_find_each_other_by_multicast_with_no_configuration() {
    let group = group("floor", &Group::generate_key_text());
    let alone = |config: &mut dray_swarm::Config| {
        config.mode = Mode::Group;
        config.group = Some(group.clone());
        config.interfaces = loopback();
        config.mdns = true;
    };
    if let Err(error) = support::multicast_works() {
        eprintln!("SKIPPED: no multicast on loopback here: {error}");
        return;
    }
    let a = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), alone).await;
    let b = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), alone).await;
    let stranger = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
        config.mdns = true;
    })
    .await;
    until("they find each other", || a.knows(&b) && b.knows(&a)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(stranger.swarm.connected(), 0);
    assert!(
        a.swarm.peers().iter().all(|view| view.peer != stranger.swarm.me()),
        "other swarms are not even known"
    );
}

#[tokio::test]
async fn in_a_group_larger_than_the_connections_a_content_is_found_beyond_them() {
    let group = group("campus", &Group::generate_key_text());
    let few = |config: &mut dray_swarm::Config| {
        config.mode = Mode::Group;
        config.group = Some(group.clone());
        // Everyone keeps three connections by itself; the rest are those of others.
        config.limits.wanted_connections = 3;
        config.limits.settled = Duration::from_secs(2);
        config.limits.connections = 16;
        config.limits.connections_per_address = 64;
        config.limits.dials_per_address.burst = 1000;
        config.limits.pending_per_address = 32;
    };
    let mut all: Vec<Machine> = Vec::new();
    for n in 0..40 {
        let one = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
            few(config);
            // A chain of acquaintances, so that nobody is the centre.
            config.bootstrap = all.last().map(|last| Bootstrap::Address(last.address)).into_iter().collect();
        })
        .await;
        until("it is in", || n == 0 || one.swarm.connected() > 0).await;
        all.push(one);
    }
    until("enough members are known", || all.iter().all(|one| one.swarm.peers().len() > 3)).await;
    // Two that are not connected with each other look for the same.
    let far =
        (1..40).find(|n| !all[0].knows(&all[*n])).expect("forty machines with sixteen connections each");
    let mut first = all[0].swarm.find(&[digest("iso")], Role::Wants);
    let mut second = all[far].swarm.find(&[digest("iso")], Role::Wants);
    assert_eq!(next(&mut first).await.peer, all[far].swarm.me());
    assert_eq!(next(&mut second).await.peer, all[0].swarm.me());
}

#[tokio::test]
async fn good_peers_are_remembered_over_a_restart_without_any_bootstrap() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("peers");
    let a = machine(None, &[]).await;
    let remembering = |config: &mut dray_swarm::Config| config.memory = Some(path.clone());
    let b = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
        remembering(config);
        config.bootstrap = vec![Bootstrap::Address(a.address)];
    })
    .await;
    until("they are connected", || a.knows(&b) && b.knows(&a)).await;
    let key = b.key.clone();
    b.stop().await;
    let b = machine_with(key, "127.0.0.1:0".parse().unwrap(), remembering).await;
    until("it found its way back", || b.knows(&a)).await;
}

#[tokio::test]
async fn a_machine_that_nobody_can_dial_still_finds_and_is_told() {
    let a = machine(None, &[]).await;
    // What it says is its port is closed.
    let behind = machine_with(NodeKey::generate(), "127.0.0.1:0".parse().unwrap(), |config| {
        config.port = 9;
        config.bootstrap = vec![Bootstrap::Address(a.address)];
    })
    .await;
    a.has(digest("iso"));
    let mut found = behind.swarm.find(&[digest("iso")], Role::Wants);
    assert_eq!(next(&mut found).await.addrs, [a.address]);
    let _search = behind.swarm.find(&[digest("other")], Role::Wants);
    let mut asked = a.swarm.find(&[digest("other")], Role::Wants);
    assert_eq!(next(&mut asked).await.peer, behind.swarm.me());
}
