//! Signatures of which this side has the public key alone: Ed25519 (RFC 8032) and ECDSA over P-256 (FIPS 186-5).

use std::time::Duration;

use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};

use super::time::{Window, fresh, seconds};
use super::{Denied, Sent, malformed, text};
use crate::workflow::keys::{Key, base64, hex};

const DISCORD_SIGNATURE: &str = "x-signature-ed25519";
const DISCORD_TIME: &str = "x-signature-timestamp";
/// <https://docs.discord.com/developers/interactions/overview>, "Validating Security Request Headers". Discord names no window; an
/// interaction is answered within seconds, and webhook events are sent again for up to ten minutes.
const DISCORD_WINDOW: Window = Window::Both(Duration::from_secs(900));

const SENDGRID_SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
const SENDGRID_TIME: &str = "x-twilio-email-event-webhook-timestamp";
/// <https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features>. SendGrid
/// names no window; it sends again for up to 24 hours.
const SENDGRID_WINDOW: Window = Window::Both(Duration::from_secs(25 * 3_600));

/// What is signed is `TIME` and then the body.
pub(super) fn discord(keys: &[Key<'_>], sent: &Sent<'_>) -> Result<(), Denied> {
    let signature = hex(text(sent.headers, DISCORD_SIGNATURE)?).ok_or_else(|| malformed(DISCORD_SIGNATURE))?;
    let time = text(sent.headers, DISCORD_TIME)?;
    let signed = seconds(time).ok_or_else(|| malformed(DISCORD_TIME))?;
    ed25519(keys, &[&signature], &[time.as_bytes(), sent.body])?;
    fresh(signed, DISCORD_WINDOW, sent.now)
}

/// What is signed is `TIME` and then the body.
pub(super) fn sendgrid(keys: &[Key<'_>], sent: &Sent<'_>) -> Result<(), Denied> {
    let signature = base64(text(sent.headers, SENDGRID_SIGNATURE)?).ok_or_else(|| malformed(SENDGRID_SIGNATURE))?;
    let time = text(sent.headers, SENDGRID_TIME)?;
    let signed = seconds(time).ok_or_else(|| malformed(SENDGRID_TIME))?;
    let message = [time.as_bytes(), sent.body].concat();
    let matches = keys.iter().any(|key| match key {
        Key::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(&message, &signature).is_ok(),
        Key::Shared(_) | Key::Ed25519(_) => false,
    });
    if !matches {
        return Err(Denied::Mismatch);
    }
    fresh(signed, SENDGRID_WINDOW, sent.now)
}

/// Whether one of the keys belongs to one of the signatures.
pub(super) fn ed25519(keys: &[Key<'_>], signatures: &[&[u8]], parts: &[&[u8]]) -> Result<(), Denied> {
    let message = if signatures.is_empty() { Vec::new() } else { parts.concat() };
    let matches = keys.iter().any(|key| match key {
        Key::Ed25519(key) => {
            let key = UnparsedPublicKey::new(&ED25519, key);
            signatures.iter().any(|signature| key.verify(&message, signature).is_ok())
        }
        Key::Shared(_) | Key::P256(_) => false,
    });
    if matches { Ok(()) } else { Err(Denied::Mismatch) }
}
