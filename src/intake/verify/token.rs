//! Fixed secrets in a header: `Authorization: Bearer …` (RFC 6750), `Authorization: Basic …` (RFC 7617) and headers of one's own.

use http::HeaderMap;
use ring::hmac;

use super::{Denied, malformed, text};
use crate::domain::secret::Secret;
use crate::workflow::keys::base64;

const AUTHORIZATION: &str = "authorization";

/// `Authorization: Bearer TOKEN`.
pub(super) fn bearer(secrets: &[&Secret], headers: &HeaderMap) -> Result<(), Denied> {
    any_equal(secrets, credentials("bearer", headers)?.as_bytes())
}

/// `Authorization: Basic BASE64`, of `USER:PASSWORD`. A wrong user and a wrong password are answered alike.
pub(super) fn basic(user: &str, secrets: &[&Secret], headers: &HeaderMap) -> Result<(), Denied> {
    let pair = base64(credentials("basic", headers)?).ok_or_else(|| malformed(AUTHORIZATION))?;
    let colon = pair.iter().position(|byte| *byte == b':').ok_or_else(|| malformed(AUTHORIZATION))?;
    let (name, password) = pair.split_at(colon);
    let is_user = same(user.as_bytes(), name);
    any_equal(secrets, password.get(1..).unwrap_or_default()).and(if is_user { Ok(()) } else { Err(Denied::Mismatch) })
}

/// A header whose value is the secret.
pub(super) fn header(name: &str, secrets: &[&Secret], headers: &HeaderMap) -> Result<(), Denied> {
    any_equal(secrets, text(headers, name)?.as_bytes())
}

fn credentials<'h>(kind: &str, headers: &'h HeaderMap) -> Result<&'h str, Denied> {
    match text(headers, AUTHORIZATION)?.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(kind) => Ok(token.trim()),
        _ => Err(malformed(AUTHORIZATION)),
    }
}

fn any_equal(secrets: &[&Secret], token: &[u8]) -> Result<(), Denied> {
    if secrets.iter().any(|secret| same(secret.expose().as_bytes(), token)) { Ok(()) } else { Err(Denied::Mismatch) }
}

/// Compares MACs of both texts, so that the time tells nothing about where they differ.
#[must_use]
pub(crate) fn equal(secret: &str, given: &str) -> bool {
    same(secret.as_bytes(), given.as_bytes())
}

/// The same for bytes.
pub(super) fn same(secret: &[u8], given: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, secret);
    hmac::verify(&key, given, tag.as_ref()).is_ok()
}
