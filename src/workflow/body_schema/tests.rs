use proptest::prelude::*;
use serde_json::json;

use super::*;

fn told(schema: &Value, body: &Value) -> Vec<String> {
    let schema = BodySchema::new("schemas/a.json", schema, &[]).unwrap();
    schema.check(body).err().unwrap_or_default().iter().map(Mismatch::to_string).collect()
}

fn check(schema: Value, body: Value, expected: &[&str]) {
    assert_eq!(told(&schema, &body), expected, "{schema} {body}");
}

#[test]
fn every_place_that_does_not_fit_is_told() {
    let schema = json!({
        "type": "object", "required": ["email", "name"], "additionalProperties": false,
        "properties": {
            "email": {"type": "string", "format": "email"}, "name": {"type": "string", "minLength": 2},
            "amount": {"type": "integer", "minimum": 1}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": true},
            "a/b": {"pattern": "^x"},
        },
    });
    check(schema.clone(), json!({"email": "ada@example.com", "name": "Ada", "amount": 2, "tags": ["a"]}), &[]);
    check(
        schema.clone(),
        json!({"email": "ada", "amount": 0.5, "tags": ["c", 1], "a/b": "y", "zip": 1}),
        &[
            "/amount is a number, expected a whole number",
            "/a~1b does not match the pattern `^x`",
            "/email is not a valid email",
            "/name is missing",
            "/tags/0 is none of \"a\", \"b\"",
            "/tags/1 is none of \"a\", \"b\"",
            "/zip is not allowed here",
        ],
    );
    check(schema, json!([1]), &["the body is a list, expected a map"]);
    check(json!({"anyOf": [{"type": "string"}, {"minimum": 3}]}), json!(1), &["the body fits none of the choices of `anyOf`"]);
    check(json!({"oneOf": [{"minimum": 1}, {"minimum": 2}]}), json!(3), &["the body fits more than one of the choices of `oneOf`"]);
    check(json!({"allOf": [{"$ref": "#/$defs/n"}], "$defs": {"n": {"maximum": 1}}}), json!(3), &["the body is more than 1"]);
}

#[test]
fn what_is_remembered_has_no_word_of_the_body() {
    let schema = json!({
        "required": ["email"], "additionalProperties": false,
        "properties": {
            "email": {"type": "string", "format": "email"}, "lines": {"items": {"$ref": "line.json"}},
            "by_card": {"additionalProperties": {"required": ["sum"]}},
        },
    });
    let line = json!({"properties": {"a/b": {"minimum": 1}}});
    let schema = BodySchema::new("schemas/order.json", &schema, &[("schemas/line.json", &line)]).unwrap();
    let body = json!({"email": 7, "lines": [{}, {"a/b": 0}], "by_card": {"4111": {}, "12": 1}, "hunter2": 1});
    let found: Vec<String> = schema.check(&body).unwrap_err().into_iter().map(|mismatch| mismatch.remembered).collect();
    let expected =
        ["/by_card/*/sum is missing", "/email is a number, expected a text", "/* is not allowed here", "/lines/1/a~1b is less than 1"];
    assert_eq!(found, expected);
    let whole = schema.check(&json!(1)).err().unwrap_or_default();
    assert!(whole.is_empty(), "what is no map has no such parts: {whole:?}");
}

#[test]
fn what_is_told_and_what_is_looked_at_are_bounded() {
    let many = told(&json!({"items": {"type": "string"}}), &json!(vec![1; 30_000]));
    assert_eq!((many.len(), &*many[TOLD]), (TOLD + 1, "the body has 29980 more places that do not fit"));
    let large = told(&json!({"items": {"type": "string"}}), &json!(vec![1; VALUES]));
    assert_eq!(large, ["the body has more than 50000 values, the limit for a body with a schema"]);
    let long = told(&json!({"enum": ["x".repeat(1000)]}), &json!(1));
    assert!(long[0].len() < 320, "{long:?}");
    // A pattern on which an engine that goes back would stand still.
    assert_eq!(told(&json!({"pattern": "^(a+)+$"}), &json!(format!("{}b", "a".repeat(100_000)))).len(), 1);
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    assert!(
        told(&json!({"$ref": "#/$defs/l", "$defs": {"l": {"type": ["array", "string"], "items": {"$ref": "#/$defs/l"}}}}), &deep).len()
            == 1
    );
}

