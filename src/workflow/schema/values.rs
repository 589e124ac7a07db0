//! Single values: texts, code, durations, sizes, names.

use serde_json::json;

use crate::domain::{Map, Value};
use crate::workflow::compile::{NAME_BYTES, RESERVED, TAKEN};
use crate::workflow::file::limits::{ATTEMPTS, EVENT_TYPE_BYTES, FACTOR};

const IDENTIFIER: &str = "^[A-Za-z_][A-Za-z0-9_]*$";
const DURATION: &str = r"^\s*([0-9]+(ms|s|m|h|d))+\s*$";
/// Zeros alone.
const NO_DURATION: &str = r"^\s*(0+(ms|s|m|h|d))+\s*$";
/// What `as_text` of the reader takes: a number and `true` are text as written.
const TEXT: [&str; 3] = ["string", "number", "boolean"];

/// What every other part refers to.
pub(super) fn definitions() -> Map {
    let all = [
        ("text", json!({"type": TEXT})),
        ("workflow_name", json!({"type": TEXT, "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": NAME_BYTES})),
        ("identifier", json!({"type": "string", "pattern": IDENTIFIER, "maxLength": NAME_BYTES})),
        ("step_id", json!({"type": "string", "pattern": IDENTIFIER, "maxLength": NAME_BYTES, "not": {"enum": RESERVED.as_slice()}})),
        ("loop_name", json!({"type": "string", "pattern": IDENTIFIER, "maxLength": NAME_BYTES, "not": {"enum": TAKEN.as_slice()}})),
        (
            "event_type",
            json!({"type": TEXT, "pattern": "^[A-Za-z0-9][A-Za-z0-9._/-]*$", "maxLength": EVENT_TYPE_BYTES, "examples": ["order.paid"]}),
        ),
        ("secret_name", json!({"type": "string", "pattern": IDENTIFIER})),
        ("header_name", json!({"type": "string", "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"})),
        ("expression", json!({"type": TEXT, "pattern": r"\S", "not": {"type": "string", "pattern": r"^\s*\$\{[\s\S]*\}\s*$"}})),
        (
            "condition",
            json!({"type": ["string", "boolean"], "pattern": r"\S", "not": {"type": "string", "pattern": r"^\s*\$\{[\s\S]*\}\s*$"}}),
        ),
        ("list", json!({"type": "string", "pattern": r"\S", "not": {"pattern": r"^\s*\$\{[\s\S]*\}\s*$"}})),
        ("script", json!({"type": TEXT, "pattern": r"\S"})),
        ("template", json!({"type": TEXT, "pattern": r"\S"})),
        ("duration", json!({"type": "string", "pattern": DURATION, "examples": ["250ms", "10s", "1h30m"]})),
        ("some_duration", json!({"type": "string", "pattern": DURATION, "not": {"pattern": NO_DURATION}, "examples": ["10s", "5m", "2h"]})),
        (
            "size",
            json!({"anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^\s*0*[1-9][0-9]*\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)?\s*$", "examples": ["64KiB", "1MiB"]},
            ]}),
        ),
        ("kept", json!({"anyOf": [{"const": "forever"}, {"$ref": "#/$defs/some_duration"}]})),
        ("keep", keep()),
        ("retry", retry()),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn keep() -> Value {
    let kept = json!({"$ref": "#/$defs/kept"});
    json!({"anyOf": [kept, {
        "type": "object",
        "additionalProperties": false,
        "properties": {"succeeded": kept, "failed": kept, "canceled": kept},
    }]})
}

fn retry() -> Value {
    let duration = |words: &str| super::said(super::refer("duration"), words);
    json!({"anyOf": [
        {"type": "string", "description": "A name below `retries:` of hence.yaml."},
        {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "attempts": {"type": "integer", "minimum": 1, "maximum": ATTEMPTS, "description": "How often it is tried, the first time included."},
                "first": duration("Bound of the first wait."),
                "factor": {"type": "number", "minimum": 1, "maximum": FACTOR, "description": "What the bound grows by."},
                "max": duration("Largest bound."),
            },
        },
    ]})
}
