//! Machines find each other, and each other's contents.

mod support;

use dray_swarm::{Role, Way};
use support::{digest, machine, next, until};

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
