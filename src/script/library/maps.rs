//! Maps, and values of which the kind is not known.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::json;
use super::numbers::number;
use super::{Function, Outcome, fits, function, list_fits, shown, wrong};

pub(super) const ABOUT: &str = "A map keeps its keys in alphabetical order. A path is `a.b[0].c`; `a.b.0.c` is the same.";

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "get(value, path, default) -> value",
        "What is at the path, or the default where something is missing.",
        r#"get(#{a: [#{b: 1}]}, "a[0].b", 0) => 1"#,
        |e, n| {
            e.register_fn(n, |value: Dynamic, path: &str, default: Dynamic| at(&value, path).unwrap_or(default));
        },
    ),
    function("has(value, path) -> bool", "Whether there is something at the path.", r#"has(#{a: #{b: ()}}, "a.b") => false"#, |e, n| {
        e.register_fn(n, |value: Dynamic, path: &str| at(&value, path).is_some());
    }),
    function(
        "kind_of(value) -> text",
        "`text`, `whole number`, `float`, `bool`, `list`, `map`, `function` or `missing`.",
        r#"[kind_of("a"), kind_of(())] => ["text", "missing"]"#,
        |e, n| {
            e.register_fn(n, kind_of);
        },
    ),
    function(
        "is_blank(value) -> bool",
        "Whether it is missing, a text of white space, or a list or map with nothing in it.",
        r#"[is_blank(" "), is_blank(()), is_blank(0)] => [true, true, false]"#,
        |e, n| {
            e.register_fn(n, |value: Dynamic| is_blank(&value));
        },
    ),
    function(
        "if_blank(value, default) -> value",
        "The value, or the default where `is_blank`. `??` looks only for missing ones.",
        r#"if_blank("", "friend") => "friend""#,
        |e, n| {
            e.register_fn(n, |value: Dynamic, default: Dynamic| if is_blank(&value) { default } else { value });
        },
    ),
    function(
        "entries(map) -> list",
        "A map with `key` and `value` for each entry.",
        r#"entries(#{a: 1}) => [#{key: "a", value: 1}]"#,
        |e, n| {
            e.register_fn(n, entries);
        },
    ),
    function(
        "from_entries(list) -> map",
        "The map of such entries; pairs `[key, value]` do too.",
        r#"from_entries([["a", 1]]) => #{a: 1}"#,
        |e, n| {
            e.register_fn(n, from_entries);
        },
    ),
    function("pick(map, keys) -> map", "Only these keys.", r#"pick(#{a: 1, b: 2}, ["a"]) => #{a: 1}"#, |e, n| {
        e.register_fn(n, |map: Map, keys: Array| keyed("pick", map, &keys, true));
    }),
    function("omit(map, keys) -> map", "All but these keys.", r#"omit(#{a: 1, b: 2}, ["a"]) => #{b: 2}"#, |e, n| {
        e.register_fn(n, |map: Map, keys: Array| keyed("omit", map, &keys, false));
    }),
    function(
        "merge(map, other) -> map",
        "Both; the other's entries count where a key is in both. `map + other` is the same.",
        "merge(#{a: 1, b: 1}, #{b: 2}) => #{a: 1, b: 2}",
        |e, n| {
            e.register_fn(n, |map: Map, other: Map| map.into_iter().chain(other).collect::<Map>());
        },
    ),
    function(
        "merge_deep(map, other) -> map",
        "As `merge`, and maps in both are merged too.",
        "merge_deep(#{a: #{b: 1}}, #{a: #{c: 2}}) => #{a: #{b: 1, c: 2}}",
        |e, n| {
            e.register_fn(n, |map: Map, other: Map| merge_deep(map, other, 0));
        },
    ),
];

/// What is at `a.b[0].c`. What is `()` is not there.
pub(super) fn at(value: &Dynamic, path: &str) -> Option<Dynamic> {
    let mut value = value.clone().flatten();
    let segments = path.split(['.', '[']).map(|segment| segment.strip_suffix(']').unwrap_or(segment).trim_matches(['"', '\'']));
    for key in segments.skip_while(|key| key.is_empty()) {
        let inner = if let Ok(map) = value.as_map_ref() {
            map.get(key).cloned()
        } else if let Ok(list) = value.as_array_ref() {
            key.parse::<usize>().ok().and_then(|index| list.get(index).cloned())
        } else {
            None
        };
        value = inner?;
    }
    (!value.is_unit()).then_some(value)
}

fn kind_of(value: Dynamic) -> &'static str {
    match value.type_name() {
        "()" => "missing",
        "string" | "char" => "text",
        "i64" => "whole number",
        "f64" => "float",
        "bool" => "bool",
        "array" => "list",
        "map" => "map",
        "Fn" => "function",
        _ => "other",
    }
}

