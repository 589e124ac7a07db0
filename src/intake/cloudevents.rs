//! CloudEvents 1.0 over HTTP (HTTP protocol binding 1.0.2, JSON event format 1.0.2): one as JSON, one with its attributes in
//! headers, or several as a JSON list. A request says itself which of them it is.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;

use super::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::{Map, Value};
use crate::script::{CLOUD_EVENT, json_text, media_type};

#[cfg(test)]
mod tests;

/// The content type of several.
const BATCH: &str = "application/cloudevents-batch+json";
/// The most events of one batch.
pub const BATCH_EVENTS: usize = 1_000;
/// The most attributes of one event.
pub const ATTRIBUTES: usize = 64;
/// The longest value of an attribute, in bytes.
pub const ATTRIBUTE_BYTES: usize = 4 << 10;

const PREFIX: &str = "ce-";
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];
/// What stands beside the attributes in JSON.
const DATA: [&str; 2] = ["data", "data_base64"];

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CloudEvent {
    /// All of them, those of the data left out.
    pub(super) attributes: Map,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

impl CloudEvent {
    pub(super) fn text(&self, name: &str) -> &str {
        self.attributes.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What a request holds.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    /// No CloudEvent.
    Plain,
    One(CloudEvent),
    Batch(Vec<CloudEvent>),
}

/// Reads what a request says of itself.
///
/// # Errors
/// When it says that it holds CloudEvents, and one of them is none: which attribute is wrong.
pub(super) fn read(headers: &HeaderMap, content_type: &str, body: &Bytes) -> Result<Message, Refusal> {
    let kind = media_type(content_type);
    match &*kind {
        CLOUD_EVENT => {
            let Value::Object(event) = json(content_type, body)? else { return Err(bad("a CloudEvent is a JSON map".to_owned())) };
            let event = CloudEvent { attributes: attributes(event)?, content_type: content_type.to_owned(), body: body.clone() };
            Ok(Message::One(event))
        }
        BATCH => batch(json(content_type, body)?).map(Message::Batch),
        other if other.starts_with("application/cloudevents") => {
            let message =
                format!("CloudEvents as `{other}` are not read here: send `{CLOUD_EVENT}`, `{BATCH}`, or the attributes in headers");
            Err(Refusal::Unsupported(message))
        }
        _ if in_headers(headers) => {
            let event =
                CloudEvent { attributes: from_headers(headers, content_type)?, content_type: content_type.to_owned(), body: body.clone() };
            Ok(Message::One(event))
        }
        _ => Ok(Message::Plain),
    }
}

fn bad(why: impl Into<String>) -> Refusal {
    Refusal::BadCloudEvent(why.into())
}

fn wrong(name: &str, why: &str) -> Refusal {
    bad(format!("the attribute `{name}` {why}"))
}

fn json(content_type: &str, body: &[u8]) -> Result<Value, Refusal> {
    let text = json_text(content_type, body)?;
    serde_json::from_str(&text).map_err(|error| Refusal::Unreadable(format!("the body is not JSON: {error}")))
}

fn batch(value: Value) -> Result<Vec<CloudEvent>, Refusal> {
    let Value::Array(items) = value else { return Err(bad("a batch of CloudEvents is a JSON list".to_owned())) };
    if BATCH_EVENTS < items.len() {
        return Err(bad(format!("a batch of {} events; the limit is {BATCH_EVENTS}", items.len())));
    }
    let one = |(index, item): (usize, Value)| {
        let body = Bytes::from(item.to_string());
        let Value::Object(event) = item else { return Err(bad(format!("event {index} of the batch is no map"))) };
        let attributes = attributes(event).map_err(|refusal| match refusal {
            Refusal::BadCloudEvent(why) => bad(format!("event {index} of the batch: {why}")),
            other => other,
        })?;
        Ok(CloudEvent { attributes, content_type: CLOUD_EVENT.to_owned(), body })
    };
    items.into_iter().enumerate().map(one).collect()
}

fn attributes(mut event: Map) -> Result<Map, Refusal> {
    event.retain(|_, value| !value.is_null());
    if DATA.iter().all(|name| event.contains_key(*name)) {
        return Err(bad("an event has `data` or `data_base64`, not both"));
    }
    if event.get("data_base64").is_some_and(|data| !data.is_string()) {
        return Err(wrong("data_base64", "is not a text"));
    }
    event.retain(|name, _| !DATA.contains(&name.as_str()));
    checked(event)
}

/// Whether a request means to carry an event in its headers.
fn in_headers(headers: &HeaderMap) -> bool {
    headers.contains_key("ce-specversion") || ["ce-id", "ce-source", "ce-type"].iter().all(|name| headers.contains_key(*name))
}

fn from_headers(headers: &HeaderMap, content_type: &str) -> Result<Map, Refusal> {
    let mut found = Map::new();
    // The content type is that of the data (section 3.1.1).
    if content_type.contains('/') {
        found.insert("datacontenttype".to_owned(), content_type.into());
    }
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix(PREFIX) else { continue };
        if found.contains_key(name) {
            return Err(wrong(name, "is there twice"));
        }
        let text = std::str::from_utf8(value.as_bytes()).ok().and_then(header_text);
        found.insert(name.to_owned(), text.ok_or_else(|| wrong(name, "cannot be read: percent-encode it as UTF-8"))?.into());
    }
    checked(found)
}

/// A value in a header: its quotes taken away, then what is percent-encoded decoded (section 3.1.3.2).
fn header_text(value: &str) -> Option<String> {
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let value = quoted.map_or(Cow::Borrowed(value), |inner| unescaped(inner).into());
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after.get(2..)?;
    }
    String::from_utf8(bytes).ok()
}

