//! What workflows say to each other and to whoever waits for them: events, runs of other workflows, answers.

use serde_json::json;

use super::{refer, said};
use crate::domain::Value;
use crate::workflow::file::limits::{EVENT_TYPE_BYTES, OUTCOMES};

/// Parts of triggers and steps.
pub(super) fn definitions() -> [(&'static str, Value); 6] {
    [
        (
            "event_type",
            json!({
                "type": ["string", "number", "boolean"],
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._/-]*$",
                "maxLength": EVENT_TYPE_BYTES,
                "examples": ["order.paid"],
            }),
        ),
        ("event", event()),
        ("run_ended", run_ended()),
        ("wait_event", wait_event()),
        ("respond", answer(&json!({}))),
        ("reply", reply()),
    ]
}

/// Steps: `run`, `emit`, `respond`.
pub(super) fn steps() -> Value {
    json!({
        "run": said(refer("text"), "Another workflow: its output is this step's."),
        "emit": said(refer("event_type"), "An event for other workflows."),
        "respond": said(refer("respond"), "Answers the caller that waits for the run."),
    })
}

fn event() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["type"],
        "properties": {
            "type": said(refer("event_type"), "What the workflow that emits it calls it."),
            "if": said(refer("condition"), "Over `event` alone: a false one does not concern this workflow."),
        },
    })
}

fn run_ended() -> Value {
    let outcomes: Vec<&str> = OUTCOMES.iter().map(|(word, _)| *word).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["workflow"],
        "properties": {
            "workflow": said(refer("text"), "Whose runs."),
            "outcome": {
                "description": "How they ended; any way when absent.",
                "anyOf": [{"enum": outcomes}, {"type": "array", "items": {"enum": outcomes}}],
            },
        },
    })
}

fn wait_event() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["event"],
        "properties": {
            "event": said(refer("event_type"), "The type of an event that a workflow emits."),
            "if": said(refer("condition"), "Over the event that came: one for which it is false is passed over."),
            "for": said(refer("some_duration"), "How long, at most."),
            "else": said(refer("steps"), "Done when none came in that time."),
        },
        "dependentRequired": {"else": ["for"]},
    })
}

/// What an answer holds; one body at most.
fn answer(more: &Value) -> Value {
    let bodies = ["json", "xml", "text", "html", "redirect"];
    let two = |(index, first): (usize, &&str)| -> Vec<Value> {
        bodies.iter().skip(index + 1).map(|second| json!({"required": [first, second]})).collect()
    };
    let twice: Vec<Value> = bodies.iter().enumerate().flat_map(two).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "status": {"description": "200 when absent, 303 for `redirect`.", "type": ["integer", "string"]},
            "headers": {"description": "Names and texts, which may hold `${ }`.", "type": "object"},
            "json": {"description": "A value; texts in it may hold `${ }`."},
            "xml": said(refer("template"), "XML, as text."),
            "text": said(refer("template"), "Plain text."),
            "html": said(refer("template"), "A page."),
            "redirect": said(refer("template"), "Another address."),
        },
        "not": {"anyOf": twice},
        "allOf": [more],
    })
}

fn reply() -> Value {
    json!({"anyOf": [
        {
            "type": "object",
            "additionalProperties": false,
            "required": ["wait"],
            "properties": {"wait": said(refer("some_duration"), "What the run answers, if it does so in this time; at most 5m.")},
        },
        answer(&json!({"minProperties": 1})),
    ]})
}
