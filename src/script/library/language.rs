//! What Rhai itself brings and people will look for. It is registered with Rhai's packages; here it is told and its examples are tested.

use super::{Function, function};

pub(super) const ABOUT: &str = "\
These belong to the language ([Rhai](https://rhai.rs/book/)). `push`, `sort` and others that change a list need one of your own:
`let copy = event.body.tags;`.";

const fn told(signature: &'static str, about: &'static str, example: &'static str) -> Function {
    function(signature, about, example, |_, _| {})
}

pub(super) const FUNCTIONS: &[Function] = &[
    told(
        "filter(list, |item| …) -> list",
        "The items for which it gives `true`. Of a map: `|key, value|`.",
        "[1, 2, 3].filter(|x| x > 1) => [2, 3]",
    ),
    told("reduce(list, |sum, item| …, start) -> value", "One value, made item by item.", "[1, 2, 3].reduce(|sum, x| sum + x, 0) => 6"),
    told(
        "find(list, |item| …) -> value",
        "The first item for which it gives `true`; `()` if there is none.",
        "[1, 2, 3].find(|x| x > 1) => 2",
    ),
    told("some(list, |item| …) -> bool", "Whether it gives `true` for an item.", "[1, 2].some(|x| x > 1) => true"),
    told("all(list, |item| …) -> bool", "Whether it gives `true` for every item.", "[1, 2].all(|x| x > 1) => false"),
    told(
        "value in list",
        "Whether it is in the list; of a map, whether it is a key; of a text, whether it is a part.",
        r#"[2 in [1, 2], "a" in #{a: 1}, "b" in "abc"] => [true, true, true]"#,
    ),
    told("list + other", "Both lists, one after the other. Maps are merged.", "[1] + [2] => [1, 2]"),
    told("keys(map) -> list", "Its keys.", r#"#{a: 1}.keys() => ["a"]"#),
    told("values(map) -> list", "Its values.", "#{a: 1}.values() => [1]"),
    told("abs(number) -> number", "Without its sign.", "abs(-2) => 2"),
    told("to_int(number) -> number", "Without what is after the point.", "to_int(2.9) => 2"),
    told("to_float(number) -> number", "As a float.", "to_float(2) => 2.0"),
    told("number ** number", "The power; `%` is the remainder.", "[2 ** 10, 7 % 3] => [1024, 1]"),
];
