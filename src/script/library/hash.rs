//! Hashes, as lower-case hexadecimal.

use ring::{digest, hmac};

use super::encode::hex;
use super::{Function, function};

pub(super) const FUNCTIONS: &[Function] = &[
    function("sha256", "sha256(text) -> text", "Its SHA-256 (FIPS 180-4).", |e, n| {
        e.register_fn(n, |text: &str| hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref()));
    }),
    function("hmac_sha256", "hmac_sha256(key, text) -> text", "Its HMAC with SHA-256 under the key (RFC 2104).", |e, n| {
        e.register_fn(n, |key: &str, text: &str| {
            hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), text.as_bytes()).as_ref())
        });
    }),
];
