//! Reading `with` and the connection: only known keys, and each of the right shape.

use std::borrow::Cow;

use crate::connector::nearest;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::{Map, Value};

/// What a step may give.
pub(super) const WITH_KEYS: [&str; 15] = [
    "url",
    "method",
    "query",
    "headers",
    "json",
    "form",
    "multipart",
    "xml",
    "text",
    "body",
    "auth",
    "expect",
    "redirects",
    "max_body",
    "pages",
];
/// What a connection may give.
const CONNECTION_KEYS: [&str; 3] = ["base_url", "headers", "auth"];
/// Promised in the language, not made yet.
const LATER_KEYS: [&str; 1] = ["pages"];

pub(super) fn bad(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::BadInput, message)
}

/// The step's `with`, its keys checked.
pub(super) fn with(value: &Value) -> Result<&Map, Failure> {
    let Value::Object(with) = value else {
        return Err(bad(format!("`with` is {}: expected a map, as in `with: {{url: https://example.com/}}`", sort(value))));
    };
    known_keys("`with`", with, &WITH_KEYS)?;
    match LATER_KEYS.iter().find(|key| with.contains_key(**key)) {
        Some(key) => Err(bad(format!("`{key}` is not supported yet"))),
        None => Ok(with),
    }
}

/// The connection's settings, their keys checked.
pub(super) fn connection(settings: &Map) -> Result<&Map, Failure> {
    known_keys("the connection", settings, &CONNECTION_KEYS).map(|()| settings)
}

/// Refuses the first key that is not one of `valid`.
pub(super) fn known_keys(place: &str, map: &Map, valid: &[&'static str]) -> Result<(), Failure> {
    match map.keys().find(|key| !valid.contains(&key.as_str())) {
        Some(key) => Err(bad(format!(
            "{place} has an unknown key `{key}`{}",
            nearest::nearest(key, valid.iter().copied())
                .map_or_else(|| format!("; it may have {}", valid.join(", ")), |near| format!("; did you mean `{near}`?"))
        ))),
        None => Ok(()),
    }
}

/// A value that is there and not null.
pub(super) fn given<'m>(map: &'m Map, key: &str) -> Option<&'m Value> {
    map.get(key).filter(|value| !value.is_null())
}

/// A text, or a number or truth value as text.
pub(super) fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text that has to be there.
pub(super) fn text<'m>(place: &str, map: &'m Map, key: &str) -> Result<Cow<'m, str>, Failure> {
    let value = given(map, key).ok_or_else(|| bad(format!("{place} needs `{key}`")))?;
    scalar(value).ok_or_else(|| bad(format!("{place}: `{key}` is {}: expected a text", sort(value))))
}

/// A map that has to be one.
pub(super) fn map<'m>(place: &str, value: &'m Value) -> Result<&'m Map, Failure> {
    value.as_object().ok_or_else(|| bad(format!("{place} is {}: expected a map", sort(value))))
}

/// What sort of value this is, for messages; never the value, which may be secret.
pub(super) fn sort(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// The pairs of a query or a form. Lists of plain values repeat the name; what is nested gets
/// brackets, as in `metadata[order]=1` and `items[0][price]=2`; null is left out.
pub(super) fn pairs(map: &Map) -> Vec<(String, Cow<'_, str>)> {
    let mut pairs = Vec::with_capacity(map.len());
    map.iter().for_each(|(name, value)| flatten(name.clone(), value, &mut pairs));
    pairs
}

fn flatten<'v>(name: String, value: &'v Value, pairs: &mut Vec<(String, Cow<'v, str>)>) {
    match value {
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            pairs.extend(items.iter().filter_map(scalar).map(|item| (name.clone(), item)));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| flatten(format!("{name}[{at}]"), item, pairs)),
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(format!("{name}[{key}]"), value, pairs)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => pairs.extend(scalar(value).map(|value| (name, value))),
    }
}
