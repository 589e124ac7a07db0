//! Mailgun signs a time and a token, which stand in the body:
//! <https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks>. The rest of the body is not signed, so
//! whoever has seen one request could send any body: each token is taken once.

use std::borrow::Cow;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use serde::Deserialize;

use super::hmac::shared;
use super::time::{Window, fresh, seconds};
use super::{Denied, Once, Sent};
use crate::workflow::keys::{Key, hex};

/// Mailgun names no number; it sends again for eight hours ("Webhooks", "Retries"). Tokens are remembered as long.
const WINDOW: Duration = Duration::from_secs(9 * 3_600);
/// Mailgun's have 50 characters.
const TOKEN_BYTES: usize = 200;
const NO_PROOF: Denied = Denied::NoProof("Mailgun's `signature` with `timestamp`, `token` and `signature`");

#[derive(Deserialize)]
struct Body<'b> {
    #[serde(borrow)]
    signature: Proof<'b>,
}

#[derive(Default, Deserialize)]
struct Proof<'b> {
    #[serde(borrow)]
    timestamp: Cow<'b, str>,
    #[serde(borrow)]
    token: Cow<'b, str>,
    #[serde(borrow)]
    signature: Cow<'b, str>,
}

/// Checks it, and says which token must not come again.
pub(super) fn verify(keys: &[Key<'_>], sent: &Sent<'_>) -> Result<Once, Denied> {
    let Proof { timestamp, token, signature } = proof(sent)?;
    let signature = hex(&signature).ok_or(NO_PROOF)?;
    let signed = seconds(&timestamp).ok_or(NO_PROOF)?;
    if token.is_empty() || TOKEN_BYTES < token.len() {
        return Err(NO_PROOF);
    }
    shared(keys, &[&signature], &[timestamp.as_bytes(), token.as_bytes()])?;
    // Both ways: digits moved from the time into the token are signed as well, and make another time.
    fresh(signed, Window::Both(WINDOW), sent.now)?;
    Ok(Once::new(format!("{timestamp}{token}"), signed, WINDOW))
}

/// Events are JSON; inbound mails are forms.
fn proof<'b>(sent: &'b Sent<'_>) -> Result<Proof<'b>, Denied> {
    let kind = sent.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return serde_json::from_slice::<Body<'b>>(sent.body).map(|body| body.signature).ok().ok_or(NO_PROOF);
    }
    let mut proof = Proof::default();
    for (key, value) in form_urlencoded::parse(sent.body) {
        match &*key {
            "timestamp" => proof.timestamp = value,
            "token" => proof.token = value,
            "signature" => proof.signature = value,
            _ => {}
        }
    }
    Ok(proof)
}
