//! The client that the CLI asks the server's own API with. It calls nothing else, so it has no egress guard.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, redirect};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// A client for `/api`.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn api_client(timeout: Duration) -> Result<Client, String> {
    // Fails when a provider is installed already, and then that one is used.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    build(builder(timeout))
}

/// The same for a server on this machine, which is known by its certificate file: whatever name that is for, and
/// whoever has signed it.
///
/// # Errors
/// When the file holds no certificate, or the TLS library cannot be set up.
pub fn local_api_client(timeout: Duration, certificate: &Path) -> Result<Client, String> {
    let trouble = |error: &dyn std::fmt::Display| format!("the server's certificate {} cannot be used: {error}", certificate.display());
    let expected = CertificateDer::from_pem_file(certificate).map_err(|error| trouble(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let verifier = Arc::new(Known { expected, provider });
    let config = config.map_err(|error| trouble(&error))?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    build(builder(timeout).tls_backend_preconfigured(config))
}

fn builder(timeout: Duration) -> reqwest::ClientBuilder {
    #[expect(clippy::disallowed_methods, reason = "it goes to the server the user named, not where a workflow says")]
    let builder = Client::builder();
    builder.timeout(timeout).no_proxy().redirect(redirect::Policy::none())
}

fn build(builder: reqwest::ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| format!("the HTTP client cannot be made: {error}"))
}

/// Believes one certificate and no other. That the server has its key is checked as always.
#[derive(Debug)]
struct Known {
    expected: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity != self.expected {
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
