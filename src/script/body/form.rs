//! `application/x-www-form-urlencoded`.

use encoding_rs::{Encoding, UTF_8};

use super::super::event::pairs;
use super::{BadBody, charset};

/// The most fields of a form.
pub const FIELDS: usize = 10_000;

pub(super) fn read(body: &[u8], charset: Option<&str>) -> Result<rhai::Map, BadBody> {
    let fields = body.iter().filter(|byte| **byte == b'&').count() + 1;
    if FIELDS < fields {
        return Err(BadBody::Unreadable(format!("the form has {fields} fields; the limit is {FIELDS}")));
    }
    let encoding = charset.map(charset::decoder).transpose()?.unwrap_or(UTF_8);
    if encoding == UTF_8 {
        return Ok(pairs(form_urlencoded::parse(body)));
    }
    let written = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    Ok(pairs(written.map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let mut half = || decoded(encoding, halves.next().unwrap_or_default());
        (half(), half())
    })))
}

/// `%E9` and `+` undone, in the form's own charset.
fn decoded(encoding: &'static Encoding, text: &[u8]) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', ..) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    encoding.decode_without_bom_handling(&bytes).0.into_owned()
}
