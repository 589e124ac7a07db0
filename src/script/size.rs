//! How much values hold. Rhai measures a value when an operator or function gives it, but not when
//! it is put into a list or map by index, nor what a built-in collects from a closure.

use rhai::{Dynamic, Scope};

/// The bytes of text in a value. A text that is shared counts each time.
pub(super) fn text_bytes(value: &Dynamic) -> usize {
    if let Ok(text) = value.as_immutable_string_ref() {
        return text.len();
    }
    if let Ok(list) = value.as_array_ref() {
        return list.iter().map(text_bytes).sum();
    }
    if let Ok(map) = value.as_map_ref() {
        return map.iter().map(|(key, value)| key.len() + text_bytes(value)).sum();
    }
    0
}

/// The bytes of text in all variables of a function.
pub(super) fn scope_text_bytes(scope: &Scope<'_>) -> usize {
    scope.iter_raw().map(|(_, _, value)| text_bytes(value)).sum()
}
