//! Which certificates are trusted: those that the machine trusts, and what `SSL_CERT_FILE` names.
//!
//! `rustls` takes no CA's certificate for a server's. What `openssl req -x509` makes for a registry of
//! one's own is both; docker's manual makes it so, and OpenSSL and Go take it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// Trusts as the machine does, and besides a server whose very certificate the machine trusts.
#[derive(Debug)]
struct Trust(Verifier);

/// The client's side of TLS.
pub(super) fn config() -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trust = Trust(Verifier::new(Arc::<CryptoProvider>::clone(&provider))?);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        // It is not: nothing is left unchecked.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let trust = self
            .0
            .verify_server_cert(end_entity, intermediates, name, ocsp, now);
        match trust {
            Err(error) if is_of_nobody(&error) && is_trusted(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            trust => trust,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Whether all that is wrong with a certificate so far is who has signed it, or that it is a CA's. When
/// it is too old or too young the error says that instead.
fn is_of_nobody(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        // The type of this one is `rustls-webpki`'s.
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            format!("{other:?}").contains("CaUsedAsEndEntity")
        }
        _ => false,
    }
}

/// Whether the machine trusts this very certificate.
fn is_trusted(certificate: &CertificateDer<'_>) -> bool {
    let trusted = rustls_native_certs::load_native_certs().certs;
    trusted
        .iter()
        .any(|one| one.as_ref() == certificate.as_ref())
}