fn is_blank(value: &Dynamic) -> bool {
    if let Ok(text) = value.as_immutable_string_ref() {
        return text.trim().is_empty();
    }
    if let Ok(list) = value.as_array_ref() {
        return list.is_empty();
    }
    if let Ok(map) = value.as_map_ref() {
        return map.is_empty();
    }
    value.is_unit()
}

fn entries(context: NativeCallContext<'_>, map: Map) -> Outcome<Array> {
    // Rhai counts the entries of inner maps too.
    list_fits(&context, map.len().saturating_mul(2))?;
    let entry = |(key, value): (_, Dynamic)| {
        let key: rhai::ImmutableString = key;
        Map::from_iter([("key".into(), key.into()), ("value".into(), value)]).into()
    };
    Ok(map.into_iter().map(|(key, value)| entry((key.as_str().into(), value))).collect())
}

fn from_entries(context: NativeCallContext<'_>, list: Array) -> Outcome<Map> {
    let mut map = Map::new();
    let mut bytes = 0_usize;
    for (index, entry) in list.into_iter().enumerate() {
        let pair = if let Ok(entry) = entry.as_map_ref() {
            entry.get("key").cloned().zip(Some(entry.get("value").cloned().unwrap_or(Dynamic::UNIT)))
        } else if let Ok(entry) = entry.as_array_ref()
            && let [key, value] = entry.as_slice()
        {
            Some((key.clone(), value.clone()))
        } else {
            None
        };
        let Some((key, value)) = pair else {
            return wrong(format!("from_entries: item {index} is {}; expected #{{key, value}} or [key, value]", json::kind(&entry)));
        };
        let key = key_text("from_entries", index, &key)?;
        bytes = bytes.saturating_add(key.len());
        fits(&context, bytes)?;
        map.insert(key.as_str().into(), value);
    }
    Ok(map)
}

/// A value as the key of a map.
pub(super) fn key_text(function: &str, index: usize, key: &Dynamic) -> Outcome<String> {
    if key.is_unit() {
        return wrong(format!("{function}: the key of item {index} is missing; `??` gives it a default"));
    }
    json::to_text(key).or_else(|words| wrong(format!("{function}: the key of item {index} {words}")))
}

fn keyed(function: &str, map: Map, keys: &[Dynamic], wanted: bool) -> Outcome<Map> {
    let texts = keys.iter().enumerate().map(|(index, key)| key_text(function, index, key));
    let keys = texts.collect::<Outcome<BTreeSet<String>>>()?;
    Ok(map.into_iter().filter(|(key, _)| keys.contains(key.as_str()) == wanted).collect())
}

fn merge_deep(map: Map, other: Map, depth: usize) -> Outcome<Map> {
    if json::DEPTH < depth {
        return wrong(format!("merge_deep: the maps are nested deeper than {}, the limit", json::DEPTH));
    }
    let mut merged = map;
    for (key, theirs) in other {
        let ours = merged.remove(&key).unwrap_or(Dynamic::UNIT);
        let value = if ours.is_map() && theirs.is_map() {
            let inner = |value: Dynamic| value.try_cast::<Map>().unwrap_or_default();
            merge_deep(inner(ours), inner(theirs), depth + 1)?.into()
        } else {
            theirs
        };
        merged.insert(key, value);
    }
    Ok(merged)
}

/// Pairs in the rising order of their keys: numbers, or texts, or bools; missing ones last.
pub(super) fn ordered(function: &str, mut pairs: Vec<(Dynamic, Dynamic)>) -> Outcome<Vec<(Dynamic, Dynamic)>> {
    let rank = |key: &Dynamic| match key.type_name() {
        "i64" | "f64" => Some(0),
        "string" | "char" => Some(1),
        "bool" => Some(2),
        "()" => Some(3),
        _ => None,
    };
    let mut first = None;
    for (index, (key, _)) in pairs.iter().enumerate() {
        match rank(key) {
            Some(3) => {}
            Some(rank) if first.is_none_or(|first| first == rank) => first = Some(rank),
            Some(_) => {
                let words = format!("{function}: item {index} goes by {}, and those before it by another kind", shown(&json::kind(key)));
                return wrong(words);
            }
            None => return wrong(format!("{function}: item {index} goes by {}; expected numbers or texts", json::kind(key))),
        }
    }
    pairs.sort_by(|(a, _), (b, _)| compare(a, b));
    Ok(pairs)
}

fn compare(a: &Dynamic, b: &Dynamic) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return a.cmp(&b);
    }
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a.total_cmp(&b);
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return a.cmp(&b);
    }
    match (json::to_text(a), json::to_text(b)) {
        (Ok(_), Ok(_)) if a.is_unit() || b.is_unit() => a.is_unit().cmp(&b.is_unit()),
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => Ordering::Equal,
    }
}
