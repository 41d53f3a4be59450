//! Two ends of TLS in memory: who gets through, and what both know afterwards.

use std::sync::Arc;

use dray_identity::{NodeKey, PeerId, tls};
use rustls::{CipherSuite, ClientConfig, ClientConnection, Error, ServerConfig, ServerConnection};

const ALPN: &[u8] = b"dray-test/1";

struct Ends {
    client: ClientConnection,
    server: ServerConnection,
}

/// Carries messages between the ends until both are content, or one is not.
fn shake_hands(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> Result<Ends, Error> {
    let name = tls::SERVER_NAME.try_into().expect("it is all in memory");
    let mut client = ClientConnection::new(client, name).expect("it is all in memory");
    let mut server = ServerConnection::new(server).expect("it is all in memory");
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("it is all in memory");
        server.read_tls(&mut &wire[..]).expect("it is all in memory");
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).expect("it is all in memory");
        client.read_tls(&mut &wire[..]).expect("it is all in memory");
        client.process_new_packets()?;
    }
    Ok(Ends { client, server })
}

#[test]
fn both_ends_learn_the_others_name_and_share_what_no_one_else_knows() {
    let (a, b) = (NodeKey::generate(), NodeKey::generate());
    let client = tls::client_config(&a, b.peer_id(), ALPN).unwrap();
    let server = tls::server_config(&b, ALPN).unwrap();
    let ends = shake_hands(client.clone(), server.clone()).unwrap();
    assert_eq!(tls::peer_of(ends.server.peer_certificates().unwrap()).unwrap(), a.peer_id());
    assert_eq!(tls::peer_of(ends.client.peer_certificates().unwrap()).unwrap(), b.peer_id());
    let export = |label: &[u8]| {
        let client = ends.client.export_keying_material([0u8; 32], label, None).unwrap();
        assert_eq!(client, ends.server.export_keying_material([0u8; 32], label, None).unwrap());
        client
    };
    let again = shake_hands(client, server).unwrap();
    assert_ne!(again.client.export_keying_material([0u8; 32], b"x", None).unwrap(), export(b"x"));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_processor_with_aes_instructions_uses_them() {
    if !std::arch::is_x86_feature_detected!("aes") {
        return;
    }
    let (a, b) = (NodeKey::generate(), NodeKey::generate());
    let client = tls::client_config(&a, b.peer_id(), ALPN).unwrap();
    let ends = shake_hands(client, tls::server_config(&b, ALPN).unwrap()).unwrap();
    let suite = ends.client.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, CipherSuite::TLS13_AES_128_GCM_SHA256);
}

#[test]
fn another_peer_than_the_expected_one_fails_in_the_handshake() {
    let (a, b) = (NodeKey::generate(), NodeKey::generate());
    let client = tls::client_config(&a, PeerId::random(), ALPN).unwrap();
    assert!(shake_hands(client, tls::server_config(&b, ALPN).unwrap()).is_err());
}

#[test]
fn another_protocol_fails_in_the_handshake() {
    let (a, b) = (NodeKey::generate(), NodeKey::generate());
    let client = tls::client_config(&a, b.peer_id(), b"other/1").unwrap();
    assert!(shake_hands(client, tls::server_config(&b, ALPN).unwrap()).is_err());
}

#[test]
fn a_client_without_a_certificate_and_one_with_an_ordinary_certificate_are_refused() {
    let (a, b) = (NodeKey::generate(), NodeKey::generate());
    let server = tls::server_config(&b, ALPN).unwrap();
    let mut nameless = ClientConfig::clone(&tls::client_config(&a, b.peer_id(), ALPN).unwrap());
    nameless.client_auth_cert_resolver = Arc::new(Nobody);
    assert!(shake_hands(Arc::new(nameless), server).is_err());
    assert!(tls::peer_of(&[]).is_err());
    assert!(tls::peer_of(&[rustls::pki_types::CertificateDer::from(vec![0x30, 0x00])]).is_err());
}

#[derive(Debug)]
struct Nobody;

impl rustls::client::ResolvesClientCert for Nobody {
    fn resolve(
        &self,
        _roots: &[&[u8]],
        _schemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
