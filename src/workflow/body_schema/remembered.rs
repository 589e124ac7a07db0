//! What may be kept of a body that does not fit: which place of the schema, and which check. Values are not told to begin with; names
//! that the schema does not have are the sender's, and are `*`.

use std::collections::BTreeSet;

use super::{Mismatch, told};
use crate::domain::Value;

/// Place and message without the sender's words.
pub(super) fn of(mismatch: &Mismatch, body: &Value, names: &BTreeSet<String>) -> String {
    let message = if mismatch.message.starts_with(told::OTHER) { told::OTHER } else { &mismatch.message };
    let place = place(&mismatch.path, body, names);
    format!("{} {message}", if place.is_empty() { "the body" } else { &place })
}

fn place(path: &str, body: &Value, names: &BTreeSet<String>) -> String {
    let (mut at, mut place) = (Some(body), String::new());
    for part in path.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        let (is_known, next) = match at {
            Some(Value::Array(items)) => (true, name.parse().ok().and_then(|index: usize| items.get(index))),
            Some(Value::Object(map)) => (names.contains(&name), map.get(&name)),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => (names.contains(&name), None),
        };
        place.push('/');
        place.push_str(if is_known { part } else { "*" });
        at = next;
    }
    place
}

/// The names that a schema gives to parts of a body.
pub(super) fn names<'v>(schemas: impl Iterator<Item = &'v Value>) -> BTreeSet<String> {
    let (mut found, mut open) = (BTreeSet::new(), schemas.collect::<Vec<_>>());
    while let Some(schema) = open.pop() {
        match schema {
            Value::Object(map) => {
                for (keyword, value) in map {
                    match (&**keyword, value) {
                        ("properties" | "dependentRequired" | "dependentSchemas" | "dependencies", Value::Object(named)) => {
                            found.extend(named.keys().cloned());
                            named.values().for_each(|value| found.extend(texts(value)));
                        }
                        ("required", value) => found.extend(texts(value)),
                        _ => {}
                    }
                    open.push(value);
                }
            }
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}

fn texts(value: &Value) -> impl Iterator<Item = String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}
