//! Steps: one map with all keys, and rules that say which of them go together. One map, not one a
//! kind, since editors complete and explain that better.

use serde_json::json;

use super::{refer, said};
use crate::domain::{Map, Value};
use crate::workflow::file::limits::{BRANCHES_LIMIT, PARALLEL_LIMIT, ROUNDS_LIMIT};

/// A step and its parts.
pub(super) fn definitions() -> [(&'static str, Value); 6] {
    [
        ("steps", json!({"type": "array", "items": refer("step")})),
        ("step", step()),
        ("repeat", repeat()),
        ("approve", approve()),
        ("branches", branches(&json!({"propertyNames": {"allOf": [refer("identifier"), {"not": {"const": "on_error"}}]}}))),
        ("cases", branches(&json!({}))),
    ]
}

fn branches(more: &Value) -> Value {
    json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": BRANCHES_LIMIT,
        "additionalProperties": refer("steps"),
        "allOf": [more],
    })
}

fn step() -> Value {
    let mut properties = Map::new();
    for part in [common(), call(), blocks()] {
        if let Value::Object(part) = part {
            properties.extend(part);
        }
    }
    let kind = |keys: &[&str]| json!({"required": keys});
    let kinds: Vec<Value> = ["call", "script", "set", "then", "switch", "foreach", "repeat", "wait", "approve", "fail", "stop"]
        .iter()
        .map(|key| kind(&[key]))
        .collect();
    let parallel = json!({"required": ["parallel"], "not": {"required": ["foreach"]}});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "oneOf": kinds.into_iter().chain([parallel]).collect::<Vec<_>>(),
        "dependentRequired": {
            "using": ["call"], "with": ["call"], "retry": ["call"], "timeout": ["call"], "at_most_once": ["call"],
            "idempotency_key": ["call"], "then": ["if"], "else": ["then"], "switch": ["cases"], "cases": ["switch"],
            "default": ["switch"], "foreach": ["steps"], "repeat": ["steps"], "as": ["foreach"], "any": ["parallel"],
        },
        "dependentSchemas": {
            "steps": {"anyOf": [kind(&["foreach"]), kind(&["repeat"])]},
            "any": {"not": kind(&["foreach"])},
            "parallel": {
                "if": kind(&["foreach"]),
                "then": {"properties": {"parallel": {"type": "integer"}}},
                "else": {"properties": {"parallel": {"type": "object"}}},
            },
        },
    })
}

fn common() -> Value {
    json!({
        "id": said(refer("step_id"), "Its output is `steps.ID`."),
        "name": said(refer("text"), "For people."),
        "if": said(refer("condition"), "False skips the step; with `then` it says which branch is taken."),
        "on_error": {
            "description": "What happens when it has failed: the run fails, goes on, or these steps are done instead.",
            "anyOf": [{"enum": ["fail", "continue"]}, refer("steps")],
        },
        "script": said(refer("script"), "Rhai; the last value is the output."),
        "set": {"description": "Into `vars`: names and expressions.", "type": "object", "additionalProperties": refer("expression")},
        "wait": {
            "description": "How long, or until when.",
            "anyOf": [
                refer("some_duration"),
                {"type": "object", "additionalProperties": false, "required": ["until"], "properties": {"until": refer("expression")}},
            ],
        },
        "approve": said(refer("approve"), "Asks a person, and waits for the answer."),
        "fail": said(refer("template"), "Ends the run as failed, with this text."),
        "stop": {"description": "Ends the run as succeeded, with this output.", "anyOf": [{"type": "null"}, refer("expression")]},
    })
}

fn call() -> Value {
    json!({
        "call": {
            "description": "What to call: connector.action.",
            "type": "string",
            "pattern": r"^[^.]+\..+$",
            "examples": ["http.get", "http.post", "http.put", "http.patch", "http.delete", "http.request"],
        },
        "using": said(refer("text"), "A connection of hence.yaml; the one named like the connector when absent."),
        "with": {"description": "The call's input: texts may hold `${ }`.", "type": "object"},
        "retry": refer("retry"),
        "timeout": said(refer("some_duration"), "How long one attempt may take; 30s when absent."),
        "at_most_once": {"type": "boolean", "description": "A call that was interrupted is not repeated."},
        "idempotency_key": said(refer("expression"), "In place of the run's and the step's."),
    })
}

fn blocks() -> Value {
    json!({
        "then": said(refer("steps"), "Done when `if` is true."),
        "else": said(refer("steps"), "Done when `if` is false."),
        "switch": said(refer("expression"), "The value that chooses a case."),
        "cases": said(refer("cases"), "Steps by value."),
        "default": said(refer("steps"), "Done when no case fits."),
        "foreach": said(refer("list"), "A list: the steps are done for each `item`."),
        "as": said(refer("loop_name"), "Another name for `item`."),
        "steps": said(refer("steps"), "What a round does."),
        "repeat": said(refer("repeat"), "Rounds until something is so."),
        "parallel": {
            "description": "Branches that are done side by side; beside `foreach`, how many items at once.",
            "anyOf": [refer("branches"), {"type": "integer", "minimum": 1, "maximum": PARALLEL_LIMIT}],
        },
        "any": {"type": "boolean", "description": "The first branch that is through decides."},
    })
}

fn repeat() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["until"],
        "properties": {
            "until": said(refer("condition"), "Looked at after each round."),
            "every": said(refer("some_duration"), "The time between rounds."),
            "at_most": {"type": "integer", "minimum": 1, "maximum": ROUNDS_LIMIT, "description": "After as many rounds the step fails."},
        },
    })
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
