//! A test file as on disk: `workflows/NAME.test.yaml`.

mod answers;
mod comes;
mod expect;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mock::Mock;
use crate::domain::Value;
use crate::domain::file::EventFile as Upload;
use crate::domain::time::Timestamp;
use crate::workflow::catalog::SourceFile;
use crate::workflow::file::limits::BATCH_LIMIT;
use crate::workflow::file::read::{list, size, text};
use crate::workflow::file::{At, Fields, Report};
use crate::workflow::problem::{Problem, codes};
use crate::workflow::yaml::{self, Entry, Kind, Node, Span};

pub use comes::{Arrival, Comes, Due, Replies, Reply};
pub(super) use expect::BODIES;
pub use expect::{Expect, ExpectedEvent, ExpectedStatus};

/// The most cases of one file.
pub const CASES: usize = 1_000;
/// When a case begins that does not say: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp(1_767_225_600_000);

/// The cases of one workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct TestFile {
    /// Path below the project folder.
    pub path: Arc<str>,
    /// In the order of writing.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it shows.
    pub name: At<Arc<str>>,
    /// What happened: one event, or those of a batch.
    pub events: Vec<EventFile>,
    /// Where `events` is written, if it is.
    pub batch: Option<Span>,
    /// What comes while the run goes on.
    pub comes: Comes,
    /// Answers by `connector.action`.
    pub mocks: BTreeMap<Arc<str>, Mock>,
    /// Secrets that have another value than `secret-NAME`.
    pub secrets: BTreeMap<String, String>,
    /// When it begins.
    pub now: Timestamp,
    /// What should come of it.
    pub expect: Expect,
}

/// The event of a case, as far as it is written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventFile {
    /// `event.body`.
    pub body: Option<Value>,
    /// What a form was filled in with: each value with its name.
    pub form: Option<Vec<(String, String)>>,
    /// The files that came with it.
    pub files: Vec<Upload>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// `event.type`.
    pub kind: Option<Arc<str>>,
    /// The path below `/hooks/`.
    pub path: Option<Arc<str>>,
    /// `event.method`.
    pub method: Option<Arc<str>>,
    /// `event.query`.
    pub query: Vec<(String, String)>,
}

/// Reads a test file. Nothing comes back when it has a problem.
#[must_use]
pub fn read(source: &SourceFile) -> (Option<TestFile>, Vec<Problem>) {
    let (node, problems) = yaml::parse(&source.path, &source.text);
    let mut report = Report::new(Arc::clone(&source.path));
    problems.into_iter().for_each(|problem| report.push(problem));
    let cases = node.and_then(|node| read_cases(&node, &mut report)).filter(|_| !report.has_errors());
    (cases.map(|cases| TestFile { path: Arc::clone(&source.path), cases }), report.into_problems())
}

fn read_cases(root: &Node, report: &mut Report) -> Option<Vec<Case>> {
    let mut fields = Fields::open(root, "a test file", Span::START, report)?;
    let items = fields.required("cases", "[{name: …, event: {…}, expect: {…}}]", report);
    fields.close(report);
    let node = items?;
    let items = list(node, "cases", report)?;
    if CASES < items.len() {
        report.error(codes::TOO_MANY, node.span, format!("{} cases; the limit is {CASES}", items.len()), "leave some out");
        return None;
    }
    let cases: Vec<Case> = items.iter().filter_map(|item| read_case(item, report)).collect();
    for (index, case) in cases.iter().enumerate() {
        if cases.iter().take(index).any(|other| other.name.value == case.name.value) {
            let message = format!("two cases are named `{}`", case.name.value);
            report.error(codes::BAD_VALUE, case.name.span, message, "give one of the two another name");
        }
    }
    Some(cases)
}

