//! From an answer to a step's output, or to the failure it means. Never reads more than its bound.

use std::time::Duration;

use super::trouble;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::time::Timestamp;
use crate::domain::{Map, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::Response;

/// How much of the body of an unexpected answer is kept as the failure's detail.
pub const DETAIL_BYTES: u64 = 8 * 1024;
/// How much of it is said in the failure's message.
pub const EXCERPT_CHARS: usize = 500;

/// Status, headers and body of an answer that was expected.
pub(super) async fn output(label: &str, mut response: Response, limit_bytes: u64) -> Result<Value, Failure> {
    let status = response.status().as_u16();
    let too_large = || {
        Failure::new(
            FailureKind::AnswerTooLarge,
            format!(
                "{label} answered with more than {limit_bytes} bytes: ask for less at a time, or raise the limit (`max_body` of the step, \
                 up to this server's own)"
            ),
        )
        .with_status(status)
    };
    if response.content_length().is_some_and(|length| limit_bytes < length) {
        return Err(too_large());
    }
    let (bytes, whole) = read(label, &mut response, limit_bytes).await?;
    if !whole {
        return Err(too_large());
    }
    let body = parsed(response.headers(), bytes);
    let mut output = Map::new();
    output.insert("status".to_owned(), Value::from(status));
    output.insert("headers".to_owned(), Value::Object(headers(response.headers())));
    output.insert("body".to_owned(), body);
    Ok(Value::Object(output))
}

/// What an unexpected answer means. A body that breaks off is no second failure: the status says enough.
pub(super) async fn unexpected(label: &str, mut response: Response, now: Timestamp) -> Failure {
    let status = response.status();
    let (bytes, whole) = read(label, &mut response, DETAIL_BYTES).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let excerpt: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(EXCERPT_CHARS).collect();
    let why = if status.is_success() { ", which `expect` does not name" } else { "" };
    let separator = if excerpt.is_empty() { "" } else { ": " };
    let detail = if whole { parsed(response.headers(), bytes.clone()) } else { Value::from(text.as_ref()) };
    Failure::new(FailureKind::Status, format!("{label} answered {status}{why}{separator}{excerpt}"))
        .with_status(status.as_u16())
        .with_retry_after(retry_after(response.headers(), now))
        .with_detail(detail)
}

/// The body up to `limit_bytes`, and whether that was all of it.
async fn read(label: &str, response: &mut Response, limit_bytes: u64) -> Result<(Vec<u8>, bool), Failure> {
    let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(expected.min(limit));
    while let Some(chunk) = response.chunk().await.map_err(|error| trouble::failure(label, &error))? {
        let room = limit - bytes.len();
        match chunk.get(..room) {
            Some(fitting) if room < chunk.len() => {
                bytes.extend_from_slice(fitting);
                return Ok((bytes, false));
            }
            _ => bytes.extend_from_slice(&chunk),
        }
    }
    Ok((bytes, true))
}

/// JSON if it says so and is, else text, else base 64; null when empty. An answer that calls itself
/// JSON and is not stays text: many services say "OK" like that, and the call has been made.
fn parsed(headers: &HeaderMap, bytes: Vec<u8>) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    if headers.get(CONTENT_TYPE).is_some_and(is_json) {
        let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        if let Ok(value) = serde_json::from_slice(plain) {
            return value;
        }
    }
    String::from_utf8(bytes).map_or_else(|binary| Value::from(STANDARD.encode(binary.as_bytes())), Value::from)
}

/// `application/json`, or anything that ends in `+json` (RFC 6839).
pub(super) fn is_json(content_type: &HeaderValue) -> bool {
    let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

fn headers(headers: &HeaderMap) -> Map {
    let mut shown = Map::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        match shown.get_mut(name.as_str()) {
            Some(Value::String(earlier)) => {
                earlier.push_str(", ");
                earlier.push_str(&value);
            }
            _ => {
                shown.insert(name.to_string(), Value::from(value.into_owned()));
            }
        }
    }
    shown
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3). A date counts from the answer's own
/// `Date`, so that the two machines' clocks need not agree.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let written = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = written.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let sent = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?)).unwrap_or(now);
    Some(http_date(written)?.since(sent))
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok().map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = http_date("Sun, 01 Mar 2026 09:00:00 GMT").unwrap();
        let check = |pairs: &[(&'static str, &'static str)], expected: Option<u64>| {
            assert_eq!(retry_after(&map(pairs), now), expected.map(Duration::from_secs), "{pairs:?}");
        };
        check(&[], None);
        check(&[("retry-after", "120")], Some(120));
        check(&[("retry-after", "Sun, 01 Mar 2026 09:00:30 GMT")], Some(30));
        check(&[("retry-after", "Sun, 01 Mar 2026 08:00:00 GMT")], Some(0));
        check(&[("retry-after", "Sun, 01 Mar 2026 10:00:30 GMT"), ("date", "Sun, 01 Mar 2026 10:00:00 GMT")], Some(30));
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "-1")], None);
    }

    #[test]
    fn bodies_are_read_as_what_they_are() {
        let check = |content_type: &'static str, bytes: &[u8], expected: Value| {
            assert_eq!(parsed(&map(&[("content-type", content_type)]), bytes.to_vec()), expected, "{content_type}");
        };
        check("application/json; charset=utf-8", br#"{"a":[1]}"#, json!({"a": [1]}));
        check("application/problem+json", b"\xef\xbb\xbf1", json!(1));
        check("APPLICATION/JSON", b"null", json!(null));
        check("application/json", b"OK", json!("OK"));
        check("text/plain", b"1", json!("1"));
        check("image/png", b"\x89PNG\xff", json!("iVBOR/8="));
        check("application/json", b"", json!(null));
    }
}