fn unescaped(text: &str) -> String {
    let mut characters = text.chars();
    let mut out = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        out.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    out
}

/// The rules of the specification, and the bounds.
fn checked(attributes: Map) -> Result<Map, Refusal> {
    if let Some(missing) = REQUIRED.iter().find(|name| !attributes.contains_key(**name)) {
        return Err(wrong(missing, "is missing"));
    }
    if ATTRIBUTES < attributes.len() {
        return Err(bad(format!("an event with {} attributes; the limit is {ATTRIBUTES}", attributes.len())));
    }
    for (name, value) in &attributes {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            let shown: String = name.chars().take(50).collect();
            return Err(wrong(&shown, "has no name that CloudEvents allow: use lower-case letters and digits"));
        }
        check(name, value).map_err(|why| wrong(name, &why))?;
    }
    Ok(attributes)
}

fn check(name: &str, value: &Value) -> Result<(), String> {
    let text = match value {
        Value::String(text) => text,
        Value::Bool(_) if !is_defined(name) => return Ok(()),
        Value::Number(number) if !is_defined(name) => {
            let fits = number.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
            return if fits { Ok(()) } else { Err(format!("is {number}: a whole number has 32 bits")) };
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => return Err("is not a text".to_owned()),
    };
    if ATTRIBUTE_BYTES < text.len() {
        return Err(format!("has {} bytes; the limit is {ATTRIBUTE_BYTES}", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    if text.is_empty() && is_defined(name) {
        return Err("is empty".to_owned());
    }
    match name {
        "specversion" if text != "1.0" => Err(format!("is `{}`: this server reads 1.0", text.escape_default())),
        "time" if text.parse::<Timestamp>().is_err() => Err("is not an RFC 3339 time, as in 2026-03-01T09:00:00Z".to_owned()),
        "datacontenttype" if !text.contains('/') => Err("is not a content type, as in application/json".to_owned()),
        "source" | "dataschema"
            if text.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '|' | '}')) =>
        {
            Err("is not a URI (RFC 3986)".to_owned())
        }
        _ => Ok(()),
    }
}

/// Attributes that the specification itself defines: texts, never empty.
fn is_defined(name: &str) -> bool {
    REQUIRED.contains(&name) || matches!(name, "subject" | "time" | "datacontenttype" | "dataschema")
}
