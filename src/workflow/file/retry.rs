//! `retry: {attempts, first, factor, max}`, or the name of one.

use super::read::{duration, number, text, whole};
use super::{Fields, Report, RetryFile, RetryRule};
use crate::domain::retry::Retry;
use crate::workflow::yaml::{Kind, Node, Span};

/// The most tries of one call.
pub(crate) const ATTEMPTS: u32 = 10_000;
/// The most a wait may grow by.
pub(crate) const FACTOR: f64 = 100.0;

/// Reads `retry` of a step or a workflow.
pub(super) fn read(node: &Node, span: Span, report: &mut Report) -> Option<RetryFile> {
    if node.kind == Kind::Text {
        let name = text(node, "retry", report)?;
        return Some(RetryFile { span: node.span, rule: RetryRule::Named(name.value) });
    }
    let retry = read_retry(node, span, report)?;
    Some(RetryFile { span, rule: RetryRule::Own(retry) })
}

/// Reads a retry that is written out, as under `retries:` of `hence.yaml`. What is not said is as in the default.
pub fn read_retry(node: &Node, span: Span, report: &mut Report) -> Option<Retry> {
    let mut fields = Fields::open_as(node, "`retry`", span, "retry: {attempts: 3}", report)?;
    let mut retry = Retry::default();
    if let Some(attempts) = fields.optional("attempts").and_then(|node| whole(node, "attempts", 1..=ATTEMPTS, report)) {
        retry.attempts = attempts;
    }
    if let Some(first) = fields.optional("first").and_then(|node| duration(node, "first", report)) {
        retry.first = first;
        retry.max = retry.max.max(first);
    }
    if let Some(factor) = fields.optional("factor").and_then(|node| number(node, "factor", 1.0..=FACTOR, report)) {
        retry.factor = factor;
    }
    if let Some(max) = fields.optional("max").and_then(|node| duration(node, "max", report)) {
        retry.max = max;
    }
    fields.close(report);
    Some(retry)
}
