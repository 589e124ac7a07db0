//! The library: every example of its tables, and what examples are too long for.

use std::collections::BTreeSet;

use serde_json::json;

use super::library::{SUBJECTS, reference};
use super::tests::{check, value};

#[test]
fn every_example_is_true() {
    let mut wrong = Vec::new();
    for function in SUBJECTS.iter().flat_map(|subject| subject.functions) {
        let (expression, expected) = function.example.rsplit_once(" => ").unwrap();
        let (gave, expected) = (value(expression), value(expected));
        if gave.is_err() || gave.as_ref().map(ToString::to_string).ok() != expected.as_ref().map(ToString::to_string).ok() {
            wrong.push(format!("{}\n  gave {gave:?}\n  not  {expected:?}", function.example));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_names_each_function_once() {
    let mut names = BTreeSet::new();
    for function in SUBJECTS.iter().flat_map(|subject| subject.functions) {
        assert!(names.insert(function.signature), "{function:?}");
        assert!(function.about.ends_with('.') && !function.about.contains('|') || function.about.contains("`|"), "{function:?}");
        assert!(reference().contains(function.about), "{function:?}");
    }
}

#[test]
fn the_library_does_what_its_table_says() {
    for (text, expected) in [
        ("\" a \".trim() + \"B\".lower() + \"b\".upper() + \"x\".to_upper()", json!("abBX")),
        (
            "[\"abc\".contains(\"b\"), \"abc\".starts_with(\"a\"), \"abc\".ends_with(\"a\"), \"héy\".index_of(\"y\"), \"a\".index_of(\"b\")]",
            json!([true, true, false, 2, -1]),
        ),
        (
            "[\"héllo\".sub_string(1, 2), \"hello\".sub_string(-2), \"héy\".truncate(2), \"a\".truncate(-1), \"héy\".len]",
            json!(["él", "lo", "hé", "", 3]),
        ),
        ("[\"a,b,\".split(\",\"), \"hé\".split(\"\"), \"a\\r\\nb\".lines()]", json!([["a", "b", ""], ["h", "é"], ["a", "b"]])),
        ("[1, \"b\", 2.5].join(\"-\")", json!("1-b-2.5")),
        ("\"aXbX\".replace(\"X\", \"--\") + \"ab\".repeat(2)", json!("a--b--abab")),
        ("\"7\".pad_start(3, \"0\") + \"7\".pad_end(3, \".\") + \"long\".pad_start(2, \"0\")", json!("0077..long")),
        ("\"  Grüße, Welt! 2 \".slug()", json!("grüße-welt-2")),
        ("\"a\" + 1 + 1.5 + true + 'c' + (2 + \"x\")", json!("a11.5truec2x")),
        ("get(event.body, \"deep.x.0.y\", 0) + get(event.body, \"deep.z\", 1) + get(event.body, \"none\", 2)", json!(10)),
        ("[[1, 2].first(), [1, 2].last(), [].first(), [1, 2.5].sum(), [].sum(), [1, 2].sum()]", json!([1, 2, null, 3.5, 0, 3])),
        ("[[1, 1, \"1\", 1.0].unique(), [1, ()].compact(), [1, [2, [3]]].flatten()]", json!([[1, "1", 1.0], [1], [1, 2, [3]]])),
        (
            "[pick(#{a: 1, b: 2}, [\"a\"]), omit(#{a: 1, b: 2}, [\"a\"]), #{a: 1}.keys(), #{a: 1}.values(), #{a: 1}.len()]",
            json!([{"a": 1}, {"b": 2}, ["a"], [1], 1]),
        ),
        (
            "[#{b: [1, 1.0]}.to_json(), to_json(\"a\"), to_json(()), parse_json(\"{\\\"a\\\":[1.0]}\")]",
            json!(["{\"b\":[1,1.0]}", "\"a\"", "null", {"a": [1.0]}]),
        ),
        (
            "[base64_encode(\"hi?\"), base64_decode(\"aGk/\"), base64_decode(\"aGk_\"), base64url_encode(\"hi?\"), base64_decode(\"YQ==\")]",
            json!(["aGk/", "hi?", "hi?", "aGk_", "a"]),
        ),
        (
            "[hex_encode(\"hi\"), hex_decode(\"6869\"), url_encode(\"a b/é\"), url_decode(\"a%20b%2Fx%\")]",
            json!(["6869", "hi", "a%20b%2F%C3%A9", "a b/x%"]),
        ),
        ("sha256(\"abc\")", json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
        // RFC 4231, test case 2.
        (
            "hmac_sha256(\"Jefe\", \"what do ya want for nothing?\")",
            json!("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ),
        (
            "[to_ms(\"1970-01-01T00:00:01Z\"), from_ms(1000), after(from_ms(0), \"1h30m\"), before(from_ms(5000), \"5s\")]",
            json!([1000, "1970-01-01T00:00:01.000Z", "1970-01-01T01:30:00.000Z", "1970-01-01T00:00:00.000Z"]),
        ),
    ] {
        check(text, expected);
    }
}

#[test]
fn the_library_refuses_in_words() {
    for (text, words) in [
        ("parse_json(\"{\")", "parse_json: this is not JSON: EOF"),
        ("hex_decode(\"abc\")", "an even number of the digits"),
        ("base64_decode(\"%\")", "this is not Base64"),
        ("[1, \"x\"].sum()", "sum: item 1 is a text, not a number"),
        ("[9223372036854775807, 1].sum()", "too large"),
        ("[[1]].join(\",\")", "join: item 0 is a list"),
        ("after(\"yesterday\", \"1h\")", "expected RFC 3339"),
        ("after(now(), \"soon\")", "is not a duration"),
        ("random(2, 1)", "holds no number"),
        ("\"a\".pad(9, \"\")", "give it at least one character"),
    ] {
        let message = value(text).unwrap_err().message;
        assert!(message.contains(words), "{text}: {message}");
    }
}

#[test]
fn days_are_days_of_the_calendar_over_changes_of_the_clocks() {
    for (text, expected) in [
        // Berlin: 2026-03-29 has 23 hours, 2026-10-25 has 25.
        ("add(\"2026-03-28T12:00:00+01:00\", \"24h\", \"Europe/Berlin\")", json!("2026-03-29T11:00:00.000Z")),
        ("add(\"2026-03-28T12:00:00+01:00\", \"1 day\", \"Europe/Berlin\")", json!("2026-03-29T10:00:00.000Z")),
        ("subtract(\"2026-10-26T12:00:00+01:00\", \"1d\", \"Europe/Berlin\")", json!("2026-10-25T11:00:00.000Z")),
        ("subtract(\"2026-10-25T12:00:00+01:00\", \"1d\", \"Europe/Berlin\")", json!("2026-10-24T10:00:00.000Z")),
        ("start_of(\"2026-10-25T22:30:00Z\", \"day\", \"Europe/Berlin\")", json!("2026-10-24T22:00:00.000Z")),
        ("start_of(\"2026-10-25T22:30:00Z\", \"week\", \"Europe/Berlin\")", json!("2026-10-18T22:00:00.000Z")),
        ("start_of(\"2026-04-15T00:00:00Z\", \"month\", \"Europe/Berlin\")", json!("2026-03-31T22:00:00.000Z")),
        ("start_of(\"2026-03-31T22:00:00Z\", \"quarter\", \"Europe/Berlin\")", json!("2026-03-31T22:00:00.000Z")),
        ("start_of(\"2026-03-31T21:59:59Z\", \"quarter\", \"Europe/Berlin\")", json!("2025-12-31T23:00:00.000Z")),
        ("start_of(\"2026-07-01T00:00:00Z\", \"year\", \"Europe/Berlin\")", json!("2025-12-31T23:00:00.000Z")),
        ("days_between(\"2026-03-28T23:30:00Z\", \"2026-03-29T22:30:00Z\", \"Europe/Berlin\")", json!(1)),
        // 02:30 does not exist on 2026-03-29, and comes twice on 2026-10-25.
        ("parse_time(\"2026-03-29T02:30\", \"Europe/Berlin\")", json!("2026-03-29T01:30:00.000Z")),
        ("parse_time(\"2026-10-25T02:30\", \"Europe/Berlin\")", json!("2026-10-25T00:30:00.000Z")),
        // New York: the clocks change on 2026-03-08 and 2026-11-01.
        ("add(\"2026-03-07T12:00:00-05:00\", \"1 day\", \"America/New_York\")", json!("2026-03-08T16:00:00.000Z")),
        ("add(\"2026-10-31T12:00:00-04:00\", \"1 day\", \"America/New_York\")", json!("2026-11-01T17:00:00.000Z")),
        ("start_of(\"2026-11-01T23:00:00-05:00\", \"day\", \"America/New_York\")", json!("2026-11-01T04:00:00.000Z")),
        ("format_time(\"2026-11-01T06:30:00Z\", \"%H:%M %z\", \"America/New_York\")", json!("01:30 -0500")),
        ("parse_time(\"03/08/2026 02:30 AM\", \"%m/%d/%Y %I:%M %p\", \"America/New_York\")", json!("2026-03-08T07:30:00.000Z")),
        // A zone without midnight on the day it changes.
        ("start_of(\"2018-11-04T12:00:00Z\", \"day\", \"America/Sao_Paulo\")", json!("2018-11-04T03:00:00.000Z")),
    ] {
        check(text, expected);
    }
}

#[test]
fn times_are_read_in_the_forms_people_send() {
    for (text, expected) in [
        ("parse_time(\"Tue, 1 Jul 2003 10:52:37 +0200\")", json!("2003-07-01T08:52:37.000Z")),
        ("parse_time(\"2026-03-01\")", json!("2026-03-01T00:00:00.000Z")),
        ("parse_time(\"2026-03-01 10:00:00\", \"Europe/Berlin\")", json!("2026-03-01T09:00:00.000Z")),
        ("parse_time(\"2026-03-01T10:00:00+01:00\", \"America/New_York\")", json!("2026-03-01T09:00:00.000Z")),
        ("parse_time(\"1772355600\", \"%s\")", json!("2026-03-01T09:00:00.000Z")),
        ("parse_time(\"01.03.2026\", \"%d.%m.%Y\")", json!("2026-03-01T00:00:00.000Z")),
        (
            "[is_between(\"2026-03-01T23:00:00Z\", \"22:00\", \"06:00\"), is_between(\"2026-03-01T06:00:00Z\", \"22:00\", \"06:00\")]",
            json!([true, false]),
        ),
        ("[format_duration(0), format_duration(-61), parse_duration(\"1 week\")]", json!(["0s", "-1m1s", 604_800])),
    ] {
        check(text, expected);
    }
}
