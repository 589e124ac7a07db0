//! Hashes.

use ring::{digest, hmac};

use super::encode::{base64, hex};
use super::{Function, function};

pub(super) const ABOUT: &str = "\
As lower-case hexadecimal; those whose name ends in `_base64` in Base64. SHA-1 is for services that still ask for it. There is no MD5.";

macro_rules! hash {
    ($name:literal, $what:literal, $algorithm:ident, $example:literal) => {
        function(concat!($name, "(text) -> text"), concat!("Its ", $what, "."), $example, |e, n| {
            e.register_fn(n, |text: &str| hex(digest::digest(&digest::$algorithm, text.as_bytes()).as_ref()));
        })
    };
}

macro_rules! keyed {
    ($name:literal, $what:literal, $algorithm:ident, $form:ident, $example:literal) => {
        function(concat!($name, "(key, text) -> text"), concat!("Its HMAC (RFC 2104) with ", $what, " under the key."), $example, |e, n| {
            e.register_fn(n, |key: &str, text: &str| {
                $form(hmac::sign(&hmac::Key::new(hmac::$algorithm, key.as_bytes()), text.as_bytes()).as_ref())
            });
        })
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    hash!("sha256", "SHA-256 (FIPS 180-4)", SHA256, r#"sha256("abc").slice(0, 16) => "ba7816bf8f01cfea""#),
    hash!("sha384", "SHA-384", SHA384, r#"sha384("abc").slice(0, 16) => "cb00753f45a35e8b""#),
    hash!("sha512", "SHA-512", SHA512, r#"sha512("abc").slice(0, 16) => "ddaf35a193617aba""#),
    hash!("sha1", "SHA-1", SHA1_FOR_LEGACY_USE_ONLY, r#"sha1("abc") => "a9993e364706816aba3e25717850c26c9cd0d89d""#),
    keyed!(
        "hmac_sha256",
        "SHA-256",
        HMAC_SHA256,
        hex,
        r#"hmac_sha256("Jefe", "what do ya want for nothing?").slice(0, 16) => "5bdcc146bf60754e""#
    ),
    keyed!(
        "hmac_sha512",
        "SHA-512",
        HMAC_SHA512,
        hex,
        r#"hmac_sha512("Jefe", "what do ya want for nothing?").slice(0, 16) => "164b7a7bfcf819e2""#
    ),
    keyed!(
        "hmac_sha1",
        "SHA-1",
        HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        hex,
        r#"hmac_sha1("Jefe", "what do ya want for nothing?") => "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79""#
    ),
    keyed!(
        "hmac_sha256_base64",
        "SHA-256",
        HMAC_SHA256,
        base64,
        r#"hmac_sha256_base64("Jefe", "what do ya want for nothing?").slice(0, 12) => "W9zBRr9gdU5q""#
    ),
    keyed!(
        "hmac_sha512_base64",
        "SHA-512",
        HMAC_SHA512,
        base64,
        r#"hmac_sha512_base64("Jefe", "what do ya want for nothing?").slice(0, 12) => "Fkt6e/z4GeLj""#
    ),
    keyed!(
        "hmac_sha1_base64",
        "SHA-1",
        HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        base64,
        r#"hmac_sha1_base64("Jefe", "what do ya want for nothing?") => "7/zfauXrL6LSdBbV8YTfnCWafHk=""#
    ),
];
