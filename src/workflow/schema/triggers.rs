//! `when`.

use serde_json::json;

use super::{refer, said};
use crate::domain::Value;
use crate::workflow::file::limits::{METHODS, OUTCOMES, SCHEMES, SECRETS};

/// A trigger and its parts.
pub(super) fn definitions() -> [(&'static str, Value); 8] {
    [
        ("trigger", trigger()),
        ("event_trigger", event()),
        ("run_trigger", run()),
        ("webhook", webhook()),
        ("verify", verify()),
        ("hmac", hmac()),
        ("secrets", json!({"type": "array", "minItems": 1, "maxItems": SECRETS, "items": refer("secret_name")})),
        ("schedule", schedule()),
    ]
}

fn trigger() -> Value {
    json!({"anyOf": [
        {"const": "manual"},
        {
            "type": "object",
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {
                "webhook": said(refer("webhook"), "A request to /hooks/PATH."),
                "form": said(refer("form"), "A form that a browser sends to /forms/PATH."),
                "schedule": said(refer("schedule"), "A due time."),
                "event": said(refer("event_trigger"), "An event that a workflow emitted."),
                "run": said(refer("run_trigger"), "The end of another workflow's run."),
                "manual": {
                    "description": "It can be started with `hence run` and the API.",
                    "type": ["null", "object"],
                    "additionalProperties": false,
                },
            },
        },
    ]})
}

fn event() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["type"],
        "properties": {
            "type": said(refer("event_type"), "As `emit` has it."),
            "if": said(refer("condition"), "Over the event; false: it does not concern the workflow."),
        },
    })
}

fn run() -> Value {
    let outcomes = OUTCOMES.map(|(word, _)| word);
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["workflow"],
        "properties": {
            "workflow": said(refer("text"), "Whose run ended."),
            "outcome": {
                "description": "How it ended; every end when absent.",
                "anyOf": [{"enum": outcomes}, {"type": "array", "minItems": 1, "items": {"enum": outcomes}}],
            },
        },
    })
}

fn webhook() -> Value {
    let methods: Vec<&str> = METHODS.iter().map(|(word, _)| *word).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["path", "verify"],
        "properties": {
            "path": path("Below /hooks/; `{name}` takes one segment or a part of one."),
            "methods": {
                "description": "POST when absent.",
                "anyOf": [{"enum": methods}, {"type": "array", "minItems": 1, "items": {"enum": methods}}],
            },
            "verify": said(refer("verify"), "How its sender is known."),
            "dedupe": dedupe(),
            "respond": said(refer("reply"), "What the caller gets; the receipt when absent."),
            "limits": limits("The largest body."),
        },
    })
}

pub(super) fn path(words: &str) -> Value {
    json!({
        "description": words,
        "type": ["string", "number", "boolean"],
        "pattern": r"^/?[A-Za-z0-9._~!$&'()+,;=:@{}-]+(/[A-Za-z0-9._~!$&'()+,;=:@{}-]+)*$",
        "maxLength": 513,
        "not": {"type": "string", "pattern": r"\{\}|\{\{"},
    })
}

pub(super) fn dedupe() -> Value {
    json!({
        "description": "How a repeat is recognised, and for how long.",
        "type": "object",
        "additionalProperties": false,
        "required": ["key", "within"],
        "properties": {"key": refer("expression"), "within": refer("some_duration")},
    })
}

pub(super) fn limits(words: &str) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": {"body": said(refer("size"), words)}})
}

/// `secret` or `secrets`, exactly one of them.
fn one_secret() -> Value {
    json!([{"required": ["secret"]}, {"required": ["secrets"]}])
}

fn verify() -> Value {
    let kinds: Vec<Value> = ["scheme", "hmac", "bearer", "header"].iter().map(|kind| json!({"required": [kind]})).collect();
    let secrets = |name: Value| {
        let mut properties = json!({"secret": refer("secret_name"), "secrets": refer("secrets")});
        let mut required = json!([]);
        if let (Value::Object(properties), Value::Object(name)) = (&mut properties, name) {
            required = name.keys().cloned().collect();
            properties.extend(name);
        }
        json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties, "oneOf": one_secret()})
    };
    json!({"anyOf": [
        {"const": "none", "description": "Anybody may call it."},
        {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "scheme": {"enum": SCHEMES.as_slice(), "description": "A sender's own scheme."},
                "secret": said(refer("secret_name"), "The secret's name, never its value."),
                "secrets": said(refer("secrets"), "Several, for rotation."),
                "hmac": said(refer("hmac"), "A keyed hash in a header."),
                "bearer": {"description": "A fixed token.", "anyOf": [refer("secret_name"), secrets(json!({}))]},
                "header": said(secrets(json!({"name": refer("header_name")})), "A header whose value is the secret."),
            },
            "oneOf": kinds,
            "dependentSchemas": {"scheme": {"oneOf": one_secret()}},
            "dependentRequired": {"secret": ["scheme"], "secrets": ["scheme"]},
        },
    ]})
}

fn hmac() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["header"],
        "properties": {
            "header": said(refer("header_name"), "The header with the signature."),
            "algorithm": {"enum": ["sha256", "sha512", "sha1"]},
            "encoding": {"enum": ["hex", "base64"]},
            "prefix": said(refer("text"), "Text before the signature."),
            "signs": {
                "description": "What is signed: text with `${body}` and, if the sender signs a time, `${timestamp}`.",
                "type": "string",
                "pattern": r"\$\{\s*body\s*\}",
                "not": {"pattern": r"\$\{\s*([^bt\s]|b[^o]|t[^i])"},
            },
            "timestamp_header": said(refer("header_name"), "The header with the time in Unix seconds."),
            "tolerance": said(refer("some_duration"), "How far the time may be off."),
            "secret": refer("secret_name"),
            "secrets": refer("secrets"),
        },
        "oneOf": one_secret(),
        "if": {"required": ["signs"], "properties": {"signs": {"pattern": r"\$\{\s*timestamp\s*\}"}}},
        "then": {"required": ["timestamp_header"]},
        "else": {"not": {"required": ["timestamp_header"]}},
    })
}

fn schedule() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "cron": {"type": "string", "description": "minute, hour, day of month, month, day of week", "examples": ["0 9 * * MON-FRI"]},
            "every": {
                "description": "From one due time to the next; at least 1s.",
                "allOf": [refer("some_duration"), {"not": {"type": "string", "pattern": r"^\s*0*[0-9]{1,3}ms\s*$"}}],
            },
            "at": {"type": "string", "pattern": "^[0-9]{4}-", "examples": ["2027-03-01T09:00:00Z"]},
            "timezone": {"type": "string", "examples": ["Europe/Berlin"]},
            "catch_up": {"enum": ["none", "last", "all"], "description": "Which missed due times fire later."},
        },
        "oneOf": [{"required": ["cron"]}, {"required": ["every"], "not": {"required": ["timezone"]}}, {"required": ["at"]}],
    })
}
