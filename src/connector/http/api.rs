//! The client that the CLI asks the server's own API with. It calls nothing else, so it has no egress guard.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, redirect};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::trouble;

/// A client for `/api` in clear text. It believes no certificate, so that a machine without any authorities has it, too.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn api_client(timeout: Duration) -> Result<Client, String> {
    // Fails when a provider is installed already, and then that one is used.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    build(builder(timeout).tls_certs_only([]))
}

/// The same over TLS. A server is believed that shows one of the certificates in `own`, a PEM file that may change meanwhile; with `others`,
/// also one that shows one of those, whatever name it is for and whoever has signed it, or one that the machine's authorities or those
/// among `others` vouch for.
///
/// # Errors
/// When one of `others` is no certificate, or the TLS library cannot be set up.
pub fn tls_api_client(timeout: Duration, own: PathBuf, others: Option<Vec<CertificateDer<'static>>>) -> Result<Client, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let authorities = match &others {
        None => None,
        Some(named) => match Verifier::new_with_extra_roots(named.iter().cloned(), Arc::clone(&provider)) {
            Ok(authorities) => Some(authorities),
            // A machine without any authorities can still know a server by its certificate.
            Err(_none) if named.is_empty() => None,
            Err(error) => return Err(format!("a certificate cannot be used: {error}")),
        },
    };
    let named = others.unwrap_or_default();
    let verifier = Arc::new(Trusting { own, named, authorities, provider });
    let config = config.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
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

/// Why a server was not spoken to over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// Nobody who is believed has signed its certificate.
    Stranger,
    /// Its certificate is for other names, these.
    OtherName(Vec<String>),
    /// Its certificate has expired.
    Expired,
    /// Its certificate is not valid yet.
    NotYet,
    /// It answers in clear text.
    ClearText,
    /// Something else.
    Other(String),
}

impl Distrust {
    /// The TLS trouble behind an error; nothing where there is none.
    #[must_use]
    pub fn behind(error: &reqwest::Error) -> Option<Self> {
        let error = trouble::tls(error)?;
        let why = match error {
            Error::InvalidCertificate(why) => why,
            Error::InvalidMessage(_) => return Some(Self::ClearText),
            other => return Some(Self::Other(other.to_string())),
        };
        Some(match why {
            // A certificate that is its own authority is one of those that the library has no word of its own for.
            CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Other(_) => Self::Stranger,
            CertificateError::NotValidForName => Self::OtherName(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::OtherName(presented.iter().map(|name| plain(name)).collect())
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYet,
            other => Self::Other(other.to_string()),
        })
    }
}

/// `a.example.com` of `DnsName("a.example.com")`, as the library shows it.
fn plain(name: &str) -> String {
    name.split_once('(').map_or(name, |(_, rest)| rest.trim_end_matches(')').trim_matches('"')).to_owned()
}

/// Believes some certificates as they are, and what authorities vouch for. That the server has its key is checked as always.
#[derive(Debug)]
struct Trusting {
    /// Read in each handshake: a server that renews its certificate writes it there.
    own: PathBuf,
    named: Vec<CertificateDer<'static>>,
    authorities: Option<Verifier>,
    provider: Arc<CryptoProvider>,
}

/// Whether a certificate stands in a PEM file.
fn stands_in(certificate: &CertificateDer<'_>, file: &Path) -> bool {
    CertificateDer::pem_file_iter(file).is_ok_and(|known| known.flatten().any(|known| known == *certificate))
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.named.iter().any(|named| named == end_entity) || stands_in(end_entity, &self.own) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.authorities {
            Some(authorities) => authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
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
