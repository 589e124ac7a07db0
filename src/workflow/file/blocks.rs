//! Steps that hold steps, and waits.

use std::time::Duration;

use super::read::{boolean, code, event_type, some_duration, text, whole};
use super::steps::{BRANCHES_LIMIT, read_block};
use super::{At, Fields, KindFile, Report, StepFile, WaitFile};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind, Node};

/// The most iterations of one `foreach` at once.
pub(crate) const PARALLEL_LIMIT: u32 = 100;
/// The most rounds of one `repeat`.
pub(crate) const ROUNDS_LIMIT: u32 = 100_000;
/// The rounds of a `repeat` that does not say.
const ROUNDS_DEFAULT: u32 = 100;

pub(super) fn read_switch(entry: &Entry, fields: &mut Fields<'_>, depth: usize, report: &mut Report) -> Option<KindFile> {
    let on = code(&entry.value, "switch", report);
    let cases =
        fields.required_by("`switch`", "cases", "{paid: [{stop: 1}]}", report).map(|node| named_blocks(node, "cases", depth, report));
    let default = inner(fields, "default", depth, report);
    Some(KindFile::Switch { on: on?, cases: cases?, default })
}

pub(super) fn read_foreach(entry: &Entry, fields: &mut Fields<'_>, depth: usize, report: &mut Report) -> Option<KindFile> {
    let items = code(&entry.value, "foreach", report);
    let name = fields.optional("as").and_then(|node| text(node, "as", report));
    let parallel = fields.optional("parallel").and_then(|node| whole(node, "parallel", 1..=PARALLEL_LIMIT, report));
    let steps = needed("`foreach`", fields, depth, report);
    Some(KindFile::Foreach { items: items?, name, parallel: parallel.unwrap_or(1), steps })
}

pub(super) fn read_repeat(entry: &Entry, fields: &mut Fields<'_>, depth: usize, report: &mut Report) -> Option<KindFile> {
    let rule = Fields::open_as(&entry.value, "`repeat`", entry.span, "repeat: {until: steps.poll.body.done, every: 30s}", report).and_then(
        |mut rule| {
            let until = rule.required("until", "steps.poll.body.done", report).and_then(|node| code(node, "until", report));
            let every = rule.optional("every").and_then(|node| some_duration(node, "every", report));
            let at_most = rule.optional("at_most").and_then(|node| whole(node, "at_most", 1..=ROUNDS_LIMIT, report));
            rule.close(report);
            Some((until?, every.unwrap_or(Duration::ZERO), at_most.unwrap_or(ROUNDS_DEFAULT)))
        },
    );
    let steps = needed("`repeat`", fields, depth, report);
    let (until, every, at_most) = rule?;
    Some(KindFile::Repeat { until, every, at_most, steps })
}

pub(super) fn read_parallel(entry: &Entry, fields: &mut Fields<'_>, depth: usize, report: &mut Report) -> KindFile {
    let any = fields.optional("any").and_then(|node| boolean(node, "any", report)).unwrap_or(false);
    KindFile::Parallel { branches: named_blocks(&entry.value, "parallel", depth, report), any }
}

pub(super) fn read_wait(entry: &Entry, depth: usize, report: &mut Report) -> Option<KindFile> {
    if !matches!(entry.value.kind, Kind::Map(_)) {
        return some_duration(&entry.value, "wait", report).map(|span| KindFile::Wait(WaitFile::For(span)));
    }
    let mut fields = Fields::open(&entry.value, "`wait`", entry.span, report)?;
    if fields.has("event") {
        return read_wait_event(fields, depth, report);
    }
    let until = fields.optional("until");
    if until.is_none() {
        let help = "add `event: order.paid`, or `until: event.body.appointment`; a span needs no map: `wait: 2h`";
        report.error(codes::MISSING_KEY, entry.span, "`wait` needs `event` or `until`", help);
        for key in ["event", "if", "for", "else"] {
            fields.entry(key);
        }
    }
    fields.close(report);
    until.and_then(|node| code(node, "until", report)).map(|until| KindFile::Wait(WaitFile::Until(until)))
}

fn read_wait_event(mut fields: Fields<'_>, depth: usize, report: &mut Report) -> Option<KindFile> {
    let kind = fields.optional("event").and_then(|node| event_type(node, "event", report));
    let condition = fields.optional("if").and_then(|node| code(node, "if", report));
    let within = fields.optional("for").and_then(|node| some_duration(node, "for", report));
    let otherwise = inner(&mut fields, "else", depth, report);
    if let Some(entry) = fields.entry("else").filter(|_| within.is_none() && !fields.has("for")) {
        let message = "`else` is what is done when no event comes in time, and this wait has no time";
        report.error(codes::MISSING_KEY, entry.span, message, "add `for: 3d`");
    }
    fields.close(report);
    Some(KindFile::Wait(WaitFile::Event { kind: kind?, condition, within, otherwise }))
}

/// `steps`, which a loop must have.
fn needed(who: &str, fields: &mut Fields<'_>, depth: usize, report: &mut Report) -> Vec<StepFile> {
    let node = fields.required_by(who, "steps", "[{call: http.get, with: {url: …}}]", report);
    node.map(|node| read_block(node, "steps", depth + 1, report)).unwrap_or_default()
}

pub(super) fn inner(fields: &mut Fields<'_>, key: &'static str, depth: usize, report: &mut Report) -> Vec<StepFile> {
    fields.optional(key).map(|node| read_block(node, key, depth + 1, report)).unwrap_or_default()
}

fn named_blocks(node: &Node, key: &str, depth: usize, report: &mut Report) -> Vec<(At<std::sync::Arc<str>>, Vec<StepFile>)> {
    let Kind::Map(entries) = &node.kind else {
        let message = format!("`{key}` is a map of names and lists of steps, not {}", node.kind_name());
        report.error(codes::WRONG_TYPE, node.span, message, format!("write `{key}: {{name: [{{…}}]}}`"));
        return Vec::new();
    };
    if entries.is_empty() || BRANCHES_LIMIT < entries.len() {
        let message = format!("`{key}` has {} entries; it can have 1 to {BRANCHES_LIMIT}", entries.len());
        report.error(codes::TOO_MANY, node.span, message, "add one, or put some of them into a workflow of their own");
    }
    let block = |entry: &Entry, report: &mut Report| {
        let name = At { value: std::sync::Arc::clone(&entry.key), span: entry.span };
        (name, read_block(&entry.value, &entry.key, depth + 1, report))
    };
    entries.iter().map(|entry| block(entry, report)).collect()
}
