//! Bytes as text: Base64 (RFC 4648), hexadecimal, percent-encoding (RFC 3986). Texts stand for their UTF-8 bytes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rhai::{Dynamic, Map, NativeCallContext};

use super::super::event::pairs;
use super::super::json;
use super::{Function, Outcome, fits, function, shown, wrong};

pub(super) const FUNCTIONS: &[Function] = &[
    function("base64_encode(text) -> text", "In Base64, with padding.", r#"base64_encode("hi?") => "aGk/""#, |e, n| {
        e.register_fn(n, |text: &str| base64(text.as_bytes()));
        e.register_fn(n, |bytes: rhai::Blob| base64(&bytes));
    }),
    function(
        "base64_decode(text) -> text",
        "From Base64, either alphabet, with or without padding.",
        r#"base64_decode("YQ==") => "a""#,
        |e, n| {
            e.register_fn(n, |text: &str| base64_decode("base64_decode", text));
        },
    ),
    function("base64url_encode(text) -> text", "In Base64 for URLs, without padding.", r#"base64url_encode("hi?") => "aGk_""#, |e, n| {
        e.register_fn(n, |text: &str| URL_SAFE_NO_PAD.encode(text));
    }),
    function("base64url_decode(text) -> text", "The same as `base64_decode`.", r#"base64url_decode("aGk_") => "hi?""#, |e, n| {
        e.register_fn(n, |text: &str| base64_decode("base64url_decode", text));
    }),
    function("hex_encode(text) -> text", "In lower-case hexadecimal.", r#"hex_encode("hi") => "6869""#, |e, n| {
        e.register_fn(n, |text: &str| hex(text.as_bytes()));
    }),
    function("hex_decode(text) -> text", "From hexadecimal.", r#"hex_decode("6869") => "hi""#, |e, n| {
        e.register_fn(n, hex_decode);
    }),
    function(
        "url_encode(text) -> text",
        "Fit for a part of a URL: everything but letters, digits and `-._~` as `%XX`.",
        r#"url_encode("a b/é") => "a%20b%2F%C3%A9""#,
        |e, n| {
            e.register_fn(n, url_encode);
        },
    ),
    function("url_decode(text) -> text", "With `%XX` as what they stand for; `+` stays.", r#"url_decode("a%20b") => "a b""#, |e, n| {
        e.register_fn(n, url_decode);
    }),
    function(
        "query_encode(map) -> text",
        "As a query or form body; a list gives a pair for each item, `()` none.",
        r#"query_encode(#{q: "a b", n: [1, 2]}) => "n=1&n=2&q=a+b""#,
        |e, n| {
            e.register_fn(n, query_encode);
        },
    ),
    function(
        "query_decode(text) -> map",
        "A query or form body as a map; a repeated key becomes a list.",
        r#"query_decode("?n=1&n=2&q=a+b") => #{n: ["1", "2"], q: "a b"}"#,
        |e, n| {
            e.register_fn(n, |text: &str| pairs(form_urlencoded::parse(text.strip_prefix('?').unwrap_or(text).as_bytes())));
        },
    ),
];

pub(in super::super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "a String takes everything");
        text
    })
}

fn utf8(bytes: Vec<u8>, function: &str) -> Outcome<String> {
    String::from_utf8(bytes).or_else(|_| wrong(format!("{function}: the bytes are not UTF-8 text")))
}

fn base64_decode(function: &str, text: &str) -> Outcome<String> {
    let text: String = text
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            c => c,
        })
        .collect();
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) => utf8(bytes, function),
        Err(_) => wrong(format!("{function}: this is not Base64")),
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn hex_decode(text: &str) -> Outcome<String> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    match bytes {
        Some(bytes) if rest.is_empty() => utf8(bytes, "hex_decode"),
        _ => wrong("hex_decode: this is not hexadecimal; expected an even number of the digits 0-9 and a-f"),
    }
}

fn url_encode(context: NativeCallContext<'_>, text: &str) -> Outcome<String> {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let written = write!(encoded, "%{byte:02X}");
            debug_assert!(written.is_ok(), "a String takes everything");
        }
    }
    fits(&context, encoded.len())?;
    Ok(encoded)
}

fn url_decode(text: &str) -> Outcome<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'%', [high, low, tail @ ..]) if digit(*high).is_some() && digit(*low).is_some() => {
                bytes.push(digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0));
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    utf8(bytes, "url_decode")
}

fn query_encode(context: NativeCallContext<'_>, map: Map) -> Outcome<String> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let mut bytes = 0_usize;
    for (key, value) in &map {
        let one = std::slice::from_ref(value);
        let list = value.as_array_ref().ok();
        for item in list.as_deref().map_or(one, Vec::as_slice).iter().filter(|item| !item.is_unit()) {
            let text = query_text(key, item)?;
            bytes = bytes.saturating_add(key.len() + text.len() + 2);
            fits(&context, bytes)?;
            query.append_pair(key, &text);
        }
    }
    let query = query.finish();
    fits(&context, query.len())?;
    Ok(query)
}

fn query_text(key: &str, item: &Dynamic) -> Outcome<String> {
    json::to_text(item).or_else(|words| wrong(format!("query_encode: the value of {} {words}", shown(key))))
}
