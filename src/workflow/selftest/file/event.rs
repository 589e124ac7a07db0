//! `event` of a case: written out, from a file, or a file with some of it written otherwise.

use super::super::fixture::{Fixture, decoded};
use super::{EventFile, ReadFile, texts};
use crate::domain::{Map, Value};
use crate::workflow::file::limits::BATCH_LIMIT;
use crate::workflow::file::read::{list, text};
use crate::workflow::file::{Fields, Report};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind, Node, Span};

/// `event`, or `events` for a workflow with `batch`; an empty event where there is neither.
pub(super) fn read_events(fields: &mut Fields<'_>, files: &ReadFile<'_>, report: &mut Report) -> (Vec<EventFile>, Option<Span>) {
    let (one, several) = (fields.entry("event"), fields.entry("events"));
    let Some(entry) = several else {
        return (vec![one.and_then(|entry| read_event(&entry.value, entry.span, files, report)).unwrap_or_default()], None);
    };
    if one.is_some() {
        report.error(codes::TWO_KINDS, entry.span, "a case has `event` or `events`, not both", "keep one of the two");
    }
    let items = list(&entry.value, "events", report).unwrap_or_default();
    let fits = u32::try_from(items.len()).is_ok_and(|count| (1..=BATCH_LIMIT).contains(&count));
    if !fits && matches!(entry.value.kind, Kind::List(_)) {
        let message = format!("{} events; a batch has 1 to {BATCH_LIMIT}", items.len());
        report.error(codes::TOO_MANY, entry.span, message, "write as many as one run is to get");
        return (Vec::new(), None);
    }
    (items.iter().filter_map(|item| read_event(item, item.span, files, report)).collect(), Some(entry.span))
}

fn read_event(node: &Node, span: Span, files: &ReadFile<'_>, report: &mut Report) -> Option<EventFile> {
    let mut fields = Fields::open(node, "`event`", span, report)?;
    let file = fields.entry("file").and_then(|entry| read_fixture(entry, files, report));
    let body = fields.optional("body").map(Node::to_value);
    let bytes = fields.entry("base64").and_then(|entry| read_bytes(entry, report));
    let headers = fields.entry("headers").map(|entry| texts(entry, "headers", report)).unwrap_or_default();
    let headers: Vec<(String, String)> = headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let query = fields.entry("query").map(|entry| texts(entry, "query", report)).unwrap_or_default();
    let cloudevent = fields.entry("cloudevent").and_then(|entry| read_cloudevent(entry, report));
    let mut word = |key: &'static str| fields.optional(key).and_then(|node| text(node, key, report)).map(|text| text.value);
    let (kind, path, method) = (word("type"), word("path"), word("method"));
    if let (Some(_), Some(second)) = (fields.entry("body"), fields.entry("base64")) {
        report.error(codes::TWO_KINDS, second.span, "an event has `body` or `base64`, not both", "keep one of the two");
    }
    fields.close(report);
    let mut event = file.unwrap_or_default();
    // What is written beside a file counts.
    if body.is_some() || bytes.is_some() {
        (event.body, event.bytes) = (body, bytes);
    }
    event.headers.retain(|(name, _)| !headers.iter().any(|(written, _)| written == name));
    event.headers.extend(headers);
    if !query.is_empty() {
        event.query = query;
    }
    event.kind = kind.or(event.kind);
    event.path = path.map(|path| path.trim_start_matches('/').into()).or(event.path);
    event.method = method.or(event.method);
    event.cloudevent = cloudevent;
    Some(event)
}

fn read_fixture(entry: &Entry, files: &ReadFile<'_>, report: &mut Report) -> Option<EventFile> {
    let path = text(&entry.value, "file", report)?;
    let fixture = files(&path.value).and_then(|text| {
        let fixture: Fixture = serde_json::from_str(&text).map_err(|error| format!("it is not a recorded event: {error}"))?;
        fixture.into_event()
    });
    let help = "write the path below the project folder, as in `file: fixtures/orders-1.json`; `hence record` writes such files";
    fixture.map_err(|why| report.error(codes::UNREADABLE_FILE, path.span, format!("{}: {why}", path.value), help)).ok()
}

fn read_bytes(entry: &Entry, report: &mut Report) -> Option<Vec<u8>> {
    let coded = text(&entry.value, "base64", report)?;
    let bytes = decoded(&coded.value);
    bytes.map_err(|why| report.error(codes::BAD_VALUE, coded.span, format!("`base64`: {why}"), "write the bytes in Base64")).ok()
}

fn read_cloudevent(entry: &Entry, report: &mut Report) -> Option<Map> {
    if let Value::Object(attributes) = entry.value.to_value() {
        return Some(attributes);
    }
    let message = format!("`cloudevent` is a map, not {}", entry.value.kind_name());
    report.error(codes::WRONG_TYPE, entry.value.span, message, "write `cloudevent: {id: \"1\", source: /shop}`");
    None
}
