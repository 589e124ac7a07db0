//! How runs begin: what they are given, how many go on at once, how events are gathered.

use serde_json::json;

use super::{refer, said};
use crate::domain::Value;
use crate::domain::workflow::InputKind;
use crate::workflow::file::limits::{BATCH_LIMIT, CONCURRENCY_LIMIT, INPUTS, THROTTLE_LIMIT};

/// The keys of a workflow about this.
pub(super) fn properties() -> Value {
    json!({
        "input": {
            "description": "What a run is given, by name; taken from the event's body.",
            "type": "object",
            "maxProperties": INPUTS,
            "propertyNames": refer("identifier"),
            "additionalProperties": refer("input"),
        },
        "vars": {
            "description": "What `vars` holds at the beginning: values, whose texts may hold `${ }`.",
            "type": "object",
            "propertyNames": refer("identifier"),
        },
        "concurrency": said(refer("concurrency"), "How many runs of one key go on at once."),
        "debounce": said(refer("debounce"), "One run for the last of several events."),
        "batch": said(refer("batch"), "One run for several events."),
        "throttle": said(refer("throttle"), "How many runs of one key begin in a time."),
    })
}

/// `debounce`, `batch` and `throttle` all say when a run begins: one of them at most.
pub(super) fn alone() -> Value {
    json!({
        "debounce": {"not": {"anyOf": [{"required": ["batch"]}, {"required": ["throttle"]}]}},
        "batch": {"not": {"required": ["throttle"]}},
    })
}

/// Their parts.
pub(super) fn definitions() -> [(&'static str, Value); 5] {
    let key = || said(refer("expression"), "Events with the same value belong together; all when absent.");
    let map = |required: &[&str], properties: Value| json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties});
    let whole = |most: u32| json!({"type": "integer", "minimum": 1, "maximum": most});
    [
        ("input", input()),
        (
            "concurrency",
            map(
                &[],
                json!({
                    "key": key(),
                    "limit": said(whole(CONCURRENCY_LIMIT), "1 when absent."),
                    "mode": {"enum": ["queue", "skip", "restart"], "description": "What becomes of one too many."},
                }),
            ),
        ),
        ("debounce", map(&["for"], json!({"key": key(), "for": said(refer("some_duration"), "How long there must be none.")}))),
        (
            "batch",
            map(
                &["size", "within"],
                json!({
                    "key": key(),
                    "size": said(whole(BATCH_LIMIT), "So many begin the run at once."),
                    "within": said(refer("some_duration"), "How long after the first it begins with what there is."),
                }),
            ),
        ),
        (
            "throttle",
            map(
                &["limit", "per"],
                json!({"key": key(), "limit": said(whole(THROTTLE_LIMIT), "How many."), "per": said(refer("some_duration"), "In which time.")}),
            ),
        ),
    ]
}

fn input() -> Value {
    let words = InputKind::ALL.map(|(word, _)| word);
    let fits = |word: &str| {
        json!({
            "if": {"required": ["type"], "properties": {"type": {"const": word}}},
            "then": {"properties": {"default": {"anyOf": [{"type": word}, {"type": "string", "pattern": r"\$\{"}]}}},
        })
    };
    let typed: Vec<Value> = words.iter().filter(|word| **word != "any").map(|word| fits(word)).collect();
    json!({"anyOf": [
        {"enum": words, "description": "Its type."},
        {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "type": {"enum": words},
                "required": {"type": "boolean", "description": "A run without it fails at once."},
                "default": {"description": "Its value when it is not given: texts may hold `${ }`."},
                "enum": {"type": "array", "description": "The values it may have."},
                "description": said(refer("text"), "For people."),
            },
            "not": {"required": ["required", "default"], "properties": {"required": {"const": true}}},
            "allOf": typed,
        },
    ]})
}