fn check_wrong(schema: &Value, pointer: &str, words: &str) {
    let wrong = BodySchema::new("schemas/a.json", schema, &[]).unwrap_err();
    assert!(wrong.iter().any(|wrong| wrong.pointer == pointer && wrong.message.contains(words)), "{schema}: {wrong:?}");
}

#[test]
fn a_schema_that_is_wrong_is_told_with_its_place() {
    check_wrong(&json!([]), "", "a schema is a map");
    check_wrong(&json!({"properties": {"a": {"type": "strin"}}}), "/properties/a/type", "`type` is not what JSON Schema allows here");
    check_wrong(&json!({"required": "a"}), "/required", "is a text, expected a list");
    check_wrong(&json!({"properties": {"a": {"pattern": "["}}}), "/properties/a/pattern", "`pattern` is not a valid regex");
    check_wrong(&json!({"properties": {"a": {"$ref": "#/$defs/b"}}}), "/properties/a/$ref", "`#/$defs/b` refers to nothing");
    check_wrong(&json!({"$ref": "#b"}), "/$ref", "`#b` refers to nothing");
}

#[test]
fn nothing_outside_is_read() {
    for url in ["https://example.com/a.json", "http://127.0.0.1/a.json", "file:///etc/passwd", "ftp://x/y", "b.json"] {
        check_wrong(&json!({"items": {"$ref": url}}), "/items/$ref", "nothing is fetched");
    }
    check_wrong(&json!({"$schema": "https://example.com/schema"}), "", "example.com");
}

#[test]
fn files_beside_it_may_be_referred_to() {
    let schema = json!({"properties": {"a": {"$ref": "b.json#/$defs/n"}, "c": {"$ref": "./c.json"}, "d": {"$ref": "#/x"}}});
    assert_eq!(references("schemas/a.json", &schema), ["schemas/b.json".to_owned(), "schemas/c.json".to_owned()].into());
    assert_eq!(references("", &json!({"$ref": "schemas/b.json"})), ["schemas/b.json".to_owned()].into());
    let (b, c) = (json!({"$defs": {"n": {"type": "number"}}}), json!({"$ref": "b.json#/$defs/n"}));
    let schema = json!({"properties": {"a": {"$ref": "b.json#/$defs/n"}, "c": {"$ref": "./c.json"}}});
    let schema = BodySchema::new("schemas/a.json", &schema, &[("schemas/b.json", &b), ("schemas/c.json", &c)]).unwrap();
    let told = schema.check(&json!({"a": "x", "c": "y"})).unwrap_err();
    assert_eq!(told.iter().map(|one| &*one.path).collect::<Vec<_>>(), ["/a", "/c"]);
}

#[test]
fn a_file_beside_it_that_is_wrong_is_named() {
    let (schema, beside) = (json!({"items": {"$ref": "b.json"}}), json!({"required": 1}));
    let wrong = BodySchema::new("schemas/a.json", &schema, &[("schemas/b.json", &beside)]).unwrap_err();
    assert_eq!(wrong, [Wrong { pointer: String::new(), message: "it refers to schemas/b.json, which is no JSON Schema".to_owned() }]);
}

#[test]
fn threads_share_it() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<BodySchema>();
}

proptest! {
    #[test]
    fn no_schema_makes_it_panic(text in r#"\{("(type|items|\$ref|pattern|enum|properties|\$id|format)":("[a-z#/\[(\\$]{0,6}"|\{\}|\[\]|1|true),?){0,3}\}"#) {
        if let Ok(schema) = serde_json::from_str::<Value>(&text)
            && let Ok(schema) = BodySchema::new("schemas/a.json", &schema, &[])
        {
            drop(schema.check(&json!({"a": ["x", 1]})));
        }
    }
}
