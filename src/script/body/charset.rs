//! Bytes as text.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::BadBody;

/// As UTF-8; what is none becomes U+FFFD. A byte order mark counts, and is taken away.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    UTF_8.decode(bytes).0
}

/// The decoder of a charset by its name (the WHATWG's list, which has IANA's names in use).
pub(super) fn decoder(label: &str) -> Result<&'static Encoding, BadBody> {
    Encoding::for_label_no_replacement(label.as_bytes())
        .ok_or_else(|| BadBody::Unsupported(format!("the charset `{}` is not known here: send UTF-8", label.escape_default())))
}

/// JSON is UTF-8 (RFC 8259, section 8.1), with or without a byte order mark. UTF-16 is known by its mark or by the zeros beside its
/// first characters (RFC 4627, section 3). Bytes that are none of these may be what `charset` says.
pub(super) fn of_json<'b>(bytes: &'b [u8], charset: Option<&str>) -> Result<Cow<'b, str>, BadBody> {
    if let Some(encoding) = marked(bytes)? {
        return strict(encoding, bytes);
    }
    match bytes {
        [0, 0, 0, _, ..] | [_, 0, 0, 0, ..] => return Err(utf_32()),
        [0, first, ..] if *first != 0 => return strict(UTF_16BE, bytes),
        [first, 0, ..] if *first != 0 => return strict(UTF_16LE, bytes),
        _ => {}
    }
    match (std::str::from_utf8(bytes), charset) {
        (Ok(text), _) => Ok(text.into()),
        (Err(_), Some(label)) => strict(decoder(label)?, bytes),
        (Err(error), None) => Err(not_utf_8(error)),
    }
}

/// A byte order mark, then what `charset` says, then the document's own declaration (RFC 7303, section 3).
pub(super) fn of_xml<'b>(bytes: &'b [u8], charset: Option<&str>) -> Result<Cow<'b, str>, BadBody> {
    if let Some(encoding) = marked(bytes)? {
        return strict(encoding, bytes);
    }
    let encoding = match (charset, bytes) {
        (Some(label), _) => decoder(label)?,
        (None, [0, b'<', ..]) => UTF_16BE,
        (None, [b'<', 0, ..]) => UTF_16LE,
        (None, _) => match declared(bytes) {
            // Whoever reads the declaration byte by byte sees that it is not UTF-16.
            Some(label) => Some(decoder(label)?).filter(|found| found.is_ascii_compatible()).unwrap_or(UTF_8),
            None => UTF_8,
        },
    };
    strict(encoding, bytes)
}

/// `encoding` of `<?xml … encoding="…"?>`.
fn declared(bytes: &[u8]) -> Option<&str> {
    /// The longest declaration that is looked at.
    const LOOKED_AT: usize = 200;
    let start = bytes.get(..bytes.len().min(LOOKED_AT))?;
    let end = start.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(start.get(..end)?).ok()?.strip_prefix("<?xml")?;
    let after = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    after.get(1..)?.split(quote).next()
}

fn marked(bytes: &[u8]) -> Result<Option<&'static Encoding>, BadBody> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err(utf_32()),
        _ => Ok(Encoding::for_bom(bytes).map(|(encoding, _)| encoding)),
    }
}

fn utf_32() -> BadBody {
    BadBody::Unsupported("the body is in UTF-32, which is not read: send UTF-8".to_owned())
}

fn strict<'b>(encoding: &'static Encoding, bytes: &'b [u8]) -> Result<Cow<'b, str>, BadBody> {
    let bytes = Encoding::for_bom(bytes)
        .filter(|(marked, _)| *marked == encoding)
        .map_or(bytes, |(_, length)| bytes.get(length..).unwrap_or_default());
    if encoding == UTF_8 {
        return std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(not_utf_8);
    }
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .ok_or_else(|| BadBody::Unreadable(format!("its bytes are not {}", encoding.name())))
}

fn not_utf_8(error: std::str::Utf8Error) -> BadBody {
    BadBody::Unreadable(format!("the byte at {} is not UTF-8", error.valid_up_to()))
}
