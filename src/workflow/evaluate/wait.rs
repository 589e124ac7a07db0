//! Waits: for a time, for an event, for a person, for another run.

use std::sync::Arc;

use serde_json::json;

use super::{Shell, set_context};
use crate::domain::Value;
use crate::domain::event::{Event, Source};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::journal::Fact;
use crate::domain::next::Todo;
use crate::domain::run::Run;
use crate::domain::time::{self, Timestamp};
use crate::domain::workflow::{Approve, StepKind, Wait, WaitEvent};
use crate::script::{Program, Scope};
use crate::workflow::catalog::Loaded;

/// The most characters of who is asked.
const TO_CHARS: usize = 500;
/// The most characters of what they are asked.
const MESSAGE_CHARS: usize = 10_000;

pub(super) fn begin(program: &Program, wait: &Wait, todo: &Todo<'_>, scope: &mut Scope) -> Result<Fact, Failure> {
    let step = todo.address.clone();
    Ok(match wait {
        Wait::For(span) => Fact::WaitBegan { step, until: todo.moment.after(*span) },
        Wait::Until(time) => Fact::WaitBegan { step, until: time_of(&program.value(*time, scope)?)? },
        Wait::Event(WaitEvent { kind, within, .. }) => {
            let until = within.map(|within| todo.moment.after(within));
            Fact::EventAwaited { step, topic: Arc::clone(kind), since: todo.since, until }
        }
    })
}

pub(super) fn ask(program: &Program, approve: &Approve, todo: &Todo<'_>, scope: &mut Scope) -> Result<Fact, Failure> {
    let (to, message) = (program.text(approve.to, scope)?, program.text(approve.message, scope)?);
    for (key, text, limit) in [("to", &to, TO_CHARS), ("message", &message, MESSAGE_CHARS)] {
        let length = text.chars().count();
        if limit < length {
            let message =
                format!("`{key}` of `approve` has {length} characters, and {limit} is the most: put long texts where a link leads");
            return Err(Failure::new(FailureKind::BadInput, message));
        }
        if text.trim().is_empty() {
            return Err(Failure::new(
                FailureKind::BadInput,
                format!("`{key}` of `approve` is empty: a person has to know who is asked what"),
            ));
        }
    }
    Ok(Fact::ApprovalAsked { step: todo.address.clone(), to, message, until: todo.moment.after(approve.within) })
}

fn time_of(value: &Value) -> Result<Timestamp, Failure> {
    let time = value.as_i64().map(Timestamp).or_else(|| value.as_str()?.parse().ok());
    time.ok_or_else(|| {
        let message = format!("`wait: until` needs a time, RFC 3339 text or Unix milliseconds, and this is {value}");
        Failure::new(FailureKind::BadInput, message)
    })
}

/// What is said when nothing came.
pub(super) fn expired(todo: &Todo<'_>) -> String {
    match &todo.step.kind {
        StepKind::Wait(Wait::Event(WaitEvent { kind, within: Some(within), .. })) => {
            format!("no event `{kind}` came within {}; `else` says what to do then", time::format_duration(*within))
        }
        StepKind::Approve(Approve { within, .. }) => {
            format!("nobody answered within {}; `else` says what to do then", time::format_duration(*within))
        }
        StepKind::Call(_)
        | StepKind::Script(_)
        | StepKind::Set(_)
        | StepKind::If { .. }
        | StepKind::Switch { .. }
        | StepKind::Foreach { .. }
        | StepKind::Repeat { .. }
        | StepKind::Parallel { .. }
        | StepKind::Wait(_)
        | StepKind::Run(_)
        | StepKind::Emit(_)
        | StepKind::Respond(_)
        | StepKind::Fail(_)
        | StepKind::Stop(_) => "what the step waited for did not come in time".to_owned(),
    }
}

/// What a step makes of an event that may be the one it waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// It is another one: the step goes on waiting.
    Other,
    /// It is the one.
    Fact(Fact),
}

/// Looks at an event of the topic that a step listens to. `seq` is its place among all of them.
pub fn hear(loaded: &Loaded, todo: &Todo<'_>, scope: &mut Scope, run: &Run, event: &Event, seq: u64, shell: &Shell<'_>) -> Heard {
    let step = todo.address.clone();
    let taken = |output: Value| Fact::EventTaken { step: step.clone(), event: event.head.id, seq, output: Arc::new(output) };
    let failed = |error: Failure| Fact::StepFailed { step: step.clone(), attempts: 0, error };
    Heard::Fact(match event.head.source {
        Source::Approval => match answer(event) {
            Ok(output) => taken(output),
            Err(error) => failed(error),
        },
        Source::Run => match ended(event) {
            Ok(output) => taken(output),
            Err(error) => failed(error),
        },
        Source::Workflow | Source::Webhook | Source::Form | Source::Schedule | Source::Manual => {
            let StepKind::Wait(Wait::Event(WaitEvent { condition, .. })) = &todo.step.kind else { return Heard::Other };
            set_context(loaded, todo, scope, run, shell);
            scope.set_arrived(Some(event));
            let is_it = condition.map_or(Ok(true), |condition| loaded.program.truth(condition, scope));
            let seen = scope.arrived();
            scope.set_arrived(None);
            match is_it {
                Ok(false) => return Heard::Other,
                Ok(true) => taken(seen),
                Err(mut error) => {
                    shell.secrets.mask_text(&mut error.message);
                    failed(error)
                }
            }
        }
    })
}

fn body(event: &Event) -> Value {
    serde_json::from_slice(&event.body).unwrap_or_default()
}

/// A person's answer: `{who, when, what, comment}`.
fn answer(event: &Event) -> Result<Value, Failure> {
    let body = body(event);
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let (who, what, comment) = (text("who"), text("what"), text("comment"));
    let output = json!({"who": who, "when": event.head.received.to_string(), "what": what, "comment": comment});
    if what == "approved" {
        return Ok(output);
    }
    let because = if comment.is_empty() { String::new() } else { format!(": {comment}") };
    Err(Failure::new(FailureKind::Denied, format!("{who} said no{because}")).with_detail(output))
}

/// How a run ended that this one waited for.
fn ended(event: &Event) -> Result<Value, Failure> {
    let mut body = body(event);
    if body.get("status").and_then(Value::as_str) == Some("succeeded") {
        return Ok(body.get_mut("output").map(Value::take).unwrap_or_default());
    }
    // What went wrong first is said, not the way up through the runs around it.
    let root = body.pointer("/error/detail/error").filter(|_| body.pointer("/error/kind") == Some(&json!("child_failed"))).cloned();
    if let (Some(root), Some(error)) = (root, body.get_mut("error")) {
        *error = root;
    }
    let text = |place: &str| body.pointer(place).and_then(Value::as_str).unwrap_or_default();
    let error = text("/error/message");
    let because = if error.is_empty() { String::new() } else { format!(": {error}") };
    let message = format!("{} of `{}` {}{because}", text("/run"), text("/workflow"), text("/status"));
    Err(Failure::new(FailureKind::ChildFailed, message).with_detail(body))
}
