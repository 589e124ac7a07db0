//! `when`: webhook, form, schedule, event, run, manual.

use std::sync::Arc;
use std::time::Duration;

use super::door::{read_door, read_rate};
use super::fields::not_yet;
use super::read::{choice, code, duration, event_type, list, size, some_duration, text};
use super::requests::read_reply;
use super::verify::Verified;
use super::{
    At, DedupeFile, EventTriggerFile, Fields, Report, RuleFile, RunTriggerFile, ScheduleFile, TriggerFile, WebhookFile, body_schema, form,
    verify,
};
use crate::domain::door::{Door, Rate};
use crate::domain::run::Status;
use crate::domain::schedule::CatchUp;
use crate::workflow::problem::codes;
use crate::workflow::words;
use crate::workflow::yaml::{Entry, Kind, Node, Span};

const KINDS: [&str; 6] = ["webhook", "form", "schedule", "event", "run", "manual"];
const KINDS_NOT_YET: [&str; 3] = ["poll", "mqtt", "email"];
pub(crate) const METHODS: [(&str, &str); 5] = [("GET", "GET"), ("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH"), ("DELETE", "DELETE")];
/// The shortest time between two due times of `every`.
const SHORTEST_EVERY: Duration = Duration::from_secs(1);

/// Reads one entry of `when`.
pub(super) fn read(node: &Node, report: &mut Report) -> Option<TriggerFile> {
    let entry = match &node.kind {
        // `- manual` needs no colon: it has no fields.
        Kind::Text if &*node.raw == "manual" => return Some(TriggerFile::Manual(None)),
        Kind::Map(entries) => match entries.as_slice() {
            [entry] => entry,
            [] => return wrong_shape(node.span, "an entry of `when` names a trigger", report),
            [_, second, ..] => {
                let message = format!("an entry of `when` has one key, its kind; `{}` is a second one", second.key);
                return wrong_shape(second.span, &message, report);
            }
        },
        Kind::Text | Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::List(_) => {
            return wrong_shape(node.span, &format!("an entry of `when` is a map, not {}", node.kind_name()), report);
        }
    };
    match &*entry.key {
        "webhook" => read_webhook(entry, report).map(|webhook| TriggerFile::Webhook(Box::new(webhook))),
        "form" => form::read_form(entry, report).map(|form| TriggerFile::Form(Box::new(form))),
        "schedule" => read_schedule(entry, report).map(TriggerFile::Schedule),
        "event" => read_event(entry, report).map(TriggerFile::Event),
        "run" => read_run(entry, report).map(TriggerFile::Run),
        "manual" => read_manual(entry, report),
        word if KINDS_NOT_YET.contains(&word) => {
            not_yet(word, entry.span, report);
            None
        }
        word => {
            report.error(codes::UNKNOWN_KEY, entry.span, format!("`{word}` is not a trigger"), words::suggest(word, &KINDS));
            None
        }
    }
}

fn wrong_shape(span: Span, message: &str, report: &mut Report) -> Option<TriggerFile> {
    let help = "write one trigger an entry, its fields indented below it:\n- webhook:\n    path: leads\n    verify: …";
    report.error(codes::WRONG_TYPE, span, message, help);
    None
}

fn read_event(entry: &Entry, report: &mut Report) -> Option<EventTriggerFile> {
    let mut fields = Fields::open_as(&entry.value, "`event`", entry.span, "event: {type: order.paid}", report)?;
    let kind = fields.required("type", "order.paid", report).and_then(|node| event_type(node, "type", report));
    let condition = fields.optional("if").and_then(|node| code(node, "if", report));
    fields.close(report);
    Some(EventTriggerFile { kind: kind?, condition })
}

/// How a run may have ended, for `outcome`.
pub(crate) const OUTCOMES: [(&str, Status); 3] =
    [("succeeded", Status::Succeeded), ("failed", Status::Failed), ("canceled", Status::Canceled)];

fn read_run(entry: &Entry, report: &mut Report) -> Option<RunTriggerFile> {
    let mut fields = Fields::open_as(&entry.value, "`run`", entry.span, "run: {workflow: checkout, outcome: failed}", report)?;
    let workflow = fields.required("workflow", "capture-lead", report).and_then(|node| text(node, "workflow", report));
    let outcomes = fields.optional("outcome").map(|node| {
        let items = if node.kind == Kind::Text { std::slice::from_ref(node) } else { list(node, "outcome", report).unwrap_or_default() };
        if items.is_empty() && matches!(node.kind, Kind::List(_)) {
            let help = "write `outcome: failed`, or take it away for every end";
            report.error(codes::BAD_VALUE, node.span, "`outcome` is empty: no end would start a run", help);
        }
        items.iter().filter_map(|item| choice(item, "outcome", &OUTCOMES, report)).collect()
    });
    fields.close(report);
    let outcomes = outcomes.unwrap_or_else(|| OUTCOMES.iter().map(|(_, status)| *status).collect());
    Some(RunTriggerFile { workflow: workflow?, outcomes })
}

fn read_manual(entry: &Entry, report: &mut Report) -> Option<TriggerFile> {
    if entry.value.kind == Kind::Null {
        return Some(TriggerFile::Manual(None));
    }
    let mut fields = Fields::open(&entry.value, "`manual`", entry.span, report)?;
    let schema = fields.optional("schema").and_then(|node| body_schema::read(node, report));
    fields.close(report);
    Some(TriggerFile::Manual(schema))
}

