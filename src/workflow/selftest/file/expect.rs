//! `expect`: what should come of a case.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answers::action;
use super::not_a_map;
use crate::domain::Value;
use crate::workflow::file::read::{choice, event_type, list, text};
use crate::workflow::file::{Fields, Report};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind, Node};

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
    /// Every event that the run and its children emit.
    pub emitted: Option<Vec<ExpectedEvent>>,
    /// What the caller is answered: `status`, `headers` and the body.
    pub response: Option<Value>,
}

/// An event that should be emitted.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedEvent {
    /// Its type.
    pub kind: Arc<str>,
    /// What its body holds; anything when absent.
    pub body: Option<Value>,
}

/// How a case may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedStatus {
    /// The run ended well.
    Succeeded,
    /// The run failed.
    Failed,
    /// The run was canceled.
    Canceled,
    /// There was no run: an `if` is false.
    NotMatched,
    /// The event was not taken in: its body cannot be read, or does not fit the schema.
    Refused,
}

impl ExpectedStatus {
    const ALL: [Self; 5] = [Self::Succeeded, Self::Failed, Self::Canceled, Self::NotMatched, Self::Refused];

    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::NotMatched => "not_matched",
            Self::Refused => "refused",
        }
    }
}

pub(super) fn read_expect(node: &Node, report: &mut Report) -> Option<Expect> {
    let mut fields = Fields::open(node, "`expect`", node.span, report)?;
    let statuses = ExpectedStatus::ALL.map(|status| (status.as_str(), status));
    let status = fields.optional("status").and_then(|node| choice(node, "status", &statuses, report));
    let error = fields.optional("error").and_then(|node| text(node, "error", report)).map(|text| text.value);
    let calls = fields.optional("calls").and_then(|node| list(node, "calls", report));
    let calls = calls.map(|calls| calls.iter().filter_map(|node| action(&node.raw, node.span, report)).collect());
    let with = fields.entry("with").map(|entry| read_values(entry, "http.post: {url: /x}", report)).unwrap_or_default();
    let steps = fields.entry("steps").map(|entry| read_values(entry, "ID: …", report)).unwrap_or_default();
    let (output, vars) = (fields.optional("output").map(Node::to_value), fields.optional("vars").map(Node::to_value));
    let emitted = fields.optional("emitted").and_then(|node| list(node, "emitted", report));
    let emitted = emitted.map(|events| events.iter().filter_map(|node| read_emitted(node, report)).collect());
    let response = fields.entry("response").and_then(|entry| read_response(entry, report));
    fields.close(report);
    Some(Expect { status, error, calls, with, steps, output, vars, emitted, response })
}

/// `order.paid`, or `{type: order.paid, body: {id: o1}}`.
fn read_emitted(node: &Node, report: &mut Report) -> Option<ExpectedEvent> {
    if !matches!(node.kind, Kind::Map(_)) {
        return event_type(node, "emitted", report).map(|kind| ExpectedEvent { kind: kind.value, body: None });
    }
    let mut fields = Fields::open(node, "an emitted event", node.span, report)?;
    let kind = fields.required("type", "order.paid", report).and_then(|node| event_type(node, "type", report));
    let body = fields.optional("body").map(Node::to_value);
    fields.close(report);
    Some(ExpectedEvent { kind: kind?.value, body })
}

/// The keys of an answer's body, in the words of `respond`.
pub(in super::super) const BODIES: [&str; 5] = ["json", "xml", "text", "html", "redirect"];

fn read_response(entry: &Entry, report: &mut Report) -> Option<Value> {
    let mut fields = Fields::open(&entry.value, "`response`", entry.span, report)?;
    fields.optional("status");
    fields.optional("headers");
    let bodies: Vec<&Entry> = BODIES.into_iter().filter_map(|key| fields.entry(key)).collect();
    fields.close(report);
    if let [first, second, ..] = bodies.as_slice() {
        let message = format!("an answer has one body: this one has `{}` and `{}`", first.key, second.key);
        report.error(codes::TWO_KINDS, second.span, message, "keep one of the two");
        return None;
    }
    let mut value = entry.value.to_value();
    if let Some(Value::Object(headers)) = value.get_mut("headers") {
        *headers = std::mem::take(headers).into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    }
    Some(value)
}

fn read_values(entry: &Entry, example: &str, report: &mut Report) -> BTreeMap<Arc<str>, Value> {
    let Kind::Map(entries) = &entry.value.kind else {
        not_a_map(&entry.value, &entry.key, example, report);
        return BTreeMap::new();
    };
    entries.iter().map(|entry| (Arc::clone(&entry.key), entry.value.to_value())).collect()
}
