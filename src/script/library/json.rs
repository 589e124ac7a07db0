//! JSON text.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::super::json;
use super::{Function, Outcome, fits, function, wrong};

pub(super) const FUNCTIONS: &[Function] = &[
    function("to_json(value) -> text", "As JSON on one line.", r#"to_json(#{a: [1, ()]}) => "{\"a\":[1,null]}""#, |e, n| {
        e.register_fn(n, |context: NativeCallContext<'_>, value: Dynamic| text(&context, &value));
        e.register_fn(n, |context: NativeCallContext<'_>, value: Map| text(&context, &value.into()));
    }),
    function("to_json_pretty(value) -> text", "As JSON, indented by two spaces.", r#"to_json_pretty([1]) => "[\n  1\n]""#, |e, n| {
        e.register_fn(n, pretty);
    }),
    function(
        "parse_json(text) -> value",
        "The value that JSON text stands for; `null` is `()`. At most 128 levels.",
        r#"parse_json("[1, null]") => [1, ()]"#,
        |e, n| {
            e.register_fn(n, parse);
        },
    ),
];

fn text(context: &NativeCallContext<'_>, value: &Dynamic) -> Outcome<String> {
    let text = match json::to_value(value) {
        Ok(value) => value.to_string(),
        Err(words) => return wrong(format!("to_json: {words}")),
    };
    fits(context, text.len())?;
    Ok(text)
}

fn parse(text: &str) -> Outcome<Dynamic> {
    json::read(text.as_bytes()).or_else(|error| wrong(format!("parse_json: this is not JSON: {error}")))
}

fn pretty(context: NativeCallContext<'_>, value: Dynamic) -> Outcome<String> {
    let text = match json::to_value(&value) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
        Err(words) => return wrong(format!("to_json_pretty: {words}")),
    };
    fits(&context, text.len())?;
    Ok(text)
}

/// Lists and maps turned into text are JSON: Rhai's own form walks them without a bound on depth.
pub(super) fn register_text_forms(engine: &mut Engine) {
    for name in ["to_string", "to_debug", "print", "debug"] {
        engine.register_fn(name, |context: NativeCallContext<'_>, value: Array| text(&context, &value.into()));
        engine.register_fn(name, |context: NativeCallContext<'_>, value: Map| text(&context, &value.into()));
    }
}
