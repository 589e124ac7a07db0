//! An event as `event`, read once.

use std::sync::{Arc, OnceLock};

use rhai::{Dynamic, Map};

use super::body::{self, BadBody, Found};
use super::json;
use super::uses::Uses;
use crate::domain::Value;
use crate::domain::event::{Event, EventHead, Source};
use crate::domain::file::EventFile;

/// Up to this size the body is also there as it came, `event.raw`. Larger ones would be kept twice for a rare use.
const RAW_BYTES: usize = 64 << 10;

pub(super) struct Read {
    pub(super) event: Dynamic,
    bad_body: Option<BadBody>,
}

/// Whether the body is what its content type says. Reads it once, for expressions too, which see what they use.
///
/// # Errors
/// When it is not: what, and where.
pub fn check_body(event: &Event, uses: Uses) -> Result<(), BadBody> {
    read_for(event, uses).bad_body.clone().map_or(Ok(()), Err)
}

/// `event.body`, as expressions see it.
///
/// # Errors
/// When something in it has no form outside scripts.
pub fn body_value(event: &Event) -> Result<Value, String> {
    let map = read(event).event.read_lock::<Map>();
    map.and_then(|map| map.get("body").map(json::to_value)).unwrap_or(Ok(Value::Null))
}

pub(super) fn read(event: &Event) -> &Read {
    read_for(event, Uses::ALL)
}

fn read_for(event: &Event, uses: Uses) -> &Read {
    // Nobody else keeps anything in the memo; were it so, the event would only look empty.
    static EMPTY: OnceLock<Read> = OnceLock::new();
    event.memo.get_or_init(|| parse(event, uses)).unwrap_or_else(|| EMPTY.get_or_init(|| Read { event: Dynamic::UNIT, bad_body: None }))
}

/// Several events as one: `body` is the list of their bodies, `events` the list of them all.
pub(super) fn read_all(events: &[Arc<Event>]) -> Dynamic {
    let each: Vec<Map> = events.iter().filter_map(|event| read(event).event.clone().try_cast()).collect();
    let mut map = each.first().cloned().unwrap_or_default();
    let bodies: rhai::Array = each.iter().map(|event| event.get("body").cloned().unwrap_or(Dynamic::UNIT)).collect();
    map.remove("raw");
    map.insert("body".into(), bodies.into());
    map.insert("events".into(), each.into_iter().map(Dynamic::from).collect::<rhai::Array>().into());
    map.into()
}

fn parse(event: &Event, uses: Uses) -> Read {
    let head = &event.head;
    let mut map = head_map(head, uses);
    let (found, bad_body) = match body::read(&event.head.content_type, &event.body) {
        Ok(found) => (found, None),
        Err(bad) => (Found::Nothing, Some(bad)),
    };
    if uses.part("raw") && event.body.len() <= RAW_BYTES {
        map.insert("raw".into(), raw(&event.body));
    }
    let body = match found {
        Found::Value(value) | Found::Text(value) => value,
        Found::Form(form) => {
            map.insert("form".into(), form.clone().into());
            form.into()
        }
        Found::Nothing => Dynamic::UNIT,
    };
    if head.source == Source::Form {
        map.insert("form".into(), body.clone());
    }
    if head.source == Source::Form || !head.files.is_empty() {
        map.insert("files".into(), head.files.iter().map(|file| Dynamic::from(self::file(head, file))).collect::<rhai::Array>().into());
    }
    map.insert("body".into(), body);
    Read { event: map.into(), bad_body }
}

/// A text where the bytes are one, else the bytes.
fn raw(body: &[u8]) -> Dynamic {
    std::str::from_utf8(body).map_or_else(|_bytes| Dynamic::from_blob(body.to_vec()), |text| Dynamic::from(text.to_owned()))
}

fn head_map(head: &EventHead, uses: Uses) -> Map {
    let mut map = Map::new();
    let mut put = |part: &str, value: &dyn Fn() -> Dynamic| {
        if uses.part(part) {
            map.insert(part.into(), value());
        }
    };
    put("id", &|| head.id.to_string().into());
    put("source", &|| head.source.as_str().into());
    put("type", &|| head.kind.as_str().into());
    put("time", &|| head.received.to_string().into());
    put("method", &|| head.method.as_str().into());
    put("path", &|| head.path.as_str().into());
    put("params", &|| pairs(borrowed(&head.params)).into());
    put("query", &|| pairs(borrowed(&head.query)).into());
    put("headers", &|| headers(&head.headers, uses).into());
    if !head.cloudevent.is_empty() {
        let attributes = json::map_to_dynamic(&head.cloudevent);
        // The sender's own names count.
        let own = ["id", "source", "type", "time"].into_iter().filter(|key| uses.part(key));
        own.filter_map(|key| Some((key, attributes.get(key)?.clone()))).for_each(|(key, value)| drop(map.insert(key.into(), value)));
        map.insert("cloudevent".into(), attributes.into());
    }
    map
}

fn file(head: &EventHead, file: &EventFile) -> Map {
    let EventFile { number: _, field, name, kind, size, sha256 } = file;
    let size = i64::try_from(*size).unwrap_or(i64::MAX);
    [
        ("id", Dynamic::from(file.id(head.id).to_string())),
        ("field", field.as_str().into()),
        ("name", name.as_str().into()),
        ("type", kind.as_str().into()),
        ("size", size.into()),
        ("sha256", sha256.as_str().into()),
    ]
    .into_iter()
    .map(|(key, value)| (key.into(), value))
    .collect()
}

fn borrowed(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// A repeated key becomes a list of its values.
pub(super) fn pairs<K: AsRef<str>, V: AsRef<str>>(pairs: impl Iterator<Item = (K, V)>) -> Map {
    let mut map = Map::new();
    for (key, value) in pairs {
        let value = Dynamic::from(value.as_ref().to_owned());
        let Some(first) = map.get_mut(key.as_ref()) else {
            map.insert(key.as_ref().into(), value);
            continue;
        };
        if !first.is_array() {
            *first = vec![first.clone()].into();
        }
        if let Some(mut list) = first.write_lock::<rhai::Array>() {
            list.push(value);
        }
    }
    map
}

/// A repeated header is one header with a comma (RFC 9110, section 5.3).
fn headers(pairs: &[(String, String)], uses: Uses) -> Map {
    let mut map = Map::new();
    for (key, value) in pairs.iter().filter(|(key, _)| uses.header(key)) {
        match map.get_mut(key.as_str()) {
            Some(before) => *before = format!("{before}, {value}").into(),
            None => drop(map.insert(key.as_str().into(), value.as_str().into())),
        }
    }
    map
}
