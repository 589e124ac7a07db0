//! TLS of the listener. The certificate is read again when its files change; files that cannot be used leave the last good pair in
//! place, and the log says so. What is served is written into the data folder, for commands on this machine to know the server by.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::super::StartError;
use crate::clock::Clock;
use crate::config::{self, Config, TlsFiles};

/// How often the files are looked at.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// The listener's certificate and key, as they are now.
pub(in super::super) struct Tls {
    files: TlsFiles,
    /// How the files were before they were read.
    seen: Seen,
    data: PathBuf,
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

fn look(TlsFiles { cert, key }: &TlsFiles) -> Seen {
    [cert, key].map(|path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.len(), meta.modified().ok()?))
    })
}

impl Tls {
    /// Reads the files, if there are any, and shows in the data folder what is served.
    ///
    /// # Errors
    /// When they cannot be used, or nothing can be written; the text names the file.
    pub(in super::super) fn of(config: &Config) -> Result<Option<Self>, StartError> {
        let unwritten = |error| StartError::Data { path: config.data.clone(), error };
        let Some(files) = config.tls.clone() else {
            return config::write_certificates(&config.data, &[]).map(|()| None).map_err(unwritten);
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let seen = look(&files);
        let pair = read(&files, &provider).map_err(StartError::Config)?;
        show(&config.data, [&pair]).map_err(unwritten)?;
        let keys = Arc::new(Keys(ArcSwap::from_pointee(pair)));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| StartError::Config(format!("tls: {error}")))?;
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&keys) as _;
        let mut served = builder.with_no_client_auth().with_cert_resolver(resolver);
        served.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { files, seen, data: config.data.clone(), keys, acceptor: TlsAcceptor::from(Arc::new(served)), provider }))
    }

    /// Makes the handshakes.
    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Reads the files again whenever they change.
    pub(in super::super) async fn watch(self: Arc<Self>, clock: Arc<dyn Clock>, stopping: CancellationToken) {
        let mut seen = self.seen;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = clock.pause(LOOK_EVERY) => {}
            }
            let files = self.files.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || look(&files)).await else { return };
            if now != seen {
                seen = now;
                self.read_again().await;
            }
        }
    }

    async fn read_again(&self) {
        let (files, provider, data) = (self.files.clone(), Arc::clone(&self.provider), self.data.clone());
        let keys = Arc::clone(&self.keys);
        let reading = move || {
            let pair = read(&files, &provider)?;
            let before = keys.0.load_full();
            // Until it is served, a command may meet either of them.
            let shown = show(&data, [&pair, &*before]);
            keys.0.store(Arc::new(pair));
            Ok::<_, String>(shown.and_then(|()| show(&data, [&**keys.0.load()])))
        };
        let Ok(found) = tokio::task::spawn_blocking(reading).await else { return };
        match found {
            Ok(shown) => {
                tracing::info!(cert = %self.files.cert.display(), "the certificate was read again");
                if let Err(error) = shown {
                    tracing::warn!(error = %error, "the data folder cannot be written: commands on this machine do not know the new certificate");
                }
            }
            Err(error) => tracing::error!(
                error,
                "the certificate has changed and cannot be used: the one before stays until the server ends, and it would not start again; mend the files"
            ),
        }
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    config::read_pair(files, provider).map_err(|troubles| {
        let messages: Vec<String> = troubles.into_iter().map(|trouble| trouble.message).collect();
        format!("tls: {}", messages.join("; "))
    })
}

/// Writes down by which certificates the server is known.
fn show<const N: usize>(data: &Path, pairs: [&CertifiedKey; N]) -> std::io::Result<()> {
    let shown: Vec<&[u8]> = pairs.iter().filter_map(|pair| pair.cert.first()).map(|certificate| &**certificate).collect();
    config::write_certificates(data, &shown)
}
