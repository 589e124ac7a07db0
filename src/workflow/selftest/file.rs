//! A test file as on disk: `workflows/NAME.test.yaml`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mock::{Answer, Mock};
use crate::domain::Value;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::time::Timestamp;
use crate::workflow::catalog::SourceFile;
use crate::workflow::file::read::{choice, duration, list, text, whole};
use crate::workflow::file::{At, Fields, Report};
use crate::workflow::problem::{Problem, codes};
use crate::workflow::yaml::{self, Entry, Kind, Node, Span};

/// The most cases of one file.
pub const CASES: usize = 1_000;
/// When a case begins that does not say: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp(1_767_225_600_000);

/// Parts of an expectation that the engine has nothing for yet.
const NOT_YET: [&str; 2] = ["response", "emitted"];

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
    /// What happened.
    pub event: EventFile,
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

/// What should come of a case. What is not written may be anything, but a run should succeed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expect {
    /// How it ends.
    pub status: Option<ExpectedStatus>,
    /// A part of the failure's text.
    pub error: Option<Arc<str>>,
    /// Every call, attempts included.
    pub calls: Option<Vec<Arc<str>>>,
    /// Inputs of calls by action: a map for all calls of it, a list for one after the other.
    pub with: BTreeMap<Arc<str>, Value>,
    /// Outputs by step id.
    pub steps: BTreeMap<Arc<str>, Value>,
    /// The run's output.
    pub output: Option<Value>,
    /// What `set` wrote.
    pub vars: Option<Value>,
}

/// How a case may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedStatus {
    /// The run ended well.
    Succeeded,
    /// The run failed.
    Failed,
    /// There was no run: the workflow's `if` is false.
    NotMatched,
}

impl ExpectedStatus {
    const ALL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::NotMatched];

    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::NotMatched => "not_matched",
        }
    }
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
    let event = fields.entry("event").and_then(|entry| read_event(entry, report)).unwrap_or_default();
    let mocks = fields.entry("mock").map(|entry| read_mocks(entry, report)).unwrap_or_default();
    let secrets = fields.entry("secrets").map(|entry| texts(entry, "secrets", report)).unwrap_or_default();
    let now = fields.optional("now").map_or(Some(START), |node| read_time(node, report));
    let expect = fields.required("expect", "{status: succeeded}", report);
    let expect = expect.and_then(|node| read_expect(node, report));
    fields.close(report);
    Some(Case { name: name?, event, mocks, secrets: secrets.into_iter().collect(), now: now?, expect: expect? })
}

fn read_time(node: &Node, report: &mut Report) -> Option<Timestamp> {
    let written = text(node, "now", report)?;
    match written.value.parse() {
        Ok(time) => Some(time),
        Err(error) => {
            report.error(codes::BAD_TIME, node.span, format!("`now`: {error}"), "write `now: 2026-03-01T09:00:00Z`");
            None
        }
    }
}

