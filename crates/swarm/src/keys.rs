//! Names that tell swarms apart and keep contents nameless, made from the group's public id.

use dray_content::Digest;
use dray_identity::Group;
use libp2p::StreamProtocol;

/// The tag of the swarm of machines without a group.
const LAN: &str = "lan";
/// Bytes of a group's tag: enough that two groups of one site do not meet.
const TAG_BYTES: usize = 8;

/// How a machine names its swarm on the LAN. Says nothing about the key, and not the name of the group.
pub(crate) fn tag(group: Option<&Group>) -> String {
    match group {
        Some(group) => hex(&blake3::derive_key("dray 2026-11 swarm tag", &group.id())[..TAG_BYTES]),
        None => LAN.to_owned(),
    }
}

/// The name of the group's own Kademlia, which no other program and no other group speaks.
pub(crate) fn kademlia(group: &Group) -> Option<StreamProtocol> {
    let tag = hex(&blake3::derive_key("dray 2026-11 kademlia", &group.id())[..TAG_BYTES]);
    StreamProtocol::try_from_owned(format!("/dray/{tag}/kad/1")).ok()
}

/// Under which key the providers of a content are kept. Only members can tell which content it is.
pub(crate) fn record(group: &Group, digest: &Digest) -> [u8; 32] {
    let key = blake3::derive_key("dray 2026-11 provider record", &group.id());
    *blake3::keyed_hash(&key, digest.to_string().as_bytes()).as_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_differ_in_every_name_and_no_name_is_the_digest() {
        let group = |name: &str| Group::from_key_text(name, &Group::generate_key_text()).unwrap();
        let (a, b) = (group("a"), group("b"));
        let digest = Digest::Blake3([7; 32]);
        assert_ne!(tag(Some(&a)), tag(Some(&b)));
        assert_ne!(kademlia(&a), kademlia(&b));
        assert_ne!(record(&a, &digest), record(&b, &digest));
        assert_ne!(&record(&a, &digest), digest.bytes());
        assert_eq!(tag(None), "lan");
    }
}
