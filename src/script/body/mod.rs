//! A body as its content type says, as a value.

mod charset;
mod cloud;
mod form;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use rhai::Dynamic;

use super::json;
use crate::domain::xml;

pub use form::FIELDS;

/// Why a body is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// It is not what its content type says: what, and where.
    #[error("{0}")]
    Unreadable(String),
    /// Its content type says something that is not known here.
    #[error("{0}")]
    Unsupported(String),
}

/// A body that was read.
pub(super) enum Found {
    /// Something with parts.
    Value(Dynamic),
    /// Also `event.form`.
    Form(rhai::Map),
    /// The text itself.
    Text(Dynamic),
    /// Bytes that nobody here can read, or none.
    Nothing,
}

/// Reads a body.
pub(super) fn read(content_type: &str, body: &[u8]) -> Result<Found, BadBody> {
    if body.is_empty() {
        return Ok(Found::Nothing);
    }
    let charset = || parameter(content_type, "charset");
    match format(content_type, body) {
        Format::Cloud => cloud::read(body),
        Format::Json => from_json(&json_text(content_type, body)?).map(Found::Value),
        Format::Form => form::read(body, charset()).map(Found::Form),
        Format::Xml => {
            let text = charset::of_xml(body, charset()).map_err(|bad| bad.about("XML"))?;
            let value = xml::read(&text).map_err(|error| BadBody::Unreadable(format!("the body is not XML: {error}")))?;
            Ok(Found::Value(json::to_dynamic(&value)))
        }
        Format::Text => {
            let text = match charset() {
                None => charset::lossy(body),
                Some(label) => charset::decoder(label)?.decode(body).0,
            };
            Ok(Found::Text(text.into_owned().into()))
        }
        Format::Other => Ok(Found::Nothing),
    }
}

/// The text of a JSON body.
///
/// # Errors
/// When its bytes are no text.
pub fn json_text<'b>(content_type: &str, body: &'b [u8]) -> Result<Cow<'b, str>, BadBody> {
    charset::of_json(body, parameter(content_type, "charset")).map_err(|bad| bad.about("JSON"))
}

pub(super) fn from_json(text: &str) -> Result<Dynamic, BadBody> {
    json::read(text.as_bytes()).map_err(|error| {
        let error = match error.strip_prefix("recursion limit exceeded") {
            Some(place) => format!("lists and maps are nested deeper than {}, the limit,{place}", json::DEPTH),
            None => error,
        };
        BadBody::Unreadable(format!("the body is not JSON: {error}"))
    })
}

impl BadBody {
    fn about(self, what: &str) -> Self {
        match self {
            Self::Unreadable(why) => Self::Unreadable(format!("the body is not {what}: {why}")),
            Self::Unsupported(_) => self,
        }
    }
}

enum Format {
    Json,
    Form,
    Xml,
    Cloud,
    Text,
    Other,
}

fn format(content_type: &str, body: &[u8]) -> Format {
    let kind = media_type(content_type);
    match &*kind {
        "application/json" | "text/json" => Format::Json,
        "" if looks_like_json(body) => Format::Json,
        "application/x-www-form-urlencoded" => Format::Form,
        CLOUD_EVENT => Format::Cloud,
        "application/xml" | "text/xml" => Format::Xml,
        // A page, often with a document type.
        "application/xhtml+xml" => Format::Text,
        _ if kind.starts_with("image/") => Format::Other,
        _ if kind.ends_with("+json") => Format::Json,
        _ if kind.ends_with("+xml") => Format::Xml,
        _ if kind.starts_with("text/") => Format::Text,
        _ => Format::Other,
    }
}

/// The content type of one CloudEvent as JSON.
pub const CLOUD_EVENT: &str = "application/cloudevents+json";

/// `application/json` of `Application/JSON; charset=utf-8`.
pub fn media_type(content_type: &str) -> Cow<'_, str> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.bytes().any(|byte| byte.is_ascii_uppercase()) { kind.to_ascii_lowercase().into() } else { kind.into() }
}

/// A parameter of a content type, without its quotes.
fn parameter<'c>(content_type: &'c str, name: &str) -> Option<&'c str> {
    let found = content_type.split(';').skip(1).filter_map(|part| part.split_once('='));
    let value = found.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?.1.trim().trim_matches('"');
    (!value.is_empty()).then_some(value)
}

fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start().first(), Some(b'{' | b'[' | b'"'))
}
