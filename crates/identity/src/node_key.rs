//! The node's key.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use libp2p_identity::{Keypair, PeerId, PublicKey};
use rustls::sign::CertifiedKey;

use crate::{IdentityError, key_file, tls};

/// The multihash code of a name that is the public key itself, as it is for ed25519 keys (libp2p peer id specification).
const IDENTITY_HASH: u64 = 0;

/// An ed25519 key and what is made from it once. Cheap to clone.
#[derive(Clone)]
pub struct NodeKey {
    inner: Arc<Inner>,
}

struct Inner {
    keypair: Keypair,
    peer_id: PeerId,
    certificate: OnceLock<Arc<CertifiedKey>>,
}

impl NodeKey {
    /// The key in the file at `path`, or a new one, which is durable there when this returns. A file that is not a key is renamed to
    /// `NAME.damaged`, a warning says so, and the machine gets a new name.
    ///
    /// # Errors
    /// [`IdentityError::File`] when the file can be neither read nor written.
    pub fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        key_file::load_or_create(path).map(Self::from_keypair)
    }

    /// A key of this process alone.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_keypair(Keypair::generate_ed25519())
    }

    fn from_keypair(keypair: Keypair) -> Self {
        let peer_id = keypair.public().to_peer_id();
        Self { inner: Arc::new(Inner { keypair, peer_id, certificate: OnceLock::new() }) }
    }

    /// The machine's name.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.inner.peer_id
    }

    /// The key in the form in which libp2p takes it.
    #[must_use]
    pub fn keypair(&self) -> Keypair {
        self.inner.keypair.clone()
    }

    /// A signature of `message`, for [`verify`].
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.inner.keypair.sign(message).expect("an ed25519 key signs anything")
    }

    /// The certificate that carries this key in TLS; made once per process.
    pub(crate) fn certificate(&self) -> Result<Arc<CertifiedKey>, IdentityError> {
        if let Some(made) = self.inner.certificate.get() {
            return Ok(Arc::clone(made));
        }
        let made = tls::certify(&self.inner.keypair)?;
        Ok(Arc::clone(self.inner.certificate.get_or_init(|| made)))
    }
}

/// Whether `signature` is that peer's signature of `message`. Only names that are a public key themselves, as ours all are, can be
/// asked.
#[must_use]
pub fn verify(peer: &PeerId, message: &[u8], signature: &[u8]) -> bool {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY_HASH {
        return false;
    }
    PublicKey::try_decode_protobuf(hash.digest()).is_ok_and(|key| key.verify(message, signature))
}

/// The name only.
impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({})", self.inner.peer_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_signer_and_its_message_alone() {
        let (one, other) = (NodeKey::generate(), NodeKey::generate());
        let signature = one.sign(b"message");
        assert!(verify(&one.peer_id(), b"message", &signature));
        assert!(!verify(&one.peer_id(), b"massage", &signature));
        assert!(!verify(&other.peer_id(), b"message", &signature));
        assert!(!verify(&one.peer_id(), b"message", &signature[1..]));
    }

    #[test]
    fn what_is_shown_of_a_key_is_its_name() {
        let key = NodeKey::generate();
        assert_eq!(format!("{key:?}"), format!("NodeKey({})", key.peer_id()));
    }
}
