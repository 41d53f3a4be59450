//! Whom we trust over TLS: the system's store, plus the certificate authorities of the configuration.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::error::OriginError;

/// A TLS configuration without ALPN. The files are read now, the system's store when the first handshake needs it.
pub(crate) fn client_config(extra_roots: &[PathBuf]) -> Result<ClientConfig, OriginError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = Vec::new();
    for path in extra_roots {
        roots.extend(read_roots(path)?);
    }
    let verifier = PlatformTrust { extra_roots: roots, provider: provider.clone(), loaded: OnceLock::new() };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OriginError::Config { why: error.to_string() })?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, OriginError> {
    let bad = |why: String| OriginError::Roots { path: path.to_owned(), why };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| bad(error.to_string()))?;
    if found.is_empty() {
        return Err(bad("there is no certificate in it".into()));
    }
    let mut store = RootCertStore::empty();
    found.iter().try_for_each(|root| store.add(root.clone())).map_err(|error| bad(error.to_string()))?;
    Ok(found)
}

/// The platform's verifier, loaded when the first certificate is to be checked: reading the system's store takes longer than fetching a
/// small file, and plain http needs none of it.
#[derive(Debug)]
struct PlatformTrust {
    extra_roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    loaded: OnceLock<Result<Verifier, Error>>,
}

impl PlatformTrust {
    fn verifier(&self) -> Result<&Verifier, Error> {
        let load = || Verifier::new_with_extra_roots(self.extra_roots.clone(), self.provider.clone());
        self.loaded.get_or_init(load).as_ref().map_err(Clone::clone)
    }
}

impl ServerCertVerifier for PlatformTrust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(content: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let error = client_config(&[file.path().to_owned()]).unwrap_err();
        assert!(matches!(&error, OriginError::Roots { path, .. } if path == file.path()));
        error.to_string()
    }

    #[test]
    fn a_file_that_is_no_list_of_certificates_is_refused_by_name() {
        assert!(refused(b"").contains("there is no certificate in it"));
        assert!(refused(b"hello").contains("there is no certificate in it"));
        refused(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        refused(b"-----BEGIN CERTIFICATE-----\nAAAA");
    }

    #[test]
    fn a_missing_file_is_refused_by_name() {
        let error = client_config(&["/nonexistent/roots.pem".into()]).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot use the certificates in /nonexistent/roots.pem: "),
            "{error}"
        );
    }
}
