//! A delivery as a file, for tests: `event: {file: fixtures/orders-1.json}`. `hence record` writes them, people edit them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::file::EventFile;
use crate::domain::Value;
use crate::domain::event::Event;
use crate::domain::secret::MASK;

/// A delivery. What is empty is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// In upper case.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// Below `/hooks/`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// `event.type`.
    #[serde(default, rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// When it came; for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub received: String,
    /// The query's pairs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A value where the content type says JSON, else a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The body where it is no text, in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// Headers of one connection: they say nothing about the next delivery.
const DROPPED: [&str; 9] =
    ["accept", "accept-encoding", "connection", "content-length", "expect", "host", "te", "transfer-encoding", "user-agent"];
/// Names with one of these in them hold what proves who the sender is.
const TELLING: [&str; 11] =
    ["signature", "secret", "token", "password", "credential", "api-key", "apikey", "hmac", "authorization", "cookie", "x-auth"];

impl Fixture {
    /// An event as a file. Headers that prove who the sender is are masked; those of `signed`, in lower case, too.
    #[must_use]
    pub fn of(event: &Event, signed: &[&str]) -> Self {
        let head = &event.head;
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in head.headers.iter().filter(|(name, _)| !DROPPED.contains(&&**name)) {
            let telling = signed.contains(&&**name) || TELLING.iter().any(|part| name.contains(part));
            let value = if telling { MASK } else { value };
            headers.entry(name.clone()).and_modify(|all| *all = format!("{all}, {value}")).or_insert_with(|| value.to_owned());
        }
        if !head.content_type.is_empty() {
            headers.insert("content-type".to_owned(), head.content_type.clone());
        }
        let text = std::str::from_utf8(&event.body).ok();
        let body = text.filter(|text| !text.is_empty()).map(|text| {
            let json = says_json(&head.content_type).then(|| serde_json::from_str(text).ok()).flatten();
            json.unwrap_or_else(|| Value::from(text))
        });
        Self {
            method: head.method.clone(),
            path: head.path.clone(),
            kind: head.kind.clone(),
            received: head.received.to_string(),
            query: head.query.clone(),
            headers,
            body,
            base64: text.is_none().then(|| STANDARD.encode(&event.body)),
        }
    }

    /// What a test file says with it.
    ///
    /// # Errors
    /// When `base64` is none.
    pub(super) fn into_event(self) -> Result<EventFile, String> {
        let some = |text: String| (!text.is_empty()).then(|| text.into());
        let bytes = self.base64.map(|coded| decoded(&coded)).transpose()?;
        Ok(EventFile {
            body: self.body,
            bytes,
            headers: self.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect(),
            kind: some(self.kind),
            path: some(self.path.trim_start_matches('/').to_owned()),
            method: some(self.method),
            query: self.query,
            cloudevent: None,
        })
    }
}

/// The bytes of Base64.
pub(super) fn decoded(coded: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(coded.trim()).map_err(|error| format!("it is not Base64: {error}"))
}

/// Whether bodies of this content type are JSON, so that a text among them is a JSON text.
pub(super) fn says_json(content_type: &str) -> bool {
    content_type.is_empty() || content_type.split(';').next().is_some_and(|kind| kind.to_ascii_lowercase().contains("json"))
}
