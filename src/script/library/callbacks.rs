//! Built-ins that collect what a function gives. Rhai's own measure the result only when it is complete.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, Map, NativeCallContext};

use super::super::size;
use super::lists::sum;
use super::maps::{at, key_text, ordered};
use super::{Function, Outcome, fits, function};

pub(super) const ABOUT: &str = "\
`by` is a function of the item, `|item| item.total`, or the path of a key in it, `\"customer.id\"`.";

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "map(list, |item| …) -> list",
        "What the function gives for each item; it may take the index too. Of a map: `|key, value|`.",
        "[1, 2].map(|x| x * 2) => [2, 4]",
        |e, n| {
            e.register_fn(n, map_list).register_fn(n, map_map);
            e.register_fn("zip", zip);
        },
    ),
    function(
        "sort_by(list, by) -> list",
        "In rising order; equal ones stay in order, missing ones go last.",
        r#"[#{n: 2}, #{n: 1}].sort_by("n") => [#{n: 1}, #{n: 2}]"#,
        |e, n| {
            by(e, n, |function, _, pairs| {
                Ok(Dynamic::from(ordered(function, pairs)?.into_iter().map(|(_, item)| item).collect::<Array>()))
            });
        },
    ),
    function(
        "group_by(list, by) -> map",
        "Lists of items, by key.",
        r#"["ab", "c", "de"].group_by(|t| t.len) => #{"1": ["c"], "2": ["ab", "de"]}"#,
        |e, n| {
            by(e, n, group_by);
        },
    ),
    function(
        "index_by(list, by) -> map",
        "The items by key; the last one counts where a key comes twice.",
        r#"[#{id: "x"}].index_by("id") => #{x: #{id: "x"}}"#,
        |e, n| {
            by(e, n, index_by);
        },
    ),
    function(
        "count_by(list, by) -> map",
        "How many items there are, by key.",
        r#"["a", "b", "a"].count_by(|t| t) => #{a: 2, b: 1}"#,
        |e, n| {
            by(e, n, count_by);
        },
    ),
    function("unique_by(list, by) -> list", "The first item of each key.", "[1, 2, 3].unique_by(|x| x % 2) => [1, 2]", |e, n| {
        by(e, n, unique_by);
    }),
    function("sum_by(list, by) -> number", "The sum of what each gives.", r#"[#{n: 2}, #{n: 3}].sum_by("n") => 5"#, |e, n| {
        by(e, n, |_, _, pairs| sum(pairs.into_iter().map(|(key, _)| key).collect()));
    }),
    function(
        "pluck(list, path) -> list",
        "What is at the path in each item.",
        r#"[#{a: #{b: 1}}, #{}].pluck("a.b") => [1, ()]"#,
        |e, n| {
            e.register_fn(n, |list: Array, path: &str| list.iter().map(|item| at(item, path).unwrap_or(Dynamic::UNIT)).collect::<Array>());
        },
    ),
];

type Pairs = Vec<(Dynamic, Dynamic)>;
type Finish = fn(&str, &NativeCallContext<'_>, Pairs) -> Outcome<Dynamic>;

/// Registers a function over a list and what its items go by.
fn by(engine: &mut Engine, name: &str, finish: Finish) {
    let named = name.to_owned();
    engine.register_fn(name, move |context: NativeCallContext<'_>, list: Array, call: FnPtr| {
        let mut collected = Collected { context: &context, bytes: 0 };
        let pairs = list.into_iter().enumerate().map(|(index, item)| Ok((collected.next(&call, [item.clone()], index)?, item)));
        finish(&named, &context, pairs.collect::<Outcome<Pairs>>()?)
    });
    let named = name.to_owned();
    engine.register_fn(name, move |context: NativeCallContext<'_>, list: Array, path: &str| {
        let pairs = list.into_iter().map(|item| (at(&item, path).unwrap_or(Dynamic::UNIT), item));
        finish(&named, &context, pairs.collect())
    });
}

/// Pairs with their keys as texts; all keys together are as bounded as one text.
fn with_texts(function: &str, context: &NativeCallContext<'_>, pairs: Pairs) -> Outcome<Vec<(String, Dynamic)>> {
    let mut bytes = 0_usize;
    let keyed = pairs.into_iter().enumerate().map(|(index, (key, item))| {
        let key = key_text(function, index, &key)?;
        bytes = bytes.saturating_add(key.len());
        fits(context, bytes)?;
        Ok((key, item))
    });
    keyed.collect()
}

fn group_by(function: &str, context: &NativeCallContext<'_>, pairs: Pairs) -> Outcome<Dynamic> {
    let mut groups: BTreeMap<String, Array> = BTreeMap::new();
    for (key, item) in with_texts(function, context, pairs)? {
        groups.entry(key).or_default().push(item);
    }
    Ok(groups.into_iter().map(|(key, items)| (key.as_str().into(), items.into())).collect::<Map>().into())
}

fn index_by(function: &str, context: &NativeCallContext<'_>, pairs: Pairs) -> Outcome<Dynamic> {
    let keyed = with_texts(function, context, pairs)?;
    Ok(keyed.into_iter().map(|(key, item)| (key.as_str().into(), item)).collect::<Map>().into())
}

fn count_by(function: &str, context: &NativeCallContext<'_>, pairs: Pairs) -> Outcome<Dynamic> {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for (key, _) in with_texts(function, context, pairs)? {
        *counts.entry(key).or_default() += 1;
    }
    Ok(counts.into_iter().map(|(key, count)| (key.as_str().into(), count.into())).collect::<Map>().into())
}

fn unique_by(function: &str, context: &NativeCallContext<'_>, pairs: Pairs) -> Outcome<Dynamic> {
    let mut seen = BTreeSet::new();
    let mut kept = Array::new();
    for (key, item) in with_texts(function, context, pairs)? {
        if seen.insert(key) {
            kept.push(item);
        }
    }
    Ok(kept.into())
}

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