fn read_webhook(entry: &Entry, report: &mut Report) -> Option<WebhookFile> {
    let mut fields = Fields::open_as(&entry.value, "`webhook`", entry.span, "webhook: {path: leads, verify: {bearer: NAME}}", report)?;
    let path = fields.required("path", "leads", report).and_then(|node| text(node, "path", report));
    let methods = fields.optional("methods").map_or_else(|| vec!["POST".into()], |node| read_methods(node, report));
    let verified = match fields.optional("verify") {
        Some(node) => verify::read(node, report),
        None => {
            report.error(
                codes::MISSING_VERIFY,
                entry.span,
                "this webhook does not say how its sender is known",
                "add `verify: {scheme: github, secret: NAME}`, another scheme,\nor `verify: none` if anybody may call it",
            );
            None
        }
    };
    let dedupe = fields.entry("dedupe").and_then(|entry| read_dedupe(entry, report));
    let (body_limit_bytes, rate) = fields.entry("limits").and_then(|entry| read_limits(entry, report)).unwrap_or_default();
    let door = Door { rate, ..read_door(&mut fields, report) };
    let respond = fields.entry("respond").and_then(|entry| read_reply(entry, report));
    let schema = fields.optional("schema").and_then(|node| body_schema::read(node, report));
    fields.close(report);
    let (path, verified) = (path?, verified?);
    let Verified { verify, secrets, span: verify_span } = verified;
    Some(WebhookFile { path, methods, verify, verify_span, secrets, dedupe, schema, body_limit_bytes, door, respond })
}

fn read_methods(node: &Node, report: &mut Report) -> Vec<Arc<str>> {
    let items = if node.kind == Kind::Text { std::slice::from_ref(node) } else { list(node, "methods", report).unwrap_or_default() };
    if items.is_empty() && matches!(node.kind, Kind::List(_)) {
        report.error(codes::BAD_VALUE, node.span, "`methods` is empty: the webhook would never be called", "write `methods: [POST]`");
    }
    let mut methods: Vec<Arc<str>> = Vec::new();
    for item in items {
        if let Some(method) = choice(item, "methods", &METHODS, report)
            && !methods.iter().any(|known| &**known == method)
        {
            methods.push(method.into());
        }
    }
    methods
}

pub(super) fn read_dedupe(entry: &Entry, report: &mut Report) -> Option<DedupeFile> {
    let mut fields = Fields::open_as(&entry.value, "`dedupe`", entry.span, "dedupe: {key: event.body.id, within: 24h}", report)?;
    let key = fields.required("key", "event.body.id", report).and_then(|node| code(node, "key", report));
    let within = fields.required("within", "24h", report).and_then(|node| some_duration(node, "within", report));
    fields.close(report);
    Some(DedupeFile { key: key?, within: within? })
}

pub(super) fn read_limits(entry: &Entry, report: &mut Report) -> Option<(Option<usize>, Option<Rate>)> {
    let mut fields = Fields::open(&entry.value, "`limits`", entry.span, report)?;
    let body = fields.optional("body").and_then(|node| size(node, "body", report));
    let rate = read_rate(&mut fields, report);
    fields.close(report);
    Some((body, rate))
}

fn read_schedule(entry: &Entry, report: &mut Report) -> Option<ScheduleFile> {
    if let Kind::Text = entry.value.kind {
        let help = format!("write `schedule: {{cron: \"{}\"}}`, or `every` or `at` in place of `cron`", entry.value.raw);
        report.error(codes::WRONG_TYPE, entry.value.span, "`schedule` is a map of keys and values, not text", help);
        return None;
    }
    let mut fields = Fields::open(&entry.value, "`schedule`", entry.span, report)?;
    let rule = read_rule(&mut fields, report);
    let timezone = fields.optional("timezone").and_then(|node| text(node, "timezone", report));
    let choices = [("none", CatchUp::None), ("last", CatchUp::Last), ("all", CatchUp::All)];
    let catch_up = fields.optional("catch_up").and_then(|node| choice(node, "catch_up", &choices, report)).unwrap_or_default();
    fields.not_yet(&["within", "jitter", "overlap", "from", "until", "except"], report);
    fields.close(report);
    Some(ScheduleFile { rule: rule?, timezone, catch_up })
}

fn read_rule(fields: &mut Fields<'_>, report: &mut Report) -> Option<RuleFile> {
    let help = "write one of `cron: 0 9 * * MON-FRI`, `every: 15m`, `at: 2026-03-01T09:00:00Z`";
    let (cron, every, at) = (fields.entry("cron"), fields.entry("every"), fields.entry("at"));
    match (cron, every, at) {
        (Some(entry), None, None) => text(&entry.value, "cron", report).map(RuleFile::Cron),
        (None, Some(entry), None) => read_every(entry, report),
        (None, None, Some(entry)) => text(&entry.value, "at", report).map(|At { value, span }| RuleFile::At(At { value, span })),
        (None, None, None) => {
            report.error(codes::MISSING_KEY, fields.span(), "this schedule does not say when it is due", help);
            None
        }
        (_, _, Some(entry)) | (Some(_), Some(entry), None) => {
            report.error(codes::BAD_VALUE, entry.span, "a schedule has exactly one of `cron`, `every` and `at`", help);
            None
        }
    }
}

fn read_every(entry: &Entry, report: &mut Report) -> Option<RuleFile> {
    let every = duration(&entry.value, "every", report)?;
    if every < SHORTEST_EVERY {
        let message = format!("`every` must be at least {}s", SHORTEST_EVERY.as_secs());
        report.error(codes::BAD_DURATION, entry.value.span, message, "write `every: 15m`");
        return None;
    }
    Some(RuleFile::Every(every))
}
