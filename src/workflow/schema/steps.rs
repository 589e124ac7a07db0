//! Steps: one map with all keys, and rules that say which of them go together. One map, not one a
//! kind, since editors complete and explain that better.

use serde_json::json;

use super::{refer, requests, said};
use crate::domain::{Map, Value};
use crate::workflow::file::limits::{BRANCHES_LIMIT, PARALLEL_LIMIT, ROUNDS_LIMIT};

/// The keys that say a step's kind, but `parallel`, which has two meanings.
const KINDS: [&str; 14] =
    ["call", "script", "set", "then", "switch", "foreach", "repeat", "wait", "approve", "run", "emit", "respond", "fail", "stop"];

/// A step and its parts.
pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    let own = [
        ("steps", json!({"type": "array", "items": refer("step")})),
        ("step", step()),
        ("repeat", repeat()),
        ("branches", branches(&json!({"propertyNames": {"allOf": [refer("identifier"), {"not": {"const": "on_error"}}]}}))),
        ("cases", branches(&json!({}))),
    ];
    own.into_iter().chain(requests::definitions()).collect()
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
    for part in [common(), call(), blocks(), requests::properties()] {
        if let Value::Object(part) = part {
            properties.extend(part);
        }
    }
    let kind = |keys: &[&str]| json!({"required": keys});
    let kinds: Vec<Value> = KINDS.iter().map(|key| kind(&[key])).collect();
    let parallel = json!({"required": ["parallel"], "not": {"required": ["foreach"]}});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "oneOf": kinds.into_iter().chain([parallel]).collect::<Vec<_>>(),
        "dependentRequired": {
            "using": ["call"], "at_most_once": ["call"], "idempotency_key": ["call"], "undo": ["call"], "then": ["if"], "else": ["then"], "switch": ["cases"], "cases": ["switch"],
            "default": ["switch"], "foreach": ["steps"], "repeat": ["steps"], "as": ["foreach"], "any": ["parallel"],
        },
        "dependentSchemas": {
            "with": {"anyOf": [kind(&["call"]), kind(&["run"]), kind(&["emit"])]},
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
        "retry": said(refer("retry"), "How often it is tried again; a step with steps inside it is done anew as a whole."),
        "timeout": said(refer("some_duration"), "How long it may take; for a call, each attempt, 30s when absent."),
        "wait": said(refer("wait"), "How long, until when, or for which event."),
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
        "with": {"description": "The input of a call or a run, the body of an event: texts may hold `${ }`.", "type": "object"},
        "at_most_once": {"type": "boolean", "description": "A call that was interrupted is not repeated."},
        "idempotency_key": said(refer("expression"), "In place of the run's and the step's."),
        "undo": said(refer("steps"), "Done if the run fails later: takes the call back."),
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