fn read_event(entry: &Entry, report: &mut Report) -> Option<EventFile> {
    let mut fields = Fields::open(&entry.value, "`event`", entry.span, report)?;
    let body = fields.optional("body").map(Node::to_value);
    let headers = fields.entry("headers").map(|entry| texts(entry, "headers", report)).unwrap_or_default();
    let headers = headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let query = fields.entry("query").map(|entry| texts(entry, "query", report)).unwrap_or_default();
    let mut word = |key: &'static str| fields.optional(key).and_then(|node| text(node, key, report)).map(|text| text.value);
    let (kind, path, method) = (word("type"), word("path"), word("method"));
    fields.close(report);
    let path = path.map(|path| path.trim_start_matches('/').into());
    Some(EventFile { body, headers, kind, path, method, query })
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

fn read_mocks(entry: &Entry, report: &mut Report) -> BTreeMap<Arc<str>, Mock> {
    let Kind::Map(entries) = &entry.value.kind else {
        not_a_map(&entry.value, "mock", "http.post: {output: {status: 200}}", report);
        return BTreeMap::new();
    };
    entries.iter().filter_map(|entry| Some((action(&entry.key, entry.span, report)?, read_mock(entry, report)?))).collect()
}

fn action(name: &Arc<str>, span: Span, report: &mut Report) -> Option<Arc<str>> {
    if name.split_once('.').is_some_and(|(connector, action)| !connector.is_empty() && !action.is_empty()) {
        return Some(Arc::clone(name));
    }
    report.error(codes::BAD_VALUE, span, format!("`{name}` is no action"), "write connector and action, as in `http.post`");
    None
}

fn read_mock(entry: &Entry, report: &mut Report) -> Option<Mock> {
    match &entry.value.kind {
        Kind::List(items) => {
            // All are read before one that is wrong ends it, so that all problems are found.
            let answers: Vec<Option<Answer>> = items.iter().map(|item| read_answer(item, item.span, report)).collect();
            answers.into_iter().collect::<Option<Vec<_>>>().map(Mock::Each)
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text | Kind::Map(_) => {
            read_answer(&entry.value, entry.span, report).map(Mock::Always)
        }
    }
}

fn read_answer(node: &Node, span: Span, report: &mut Report) -> Option<Answer> {
    let mut fields = Fields::open(node, "an answer", span, report)?;
    let (output, error) = (fields.optional("output"), fields.entry("error"));
    let answer = match (output, error) {
        (Some(output), None) => Some(Ok(output.to_value())),
        (None, Some(error)) => read_failure(error, report).map(Err),
        (Some(_), Some(error)) => {
            report.error(codes::BAD_VALUE, error.span, "an answer is an `output` or an `error`, not both", "keep one of the two");
            None
        }
        (None, None) => {
            report.error(codes::MISSING_KEY, span, "an answer needs `output` or `error`", "add `output: {…}` or `error: {status: 503}`");
            None
        }
    };
    fields.close(report);
    answer
}

const KINDS: [(&str, FailureKind); 8] = [
    ("network", FailureKind::Network),
    ("timeout", FailureKind::Timeout),
    ("status", FailureKind::Status),
    ("egress_refused", FailureKind::EgressRefused),
    ("answer_too_large", FailureKind::AnswerTooLarge),
    ("bad_answer", FailureKind::BadAnswer),
    ("bad_input", FailureKind::BadInput),
    ("internal", FailureKind::Internal),
];

/// Without a kind it is an answer of that status, or no answer at all.
fn read_failure(entry: &Entry, report: &mut Report) -> Option<Failure> {
    let mut fields = Fields::open(&entry.value, "`error`", entry.span, report)?;
    let status = fields.optional("status").and_then(|node| whole(node, "status", 100..=599, report));
    let status = status.and_then(|status| u16::try_from(status).ok());
    let kind = fields.optional("kind").and_then(|node| choice(node, "kind", &KINDS, report));
    let message = fields.optional("message").and_then(|node| text(node, "message", report));
    let retry_after = fields.optional("retry_after").and_then(|node| duration(node, "retry_after", report));
    let detail = fields.optional("detail").map(Node::to_value);
    fields.close(report);
    let kind = kind.unwrap_or(if status.is_some() { FailureKind::Status } else { FailureKind::Network });
    let message = message.map(|text| text.value.to_string());
    let message = message.unwrap_or_else(|| status.map_or_else(|| "the mock failed".to_owned(), |status| format!("answered {status}")));
    let failure = Failure::new(kind, message).with_retry_after(retry_after);
    Some(Failure { status, detail, ..failure })
}

fn read_expect(node: &Node, report: &mut Report) -> Option<Expect> {
    let mut fields = Fields::open(node, "`expect`", node.span, report)?;
    let statuses = ExpectedStatus::ALL.map(|status| (status.as_str(), status));
    let status = fields.optional("status").and_then(|node| choice(node, "status", &statuses, report));
    let error = fields.optional("error").and_then(|node| text(node, "error", report)).map(|text| text.value);
    let calls = fields.optional("calls").and_then(|node| list(node, "calls", report));
    let calls = calls.map(|calls| calls.iter().filter_map(|node| action(&node.raw, node.span, report)).collect());
    let with = fields.entry("with").map(|entry| read_values(entry, "http.post: {url: /x}", report)).unwrap_or_default();
    let steps = fields.entry("steps").map(|entry| read_values(entry, "ID: …", report)).unwrap_or_default();
    let (output, vars) = (fields.optional("output").map(Node::to_value), fields.optional("vars").map(Node::to_value));
    fields.not_yet(&NOT_YET, report);
    fields.close(report);
    Some(Expect { status, error, calls, with, steps, output, vars })
}

fn read_values(entry: &Entry, example: &str, report: &mut Report) -> BTreeMap<Arc<str>, Value> {
    let Kind::Map(entries) = &entry.value.kind else {
        not_a_map(&entry.value, &entry.key, example, report);
        return BTreeMap::new();
    };
    entries.iter().map(|entry| (Arc::clone(&entry.key), entry.value.to_value())).collect()
}
