//! Keyed hashes in a header: HMAC (RFC 2104) over the body, or over the body and a timestamp.
//! GitHub: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ring::hmac;

use super::{Denied, text};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Hmac, HmacAlgorithm, SignatureEncoding, SignedPart};

const GITHUB_HEADER: &str = "x-hub-signature-256";

/// `X-Hub-Signature-256: sha256=<hex of HMAC-SHA256 over the raw body>`.
pub(super) fn github(secrets: &[&Secret], headers: &HeaderMap, body: &[u8]) -> Result<(), Denied> {
    let value = text(headers, GITHUB_HEADER)?;
    let hex = value.strip_prefix("sha256=").ok_or_else(|| Denied::Malformed(GITHUB_HEADER.to_owned()))?;
    let signature = decode(SignatureEncoding::Hex, hex).ok_or_else(|| Denied::Malformed(GITHUB_HEADER.to_owned()))?;
    any_signed(hmac::HMAC_SHA256, secrets, &signature, &[body])
}

/// A scheme that the workflow describes.
pub(super) fn verify(scheme: &Hmac, secrets: &[&Secret], headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Denied> {
    let malformed = || Denied::Malformed(scheme.header.to_string());
    let value = text(headers, &scheme.header)?;
    let written = value.strip_prefix(&*scheme.prefix).ok_or_else(malformed)?;
    let signature = decode(scheme.encoding, written).ok_or_else(malformed)?;
    let timestamp = scheme.timestamp_header.as_deref().map(|name| text(headers, name)).transpose()?;
    let parts: Vec<&[u8]> = scheme
        .signs
        .iter()
        .map(|part| match part {
            SignedPart::Text(text) => text.as_bytes(),
            SignedPart::Body => body,
            SignedPart::Timestamp => timestamp.unwrap_or_default().as_bytes(),
        })
        .collect();
    let algorithm = match scheme.algorithm {
        HmacAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HmacAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HmacAlgorithm::Sha512 => hmac::HMAC_SHA512,
    };
    any_signed(algorithm, secrets, &signature, &parts)?;
    // Only a signed timestamp means anything, so it is looked at last.
    match (timestamp, &scheme.timestamp_header) {
        (Some(timestamp), Some(name)) => fresh(timestamp, name, scheme.tolerance, now),
        _ => Ok(()),
    }
}

fn fresh(timestamp: &str, header: &str, tolerance: std::time::Duration, now: Timestamp) -> Result<(), Denied> {
    let seconds: i64 = timestamp.trim().parse().ok().ok_or_else(|| Denied::Malformed(header.to_owned()))?;
    let signed = Timestamp(seconds.saturating_mul(1000));
    if tolerance < now.since(signed).max(signed.since(now)) {
        return Err(Denied::Stale { window_s: tolerance.as_secs() });
    }
    Ok(())
}

/// `ring` compares in constant time.
fn any_signed(algorithm: hmac::Algorithm, secrets: &[&Secret], signature: &[u8], parts: &[&[u8]]) -> Result<(), Denied> {
    let matches = secrets.iter().any(|secret| {
        let key = hmac::Key::new(algorithm, secret.expose().as_bytes());
        match parts {
            [one] => hmac::verify(&key, one, signature).is_ok(),
            parts => hmac::verify(&key, &parts.concat(), signature).is_ok(),
        }
    });
    if matches { Ok(()) } else { Err(Denied::Mismatch) }
}

fn decode(encoding: SignatureEncoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        SignatureEncoding::Base64 => STANDARD.decode(text).ok(),
        SignatureEncoding::Hex if text.len().is_multiple_of(2) => text
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect(),
        SignatureEncoding::Hex => None,
    }
}