fn read_case(node: &Node, report: &mut Report) -> Option<Case> {
    let mut fields = Fields::open(node, "a case", node.span, report)?;
    let name = fields.required("name", "what it shows", report).and_then(|node| text(node, "name", report));
    let (events, batch) = read_events(&mut fields, report);
    let comes = comes::read_comes(&mut fields, report);
    let mocks = fields.entry("mock").map(|entry| answers::read_mocks(entry, report)).unwrap_or_default();
    let secrets = fields.entry("secrets").map(|entry| texts(entry, "secrets", report)).unwrap_or_default();
    let now = fields.optional("now").map_or(Some(START), |node| read_instant(node, "now", report));
    let expect = fields.required("expect", "{status: succeeded}", report);
    let expect = expect.and_then(|node| expect::read_expect(node, report));
    fields.close(report);
    let secrets = secrets.into_iter().collect();
    Some(Case { name: name?, events, batch, comes, mocks, secrets, now: now?, expect: expect? })
}

fn read_instant(node: &Node, key: &str, report: &mut Report) -> Option<Timestamp> {
    let written = text(node, key, report)?;
    match written.value.parse() {
        Ok(time) => Some(time),
        Err(error) => {
            report.error(codes::BAD_TIME, node.span, format!("`{key}`: {error}"), format!("write `{key}: 2026-03-01T09:00:00Z`"));
            None
        }
    }
}

/// `event`, or `events` for a workflow with `batch`; an empty event where there is neither.
fn read_events(fields: &mut Fields<'_>, report: &mut Report) -> (Vec<EventFile>, Option<Span>) {
    let (one, several) = (fields.entry("event"), fields.entry("events"));
    let Some(entry) = several else {
        return (vec![one.and_then(|entry| read_event(&entry.value, entry.span, report)).unwrap_or_default()], None);
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
    (items.iter().filter_map(|item| read_event(item, item.span, report)).collect(), Some(entry.span))
}

fn read_event(node: &Node, span: Span, report: &mut Report) -> Option<EventFile> {
    let mut fields = Fields::open(node, "`event`", span, report)?;
    let body = fields.optional("body").map(Node::to_value);
    let form = fields.entry("form").map(|entry| filled_in(entry, report));
    if let Some(entry) = fields.entry("form").filter(|_| body.is_some()) {
        report.error(codes::TWO_KINDS, entry.span, "`form` says what the body is made of, and here is `body` too", "keep one of the two");
    }
    let files = fields.optional("files").and_then(|node| list(node, "files", report)).unwrap_or_default();
    let files = (1u16..).zip(files).filter_map(|(number, node)| read_file(number, node, report)).collect();
    let headers = fields.entry("headers").map(|entry| texts(entry, "headers", report)).unwrap_or_default();
    let headers = headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let query = fields.entry("query").map(|entry| texts(entry, "query", report)).unwrap_or_default();
    let mut word = |key: &'static str| fields.optional(key).and_then(|node| text(node, key, report)).map(|text| text.value);
    let (kind, path, method) = (word("type"), word("path"), word("method"));
    fields.close(report);
    let path = path.map(|path| path.trim_start_matches('/').into());
    Some(EventFile { body, form, files, headers, kind, path, method, query })
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
fn read_file(number: u16, node: &Node, report: &mut Report) -> Option<Upload> {
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

/// A map of texts.
fn texts(entry: &Entry, key: &str, report: &mut Report) -> Vec<(String, String)> {
    let read = |entry: &Entry| Some((entry.key.to_string(), text(&entry.value, &entry.key, report)?.value.to_string()));
    let Kind::Map(entries) = &entry.value.kind else {
        not_a_map(&entry.value, key, "name: text", report);
        return Vec::new();
    };
    entries.iter().filter_map(read).collect()
}

fn not_a_map(node: &Node, key: &str, example: &str, report: &mut Report) {
    let message = format!("`{key}` is a map, not {}", node.kind_name());
    report.error(codes::WRONG_TYPE, node.span, message, format!("write `{key}: {{{example}}}`"));
}
