//! HMAC-SHA256 over time and body: `t=…,v1=…` in one header (Stripe, Calendly), or a header each (Slack, Zoom).

use std::time::Duration;

use super::hmac::shared;
use super::time::{Window, fresh, seconds};
use super::{Denied, Sent, malformed, text};
use crate::workflow::keys::{Key, hex};

/// The most signatures of one header: senders put one a secret there while secrets change.
pub(super) const SIGNATURES: usize = 16;

/// Time and signatures in one header.
pub(super) struct Listed {
    header: &'static str,
    window: Window,
}

/// <https://docs.stripe.com/webhooks/signature>: "a default tolerance of 5 minutes"; Stripe's libraries refuse old ones alone.
pub(super) const STRIPE: Listed = Listed { header: "stripe-signature", window: Window::Past(Duration::from_secs(300)) };
/// <https://developer.calendly.com/api-docs/ZG9jOjM2MzE2MDM4-webhook-signatures>: three minutes in its example.
pub(super) const CALENDLY: Listed = Listed { header: "calendly-webhook-signature", window: Window::Past(Duration::from_secs(180)) };

/// `t=TIME,v1=HEX,v1=HEX`: what is signed is `TIME.BODY`. Signatures of other versions are passed over.
pub(super) fn listed(scheme: &Listed, keys: &[Key<'_>], sent: &Sent<'_>) -> Result<(), Denied> {
    let value = text(sent.headers, scheme.header)?;
    let wrong = || malformed(scheme.header);
    let pairs = || value.split(',').filter_map(|part| part.trim().split_once('='));
    let (_, time) = pairs().find(|(name, _)| *name == "t").ok_or_else(wrong)?;
    let signed = seconds(time).ok_or_else(wrong)?;
    let written = pairs().filter(|(name, _)| *name == "v1").take(SIGNATURES);
    let signatures: Vec<Vec<u8>> = written.filter_map(|(_, written)| hex(written)).collect();
    if signatures.is_empty() {
        return Err(wrong());
    }
    let signatures: Vec<&[u8]> = signatures.iter().map(Vec::as_slice).collect();
    shared(keys, &signatures, &[time.as_bytes(), b".", sent.body])?;
    fresh(signed, scheme.window, sent.now)
}

/// `v0=HEX` in a header of its own.
pub(super) struct Versioned {
    header: &'static str,
    time: &'static str,
    window: Window,
}

/// <https://docs.slack.dev/authentication/verifying-requests-from-slack>: "more than five minutes from local time".
pub(super) const SLACK: Versioned =
    Versioned { header: "x-slack-signature", time: "x-slack-request-timestamp", window: Window::Both(Duration::from_secs(300)) };
/// <https://developers.zoom.us/docs/api/webhooks/>, "Verify webhook events". Zoom names no window; it sends again after
/// 5, 30 and 90 minutes, and does not say whether with the first time, so all of that is let in.
pub(super) const ZOOM: Versioned =
    Versioned { header: "x-zm-signature", time: "x-zm-request-timestamp", window: Window::Both(Duration::from_secs(2 * 3_600 + 600)) };

/// What is signed is `v0:TIME:BODY`.
pub(super) fn versioned(scheme: &Versioned, keys: &[Key<'_>], sent: &Sent<'_>) -> Result<(), Denied> {
    let signature = text(sent.headers, scheme.header)?.strip_prefix("v0=").and_then(hex).ok_or_else(|| malformed(scheme.header))?;
    let time = text(sent.headers, scheme.time)?;
    let signed = seconds(time).ok_or_else(|| malformed(scheme.time))?;
    shared(keys, &[&signature], &[b"v0:", time.as_bytes(), b":", sent.body])?;
    fresh(signed, scheme.window, sent.now)
}

/// The one of some keys that Zoom has signed a request with: its first request is answered with the same.
pub(in crate::intake) fn zoom_key<'k, 's>(keys: &'k [Key<'s>], sent: &Sent<'_>) -> Option<&'k Key<'s>> {
    keys.iter().find(|key| versioned(&ZOOM, std::slice::from_ref(*key), sent).is_ok())
}
