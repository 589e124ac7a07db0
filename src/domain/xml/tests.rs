use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::Value;

fn check(document: &str, expected: Value) {
    assert_eq!(read(document), Ok(expected), "{document}");
}

fn check_bad(document: &str, words: &str) {
    let error = read(document).expect_err(document).to_string();
    assert!(error.contains(words), "{document}: {error}");
}

#[test]
fn elements_are_keys_and_repeated_ones_a_list() {
    check("<a/>", json!({"a": ""}));
    check("<a> x </a>", json!({"a": "x"}));
    check("<a x='1' y=\"&lt;&#65;\"/>", json!({"a": {"@x": "1", "@y": "<A"}}));
    check("<a x='1'>t</a>", json!({"a": {"@x": "1", "#text": "t"}}));
    check("<a><b>1</b><b>2</b><c/><b>3</b></a>", json!({"a": {"b": ["1", "2", "3"], "c": ""}}));
    check("<a>one <b>two</b> three</a>", json!({"a": {"#text": "one  three", "b": "two"}}));
    check("<s:a xmlns:s='urn:x'><s:b>é</s:b></s:a>", json!({"s:a": {"@xmlns:s": "urn:x", "s:b": "é"}}));
    check("<?xml version='1.0'?>\n<!-- c --><a><![CDATA[<&>]]>&amp;&#x20AC;</a>\n<?p i?>", json!({"a": "<&>&€"}));
    check("<a>x\r\ny</a>", json!({"a": "x\ny"}));
    check("<a>\u{a0}x\u{2003}</a>", json!({"a": "\u{a0}x\u{2003}"}));
    check("<a x='1\n2&#10;3'/>", json!({"a": {"@x": "1 2\n3"}}));
}

#[test]
fn what_is_no_document_is_told_with_its_place() {
    check_bad("", "no element in it at line 1 column 1");
    check_bad("<a>\n  <b></a>", "at line 2 column");
    check_bad("<a>", "before `</a>` at line 1 column 4");
    check_bad("<a/><b/>", "one root element at line 1 column 5");
    check_bad("<a/>x", "outside the root");
    check_bad("x<a/>", "outside the root");
    check_bad("<a x='1' x='2'/>", "duplicate");
    check_bad("<a x=1/>", "column 1");
    check_bad("<a x='<'/>", "&lt;");
    check_bad("<1/>", "not the name of an element");
    check_bad("<a>&nbsp;</a>", "`&nbsp;` is not defined");
    check_bad("<a x='&nbsp;'/>", "nbsp");
    check_bad("<a>&#0;</a>", "column");
    check_bad("<a>&#8;</a>", "U+0008");
    check_bad("<a>\u{1}</a>", "U+0001 is not allowed in XML at line 1 column 4");
    check_bad("<a>& b</a>", "column");
}

#[test]
fn nothing_outside_is_named_and_nothing_grows() {
    check_bad("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", "`<!DOCTYPE`) is not read");
    check_bad("<!DOCTYPE a SYSTEM 'http://example.com/a.dtd'><a/>", "`<!DOCTYPE`) is not read");
    let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    assert!(read(&deep(DEPTH)).is_ok());
    check_bad(&deep(DEPTH + 1), "nested deeper than 64");
    check_bad(&"<a>".repeat(100_000), "nested deeper than 64");
    let wide = |n: usize| format!("<a {}/>", (0..n).map(|n| format!("x{n}='' ")).collect::<String>());
    assert!(read(&wide(ATTRIBUTES)).is_ok());
    check_bad(&wide(ATTRIBUTES + 1), "more than 256 attributes");
}

#[test]
fn a_value_is_written_as_it_would_be_read() {
    let written = |value: Value| write(&value).map_err(|error| error.to_string());
    let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    let document = r#"<o n="1"><b>x &lt; &amp;y</b><c>1</c><c>true</c><d/><e f="&quot;"/></o>"#;
    let value = json!({"o": {"@n": 1, "b": "x < &y", "c": [1, true], "d": null, "e": {"@f": "\""}, "g": []}});
    assert_eq!(written(value), Ok(format!("{head}{document}")));
    assert_eq!(written(json!({"a": {"@x": 1, "#text": "t"}})), Ok(format!("{head}<a x=\"1\">t</a>")));
    assert_eq!(write_as("out", &json!([1, 2])).unwrap(), format!("{head}<out><item>1</item><item>2</item></out>"));
    assert_eq!(write_as("out", &json!(null)).unwrap(), format!("{head}<out/>"));
    let check_no = |value: Value, words: &str| assert!(written(value.clone()).unwrap_err().contains(words), "{value}");
    check_no(json!({}), "one root element");
    check_no(json!({"a": 1, "b": 2}), "one root element");
    check_no(json!({"a": [1, 2]}), "one root element");
    check_no(json!("x"), "one root element");
    check_no(json!({"a b": 1}), "`a b` cannot be the name");
    check_no(json!({"a": {"@1": 1}}), "`@1` cannot be the name");
    check_no(json!({"a": {"@x": [1]}}), "`@x` is a list or a map");
    check_no(json!({"a": {"b": [[1]]}}), "list in a list");
    check_no(json!({"a": "\u{0}"}), "U+0000");
    let deep = (0..200).fold(json!(1), |inner, _| json!({"a": inner}));
    check_no(deep, "nested deeper");
}

fn any_element() -> impl Strategy<Value = Value> {
    let text = "[ -~é€\t\n\r]{0,8}".prop_map(|text| Value::from(text.trim().to_owned()));
    text.prop_recursive(4, 24, 4, |inner| {
        let one_or_more = prop_oneof![inner.clone(), proptest::collection::vec(inner, 2..4).prop_map(Value::from)];
        proptest::collection::btree_map("[a-z][a-z0-9._-]{0,3}|@[a-z]{1,2}", one_or_more, 1..4).prop_map(|map| {
            let scalar = |key: &str, value: Value| if key.starts_with('@') && !value.is_string() { Value::from("v") } else { value };
            Value::Object(
                map.into_iter()
                    .map(|(key, value)| {
                        let value = scalar(&key, value);
                        (key, value)
                    })
                    .collect(),
            )
        })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_element()) {
        let document = write(&json!({"root": value})).unwrap();
        prop_assert_eq!(read(&document), Ok(json!({"root": value})), "{}", document);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        drop(read(&text));
    }

    #[test]
    fn nothing_like_xml_makes_it_panic(text in "[<>/!?&;#x\\[\\]CDATA'\"= a\\-0-9\r\n:]{0,60}") {
        if let Ok(value) = read(&text) {
            prop_assert!(value.as_object().is_some_and(|map| map.len() == 1));
        }
    }
}
