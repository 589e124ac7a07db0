//! Lists.

use std::collections::BTreeSet;

use rhai::{Array, Dynamic, NativeCallContext};

use super::super::{ambient, json};
use super::maps::ordered;
use super::numbers::number;
use super::{Function, Outcome, count, function, list_fits, size, wrong};

pub(super) const ABOUT: &str = "These give new lists and leave the one they are called on as it is.";

pub(super) const FUNCTIONS: &[Function] = &[
    function("first(list) -> value", "The first item; `()` of an empty list.", "[1, 2].first() => 1", |e, n| {
        e.register_fn(n, |list: Array| list.into_iter().next().unwrap_or(Dynamic::UNIT));
    }),
    function("last(list) -> value", "The last item; `()` of an empty list.", "[1, 2].last() => 2", |e, n| {
        e.register_fn(n, |list: Array| list.into_iter().next_back().unwrap_or(Dynamic::UNIT));
    }),
    function(
        "slice(list, start, end?) -> list",
        "The items from `start` up to, not including, `end`; negative ones count from the end. Also of a text.",
        r#"[[1, 2, 3].slice(1), "hello".slice(0, -1)] => [[2, 3], "hell"]"#,
        |e, n| {
            e.register_fn(n, |list: Array, start: i64| slice(list, start, i64::MAX)).register_fn(n, slice);
            e.register_fn(n, |text: &str, start: i64| slice_text(text, start, i64::MAX)).register_fn(n, slice_text);
        },
    ),
    function("sum(list) -> number", "The sum of its numbers; 0 of an empty list.", "[1, 2.5].sum() => 3.5", |e, n| {
        e.register_fn(n, sum);
    }),
    function("avg(list) -> number", "The mean of its numbers; `()` of an empty list.", "[1, 2].avg() => 1.5", |e, n| {
        e.register_fn(n, avg);
    }),
    function(
        "min(list) -> value",
        "The smallest number or text; `()` of an empty list. `min(a, b)` of two numbers.",
        "[min([3, 1]), min(2, 5)] => [1, 2]",
        |e, n| {
            e.register_fn(n, |list: Array| Outcome::Ok(sorted("min", list)?.into_iter().next().unwrap_or(Dynamic::UNIT)));
        },
    ),
    function(
        "max(list) -> value",
        "The largest number or text; `()` of an empty list. `max(a, b)` of two numbers.",
        "[max([3, 1]), max(2, 5)] => [3, 5]",
        |e, n| {
            e.register_fn(n, |list: Array| Outcome::Ok(sorted("max", list)?.into_iter().next_back().unwrap_or(Dynamic::UNIT)));
        },
    ),
    function("sorted(list) -> list", "Numbers or texts in rising order, missing ones last.", "[3, 1, 2].sorted() => [1, 2, 3]", |e, n| {
        e.register_fn(n, |list: Array| sorted("sorted", list));
    }),
    function("reversed(list) -> list", "In the opposite order.", "[1, 2].reversed() => [2, 1]", |e, n| {
        e.register_fn(n, |list: Array| list.into_iter().rev().collect::<Array>());
    }),
    function("unique(list) -> list", "Each value once, where it first was.", "[1, 2, 1].unique() => [1, 2]", |e, n| {
        e.register_fn(n, unique);
    }),
    function("compact(list) -> list", "Without `()`.", "[1, (), 2].compact() => [1, 2]", |e, n| {
        e.register_fn(n, |list: Array| list.into_iter().filter(|item| !item.is_unit()).collect::<Array>());
    }),
    function(
        "flatten(list) -> list",
        "Lists in it replaced by their items, one level.",
        "[1, [2, [3]]].flatten() => [1, 2, [3]]",
        |e, n| {
            e.register_fn(n, flatten);
        },
    ),
    function(
        "chunk(list, length) -> list",
        "In lists of this length; the last may be shorter.",
        "[1, 2, 3].chunk(2) => [[1, 2], [3]]",
        |e, n| {
            e.register_fn(n, chunk);
        },
    ),
    function(
        "zip(list, other) -> list",
        "Pairs of items, as many as the shorter list has. With a function: what it gives for each pair.",
        r#"[1, 2].zip(["a", "b"]) => [[1, "a"], [2, "b"]]"#,
        |e, n| {
            e.register_fn(n, zip);
        },
    ),
    function("union(list, other) -> list", "What is in either, each once.", "[1, 2].union([2, 3]) => [1, 2, 3]", |e, n| {
        e.register_fn(n, |list: Array, other: Array| unique(list.into_iter().chain(other).collect()));
    }),
    function("intersection(list, other) -> list", "What is in both.", "[1, 2].intersection([2, 3]) => [2]", |e, n| {
        e.register_fn(n, |list: Array, other: Array| among("intersection", list, &other, true));
    }),
    function("difference(list, other) -> list", "What is not in the other.", "[1, 2].difference([2, 3]) => [1]", |e, n| {
        e.register_fn(n, |list: Array, other: Array| among("difference", list, &other, false));
    }),
    function(
        "range_list(from, to, step?) -> list",
        "The whole numbers from `from` up to, not including, `to`.",
        "[range_list(0, 3), range_list(5, 0, -2)] => [[0, 1, 2], [5, 3, 1]]",
        |e, n| {
            e.register_fn(n, |c: NativeCallContext<'_>, from: i64, to: i64| range_list(&c, from, to, 1));
            e.register_fn(n, |c: NativeCallContext<'_>, from: i64, to: i64, step: i64| range_list(&c, from, to, step));
        },
    ),
    function("random_item(list) -> value", "One of its items; `()` of an empty list.", "[7].random_item() => 7", |e, n| {
        e.register_fn(n, random_item);
    }),
];

pub(super) fn sum(list: Array) -> Outcome<Dynamic> {
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
    Ok(fraction.map_or(whole.into(), |fraction| (fraction + number(&whole.into()).unwrap_or(0.0)).into()))
}

fn avg(list: Array) -> Outcome<Dynamic> {
    let mut total = 0.0;
    let mut items = 0.0;
    for (index, item) in list.iter().enumerate() {
        let Some(x) = number(item) else { return wrong(format!("avg: item {index} is {}, not a number", json::kind(item))) };
        total += x;
        items += 1.0;
    }
    Ok(if list.is_empty() { Dynamic::UNIT } else { (total / items).into() })
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

fn among(function: &str, list: Array, other: &Array, wanted: bool) -> Outcome<Array> {
    let form = |item: &Dynamic| json::to_value(item).map(|value| value.to_string());
    let other: Result<BTreeSet<_>, _> = other.iter().map(form).collect();
    let other = other.or_else(|words| wrong(format!("{function}: {words}")))?;
    let mut kept = Array::new();
    for item in list {
        if other.contains(&form(&item).or_else(|words| wrong(format!("{function}: {words}")))?) == wanted {
            kept.push(item);
        }
    }
    Ok(kept)
}

fn sorted(function: &str, list: Array) -> Outcome<Array> {
    Ok(ordered(function, list.into_iter().map(|item| (item.clone(), item)).collect())?.into_iter().map(|(_, item)| item).collect())
}

/// Where a slice begins and ends in something of this length.
fn bounds(len: usize, start: i64, end: i64) -> (usize, usize) {
    let place = |n: i64| if n < 0 { size(count(len).saturating_add(n)) } else { size(n).min(len) };
    let (start, end) = (place(start), place(end));
    (start, end.saturating_sub(start))
}

fn slice(list: Array, start: i64, end: i64) -> Array {
    let (skipped, taken) = bounds(list.len(), start, end);
    list.into_iter().skip(skipped).take(taken).collect()
}

fn slice_text(text: &str, start: i64, end: i64) -> String {
    let (skipped, taken) = bounds(text.chars().count(), start, end);
    text.chars().skip(skipped).take(taken).collect()
}

fn chunk(context: NativeCallContext<'_>, list: Array, length: i64) -> Outcome<Array> {
    if length < 1 {
        return wrong(format!("chunk: the length is {length}; expected at least 1"));
    }
    let length = size(length).min(list.len().max(1));
    // Rhai counts the items of inner lists too.
    list_fits(&context, list.len().saturating_add(list.len().div_ceil(length)))?;
    let mut items = list.into_iter();
    let mut chunks = Array::new();
    loop {
        let chunk: Array = items.by_ref().take(length).collect();
        if chunk.is_empty() {
            return Ok(chunks);
        }
        chunks.push(chunk.into());
    }
}

fn zip(context: NativeCallContext<'_>, list: Array, other: Array) -> Outcome<Array> {
    list_fits(&context, list.len().min(other.len()).saturating_mul(3))?;
    Ok(list.into_iter().zip(other).map(|(a, b)| vec![a, b].into()).collect())
}

fn range_list(context: &NativeCallContext<'_>, from: i64, to: i64, step: i64) -> Outcome<Array> {
    if step == 0 {
        return wrong("range_list: the step is 0");
    }
    let is_empty = if 0 < step { to <= from } else { from <= to };
    if is_empty {
        return Ok(Array::new());
    }
    let items = from.abs_diff(to).div_ceil(step.unsigned_abs());
    let items = i64::try_from(items).unwrap_or(i64::MAX);
    list_fits(context, size(items))?;
    Ok((0..items).map(|index| Dynamic::from(from + index * step)).collect())
}

#[expect(clippy::cast_possible_truncation, reason = "the product's upper half is below the length")]
fn random_item(list: Array) -> Dynamic {
    let index = (u128::from(ambient::chance()) * list.len() as u128) >> 64;
    list.into_iter().nth(index as usize).unwrap_or(Dynamic::UNIT)
}
