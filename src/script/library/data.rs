//! Lists and maps.

use std::collections::BTreeSet;

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::json;
use super::{Function, Outcome, function, list_fits, wrong};

pub(super) const FUNCTIONS: &[Function] = &[
    function("get", "get(value, path, default) -> value", "What is at `a.b.0.c`, or the default where something is missing.", |e, n| {
        e.register_fn(n, get);
    }),
    function("first", "first(list) -> value", "The first item; `()` of an empty list.", |e, n| {
        e.register_fn(n, |list: Array| list.into_iter().next().unwrap_or(Dynamic::UNIT));
    }),
    function("last", "last(list) -> value", "The last item; `()` of an empty list.", |e, n| {
        e.register_fn(n, |list: Array| list.into_iter().next_back().unwrap_or(Dynamic::UNIT));
    }),
    function("sum", "sum(list) -> number", "The sum of its numbers; 0 of an empty list.", |e, n| {
        e.register_fn(n, sum);
    }),
    function("unique", "unique(list) -> list", "Each value once, where it first was.", |e, n| {
        e.register_fn(n, unique);
    }),
    function("compact", "compact(list) -> list", "Without `()`.", |e, n| {
        e.register_fn(n, |list: Array| list.into_iter().filter(|item| !item.is_unit()).collect::<Array>());
    }),
    function("flatten", "flatten(list) -> list", "Lists in it replaced by their items, one level.", |e, n| {
        e.register_fn(n, flatten);
    }),
    function("pick", "pick(map, keys) -> map", "Only these keys.", |e, n| {
        e.register_fn(n, |map: Map, keys: Array| keyed(map, &keys, true));
    }),
    function("omit", "omit(map, keys) -> map", "All but these keys.", |e, n| {
        e.register_fn(n, |map: Map, keys: Array| keyed(map, &keys, false));
    }),
];

fn get(value: Dynamic, path: &str, default: Dynamic) -> Dynamic {
    let mut value = value.flatten();
    for key in path.split('.') {
        let inner = if let Ok(map) = value.as_map_ref() {
            map.get(key).cloned()
        } else if let Ok(list) = value.as_array_ref() {
            key.parse::<usize>().ok().and_then(|index| list.get(index).cloned())
        } else {
            None
        };
        match inner {
            Some(inner) => value = inner,
            None => return default,
        }
    }
    if value.is_unit() { default } else { value }
}

fn sum(list: Array) -> Outcome<Dynamic> {
    let mut whole = 0_i64;
    let mut fraction = None;
    for (index, item) in list.iter().enumerate() {
        if let Ok(number) = item.as_int() {
            let Some(more) = whole.checked_add(number) else { return wrong("sum: the sum is too large for a whole number; add floats") };
            whole = more;
        } else if let Ok(number) = item.as_float() {
            fraction = Some(fraction.unwrap_or(0.0) + number);
        } else {
            return wrong(format!("sum: item {index} is {}, not a number", json::kind(item)));
        }
    }
    Ok(fraction.map_or(whole.into(), |fraction| (fraction + float(whole)).into()))
}

#[expect(clippy::cast_precision_loss, reason = "adding whole numbers to floats gives a float")]
fn float(whole: i64) -> f64 {
    whole as f64
}

fn unique(list: Array) -> Outcome<Array> {
    let mut seen = BTreeSet::new();
    let mut kept = Array::new();
    for item in list {
        match json::to_value(&item) {
            Ok(value) if seen.insert(value.to_string()) => kept.push(item),
            Ok(_) => {}
            Err(words) => return wrong(format!("unique: {words}")),
        }
    }
    Ok(kept)
}

fn flatten(context: NativeCallContext<'_>, list: Array) -> Outcome<Array> {
    let mut flat = Array::new();
    for item in list {
        if item.is_array() {
            flat.extend(item.into_array().unwrap_or_default());
        } else {
            flat.push(item);
        }
        list_fits(&context, flat.len())?;
    }
    Ok(flat)
}

fn keyed(map: Map, keys: &[Dynamic], wanted: bool) -> Map {
    let keys: BTreeSet<String> = keys.iter().filter_map(|key| json::to_text(key).ok()).collect();
    map.into_iter().filter(|(key, _)| keys.contains(key.as_str()) == wanted).collect()
}
