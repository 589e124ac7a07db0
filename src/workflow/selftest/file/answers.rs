//! `mock`: answers in place of calls and of child runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::not_a_map;
use crate::domain::failure::{Failure, FailureKind};
use crate::workflow::file::read::{choice, duration, text, whole};
use crate::workflow::file::{Fields, Report};
use crate::workflow::problem::codes;
use crate::workflow::selftest::mock::{Answer, CHILD, Mock};
use crate::workflow::yaml::{Entry, Kind, Node, Span};

pub(super) fn read_mocks(entry: &Entry, report: &mut Report) -> BTreeMap<Arc<str>, Mock> {
    let Kind::Map(entries) = &entry.value.kind else {
        not_a_map(&entry.value, "mock", "http.post: {output: {status: 200}}", report);
        return BTreeMap::new();
    };
    entries.iter().filter_map(|entry| Some((action(&entry.key, entry.span, report)?, read_mock(entry, report)?))).collect()
}

/// `http.post`, or `run other` for a child run.
pub(super) fn action(name: &Arc<str>, span: Span, report: &mut Report) -> Option<Arc<str>> {
    if name.strip_prefix(CHILD).is_some_and(|workflow| !workflow.is_empty() && !workflow.contains(' ')) {
        return Some(Arc::clone(name));
    }
    if name.split_once('.').is_some_and(|(connector, action)| !connector.is_empty() && !action.is_empty()) {
        return Some(Arc::clone(name));
    }
    let help = "write connector and action, as in `http.post`, or `run` and a workflow, as in `run bill-customer`";
    report.error(codes::BAD_VALUE, span, format!("`{name}` is no action"), help);
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
