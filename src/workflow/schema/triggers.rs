//! `when`.

use serde_json::json;

use super::{refer, said};
use crate::domain::{Map, Value};
use crate::workflow::file::limits::{DOOR_LIST, KEYS, KINDS, METHODS, OUTCOMES, RATE_LIMIT, SCHEMES, SECRETS, TOPICS, WITHOUT_SECRET};

/// A trigger and its parts.
pub(super) fn definitions() -> [(&'static str, Value); 11] {
    [
        ("trigger", trigger()),
        ("event_trigger", event()),
        ("run_trigger", run()),
        ("webhook", webhook()),
        ("cors", cors()),
        ("rate", rate()),
        ("body_schema", body_schema()),
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
                    "properties": {"schema": said(refer("body_schema"), "What the body has to fit.")},
                },
            },
        },
    ]})
}

fn body_schema() -> Value {
    json!({"anyOf": [
        {"description": "A file of the project.", "type": "string", "pattern": r"^schemas/.*\.json$"},
        {"description": "JSON Schema 2020-12.", "type": "object"},
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
            "schema": said(refer("body_schema"), "What the body has to fit; 422 when it does not."),
            "respond": said(refer("reply"), "What the caller gets; the receipt when absent."),
            "limits": limits("The largest body."),
            "allow_from": {
                "description": "Networks and addresses of senders; all when absent.",
                "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "maxItems": DOOR_LIST, "items": {"type": "string"}}],
            },
            "cors": said(refer("cors"), "Which pages of other sites may call it."),
        },
        "if": {"required": ["verify"], "properties": {"verify": {"type": "object", "required": ["url"]}}},
        "then": {"properties": {"path": {"not": {"type": "string", "pattern": r"\{"}}}},
    })
}

fn cors() -> Value {
    let texts = |items: Value| json!({"anyOf": [items, {"type": "array", "minItems": 1, "maxItems": DOOR_LIST, "items": items}]});
    let origin = json!({"type": "string", "pattern": r"^([Hh][Tt][Tt][Pp][Ss]?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?|\*)$", "examples": ["https://www.example.com"]});
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["origins"],
        "properties": {
            "origins": texts(origin),
            "headers": texts(refer("header_name")),
            "max_age": said(refer("some_duration"), "How long a browser may remember; 10m when absent."),
        },
    })
}

fn rate() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["limit", "per"],
        "properties": {
            "limit": {"description": "How many.", "type": "integer", "minimum": 1, "maximum": RATE_LIMIT},
            "per": said(refer("some_duration"), "In which time; at most 1d."),
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

pub(super) fn limits(body: &str) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "body": said(refer("size"), body),
            "rate": said(refer("rate"), "How many requests, from all senders together."),
            "burst": {"description": "So many at once; `limit` when absent.", "type": "integer", "minimum": 1, "maximum": RATE_LIMIT},
        },
        "dependentRequired": {"burst": ["rate"]},
    })
}

/// `secret` or `secrets`, exactly one of them.
fn one_secret() -> Value {
    json!([{"required": ["secret"]}, {"required": ["secrets"]}])
}

fn verify() -> Value {
    let kinds: Vec<Value> = KINDS.iter().map(|kind| json!({"required": [kind]})).collect();
    let secrets = |name: Value| {
        let mut properties = json!({"secret": refer("secret_name"), "secrets": refer("secrets")});
        let mut required = json!([]);
        if let (Value::Object(properties), Value::Object(name)) = (&mut properties, name) {
            required = name.keys().cloned().collect();
            properties.extend(name);
        }
        json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties, "oneOf": one_secret()})
    };
    let keys = ["secret", "secrets"].into_iter().chain(KEYS.map(|(key, _)| key));
    let depends: Map = keys.map(|key| (key.to_owned(), json!(["scheme"]))).collect();
    json!({"anyOf": [
        {"const": "none", "description": "Anybody may call it."},
        {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "scheme": {"enum": SCHEMES.as_slice(), "description": "A sender's own scheme."},
                "secret": said(refer("secret_name"), "The secret's name, never its value."),
                "secrets": said(refer("secrets"), "Several, for rotation."),
                "url": {"type": "string", "pattern": "^https?://[^#]+$", "description": "The whole URL as it is set at the sender, if it signs that."},
                "topics": {
                    "description": "The ARNs of the SNS topics that are heard.",
                    "anyOf": [topic(), {"type": "array", "minItems": 1, "maxItems": TOPICS, "items": topic()}],
                },
                "webhook_id": said(refer("text"), "PayPal's id of the webhook."),
                "verify_token": said(refer("secret_name"), "The secret that Meta's first request brings."),
                "hmac": said(refer("hmac"), "A keyed hash in a header."),
                "bearer": {"description": "A fixed token.", "anyOf": [refer("secret_name"), secrets(json!({}))]},
                "basic": said(secrets(json!({"user": {"type": ["string", "number", "boolean"], "pattern": "^[^:]+$"}})), "User and password."),
                "header": said(secrets(json!({"name": refer("header_name")})), "A header whose value is the secret."),
            },
            "oneOf": kinds,
            "dependentSchemas": {"scheme": {"allOf": scheme_rules()}},
            "dependentRequired": depends,
        },
    ]})
}

fn topic() -> Value {
    json!({"type": "string", "pattern": "^arn:[^:]*:sns:[^:]+:[^:]+:[^:]+$"})
}

/// Which keys stand beside which scheme.
fn scheme_rules() -> Vec<Value> {
    let is = |schemes: &[&str]| json!({"properties": {"scheme": {"enum": schemes}}});
    let without_secret = json!({
        "if": is(&WITHOUT_SECRET),
        "then": {"not": {"anyOf": one_secret()}},
        "else": {"oneOf": one_secret()},
    });
    let of_some = KEYS.iter().map(|(key, schemes)| {
        // `url` alone can be left out: `public_url` of hence.yaml takes its place.
        let needed = if *key == "url" { json!(true) } else { json!({"required": [key]}) };
        json!({"if": is(schemes), "then": needed, "else": {"not": {"required": [key]}}})
    });
    std::iter::once(without_secret).chain(of_some).collect()
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
