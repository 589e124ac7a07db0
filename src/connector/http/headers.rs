//! Headers that users write.

use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};

use super::input::{bad, map, scalar, sort};
use crate::domain::Value;
use crate::domain::failure::Failure;

/// These say how the message is framed; a wrong one lets a request be read as two.
const FRAMING: [HeaderName; 6] = [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Writes a `headers` map over what is there. A list repeats the header; null takes it away.
pub(super) fn write(place: &str, written: &Value, headers: &mut HeaderMap) -> Result<(), Failure> {
    for (key, content) in map(place, written)? {
        let name = name(place, key)?;
        if FRAMING.contains(&name) {
            return Err(bad(format!("{place}: leave `{key}` out, hence sets it")));
        }
        headers.remove(&name);
        let contents = match content {
            Value::Null => continue,
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for content in contents {
            let content = scalar(content).ok_or_else(|| bad(format!("{place}: `{key}` is {}: expected a text", sort(content))))?;
            headers.append(&name, value(&format!("{place}: `{key}`"), &content)?);
        }
    }
    Ok(())
}

pub(super) fn name(place: &str, text: &str) -> Result<HeaderName, Failure> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_why| bad(format!("{place}: `{text}` is not a header name: letters, digits and `-`")))
}

/// The value itself is not repeated in the message: it may be secret.
pub(super) fn value(place: &str, text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_bytes(text.trim().as_bytes())
        .map_err(|_why| bad(format!("{place} has a line break or a control character in it: headers are one line")))
}
