//! A test file as on disk: `workflows/NAME.test.yaml`.

mod answers;
mod comes;
mod event;
mod expect;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mock::Mock;
use crate::domain::file::EventFile as Upload;
use crate::domain::time::Timestamp;
use crate::domain::{Map, Value};
use crate::workflow::catalog::SourceFile;
use crate::workflow::file::read::{list, text};
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
    /// The body as it is sent, in place of `body`.
    pub bytes: Option<Vec<u8>>,
    /// Attributes of a CloudEvent; what is not written of the four that it needs is made up.
    pub cloudevent: Option<Map>,
}

/// Reads a file of the project, by its path below that.
pub type ReadFile<'r> = dyn Fn(&str) -> Result<String, String> + 'r;

/// Reads a test file, and the files that its events are in. Nothing comes back when there is a problem.
#[must_use]
pub fn read(source: &SourceFile, files: &ReadFile<'_>) -> (Option<TestFile>, Vec<Problem>) {
    let (node, problems) = yaml::parse(&source.path, &source.text);
    let mut report = Report::new(Arc::clone(&source.path));
    problems.into_iter().for_each(|problem| report.push(problem));
    let cases = node.and_then(|node| read_cases(&node, files, &mut report)).filter(|_| !report.has_errors());
    (cases.map(|cases| TestFile { path: Arc::clone(&source.path), cases }), report.into_problems())
}

fn read_cases(root: &Node, files: &ReadFile<'_>, report: &mut Report) -> Option<Vec<Case>> {
    let mut fields = Fields::open(root, "a test file", Span::START, report)?;
    let items = fields.required("cases", "[{name: …, event: {…}, expect: {…}}]", report);
    fields.close(report);
    let node = items?;
    let items = list(node, "cases", report)?;
    if CASES < items.len() {
        report.error(codes::TOO_MANY, node.span, format!("{} cases; the limit is {CASES}", items.len()), "leave some out");
        return None;
    }
    let cases: Vec<Case> = items.iter().filter_map(|item| read_case(item, files, report)).collect();
    for (index, case) in cases.iter().enumerate() {
        if cases.iter().take(index).any(|other| other.name.value == case.name.value) {
            let message = format!("two cases are named `{}`", case.name.value);
            report.error(codes::BAD_VALUE, case.name.span, message, "give one of the two another name");
        }
    }
    Some(cases)
}

fn read_case(node: &Node, files: &ReadFile<'_>, report: &mut Report) -> Option<Case> {
    let mut fields = Fields::open(node, "a case", node.span, report)?;
    let name = fields.required("name", "what it shows", report).and_then(|node| text(node, "name", report));
    let (events, batch) = event::read_events(&mut fields, files, report);
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
