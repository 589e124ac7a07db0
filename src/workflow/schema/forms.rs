//! `form`.

use serde_json::json;

use super::triggers::{dedupe, limits, path};
use super::{refer, said};
use crate::domain::Value;
use crate::workflow::file::limits::{FIELD_NAME_BYTES, FIELD_SORTS, FIELDS, FORM_LISTS, LENGTH_LIMIT, TEXT_BYTES, UPLOADS_LIMIT};

const FIELD_NAME: &str = "^[A-Za-z][A-Za-z0-9_]*$";
const DAY: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";
const FILE_TYPE: &str = r"^(\.[A-Za-z0-9!#$&^_+-]+|[A-Za-z0-9!#$&^_.+-]+/([A-Za-z0-9!#$&^_.+-]+|\*))$";

/// A form and its parts.
pub(super) fn definitions() -> [(&'static str, Value); 5] {
    [
        ("form", form()),
        ("form_fields", fields()),
        ("form_field", field()),
        ("form_words", json!({"type": ["string", "number", "boolean"], "pattern": r"\S", "maxLength": TEXT_BYTES})),
        ("form_choices", choices()),
    ]
}

fn form() -> Value {
    let words = |words: &str| said(refer("form_words"), words);
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["path"],
        "properties": {
            "path": path("Below /forms/; `{name}` takes one segment or a part of one."),
            "redirect": {
                "description": "Where the browser goes when the form was taken: a path or an address.",
                "type": "string",
                "pattern": r"^(/|/[!#-.0-;=?-\[\]-~][!#-;=?-\[\]-~]*|https?://[A-Za-z0-9.-][!#-;=?-\[\]-~]*)$",
                "maxLength": TEXT_BYTES,
            },
            "honeypot": {
                "description": "A field that people do not see; who fills it in is no person.",
                "type": "string", "pattern": FIELD_NAME, "maxLength": FIELD_NAME_BYTES,
            },
            "uploads": {
                "description": "The files it takes.",
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "max": said(refer("size"), "The largest file; 5MiB when absent."),
                    "count": {"description": "The most files at once; 10 when absent.", "type": "integer", "minimum": 1, "maximum": UPLOADS_LIMIT},
                    "types": one_or_more(&json!({"type": "string", "pattern": FILE_TYPE}), "Content types and endings: image/png, image/*, .csv; every one when absent."),
                },
            },
            "fields": said(refer("form_fields"), "What is filled in; then GET /forms/PATH serves the form."),
            "title": words("Above the form."),
            "description": words("Below the title."),
            "button": words("On the button."),
            "thanks": words("When the form was taken and there is no `redirect`."),
            "cors": said(refer("cors"), "Sites whose scripts may send it, and that may show it in a frame."),
            "schema": said(refer("body_schema"), "What the event's body has to fit; what does not is told at its field."),
            "limits": limits("The most that its texts may take together."),
            "dedupe": dedupe(),
        },
        "dependentRequired": {"title": ["fields"], "description": ["fields"], "button": ["fields"]},
    })
}

fn one_or_more(item: &Value, words: &str) -> Value {
    json!({"description": words, "anyOf": [item, {"type": "array", "minItems": 1, "maxItems": FORM_LISTS, "items": item}]})
}

fn fields() -> Value {
    json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": FIELDS,
        "propertyNames": {"pattern": FIELD_NAME, "maxLength": FIELD_NAME_BYTES},
        "additionalProperties": refer("form_field"),
    })
}

fn choices() -> Value {
    let words = refer("form_words");
    json!({"anyOf": [
        {"type": "array", "minItems": 1, "maxItems": FIELDS, "uniqueItems": true, "items": words},
        {"type": "object", "minProperties": 1, "maxProperties": FIELDS, "additionalProperties": words},
    ]})
}

/// A field of these types, with these keys besides those that all have.
fn of(types: &[&str], required: &[&str], own: Value) -> Value {
    let words = |words: &str| said(refer("form_words"), words);
    let mut properties = json!({"type": {"enum": types}, "label": words("What a person reads beside it.")});
    if let (Value::Object(properties), Value::Object(own)) = (&mut properties, own) {
        if types != ["hidden"] {
            properties.insert("required".to_owned(), json!({"type": "boolean", "description": "It has to be filled in."}));
            properties.insert("help".to_owned(), words("A line that helps."));
        }
        properties.extend(own);
    }
    // Without a type it is a line of text.
    let required: Vec<&str> = required.iter().copied().chain((!types.contains(&"text")).then_some("type")).collect();
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn field() -> Value {
    let short: Vec<&str> = FIELD_SORTS.iter().map(|(word, _)| *word).filter(|word| !["select", "radio", "hidden"].contains(word)).collect();
    let text = refer("text");
    let length = json!({"type": "integer", "minimum": 0, "maximum": LENGTH_LIMIT});
    let placeholder = said(refer("form_words"), "Shown while it is empty.");
    let pattern = json!({"type": ["string", "number", "boolean"], "description": "A regular expression for the whole text."});
    json!({"anyOf": [
        {"enum": short},
        of(&["text", "email", "tel", "textarea"], &[], json!({
            "min": said(length.clone(), "The least characters."),
            "max": said(length, "The most characters."),
            "pattern": pattern, "placeholder": placeholder, "value": text,
        })),
        of(&["number"], &[], json!({"min": {"type": "number"}, "max": {"type": "number"}, "placeholder": placeholder, "value": text})),
        of(&["date"], &[], json!({"min": {"type": "string", "pattern": DAY}, "max": {"type": "string", "pattern": DAY}, "value": text})),
        of(&["select", "radio"], &["options"], json!({"options": refer("form_choices"), "value": text})),
        of(&["checkbox"], &[], json!({"options": refer("form_choices")})),
        of(&["file"], &[], json!({"multiple": {"type": "boolean", "description": "Several files at once."}})),
        of(&["hidden"], &["value"], json!({"value": text})),
    ]})
}
