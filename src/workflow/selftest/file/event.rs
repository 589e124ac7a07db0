//! `event` of a case: written out, from a file, or a file with some of it written otherwise.

use super::super::fixture::{Fixture, decoded};
use super::{EventFile, ReadFile, Upload, not_a_map, texts};
use crate::domain::{Map, Value};
use crate::workflow::file::limits::BATCH_LIMIT;
use crate::workflow::file::read::{list, size, text};
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
    let form = fields.entry("form").map(|entry| filled_in(entry, report));
    if let Some(entry) = fields.entry("form").filter(|_| body.is_some()) {
        report.error(codes::TWO_KINDS, entry.span, "`form` says what the body is made of, and here is `body` too", "keep one of the two");
    }
    let uploads = fields.optional("files").and_then(|node| list(node, "files", report)).unwrap_or_default();
    let uploads = (1u16..).zip(uploads).filter_map(|(number, node)| read_upload(number, node, report)).collect();
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
    (event.cloudevent, event.form, event.files) = (cloudevent, form, uploads);
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

/// A map of texts, or lists of them where several are chosen.
fn filled_in(entry: &Entry, report: &mut Report) -> Vec<(String, String)> {
    let Kind::Map(entries) = &entry.value.kind else {
        not_a_map(&entry.value, "form", "email: ada@example.com", report);
        return Vec::new();
    };
    let mut pairs = Vec::new();
    for entry in entries {
        let values = if let Kind::List(values) = &entry.value.kind { values } else { std::slice::from_ref(&entry.value) };
        let texts = values.iter().filter_map(|value| text(value, &entry.key, report));
        pairs.extend(texts.map(|text| (entry.key.to_string(), text.value.to_string())));
    }
    pairs
}

/// `{field: photo, name: ada.png, type: image/png, size: 2KiB}`; nothing of it is read but this.
fn read_upload(number: u16, node: &Node, report: &mut Report) -> Option<Upload> {
    let mut fields = Fields::open_as(node, "an entry of `files`", node.span, "files: [{field: photo, name: ada.png}]", report)?;
    let field = fields.required("field", "photo", report).and_then(|node| text(node, "field", report));
    let mut word = |key: &'static str| fields.optional(key).and_then(|node| text(node, key, report)).map(|text| text.value.to_string());
    let (name, kind, sha256) = (word("name"), word("type"), word("sha256"));
    let bytes = fields.optional("size").and_then(|node| size(node, "size", report)).unwrap_or(1);
    fields.close(report);
    Some(Upload {
        number,
        field: field?.value.to_string(),
        name: name.unwrap_or_else(|| "file".to_owned()),
        kind: kind.unwrap_or_else(|| "application/octet-stream".to_owned()),
        size: u64::try_from(bytes).unwrap_or(u64::MAX),
        sha256: sha256.unwrap_or_else(|| "0".repeat(64)),
    })
}
