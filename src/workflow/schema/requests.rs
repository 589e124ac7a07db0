//! Steps that speak with somebody inside: waits, questions, runs, events, answers.

use serde_json::json;

use super::{refer, said};
use crate::domain::Value;

/// The keys of these steps.
pub(super) fn properties() -> Value {
    json!({
        "approve": said(refer("approve"), "Asks a person, and waits for the answer."),
        "run": said(refer("text"), "Starts another workflow, and waits for its end."),
        "emit": said(refer("event_type"), "An event for other workflows: its type."),
        "respond": said(refer("respond"), "Answers the caller that waits for the run."),
    })
}

/// Their parts.
pub(super) fn definitions() -> [(&'static str, Value); 4] {
    [("wait", wait()), ("approve", approve()), ("respond", respond()), ("reply", reply())]
}

/// `respond` of a webhook.
fn reply() -> Value {
    let wait = said(refer("some_duration"), "What the run answers, if it does so in this time; at most 5m.");
    json!({"anyOf": [
        {"type": "object", "additionalProperties": false, "required": ["wait"], "properties": {"wait": wait}},
        {"allOf": [refer("respond")], "minProperties": 1},
    ]})
}

fn wait() -> Value {
    json!({"anyOf": [
        refer("some_duration"),
        {"type": "object", "additionalProperties": false, "required": ["until"], "properties": {"until": refer("expression")}},
        {
            "type": "object",
            "additionalProperties": false,
            "required": ["event"],
            "properties": {
                "event": said(refer("event_type"), "Its type."),
                "if": said(refer("condition"), "Over the event that came, as `event`; the run's own is `run.event`."),
                "for": said(refer("some_duration"), "How long, at most."),
                "else": said(refer("steps"), "Done when none comes in that time."),
            },
            "dependentRequired": {"else": ["for"]},
        },
    ]})
}

fn approve() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["to", "message"],
        "properties": {
            "to": said(refer("template"), "Who is asked."),
            "message": said(refer("template"), "What they are asked."),
            "within": said(refer("some_duration"), "How long they have; 7d when absent."),
            "notify": said(refer("steps"), "How the link gets to them: steps that see it as `approval.link`."),
            "else": said(refer("steps"), "Done when they say no, or nothing in time."),
        },
    })
}

fn respond() -> Value {
    let bodies = ["json", "xml", "text", "html", "redirect"];
    let alone = |key: &str| {
        let others: Vec<Value> = bodies.iter().filter(|other| **other != key).map(|other| json!({"required": [other]})).collect();
        (key.to_owned(), json!({"not": {"anyOf": others}}))
    };
    let alone: crate::domain::Map = bodies.iter().map(|key| alone(key)).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "status": {"description": "200 when absent, 303 for a redirect.", "examples": [201]},
            "headers": {"description": "Names and texts.", "type": "object"},
            "json": {"description": "A value, as JSON."},
            "xml": {
                "description": "XML: a text, or a map with one key, the root element.",
                "anyOf": [refer("template"), {"type": "object", "minProperties": 1, "maxProperties": 1}],
            },
            "text": said(refer("template"), "Plain text."),
            "html": said(refer("template"), "A page."),
            "redirect": said(refer("template"), "Another address."),
        },
        "dependentSchemas": alone,
    })
}
