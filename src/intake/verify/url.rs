//! Schemes that sign the URL that they call: Square and HubSpot; Twilio's is next door. The URL is the one that is set at the
//! sender: what arrives here may have come through a proxy.

use std::time::Duration;

use super::hmac::shared;
use super::time::{Window, fresh, milliseconds};
use super::{Denied, Sent, malformed, text};
use crate::workflow::keys::{Key, base64};

const SQUARE_SIGNATURE: &str = "x-square-hmacsha256-signature";
const HUBSPOT_SIGNATURE: &str = "x-hubspot-signature-v3";
const HUBSPOT_TIME: &str = "x-hubspot-request-timestamp";
/// <https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation>: "older than 5 minutes".
/// Both ways: nothing parts the time from what is signed before it, so a digit of the body could be moved into it.
const HUBSPOT_WINDOW: Window = Window::Both(Duration::from_secs(300));
/// What HubSpot has decoded in the URL that it signs (the same page).
const HUBSPOT_DECODED: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

/// The URL as the sender called it: the one that the hook names, or the server's own address and the path; with the query that came.
pub(super) fn called(exact: Option<&str>, public_url: Option<&str>, target: &str) -> Result<String, Denied> {
    let Some(exact) = exact else {
        return public_url.map(|address| format!("{address}{target}")).ok_or(Denied::NoUrl);
    };
    let (base, _) = exact.split_once('?').unwrap_or((exact, ""));
    Ok(target.split_once('?').map_or_else(|| base.to_owned(), |(_, query)| format!("{base}?{query}")))
}

/// URL and body: <https://developer.squareup.com/docs/webhooks/step3validate>.
pub(super) fn square(url: &str, keys: &[Key<'_>], sent: &Sent<'_>) -> Result<(), Denied> {
    let signature = base64(text(sent.headers, SQUARE_SIGNATURE)?).ok_or_else(|| malformed(SQUARE_SIGNATURE))?;
    shared(keys, &[&signature], &[url.as_bytes(), sent.body]).map_err(|_mismatch| Denied::MismatchWithUrl)
}

/// Method, URL, body and time, version 3.
pub(super) fn hubspot(url: &str, keys: &[Key<'_>], sent: &Sent<'_>) -> Result<(), Denied> {
    let signature = base64(text(sent.headers, HUBSPOT_SIGNATURE)?).ok_or_else(|| malformed(HUBSPOT_SIGNATURE))?;
    let time = text(sent.headers, HUBSPOT_TIME)?;
    let signed = milliseconds(time).ok_or_else(|| malformed(HUBSPOT_TIME))?;
    let decoded = HUBSPOT_DECODED.iter().fold(url.to_owned(), |url, (code, plain)| {
        if url.contains('%') { url.replace(code, plain).replace(&code.to_ascii_lowercase(), plain) } else { url }
    });
    let check = |url: &str| shared(keys, &[&signature], &[sent.method.as_bytes(), url.as_bytes(), sent.body, time.as_bytes()]);
    check(&decoded)
        .or_else(|mismatch| if decoded == url { Err(mismatch) } else { check(url) })
        .map_err(|_mismatch| Denied::MismatchWithUrl)?;
    fresh(signed, HUBSPOT_WINDOW, sent.now)
}
