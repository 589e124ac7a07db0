//! Steps: one key says the kind, the others belong to every step or to that kind.

use std::time::Duration;

use super::read::{boolean, choice, code, list, some_duration, text};
use super::{At, CallFile, CodeText, Fields, KindFile, OnErrorFile, Report, RetryFile, STEP_DEPTH, StepFile, blocks, requests, retry};
use crate::workflow::problem::codes;
use crate::workflow::words;
use crate::workflow::yaml::{Entry, Kind, Node, Span};

/// The keys that say a step's kind; `then` stands for `if / then / else`.
const KINDS: [&str; 15] = [
    "call", "script", "set", "then", "switch", "foreach", "repeat", "parallel", "wait", "approve", "run", "emit", "respond", "fail", "stop",
];
const SHOWN_KINDS: [&str; 15] =
    ["call", "script", "set", "if", "switch", "foreach", "repeat", "parallel", "wait", "approve", "run", "emit", "respond", "fail", "stop"];
/// The most cases of one `switch`, and the most branches of one `parallel`.
pub(crate) const BRANCHES_LIMIT: usize = 100;

/// Reads a list of steps that stands `depth` blocks deep.
pub(super) fn read_block(node: &Node, key: &str, depth: usize, report: &mut Report) -> Vec<StepFile> {
    if STEP_DEPTH < depth {
        let message = format!("steps stand inside steps more than {STEP_DEPTH} deep");
        report.error(codes::TOO_DEEP, node.span, message, "put the inner steps into a workflow of their own");
        return Vec::new();
    }
    let Some(items) = list(node, key, report) else { return Vec::new() };
    items.iter().filter_map(|item| read_step(item, depth, report)).collect()
}

fn read_step(node: &Node, depth: usize, report: &mut Report) -> Option<StepFile> {
    let span = match &node.kind {
        Kind::Map(entries) => entries.first().map_or(node.span, |entry| entry.span),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text | Kind::List(_) => node.span,
    };
    let mut fields = Fields::open(node, "a step", span, report)?;
    let id = fields.optional("id").and_then(|node| text(node, "id", report));
    let name = fields.optional("name").and_then(|node| text(node, "name", report));
    let condition = fields.optional("if").and_then(|node| code(node, "if", report));
    let on_error = fields.entry("on_error").map_or(OnErrorFile::Fail, |entry| read_on_error(&entry.value, depth, report));
    let kind = read_kind(&mut fields, condition.clone(), depth, report)?;
    // Those of a call are about its attempts, and are read with it.
    let (timeout, retry) = if matches!(kind, KindFile::Call(_)) { (None, None) } else { read_limits(&mut fields, report) };
    fields.close(report);
    let condition = condition.filter(|_| !matches!(kind, KindFile::If { .. }));
    Some(StepFile { span, id, name: name.map(|name| name.value), condition, timeout, retry, on_error, kind })
}

fn read_limits(fields: &mut Fields<'_>, report: &mut Report) -> (Option<Duration>, Option<RetryFile>) {
    let timeout = fields.optional("timeout").and_then(|node| some_duration(node, "timeout", report));
    let retry = fields.entry("retry").and_then(|entry| retry::read(&entry.value, entry.span, report));
    (timeout, retry)
}

fn read_on_error(node: &Node, depth: usize, report: &mut Report) -> OnErrorFile {
    if matches!(node.kind, Kind::List(_)) {
        return OnErrorFile::Steps(read_block(node, "on_error", depth + 1, report));
    }
    let go_on = choice(node, "on_error", &[("fail", false), ("continue", true)], report).unwrap_or(false);
    if go_on { OnErrorFile::Continue } else { OnErrorFile::Fail }
}

fn read_kind(fields: &mut Fields<'_>, condition: Option<CodeText>, depth: usize, report: &mut Report) -> Option<KindFile> {
    // `parallel` beside `foreach` says how many iterations run at once.
    let is_option = |key: &str| key == "parallel" && fields.has("foreach");
    let keys: Vec<&'static str> = KINDS.into_iter().filter(|key| fields.has(key) && !is_option(key)).collect();
    let kinds: Vec<&Entry> = keys.into_iter().filter_map(|key| fields.entry(key)).collect();
    match kinds.as_slice() {
        [only] => read_one(only, fields, condition, depth, report),
        [first, second, ..] => {
            let (first, second) = if first.span.line <= second.span.line { (first, second) } else { (second, first) };
            let message = format!("a step does one thing: this one has `{}` and `{}`", first.key, second.key);
            report.error(codes::TWO_KINDS, second.span, message, "begin a new entry with `- ` for the second one");
            None
        }
        [] => {
            no_kind(fields, report);
            None
        }
    }
}

