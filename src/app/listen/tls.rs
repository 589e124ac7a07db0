//! TLS of the listener. The certificate is read again when its files change; files that cannot be used leave the last good pair in
//! place, and the log says so.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::TlsFiles;

/// How often the files are looked at.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// The listener's certificate and key, as they are now.
pub(in super::super) struct Tls {
    files: TlsFiles,
    keys: Arc<Keys>,
    acceptor: TlsAcceptor,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Keys(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Keys {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Sizes and times of both files.
type Seen = [Option<(u64, SystemTime)>; 2];

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be used; the text names the file.
    pub(in super::super) fn new(files: TlsFiles) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let keys = Arc::new(Keys(ArcSwap::from_pointee(read(&files, &provider)?)));
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let config = config.map_err(|error| format!("tls: {error}"))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&keys) as _;
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { files, keys, acceptor: TlsAcceptor::from(Arc::new(config)), provider })
    }

    /// Makes the handshakes.
    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Reads the files again whenever they change.
    pub(in super::super) async fn watch(self: Arc<Self>, clock: Arc<dyn Clock>, stopping: CancellationToken) {
        let mut seen = self.look().await;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = clock.pause(LOOK_EVERY) => {}
            }
            let now = self.look().await;
            if now != seen {
                seen = now;
                self.read_again().await;
            }
        }
    }

    async fn look(&self) -> Option<Seen> {
        let TlsFiles { cert, key } = self.files.clone();
        let look = |path: &Path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.len(), meta.modified().ok()?))
        };
        tokio::task::spawn_blocking(move || [look(&cert), look(&key)]).await.ok()
    }

    async fn read_again(&self) {
        let (files, provider) = (self.files.clone(), Arc::clone(&self.provider));
        let Ok(found) = tokio::task::spawn_blocking(move || read(&files, &provider)).await else { return };
        match found {
            Ok(pair) => {
                self.keys.0.store(Arc::new(pair));
                tracing::info!(cert = %self.files.cert.display(), "the certificate was read again");
            }
            Err(error) => tracing::error!(error, "the certificate has changed and cannot be used; the one before stays"),
        }
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let TlsFiles { cert, key } = files;
    let in_cert = |error: rustls::pki_types::pem::Error| format!("tls.cert: {}: {error}", cert.display());
    let chain = CertificateDer::pem_file_iter(cert).map_err(in_cert)?.collect::<Result<Vec<_>, _>>().map_err(in_cert)?;
    if chain.is_empty() {
        return Err(format!("tls.cert: {} holds no certificate in PEM form", cert.display()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("tls.key: {}: {error}", key.display()))?;
    let pair = CertifiedKey::from_der(chain, secret, provider);
    pair.map_err(|error| format!("tls: {} and {} cannot be used together: {error}", cert.display(), key.display()))
}
