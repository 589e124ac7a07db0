//! Steps that speak with somebody inside: a person, another workflow, whoever waits for the run.

use std::time::Duration;

use super::blocks::inner;
use super::read::{code, event_type, some_duration, text};
use super::steps::read_with;
use super::{ApproveFile, ChildFile, EmitFile, Fields, KindFile, ReplyFile, Report, RespondBodyFile, RespondFile};
use crate::workflow::problem::codes;
use crate::workflow::yaml::{Entry, Kind};

pub(super) fn read_approve(entry: &Entry, depth: usize, report: &mut Report) -> Option<KindFile> {
    let mut fields =
        Fields::open_as(&entry.value, "`approve`", entry.span, "approve: {to: boss@example.com, message: Refund it?}", report)?;
    let to = fields.required("to", "boss@example.com", report).and_then(|node| code(node, "to", report));
    let message = fields.required("message", "Refund ${event.body.amount}?", report).and_then(|node| code(node, "message", report));
    let within = fields.optional("within").and_then(|node| some_duration(node, "within", report));
    let notify = inner(&mut fields, "notify", depth, report);
    let otherwise = inner(&mut fields, "else", depth, report);
    fields.close(report);
    Some(KindFile::Approve(ApproveFile { to: to?, message: message?, within, notify, otherwise }))
}

pub(super) fn read_child(entry: &Entry, fields: &mut Fields<'_>, report: &mut Report) -> Option<KindFile> {
    let workflow = text(&entry.value, "run", report);
    let with = read_with(fields, report);
    Some(KindFile::Run(ChildFile { workflow: workflow?, with }))
}

pub(super) fn read_emit(entry: &Entry, fields: &mut Fields<'_>, report: &mut Report) -> Option<KindFile> {
    let kind = event_type(&entry.value, "emit", report);
    let with = read_with(fields, report);
    Some(KindFile::Emit(EmitFile { kind: kind?, with }))
}

/// The keys that say what is sent; one of them at most.
const BODIES: [&str; 5] = ["json", "xml", "text", "html", "redirect"];

pub(super) fn read_respond(entry: &Entry, report: &mut Report) -> Option<KindFile> {
    let fields = Fields::open_as(&entry.value, "`respond`", entry.span, "respond: {json: {ok: true}}", report)?;
    read_answer(fields, report).map(KindFile::Respond)
}

/// The longest time that a caller is kept waiting: what lies between it and the server gives up before.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// `respond` of a webhook: the run's answer, or always the same.
pub(super) fn read_reply(entry: &Entry, report: &mut Report) -> Option<ReplyFile> {
    let mut fields = Fields::open_as(&entry.value, "`respond`", entry.span, "respond: {wait: 10s}", report)?;
    let Some(wait) = fields.entry("wait") else {
        if fields.is_empty() {
            let help = "write `respond: {wait: 10s}`, or what is answered, as in `respond: {json: {ok: true}}`";
            report.error(codes::MISSING_KEY, entry.span, "`respond` does not say what the caller gets", help);
            return None;
        }
        return read_answer(fields, report).map(|answer| ReplyFile::Fixed(Box::new(answer)));
    };
    let within = some_duration(&wait.value, "wait", report);
    if let Some(other) = BODIES.into_iter().chain(["status", "headers"]).find_map(|key| fields.entry(key)) {
        let message = format!("with `wait` the run says what is answered, and here is `{}` too", other.key);
        report.error(codes::TWO_KINDS, other.span, message, "keep one of the two; a step `respond` can say it in the run");
        return None;
    }
    fields.close(report);
    if within.is_some_and(|within| WAIT_MAX < within) {
        let message = format!("`wait` is at most {}s: callers and what lies between give up before", WAIT_MAX.as_secs());
        report.error(codes::BAD_DURATION, wait.value.span, message, "write `wait: 10s`; who asks too early gets 202 and where to look");
        return None;
    }
    within.map(ReplyFile::Wait)
}

fn read_answer(mut fields: Fields<'_>, report: &mut Report) -> Option<RespondFile> {
    let status = fields.optional("status").cloned();
    let headers =
        fields.entry("headers").and_then(|entry| Fields::open(&entry.value, "`headers`", entry.span, report).map(|_| entry.value.clone()));
    let bodies: Vec<&Entry> = BODIES.into_iter().filter_map(|key| fields.entry(key)).collect();
    fields.close(report);
    if let [first, second, ..] = bodies.as_slice() {
        let message = format!("an answer has one body: this one has `{}` and `{}`", first.key, second.key);
        report.error(codes::TWO_KINDS, second.span, message, "keep one of the two");
        return None;
    }
    let body = match bodies.first() {
        None => RespondBodyFile::Empty,
        Some(entry) => match &*entry.key {
            "json" => RespondBodyFile::Json(entry.value.clone()),
            "xml" if matches!(entry.value.kind, Kind::Map(_)) => RespondBodyFile::Xml(entry.value.clone()),
            "xml" => RespondBodyFile::Xml(code(&entry.value, "xml", report).map(|_text| entry.value.clone())?),
            "text" => RespondBodyFile::Text(code(&entry.value, "text", report)?),
            "html" => RespondBodyFile::Html(code(&entry.value, "html", report)?),
            _ => RespondBodyFile::Redirect(code(&entry.value, "redirect", report)?),
        },
    };
    Some(RespondFile { status, headers, body })
}
