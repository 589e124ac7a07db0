//! JSON text.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::super::json;
use super::{Function, Outcome, fits, function, wrong};

pub(super) const FUNCTIONS: &[Function] = &[
    function("to_json", "to_json(value) -> text", "As JSON on one line.", |e, n| {
        e.register_fn(n, |context: NativeCallContext<'_>, value: Dynamic| text(&context, &value));
        e.register_fn(n, |context: NativeCallContext<'_>, value: Map| text(&context, &value.into()));
    }),
    function("parse_json", "parse_json(text) -> value", "The value that JSON text stands for.", |e, n| {
        e.register_fn(n, parse);
    }),
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

/// Lists and maps turned into text are JSON: Rhai's own form walks them without a bound on depth.
pub(super) fn register_text_forms(engine: &mut Engine) {
    for name in ["to_string", "to_debug", "print", "debug"] {
        engine.register_fn(name, |context: NativeCallContext<'_>, value: Array| text(&context, &value.into()));
        engine.register_fn(name, |context: NativeCallContext<'_>, value: Map| text(&context, &value.into()));
    }
}
