//! Certificate and key of the listener: PEM files → a pair that can be served, or what is wrong with which of them.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::TlsFiles;
use super::file::FILE;
use crate::workflow::file::At;
use crate::workflow::problem::{Problem, codes};

/// The largest file of certificates or of a key, in bytes.
const FILE_LIMIT_BYTES: u64 = 1 << 20;

/// `tls` as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TlsWritten {
    pub(super) cert: At<PathBuf>,
    pub(super) key: At<PathBuf>,
}

/// What is wrong with a file that `tls` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsTrouble {
    /// It is the key.
    of_key: bool,
    code: &'static str,
    /// Which file it is and what is wrong with it. Quotes nothing of it.
    pub message: String,
    help: &'static str,
}

impl TlsWritten {
    /// The files, and what is wrong with them.
    pub(super) fn look(&self, dir: &Path) -> (TlsFiles, Vec<Problem>) {
        let files = TlsFiles { cert: dir.join(&self.cert.value), key: dir.join(&self.key.value) };
        let problem = |trouble: TlsTrouble| {
            let span = if trouble.of_key { self.key.span } else { self.cert.span };
            Problem::error(trouble.code, &Arc::from(FILE), span, trouble.message).help(trouble.help)
        };
        // A message names the file as it is written: the folder before it says nothing more.
        let found = read(&files, [&self.cert.value, &self.key.value], &rustls::crypto::ring::default_provider());
        (files, found.err().unwrap_or_default().into_iter().map(problem).collect())
    }
}

/// Reads both files.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read_pair(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, Vec<TlsTrouble>> {
    read(files, [&files.cert, &files.key], provider)
}

fn read(files: &TlsFiles, [cert, key]: [&Path; 2], provider: &CryptoProvider) -> Result<CertifiedKey, Vec<TlsTrouble>> {
    let (chain, secret) = match (chain(&files.cert, cert), secret(&files.key, key)) {
        (Ok(chain), Ok(secret)) => (chain, secret),
        (chain, secret) => return Err(chain.err().into_iter().chain(secret.err()).collect()),
    };
    let bad = |of_key, message, help| vec![TlsTrouble { of_key, code: codes::BAD_CERTIFICATE, message, help }];
    let (cert, key) = (cert.display(), key.display());
    let secret = provider.key_provider.load_private_key(secret).map_err(|_words| {
        bad(
            true,
            format!("{key} holds a key of a kind that TLS does not take here"),
            "use a key of RSA (2048 bits or more), of P-256 or P-384, or of Ed25519",
        )
    })?;
    let pair = CertifiedKey::new(chain, secret);
    match pair.keys_match() {
        // The library does not know it of every kind of key; a handshake would show it.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => Err(bad(
            true,
            format!("{key} is not the key of the certificate in {cert}"),
            "name the key that the certificate was made for; the server's own certificate comes first in its file, those between it and the authority's after it",
        )),
        Err(_words) => Err(bad(false, format!("the first certificate in {cert} is damaged"), COPY_HELP)),
    }
}

/// The certificates of a PEM file, at least one. The file is called `shown`.
fn chain(path: &Path, shown: &Path) -> Result<Vec<CertificateDer<'static>>, TlsTrouble> {
    let trouble = |code, message: String, help| TlsTrouble { of_key: false, code, message: format!("{} {message}", shown.display()), help };
    let text = contents(path).map_err(|why| trouble(codes::MISSING_CERTIFICATE, why, MISSING_HELP))?;
    certificates_of(&text).map_err(|why| {
        let help = match (has(&text, b"BEGIN CERTIFICATE"), has(&text, b"PRIVATE KEY")) {
            (true, _) => COPY_HELP,
            (false, true) => "are `cert` and `key` exchanged?",
            (false, false) => PEM_HELP,
        };
        trouble(codes::BAD_CERTIFICATE, why, help)
    })
}

const MISSING_HELP: &str =
    "a path is below the project folder unless it begins with `/`; the user that the server runs as has to be able to read the file";
const COPY_HELP: &str = "copy it again from where it came";
const PEM_HELP: &str =
    "a PEM file is text with `-----BEGIN CERTIFICATE-----`; of another form make it with: openssl x509 -inform der -in FILE -out cert.pem";

fn certificates_of(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| format!("is damaged: {}", words(&error)))?;
    if found.is_empty() { Err("holds no certificate in PEM form".to_owned()) } else { Ok(found) }
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// Why there are none, in words that follow the file's name.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    certificates_of(&contents(path)?)
}

fn secret(path: &Path, shown: &Path) -> Result<PrivateKeyDer<'static>, TlsTrouble> {
    let trouble = |code, message: String, help| TlsTrouble { of_key: true, code, message: format!("{} {message}", shown.display()), help };
    let text = contents(path).map_err(|why| trouble(codes::MISSING_CERTIFICATE, why, MISSING_HELP))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let bad = |why: String, help| trouble(codes::BAD_CERTIFICATE, why, help);
        match error {
            pem::Error::NoItemsFound if has(&text, b"ENCRYPTED PRIVATE KEY") => bad(
                "is encrypted, and nobody is asked for its password".to_owned(),
                "decrypt it with: openssl pkey -in FILE -out key.pem; then chmod 600 key.pem",
            ),
            pem::Error::NoItemsFound if has(&text, b"BEGIN CERTIFICATE") => {
                bad("holds no private key in PEM form".to_owned(), "are `cert` and `key` exchanged?")
            }
            pem::Error::NoItemsFound => {
                bad("holds no private key in PEM form".to_owned(), "a PEM file is text with `-----BEGIN PRIVATE KEY-----`")
            }
            other => bad(format!("is damaged: {}", words(&other)), COPY_HELP),
        }
    })
}

/// The whole of a file, or why it cannot be had.
fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "is not there".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut found = Vec::new();
    file.take(FILE_LIMIT_BYTES + 1).read_to_end(&mut found).map_err(failed)?;
    if u64::try_from(found.len()).is_ok_and(|length| length <= FILE_LIMIT_BYTES) {
        Ok(found)
    } else {
        Err(format!("is larger than {FILE_LIMIT_BYTES} bytes, the limit"))
    }
}

fn has(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// What the reader says may quote the file.
fn words(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a `-----BEGIN` has no `-----END`",
        pem::Error::IllegalSectionStart { .. } => "a line with `-----BEGIN` is not whole",
        _ => "what stands between `-----BEGIN` and `-----END` is not Base64",
    }
}
