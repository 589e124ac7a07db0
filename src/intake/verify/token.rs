//! Fixed secrets in a header: `Authorization: Bearer …` (RFC 6750) and headers of one's own.

use http::HeaderMap;
use ring::hmac;

use super::{Denied, text};
use crate::domain::secret::Secret;

/// `Authorization: Bearer TOKEN`.
pub(super) fn bearer(secrets: &[&Secret], headers: &HeaderMap) -> Result<(), Denied> {
    let value = text(headers, "authorization")?;
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => return Err(Denied::Malformed("authorization".to_owned())),
    };
    any_equal(secrets, token)
}

/// A header whose value is the secret.
pub(super) fn header(name: &str, secrets: &[&Secret], headers: &HeaderMap) -> Result<(), Denied> {
    any_equal(secrets, text(headers, name)?)
}

fn any_equal(secrets: &[&Secret], token: &str) -> Result<(), Denied> {
    if secrets.iter().any(|secret| equal(secret.expose(), token)) { Ok(()) } else { Err(Denied::Mismatch) }
}

/// Compares MACs of both texts, so that the time tells nothing about where they differ.
#[must_use]
pub(crate) fn equal(secret: &str, given: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, secret.as_bytes());
    hmac::verify(&key, given.as_bytes(), tag.as_ref()).is_ok()
}
