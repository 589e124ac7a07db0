//! Keyed hashes: HMAC (RFC 2104), and the scheme of any shape that a workflow describes.

use ring::hmac;

use super::time::{Window, fresh, seconds};
use super::{Denied, Sent, malformed, text, token};
use crate::domain::secret::Secret;
use crate::domain::workflow::{Hmac, HmacAlgorithm, SignatureEncoding, SignedPart};
use crate::workflow::keys::{Key, base64, hex};

/// A scheme that the workflow describes.
pub(super) fn verify(scheme: &Hmac, secrets: &[&Secret], sent: &Sent<'_>) -> Result<(), Denied> {
    let value = text(sent.headers, &scheme.header)?;
    let written = value.strip_prefix(&*scheme.prefix).ok_or_else(|| malformed(&scheme.header))?;
    let signature = decode(scheme.encoding, written).ok_or_else(|| malformed(&scheme.header))?;
    let timestamp = scheme.timestamp_header.as_deref().map(|name| text(sent.headers, name)).transpose()?;
    let parts: Vec<&[u8]> = scheme
        .signs
        .iter()
        .map(|part| match part {
            SignedPart::Text(text) => text.as_bytes(),
            SignedPart::Body => sent.body,
            SignedPart::Timestamp => timestamp.unwrap_or_default().as_bytes(),
        })
        .collect();
    let algorithm = match scheme.algorithm {
        HmacAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HmacAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HmacAlgorithm::Sha512 => hmac::HMAC_SHA512,
    };
    let secrets = secrets.iter().map(|secret| secret.expose().as_bytes());
    any_signed(algorithm, secrets, &[&signature], &parts)?;
    // Only a signed timestamp means anything, so it is looked at last.
    match (timestamp, &scheme.timestamp_header) {
        (Some(timestamp), Some(name)) => {
            let signed = seconds(timestamp.trim()).ok_or_else(|| malformed(name))?;
            fresh(signed, Window::Both(scheme.tolerance), sent.now)
        }
        _ => Ok(()),
    }
}

/// Whether one of the shared keys has signed the parts with SHA-256.
pub(super) fn shared(keys: &[Key<'_>], signatures: &[&[u8]], parts: &[&[u8]]) -> Result<(), Denied> {
    any_signed(hmac::HMAC_SHA256, secrets(keys), signatures, parts)
}

/// The shared ones of some keys.
pub(super) fn secrets<'k>(keys: &'k [Key<'_>]) -> impl Iterator<Item = &'k [u8]> {
    keys.iter().filter_map(|key| match key {
        Key::Shared(secret) => Some(&**secret),
        Key::Ed25519(_) | Key::P256(_) => None,
    })
}

/// Whether one of the secrets made one of the signatures. The parts are hashed once a secret.
pub(super) fn any_signed<'s>(
    algorithm: hmac::Algorithm,
    secrets: impl Iterator<Item = &'s [u8]>,
    signatures: &[&[u8]],
    parts: &[&[u8]],
) -> Result<(), Denied> {
    for secret in secrets {
        let key = hmac::Key::new(algorithm, secret);
        let matches = match (parts, signatures) {
            // `ring` compares in constant time.
            ([part], [signature]) => hmac::verify(&key, part, signature).is_ok(),
            _ => {
                let mut context = hmac::Context::with_key(&key);
                parts.iter().for_each(|part| context.update(part));
                let tag = context.sign();
                signatures.iter().any(|signature| token::same(tag.as_ref(), signature))
            }
        };
        if matches {
            return Ok(());
        }
    }
    Err(Denied::Mismatch)
}

/// Signature bytes as they are written in a header.
pub(super) fn decode(encoding: SignatureEncoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        SignatureEncoding::Base64 => base64(text),
        SignatureEncoding::Hex => hex(text),
    }
}
