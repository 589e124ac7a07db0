//! A delivery as a file, for tests: `event: {file: fixtures/orders-1.json}`. `hence record` writes them, people edit them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::file::EventFile;
use super::proofs;
use crate::domain::Value;
use crate::domain::event::Event;
use crate::domain::secret::{MASK, Secrets};

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
const TELLING: [&str; 12] =
    ["signature", "-sig", "secret", "token", "password", "credential", "api-key", "apikey", "hmac", "authorization", "cookie", "x-auth"];

impl Fixture {
    /// An event as a file. What proves who the sender is, is masked in headers, query and body; headers of `signed`, in lower case, too.
    /// So are secrets, as far as they can be seen in the whole file: those that a form's fields hold are masked here.
    #[must_use]
    pub fn of(event: &Event, signed: &[&str], secrets: &Secrets) -> Self {
        let head = &event.head;
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in head.headers.iter().filter(|(name, _)| !DROPPED.contains(&&**name)) {
            let value = if signed.contains(&&**name) || tells(name) { MASK } else { value };
            headers.entry(name.clone()).and_modify(|all| *all = format!("{all}, {value}")).or_insert_with(|| value.to_owned());
        }
        if !head.content_type.is_empty() {
            headers.insert("content-type".to_owned(), head.content_type.clone());
        }
        let text = std::str::from_utf8(&event.body).ok();
        let body = text.filter(|text| !text.is_empty()).map(|text| {
            let json = says_json(&head.content_type).then(|| serde_json::from_str::<Value>(text).ok()).flatten();
            if let Some(mut json) = json {
                proofs::mask_json(&mut json);
                return json;
            }
            let is_form = kind(&head.content_type).eq_ignore_ascii_case("application/x-www-form-urlencoded");
            let masked = if is_form { Some(proofs::masked_form(text, secrets)) } else { proofs::masked_text(text) };
            Value::from(masked.unwrap_or_else(|| text.to_owned()))
        });
        Self {
            method: head.method.clone(),
            path: head.path.clone(),
            kind: head.kind.clone(),
            received: head.received.to_string(),
            query: head
                .query
                .iter()
                .map(|(name, value)| (name.clone(), if tells(name) { MASK.to_owned() } else { value.clone() }))
                .collect(),
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
            form: None,
            files: Vec::new(),
        })
    }
}

/// Whether what has this name proves who the sender is.
fn tells(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|part| name.contains(part))
}

/// The bytes of Base64.
pub(super) fn decoded(coded: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(coded.trim()).map_err(|error| format!("it is not Base64: {error}"))
}

/// Whether bodies of this content type are JSON, so that a text among them is a JSON text.
pub(super) fn says_json(content_type: &str) -> bool {
    content_type.is_empty() || kind(content_type).to_ascii_lowercase().contains("json")
}

/// A content type without its parameters.
fn kind(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::event::{EventHead, Source};
    use crate::domain::id::{EventId, Parts};
    use crate::domain::time::Timestamp;

    fn fixture(content_type: &str, body: &[u8]) -> Fixture {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let id = EventId::new(Parts { time_ms: 1, counter: 0, chance: 0, shard: 0 });
        let head = EventHead {
            headers: vec![pair("x-proof", "p"), pair("x-hub-signature-256", "s"), pair("x-a", "1"), pair("x-a", "2"), pair("host", "h")],
            query: vec![pair("Token", "t"), pair("page", "2")],
            content_type: content_type.to_owned(),
            ..EventHead::new(id, Source::Webhook, "webhook", Timestamp(0))
        };
        Fixture::of(&Event::new(head, body.to_vec().into()), &["x-proof"], &Secrets::of("hunter22"))
    }

    #[test]
    fn what_proves_the_sender_is_masked_and_the_rest_is_there() {
        let saved = serde_json::to_value(fixture("application/json", b"[1]")).unwrap();
        let headers = json!({"content-type": "application/json", "x-a": "1, 2", "x-hub-signature-256": "***", "x-proof": "***"});
        assert_eq!((&saved["headers"], &saved["query"]), (&headers, &json!([["Token", "***"], ["page", "2"]])));
        assert_eq!(saved["body"], json!([1]));
    }

    #[test]
    fn bodies_of_every_kind_are_the_same_again() {
        for (content_type, body, saved) in [
            ("application/json", &b"{\"a\":1}"[..], json!({"a": 1})),
            ("text/plain", b"1", json!("1")),
            ("text/xml", b"<a/>", json!("<a/>")),
            ("application/json", b"{", json!("{")),
            ("application/x-www-form-urlencoded; charset=utf-8", b"token=t&team_id=T&a=%68unter22", json!("token=***&team_id=T&a=***")),
            ("application/json", b"{\"token\":\"t\",\"team_id\":\"T\"}", json!({"token": "***", "team_id": "T"})),
            ("text/plain", b"{\"token\":\"t\",\"team_id\":\"T\"}", json!("{\"team_id\":\"T\",\"token\":\"***\"}")),
            ("image/png", b"\x89\xff", json!(null)),
            ("", b"", json!(null)),
        ] {
            let fixture = fixture(content_type, body);
            assert_eq!(fixture.body.clone().unwrap_or_default(), saved, "{content_type}");
            assert_eq!(fixture.base64.is_some(), content_type == "image/png");
            let written = serde_json::to_string(&fixture).unwrap();
            assert_eq!(serde_json::from_str::<Fixture>(&written).unwrap(), fixture);
            assert_eq!(fixture.into_event().unwrap().bytes.is_some(), content_type == "image/png");
        }
        let bad = Fixture { base64: Some("?".to_owned()), ..Fixture::default() };
        assert!(bad.into_event().unwrap_err().contains("not Base64"));
    }
}
