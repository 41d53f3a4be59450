//! TLS 1.3 in which both ends prove their names.
//!
//! The certificate is libp2p's (libp2p TLS specification): self-signed by a short-lived P-256 key, with the node's key and its signature
//! in an extension. That extension is marked critical, so rustls' ordinary doors refuse it; the resolver and the [`verifier`] here take
//! their place. Sessions are never resumed: a resumed session would skip the proof of the name.

mod resolver;
mod verifier;

use std::sync::Arc;

use libp2p_identity::{Keypair, PeerId};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};

use crate::{IdentityError, NodeKey};
use resolver::Always;
use verifier::Names;

/// What a client calls the server in its first message. Names are proven by keys, so it says nothing; it is there because TLS wants one.
pub const SERVER_NAME: &str = "dray.invalid";

/// The end that accepts connections, for any peer; who it is, [`peer_of`] tells.
///
/// # Errors
/// When no certificate can be made from the key, or the library refuses the configuration.
pub fn server_config(key: &NodeKey, alpn: &[u8]) -> Result<Arc<ServerConfig>, IdentityError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(Names::anyone()))
        .with_cert_resolver(Arc::new(Always(key.certificate()?)));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// The end that opens a connection to `expected`; anyone else fails in the handshake, before any data.
///
/// # Errors
/// As [`server_config`].
pub fn client_config(
    key: &NodeKey,
    expected: PeerId,
    alpn: &[u8],
) -> Result<Arc<ClientConfig>, IdentityError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Names::only(expected)))
        .with_client_cert_resolver(Arc::new(Always(key.certificate()?)));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// Whose certificates these are, as they came from the other end of a finished handshake.
///
/// # Errors
/// When they are not exactly one valid certificate of a peer.
pub fn peer_of(certificates: &[CertificateDer<'_>]) -> Result<PeerId, rustls::Error> {
    match certificates {
        [only] => verifier::name_in(only),
        _ => Err(verifier::not_one_certificate()),
    }
}

pub(crate) fn certify(keypair: &Keypair) -> Result<Arc<CertifiedKey>, IdentityError> {
    let (certificate, key) = libp2p_tls::certificate::generate(keypair)
        .map_err(|error| IdentityError::Certificate(error.to_string()))?;
    let key = aws_lc_rs::sign::any_ecdsa_type(&key)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate], key)))
}

/// The client's order of cipher suites wins, and rustls knows nothing of this processor: without AES instructions ChaCha20 is the
/// faster one by far, with them AES-128-GCM is.
fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::cipher_suite::{
        TLS13_AES_128_GCM_SHA256 as AES_128, TLS13_AES_256_GCM_SHA384 as AES_256,
        TLS13_CHACHA20_POLY1305_SHA256 as CHACHA20,
    };
    let cipher_suites =
        if has_aes() { vec![AES_128, AES_256, CHACHA20] } else { vec![CHACHA20, AES_128, AES_256] };
    Arc::new(CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() })
}

fn has_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
    }
    #[cfg(target_arch = "aarch64")]
    {
        std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull")
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    {
        false
    }
}
