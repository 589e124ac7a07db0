//! What is sent: one of `json`, `form`, `multipart`, `xml`, `text`, `body`.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::HeaderValue;
use ring::digest::{Context, SHA256};

use super::input::{bad, given, known_keys, map, pairs, scalar, sort, text};
use crate::domain::failure::Failure;
use crate::domain::{Map, Value, xml};

const KINDS: [&str; 6] = ["json", "form", "multipart", "xml", "text", "body"];

/// A body and how to read it.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) content_type: HeaderValue,
    /// The content type says something that only the rendering knows, so a user cannot replace it.
    pub(super) fixed_type: bool,
}

impl Body {
    /// `json: null` is a body, null in the others is none.
    pub(super) fn read(with: &Map) -> Result<Option<Self>, Failure> {
        let mut kinds =
            KINDS.into_iter().filter_map(|kind| Some((kind, with.get(kind)?))).filter(|(kind, v)| *kind == "json" || !v.is_null());
        let Some((kind, value)) = kinds.next() else { return Ok(None) };
        if let Some((other, _)) = kinds.next() {
            return Err(bad(format!("`with` has both `{kind}` and `{other}`: a request has one body, give one of {}", KINDS.join(", "))));
        }
        let plain = |bytes: Vec<u8>, content_type: &'static str| Self {
            bytes: bytes.into(),
            content_type: HeaderValue::from_static(content_type),
            fixed_type: false,
        };
        Ok(Some(match kind {
            "json" => {
                let bytes = serde_json::to_vec(value).map_err(|why| bad(format!("`json` cannot be written: {why}")))?;
                plain(bytes, "application/json")
            }
            "form" => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(pairs(map("`form`", value)?));
                plain(form.finish().into_bytes(), "application/x-www-form-urlencoded")
            }
            "xml" if value.is_object() => {
                let document = xml::write(value).map_err(|why| bad(format!("`xml`: {why}")))?;
                plain(document.into_bytes(), "application/xml")
            }
            "xml" => plain(text("`with`", with, "xml")?.into_owned().into_bytes(), "application/xml"),
            "text" => plain(text("`with`", with, "text")?.into_owned().into_bytes(), "text/plain; charset=utf-8"),
            "multipart" => multipart(map("`multipart`", value)?)?,
            _ => plain(content("`body`", value)?.into_owned(), "application/octet-stream"),
        }))
    }
}

/// A text, or `{base64: …}` for bytes.
fn content<'v>(place: &str, value: &'v Value) -> Result<Cow<'v, [u8]>, Failure> {
    match value {
        Value::Object(map) => {
            known_keys(place, map, &["base64"])?;
            decode(place, &text(place, map, "base64")?).map(Cow::Owned)
        }
        other => match scalar(other) {
            Some(Cow::Borrowed(text)) => Ok(Cow::Borrowed(text.as_bytes())),
            Some(Cow::Owned(text)) => Ok(Cow::Owned(text.into_bytes())),
            None => Err(bad(format!("{place} is {}: expected a text, or `{{base64: …}}` for bytes", sort(other)))),
        },
    }
}

fn decode(place: &str, text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(text.trim()).map_err(|why| bad(format!("{place}: `base64` cannot be read: {why}")))
}

struct Part<'v> {
    head: String,
    content: Cow<'v, [u8]>,
}

/// RFC 7578, names and file names escaped as browsers do (WHATWG HTML, "multipart/form-data").
fn multipart(fields: &Map) -> Result<Body, Failure> {
    let mut parts = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        let values = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
        for value in values.iter().filter(|value| !value.is_null()) {
            parts.push(part(name, value)?);
        }
    }
    // A digest of the content cannot occur in the content, and a repeated attempt sends the same bytes.
    let mut digest = Context::new(&SHA256);
    for part in &parts {
        digest.update(part.head.as_bytes());
        digest.update(&part.content);
    }
    let boundary: String = digest.finish().as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let size: usize = parts.iter().map(|part| part.head.len() + part.content.len() + boundary.len() + 16).sum();
    let mut bytes = Vec::with_capacity(size + boundary.len() + 16);
    for part in &parts {
        bytes.extend_from_slice(format!("--{boundary}\r\n{}\r\n\r\n", part.head).as_bytes());
        bytes.extend_from_slice(&part.content);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let content_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"))
        .map_err(|why| bad(format!("`multipart` cannot be written: {why}")))?;
    Ok(Body { bytes: bytes.into(), content_type, fixed_type: true })
}

fn part<'v>(name: &str, value: &'v Value) -> Result<Part<'v>, Failure> {
    let place = format!("`multipart.{name}`");
    let head = format!("Content-Disposition: form-data; name=\"{}\"", escaped(name));
    let Value::Object(file) = value else { return Ok(Part { head, content: content(&place, value)? }) };
    known_keys(&place, file, &["filename", "content_type", "content", "base64"])?;
    let content = match (given(file, "content"), given(file, "base64")) {
        (Some(written), None) => content(&place, written)?,
        (None, Some(_)) => Cow::Owned(decode(&place, &text(&place, file, "base64")?)?),
        _ => return Err(bad(format!("{place} needs one of `content` (a text) and `base64`"))),
    };
    let filename = match given(file, "filename") {
        Some(_) => format!("; filename=\"{}\"", escaped(&text(&place, file, "filename")?)),
        None => String::new(),
    };
    let content_type = match given(file, "content_type") {
        Some(_) => text(&place, file, "content_type")?,
        None => "application/octet-stream".into(),
    };
    if content_type.chars().any(char::is_control) {
        return Err(bad(format!("{place}: `content_type` has a line break or a control character in it")));
    }
    Ok(Part { head: format!("{head}{filename}\r\nContent-Type: {content_type}"), content })
}

fn escaped(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
