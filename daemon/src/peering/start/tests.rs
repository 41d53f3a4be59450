use std::collections::BTreeMap;
use std::net::TcpListener;

use dray_identity::PeerId;

use super::*;
use crate::config::{Config, Flags, Places};

/// What these lines of `[peers]` mean.
fn settings(lines: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drayd.toml");
    std::fs::write(&file, format!("[peers]\n{lines}\n")).unwrap();
    let places = Places {
        config_file: file,
        state_dir: "/s".into(),
        cache_dir: "/c".into(),
        socket: "/r/drayd.sock".into(),
    };
    let variables: BTreeMap<String, std::ffi::OsString> = BTreeMap::new();
    Config::gather(Flags::default(), &|name| variables.get(name).cloned(), &places).unwrap().peers
}

const ON_LOOPBACK: &str = "mdns = false\ninterfaces = [\"127.0.0.1\"]\n";

#[test]
fn one_address_is_listened_on_alone_and_anything_else_everywhere() {
    assert_eq!(address(&settings(ON_LOOPBACK).interfaces.value.0), IpAddr::V4(Ipv4Addr::LOCALHOST));
    for lines in ["", "interfaces = [\"127.0.0.0/8\"]", "interfaces = [\"eth0\"]"] {
        assert!(address(&settings(lines).interfaces.value.0).is_unspecified(), "{lines}");
    }
}

#[test]
fn the_lists_say_who_may_come() {
    let id = PeerId::random();
    let (near, far) = ("10.1.2.3".parse().unwrap(), "192.0.2.1".parse().unwrap());
    let all = admit(&settings(""));
    assert!(all(&id, near).is_ok());
    let blocked = admit(&settings(&format!("block = [\"{id}\", \"192.0.2.0/24\"]")));
    assert!(blocked(&id, near).unwrap_err().contains("block"));
    assert!(blocked(&PeerId::random(), far).is_err() && blocked(&PeerId::random(), near).is_ok());
    let listed = settings(&format!("select_peers_by = \"list\"\nallow = [\"{id}\", \"10.0.0.0/8\"]"));
    let allowed = admit(&listed);
    assert!(allowed(&id, far).is_ok() && allowed(&PeerId::random(), near).is_ok());
    assert!(allowed(&PeerId::random(), far).unwrap_err().contains("allow"));
    assert_eq!(reach(&listed), Reach::Anywhere);
}

#[test]
fn a_subnet_is_the_limit_of_a_lan_and_of_a_list_of_subnets() {
    assert_eq!(reach(&settings("")), Reach::Subnets);
    assert_eq!(reach(&settings("mode = \"off\"\nselect_peers_by = \"none\"")), Reach::Anywhere);
    assert_eq!(reach(&settings("group = \"lab\"")), Reach::Anywhere);
    let listed = settings("select_peers_by = \"list\"\nallow = [\"10.0.0.0/8\"]");
    assert_eq!(reach(&listed), Reach::Listed(vec!["10.0.0.0/8".parse().unwrap()]));
}

#[tokio::test]
async fn a_port_that_was_asked_for_and_is_taken_means_no_peers_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut settings = settings(&format!("{ON_LOOPBACK}port = {port}"));
    let mut warnings = Vec::new();
    let told = start(&settings, folder.path(), None, &mut warnings).err().unwrap();
    assert!(told.name == "port" && told.sentence.contains(&port.to_string()), "{told:?}");
    // The same port, when nobody asked for it, gives way to a free one.
    settings.port.from = Source::Default;
    let peers = start(&settings, folder.path(), None, &mut warnings).unwrap();
    assert_ne!(peers.port(), port);
    assert!(warnings[0].contains(&peers.port().to_string()), "{warnings:?}");
    let again = NodeKey::load_or_create(&folder.path().join(NODE_KEY)).unwrap();
    assert_eq!(again.peer_id(), peers.peer_id());
    peers.stop().await;
}

#[tokio::test]
async fn a_group_without_its_key_means_no_peers_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let lines = format!("{ON_LOOPBACK}port = 0\ngroup = \"lab\"\ngroup_key_file = \"/nowhere/group.key\"");
    let told = start(&settings(&lines), folder.path(), None, &mut Vec::new()).err().unwrap();
    assert!(told.name == "group-key" && told.sentence.contains("/nowhere/group.key"), "{told:?}");
    assert!(told.hint.contains("dray group new"), "{told:?}");
}
