//! Standard Webhooks, <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>, and Svix, which
//! is the same with names of its own, <https://docs.svix.com/receiving/verifying-payloads/how-manual>.

use std::time::Duration;

use super::hmac::shared;
use super::key_pair::ed25519;
use super::time::{Window, fresh, seconds};
use super::timed::SIGNATURES;
use super::{Denied, Sent, malformed, text};
use crate::workflow::keys::{Key, base64};

pub(super) const PREFIX: &str = "webhook";
pub(super) const SVIX_PREFIX: &str = "svix";
/// "Verifying the timestamp": the specification leaves the number open; its libraries and Svix take five minutes.
const WINDOW: Window = Window::Both(Duration::from_secs(300));

/// `ID.TIME.BODY`, signed by HMAC-SHA256 (`v1`) or Ed25519 (`v1a`). The headers are those of the first prefix that is there.
pub(super) fn verify(prefixes: [&str; 2], keys: &[Key<'_>], sent: &Sent<'_>) -> Result<(), Denied> {
    let [own, other] = prefixes;
    let prefix = if sent.headers.contains_key(format!("{other}-signature")) && !sent.headers.contains_key(format!("{own}-signature")) {
        other
    } else {
        own
    };
    let name = |part: &str| format!("{prefix}-{part}");
    let id = text(sent.headers, &name("id"))?;
    let time = text(sent.headers, &name("timestamp"))?;
    let signed = seconds(time).ok_or_else(|| malformed(&name("timestamp")))?;
    let written = text(sent.headers, &name("signature"))?;
    let found: Vec<(&str, Vec<u8>)> = written
        .split(' ')
        .filter_map(|part| part.split_once(','))
        .filter(|(version, _)| matches!(*version, "v1" | "v1a"))
        .take(SIGNATURES)
        .filter_map(|(version, signature)| Some((version, base64(signature)?)))
        .collect();
    if found.is_empty() {
        return Err(malformed(&name("signature")));
    }
    let of = |version: &str| -> Vec<&[u8]> { found.iter().filter(|(own, _)| *own == version).map(|(_, bytes)| bytes.as_slice()).collect() };
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", sent.body];
    shared(keys, &of("v1"), &parts).or_else(|_mismatch| ed25519(keys, &of("v1a"), &parts))?;
    fresh(signed, WINDOW, sent.now)
}
