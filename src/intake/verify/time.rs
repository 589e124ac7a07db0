//! The time that was signed.

use std::time::Duration;

use super::Denied;
use crate::domain::time::Timestamp;

/// How far a signed time may be from now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Window {
    /// Either way.
    Both(Duration),
    /// Into the past: a time in the future is none of the sender's rules.
    Past(Duration),
}

/// A time in whole seconds since 1970.
pub(super) fn seconds(text: &str) -> Option<Timestamp> {
    whole(text)?.checked_mul(1_000).map(Timestamp)
}

/// A time in whole milliseconds since 1970.
pub(super) fn milliseconds(text: &str) -> Option<Timestamp> {
    whole(text).map(Timestamp)
}

fn whole(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Whether a signed time counts now.
pub(super) fn fresh(signed: Timestamp, window: Window, now: Timestamp) -> Result<(), Denied> {
    let (off, allowed) = match window {
        Window::Both(allowed) => (now.since(signed).max(signed.since(now)), allowed),
        Window::Past(allowed) => (now.since(signed), allowed),
    };
    if allowed < off { Err(Denied::Stale { window_s: allowed.as_secs() }) } else { Ok(()) }
}