fn no_kind(fields: &mut Fields<'_>, report: &mut Report) {
    if let Some(entry) = fields.entry("else").filter(|_| fields.has("if")) {
        report.error(codes::MISSING_KEY, entry.span, "`if` and `else` need `then`", "add `then:` with a list of steps");
        return;
    }
    let others = ["id", "name", "if", "on_error", "timeout", "retry", "with", "using", "else", "at_most_once", "idempotency_key", "undo"];
    for key in others {
        fields.entry(key);
    }
    match fields.unknown().next() {
        Some(entry) => {
            let message = format!("`{}` is not something that a step does", entry.key);
            report.error(codes::UNKNOWN_STEP_KIND, entry.span, message, words::suggest(&entry.key, &SHOWN_KINDS));
        }
        None => {
            let help = format!("add one of {}", words::list(&SHOWN_KINDS));
            report.error(codes::UNKNOWN_STEP_KIND, fields.span(), "this step does not say what it does", help);
        }
    }
}

fn read_one(entry: &Entry, fields: &mut Fields<'_>, condition: Option<CodeText>, depth: usize, report: &mut Report) -> Option<KindFile> {
    if &*entry.key == "call" {
        return read_call(entry, fields, depth, report);
    }
    match &*entry.key {
        "script" => code(&entry.value, "script", report).map(KindFile::Script),
        "set" => read_set(entry, report),
        "then" => read_if(entry, fields, condition, depth, report),
        "switch" => blocks::read_switch(entry, fields, depth, report),
        "foreach" => blocks::read_foreach(entry, fields, depth, report),
        "repeat" => blocks::read_repeat(entry, fields, depth, report),
        "parallel" => Some(blocks::read_parallel(entry, fields, depth, report)),
        "wait" => blocks::read_wait(entry, depth, report),
        "approve" => requests::read_approve(entry, depth, report),
        "run" => requests::read_child(entry, fields, report),
        "emit" => requests::read_emit(entry, fields, report),
        "respond" => requests::read_respond(entry, report),
        "fail" => code(&entry.value, "fail", report).map(KindFile::Fail),
        _ if entry.value.kind == Kind::Null => Some(KindFile::Stop(None)),
        _ => code(&entry.value, "stop", report).map(|code| KindFile::Stop(Some(code))),
    }
}

fn read_if(then: &Entry, fields: &mut Fields<'_>, condition: Option<CodeText>, depth: usize, report: &mut Report) -> Option<KindFile> {
    if !fields.has("if") {
        report.error(codes::MISSING_KEY, then.span, "`then` needs `if`", "add `if: event.body.amount > 10`");
    }
    let then = read_block(&then.value, "then", depth + 1, report);
    let otherwise = fields.optional("else").map(|node| read_block(node, "else", depth + 1, report)).unwrap_or_default();
    Some(KindFile::If { condition: condition?, then, otherwise })
}

fn read_set(entry: &Entry, report: &mut Report) -> Option<KindFile> {
    let Kind::Map(entries) = &entry.value.kind else {
        let message = format!("`set` is a map of names and expressions, not {}", entry.value.kind_name());
        report.error(codes::WRONG_TYPE, span_or(&entry.value, entry.span), message, "write `set: {total: event.body.price * 2}`");
        return None;
    };
    let read = |entry: &Entry, report: &mut Report| {
        let name = At { value: std::sync::Arc::clone(&entry.key), span: entry.span };
        code(&entry.value, &entry.key, report).map(|code| (name, code))
    };
    Some(KindFile::Set(entries.iter().filter_map(|entry| read(entry, report)).collect()))
}

fn span_or(node: &Node, otherwise: Span) -> Span {
    if node.kind == Kind::Null { otherwise } else { node.span }
}

/// `with`, a map.
pub(super) fn read_with(fields: &mut Fields<'_>, report: &mut Report) -> Option<Node> {
    let entry = fields.entry("with")?;
    Fields::open(&entry.value, "`with`", entry.span, report).map(|_| entry.value.clone())
}

fn read_call(entry: &Entry, fields: &mut Fields<'_>, depth: usize, report: &mut Report) -> Option<KindFile> {
    let target = text(&entry.value, "call", report);
    let using = fields.optional("using").and_then(|node| text(node, "using", report));
    // Only its shape is looked at: what is in it belongs to the connector.
    let with = read_with(fields, report);
    let retry = fields.entry("retry").and_then(|entry| retry::read(&entry.value, entry.span, report));
    let timeout = fields.optional("timeout").and_then(|node| some_duration(node, "timeout", report));
    let undo = fields.optional("undo").map(|node| read_block(node, "undo", depth + 1, report)).unwrap_or_default();
    let at_most_once = fields.optional("at_most_once").and_then(|node| boolean(node, "at_most_once", report)).unwrap_or(false);
    let idempotency_key = fields.optional("idempotency_key").and_then(|node| code(node, "idempotency_key", report));
    Some(KindFile::Call(Box::new(CallFile { target: target?, using, with, retry, timeout, at_most_once, idempotency_key, undo })))
}
