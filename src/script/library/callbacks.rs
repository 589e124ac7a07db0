//! Built-ins that collect what a function gives. Rhai's own measure the result only when it is complete.

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map, NativeCallContext};

use super::super::size;
use super::{Function, Outcome, fits, function};

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "map",
        "map(list, |item| …) -> list",
        "What the function gives for each item; it may take the index too. Of a map: `|key, value|`.",
        |e, n| {
            e.register_fn(n, map_list).register_fn(n, map_map);
        },
    ),
    function("zip", "zip(list, other, |a, b| …) -> list", "What the function gives for each pair of items.", |e, n| {
        e.register_fn(n, zip);
    }),
];

/// Keeps count of what has been collected.
struct Collected<'c, 'a> {
    context: &'c NativeCallContext<'a>,
    bytes: usize,
}

impl Collected<'_, '_> {
    /// Calls the function, with the index when it does not go without.
    fn next<const N: usize>(&mut self, call: &FnPtr, arguments: [Dynamic; N], index: usize) -> Outcome<Dynamic> {
        let without = call.call_raw(self.context, None, arguments.clone());
        let value = match without {
            Err(error) if is_missing(&error, call) => {
                let index = Dynamic::from(i64::try_from(index).unwrap_or(i64::MAX));
                let all: Vec<Dynamic> = arguments.into_iter().chain([index]).collect();
                call.call_raw(self.context, None, all)?
            }
            other => other?,
        };
        self.bytes = self.bytes.saturating_add(size::text_bytes(&value));
        fits(self.context, self.bytes)?;
        Ok(value.flatten())
    }
}

fn is_missing(error: &EvalAltResult, call: &FnPtr) -> bool {
    matches!(error, EvalAltResult::ErrorFunctionNotFound(signature, _) if signature.starts_with(call.fn_name()))
}

fn map_list(context: NativeCallContext<'_>, list: Array, call: FnPtr) -> Outcome<Array> {
    let mut collected = Collected { context: &context, bytes: 0 };
    list.into_iter().enumerate().map(|(index, item)| collected.next(&call, [item], index)).collect()
}

fn map_map(context: NativeCallContext<'_>, map: Map, call: FnPtr) -> Outcome<Map> {
    let mut collected = Collected { context: &context, bytes: 0 };
    let entries = map.into_iter().enumerate();
    entries.map(|(index, (key, value))| Ok((key.clone(), collected.next(&call, [key.into(), value], index)?))).collect()
}

fn zip(context: NativeCallContext<'_>, list: Array, other: Array, call: FnPtr) -> Outcome<Array> {
    let mut collected = Collected { context: &context, bytes: 0 };
    let pairs = list.into_iter().zip(other).enumerate();
    pairs.map(|(index, (a, b))| collected.next(&call, [a, b], index)).collect()
}
