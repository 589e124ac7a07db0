//! A JSON Schema (2020-12) of what this version runs, so that editors complete and check while one
//! writes. It knows form alone: names, references and code are for `hence check`.

mod forms;
mod requests;
mod start;
mod steps;
mod triggers;
mod values;

use serde_json::json;

use super::file::{STEPS, TRIGGERS};
use crate::domain::Value;

/// The schema of a workflow file.
#[must_use]
pub fn workflow() -> Value {
    let mut definitions = values::definitions();
    for (name, schema) in
        steps::definitions().into_iter().chain(triggers::definitions()).chain(forms::definitions()).chain(start::definitions())
    {
        definitions.insert(name.to_owned(), schema);
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hence workflow",
        "description": "One file in workflows/: when something happens and it matters, do these steps.",
        "type": "object",
        "additionalProperties": false,
        "required": ["when", "steps"],
        "properties": {
            "name": said(refer("workflow_name"), "The workflow's name; the file's name when absent."),
            "description": said(refer("text"), "For people."),
            "when": {
                "description": "The events that concern it: one entry, one trigger.",
                "type": "array",
                "maxItems": TRIGGERS,
                "items": refer("trigger"),
            },
            "if": said(refer("condition"), "Whether an event matters: Rhai that is true or false."),
            "steps": {
                "description": "What is done, one after another.",
                "type": "array",
                "maxItems": STEPS,
                "items": refer("step"),
            },
            "on_error": {
                "description": "Steps that are done after one has failed and nothing else took care of it.",
                "anyOf": [{"const": "fail"}, refer("steps")],
            },
            "retry": said(refer("retry"), "The default of its calls."),
            "on_cancel": said(refer("steps"), "Steps that are done when a person has ended the run."),
            "finally": said(refer("steps"), "Steps that are done last, however the run ended."),
            "timeout": said(refer("some_duration"), "How long a run may take, waiting included."),
            "keep": said(refer("keep"), "How long finished runs are kept; as hence.yaml says when absent."),
        },
        "dependentSchemas": start::alone(),
        "$defs": definitions,
    });
    if let (Some(Value::Object(properties)), Value::Object(start)) = (schema.get_mut("properties"), start::properties()) {
        properties.extend(start);
    }
    schema
}

fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// The same schema with words for a person.
fn said(mut schema: Value, words: &str) -> Value {
    if let Value::Object(fields) = &mut schema {
        fields.insert("description".to_owned(), words.into());
    }
    schema
}
