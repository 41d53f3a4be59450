//! Two subnets, joined by a router that passes nothing that is meant for all: a group with a key, and one member that all know.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use dray_tests::{Home, Lab, Link};

use crate::Case;
use crate::fleet::{Fleet, UPLINK, peers};

pub(crate) const CASES: &[Case] = &[
    ("a_group_shares_across_two_subnets_that_one_member_joins", a_group),
    ("who_has_another_key_of_the_group_is_left_out", another_key),
];

/// A key, made as an administrator makes it.
fn key(lab: &Lab, name: &str) -> Result<String> {
    let home = Home::new()?;
    let file = lab.folder().join(name);
    let path = file.to_str().context("a temporary folder's name is text")?;
    home.dray(["group", "new", "lab", "-o", path])?.expect(0);
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o077 == 0, "others can read the key");
    Ok(path.to_owned())
}

fn member(key: &str, bootstrap: &str) -> String {
    let key = Path::new(key);
    format!("[peers]\ngroup = \"lab\"\ngroup_key_file = {key:?}\nbootstrap = [\"{bootstrap}:7680\"]\n")
}

fn a_group() -> Result<()> {
    let lab = Lab::new()?;
    lab.join(1, 2)?;
    let origin = lab.host(1, "origin", UPLINK)?;
    let near = [lab.host(1, "near0", Link::LAN)?, lab.host(1, "near1", Link::LAN)?];
    let far = [lab.host(2, "far0", Link::LAN)?, lab.host(2, "far1", Link::LAN)?];
    let hosts = [near, far].concat();
    let key = key(&lab, "lab.key")?;
    let bootstrap = hosts[0].address().to_string();
    let fleet = Fleet::of(&lab, &origin, &hosts, |_| member(&key, &bootstrap))?;
    // Those of one subnet find each other, and all know the one that was named; the rest comes from it.
    fleet.meet(&[3, 1, 1, 1])?;
    let before = fleet.origin.host().sent()?;
    let told = fleet.all_arrived(fleet.begin_all()?)?;
    fleet.expect_at_most(before, 125, &told)?;
    let across: u64 = told.iter().map(|sources| sources.group_peers).sum();
    ensure!(across > 0, "nothing crossed the router: {told:?}\n{}", fleet.log());
    Ok(())
}

fn another_key() -> Result<()> {
    let lab = Lab::new()?;
    let origin = lab.host(1, "origin", UPLINK)?;
    let hosts = (0..3).map(|number| lab.host(1, &format!("m{number}"), Link::LAN));
    let hosts = hosts.collect::<Result<Vec<_>>>()?;
    let keys = [key(&lab, "lab.key")?, key(&lab, "other.key")?];
    let bootstrap = hosts[0].address().to_string();
    let fleet =
        Fleet::of(&lab, &origin, &hosts, |number| member(&keys[usize::from(number == 2)], &bootstrap))?;
    fleet.meet(&[1, 1, 0])?;
    fleet.arrived(0, fleet.begin(0)?)?;
    let outsider = fleet.arrived(2, fleet.begin(2)?)?;
    ensure!(outsider.peers == 0, "a stranger was given bytes: {outsider:?}\n{}", fleet.log());
    let member = fleet.arrived(1, fleet.begin(1)?)?;
    ensure!(member.peers > 0 && member.origin == 0 || member.peers > member.origin, "{member:?}");
    let connected = peers(&fleet.machines[2])?.into_iter().filter(|row| row["state"] == "CONNECTED").count();
    ensure!(connected == 0, "{:?}", peers(&fleet.machines[2])?);
    Ok(())
}
