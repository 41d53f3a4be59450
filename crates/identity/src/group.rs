//! A group: machines that may exchange pieces, known by a key that all of them hold.
//!
//! Everything that is shown or used is derived from the key and the name by BLAKE3's key derivation, each for one purpose, so that the
//! group's public name says nothing about the key that guards the wire, and neither says anything about the proofs.

use std::fmt;
use std::sync::Arc;

use libp2p_identity::PeerId;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{GroupError, key_text};

/// Longest name of a group, in bytes.
pub const MAX_GROUP_NAME: usize = 64;

const MASTER_CONTEXT: &str = "dray 2026-11 group master secret";
const ID_CONTEXT: &str = "dray 2026-11 group public id";
const PSK_CONTEXT: &str = "dray 2026-11 group pre-shared key of the control plane";
const PROOF_CONTEXT: &str = "dray 2026-11 group membership proof";

/// A group's name and its secrets. Cheap to clone; wiped when the last clone goes.
#[derive(Clone)]
pub struct Group {
    name: Arc<str>,
    secrets: Arc<Secrets>,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Secrets {
    id: [u8; 32],
    psk: [u8; 32],
    proof: [u8; 32],
}

/// Which end of a connection proves something. Part of the proof, so that it cannot be sent back to its maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The end that opened the connection.
    Dialer,
    /// The end that accepted it.
    Listener,
}

impl Role {
    /// The end that this one talks to.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Listener,
            Self::Listener => Self::Dialer,
        }
    }
}

impl Group {
    /// The group of that name whose key is written in `text`.
    ///
    /// # Errors
    /// [`GroupError`], which never shows the text.
    pub fn from_key_text(name: &str, text: &str) -> Result<Self, GroupError> {
        let name = name.trim();
        if name.is_empty() || name.len() > MAX_GROUP_NAME || name.chars().any(char::is_control) {
            return Err(GroupError::Name);
        }
        let key = key_text::parse(text)?;
        let mut hasher = blake3::Hasher::new_derive_key(MASTER_CONTEXT);
        hasher.update(&key[..]);
        hasher.update(name.as_bytes());
        let master = Zeroizing::new(*hasher.finalize().as_bytes());
        hasher.zeroize();
        let secrets = Secrets {
            id: blake3::derive_key(ID_CONTEXT, &master[..]),
            psk: blake3::derive_key(PSK_CONTEXT, &master[..]),
            proof: blake3::derive_key(PROOF_CONTEXT, &master[..]),
        };
        Ok(Self { name: name.into(), secrets: Arc::new(secrets) })
    }

    /// The text of a new key, for an administrator to give to all members.
    #[must_use]
    pub fn generate_key_text() -> Zeroizing<String> {
        key_text::generate()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What strangers may know the group by: the same for all members, and of no use to find the key.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        self.secrets.id
    }

    /// The pre-shared key of the control plane's connections.
    #[must_use]
    pub fn psk(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secrets.psk)
    }

    /// Proof that `prover`, who has `role` on this connection, holds the group's key. `exporter` is keying material exported from the
    /// connection's TLS, so the proof is worth nothing on another connection.
    #[must_use]
    pub fn prove(&self, exporter: &[u8; 32], role: Role, prover: &PeerId, to: &PeerId) -> [u8; 32] {
        *self.proof(exporter, role, prover, to).as_bytes()
    }

    /// Whether `proof` is what [`Self::prove`] gives for the same facts. Takes the same time whatever the difference.
    #[must_use]
    pub fn check(
        &self,
        proof: &[u8; 32],
        exporter: &[u8; 32],
        role: Role,
        prover: &PeerId,
        to: &PeerId,
    ) -> bool {
        // `blake3::Hash` compares in constant time.
        self.proof(exporter, role, prover, to) == blake3::Hash::from_bytes(*proof)
    }

    fn proof(&self, exporter: &[u8; 32], role: Role, prover: &PeerId, to: &PeerId) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.secrets.proof);
        hasher.update(exporter);
        hasher.update(match role {
            Role::Dialer => b"d",
            Role::Listener => b"l",
        });
        for peer in [prover, to] {
            let bytes = peer.to_bytes();
            hasher.update(&(bytes.len() as u64).to_be_bytes());
            hasher.update(&bytes);
        }
        let proof = hasher.finalize();
        hasher.zeroize();
        proof
    }
}

/// The name only.
impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({:?})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, text: &str) -> Group {
        Group::from_key_text(name, text).unwrap()
    }

    #[test]
    fn members_agree_and_every_other_fact_makes_another_proof() {
        let text = Group::generate_key_text();
        let (one, same) = (group("lab", &text), group(" lab ", &text));
        assert_eq!((one.id(), one.psk()), (same.id(), same.psk()));
        let (a, b) = (PeerId::random(), PeerId::random());
        let proof = one.prove(&[1; 32], Role::Dialer, &a, &b);
        assert!(same.check(&proof, &[1; 32], Role::Dialer, &a, &b));
        assert!(!same.check(&proof, &[2; 32], Role::Dialer, &a, &b), "another connection");
        assert!(!same.check(&proof, &[1; 32], Role::Listener, &a, &b), "the other end");
        assert!(!same.check(&proof, &[1; 32], Role::Dialer, &b, &a), "sent back");
        assert!(!same.check(&[0; 32], &[1; 32], Role::Dialer, &a, &b));
        for other in [group("lob", &text), group("lab", &Group::generate_key_text())] {
            assert!(!other.check(&proof, &[1; 32], Role::Dialer, &a, &b));
            assert_ne!(other.id(), one.id());
            assert_ne!(other.psk(), one.psk());
        }
    }

    #[test]
    fn neither_a_group_nor_its_errors_show_the_key() {
        let text = Group::generate_key_text();
        let group = group("lab", &text);
        assert_eq!(format!("{group:?}"), "Group(\"lab\")");
        let mut wrong = text.to_string();
        wrong.truncate(60);
        let error = Group::from_key_text("lab", &wrong).unwrap_err().to_string();
        assert!(!error.contains(&wrong[13..]), "{error}");
    }

    #[test]
    fn a_name_that_does_not_print_is_refused() {
        let text = Group::generate_key_text();
        for name in ["", "  ", "a\nb", &"x".repeat(MAX_GROUP_NAME + 1)] {
            assert_eq!(Group::from_key_text(name, &text).unwrap_err(), GroupError::Name);
        }
        assert!(Group::from_key_text(&"x".repeat(MAX_GROUP_NAME), &text).is_ok());
    }
}
