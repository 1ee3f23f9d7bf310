//! TLS of a connection, from `ssl_mode`, CA and client certificate.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;

use crate::config::source::{SslMode, TlsConfig};
use crate::error::{Error, ErrorKind, Result};

/// A connector with these settings.
///
/// # Errors
/// `Config` when a file cannot be read or holds no certificate or key.
pub(super) fn connector(config: &TlsConfig) -> Result<TlsConnector> {
    // Given explicitly: no process-wide default that another crate could set.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|cause| {
            Error::new(ErrorKind::Internal, "TLS cannot be set up").with_source(cause)
        })?;
    let builder = match config.mode {
        SslMode::VerifyIdentity => builder.with_root_certificates(roots(config)?),
        SslMode::VerifyCa => {
            let verifier = CertificateCheck {
                roots: Some(roots(config)?),
                algorithms,
            };
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        }
        SslMode::Disabled | SslMode::Preferred | SslMode::Required => {
            let verifier = CertificateCheck {
                roots: None,
                algorithms,
            };
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let config = match (&config.cert, &config.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| {
                bad_file("ssl_key", key, "holds no private key in PEM").with_source(cause)
            })?;
            builder.with_client_auth_cert(chain, key).map_err(|cause| {
                bad_file("ssl_cert", cert, "does not fit ssl_key").with_source(cause)
            })?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => {
            return Err(Error::new(
                ErrorKind::Config,
                "a client certificate needs both ssl_cert and ssl_key",
            ));
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The CA certificates: those of `ssl_ca`, or the web's.
fn roots(config: &TlsConfig) -> Result<Arc<RootCertStore>> {
    let mut store = RootCertStore::empty();
    let Some(path) = &config.ca else {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(Arc::new(store));
    };
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|cause| {
            bad_file("ssl_ca", path, "holds a certificate that cannot be a CA's").with_source(cause)
        })?;
    }
    Ok(Arc::new(store))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |cause| bad_file("certificate", path, "cannot be read").with_source(cause);
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(bad_file("certificate", path, "holds no certificate in PEM"));
    }
    Ok(certificates)
}

fn bad_file(key: &str, path: &Path, why: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the {key} file {} {why}", path.display()),
    )
}

/// Checks the server's certificate as far as MySQL's `ssl_mode` says: not at all, or by its CA but not by its name.
#[derive(Debug)]
struct CertificateCheck {
    /// CAs to check against; none to check nothing.
    roots: Option<Arc<RootCertStore>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for CertificateCheck {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(certificate)?;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
