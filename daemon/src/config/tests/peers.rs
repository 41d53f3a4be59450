//! The settings about peers.

use super::*;
use crate::config::peer_values::Port;

fn peers(given: &Given) -> Peers {
    given.gather().unwrap().peers
}

#[test]
fn with_nothing_said_machines_of_the_same_network_share_on_port_7680() {
    let peers = peers(&given());
    assert_eq!(peers.mode, Setting { value: Mode::Lan, from: Source::Default });
    assert_eq!(peers.port, Setting { value: Port(7680), from: Source::Default });
    assert!(peers.mdns.value.0 && peers.bootstrap.value.0.is_empty());
}

#[test]
fn a_group_that_is_named_is_joined_unless_the_mode_says_otherwise() {
    let given = given().file("drayd.toml", "peers.group = \"berlin\"");
    assert_eq!(peers(&given).mode.value, Mode::Group);
    assert_eq!(peers(&given).group_key_file.value, given.folder.path().join("group.key"));
    assert_eq!(peers(&given.flag("--mode", "0")).mode.value, Mode::Off);
    let line = "peers = { group = \"berlin\", bootstrap = [\"branch.example\"] }";
    let one_line = peers(&super::given().file("drayd.toml", line));
    assert_eq!((one_line.mode.value, one_line.bootstrap.value.0.len()), (Mode::Group, 1));
}

#[test]
fn the_group_mode_without_a_group_is_refused() {
    let error = given().variable("DRAY_MODE", "2").error();
    assert!(error.starts_with("environment variable DRAY_MODE: the mode is group, and no group"), "{error}");
}

#[test]
fn a_selection_by_list_needs_a_list() {
    let error = given().file("drayd.toml", "[peers]\nselect_peers_by = \"list\"\n").error();
    assert!(error.starts_with("/drayd.toml, line 2: peers are selected by list"), "{error}");
    let listed =
        given().file("drayd.toml", "[peers]\nselect_peers_by = \"list\"\nallow = [\"10.0.0.0/8\"]\n");
    assert_eq!(peers(&listed).select_peers_by.value, SelectBy::List);
}

#[test]
fn numbers_of_delivery_optimization_and_truth_values_may_stand_unquoted() {
    let given = given()
        .file("drayd.toml", "[peers]\nmode = 100\nmdns = false\nport = 0\nmax_upload_bytes_per_s = 5\n");
    let peers = peers(&given);
    assert_eq!((peers.mode.value, peers.mdns.value.0, peers.port.value), (Mode::Bypass, false, Port(0)));
    assert_eq!(peers.max_upload_bytes_per_s.value.0, 5);
}

#[test]
fn lists_are_arrays_in_the_file_and_have_commas_elsewhere() {
    let file = given().file("drayd.toml", "peers.bootstrap = [\"10.1.2.3\", \"branch.example\"]\n");
    let flag = given().flag("--bootstrap", "10.1.2.3, branch.example");
    let variable = given().variable("DRAY_BOOTSTRAP", "10.1.2.3,branch.example");
    for given in [file, flag, variable] {
        assert_eq!(peers(&given).bootstrap.value.to_string(), "[\"10.1.2.3:7680\", \"branch.example:7680\"]");
    }
    let error = given().file("drayd.toml", "[peers]\ninterfaces = [\"eth0\", \"a b\"]\n").error();
    assert!(error.starts_with("/drayd.toml, line 2: \"a b\" is no interface"), "{error}");
}

#[test]
fn every_setting_is_listed_under_the_key_of_the_example_file() {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in include_str!("../../../../deploy/drayd.toml").lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = format!("{}.", header.trim_end_matches(']'));
        } else if let Some((key, _)) = line.strip_prefix('#').and_then(|line| line.split_once(" = "))
            && !key.contains(' ')
        {
            keys.push(format!("{section}{key}"));
        }
    }
    let listed = given().gather().unwrap().list();
    assert_eq!(listed.iter().map(|setting| setting.key).collect::<Vec<_>>(), keys);
    assert!(listed.iter().all(|setting| setting.is_default));
}

#[test]
fn a_listing_says_who_had_the_last_word_and_keeps_a_password_to_itself() {
    let given = given().variable("DRAY_PROXY", "http://user:secret@proxy/").flag("--mode", "off");
    let listed = given.gather().unwrap().list();
    let of = |key: &str| listed.iter().find(|setting| setting.key == key).cloned().unwrap();
    assert_eq!((of("peers.mode").value, of("peers.mode").from), ("off".to_owned(), "flag --mode".to_owned()));
    assert_eq!(of("origin.proxy").value, "http://user@proxy/");
}
