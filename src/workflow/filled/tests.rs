use proptest::prelude::*;

use super::*;
use crate::domain::workflow::Words;
use crate::workflow::file::{Report, TriggerFile, read_workflow};
use crate::workflow::yaml;

fn form(fields: &str) -> Form {
    let text = format!("when:\n  - form:\n      path: a\n      honeypot: trap\n{fields}steps: [{{script: 1}}]\n");
    let (node, problems) = yaml::parse(&"a.yaml".into(), &text);
    assert!(problems.is_empty(), "{problems:?}");
    let mut report = Report::new("a.yaml".into());
    let file = read_workflow(&node.unwrap(), &mut report).unwrap();
    assert!(!report.has_errors(), "{:?}", report.into_problems());
    let [TriggerFile::Form(form)] = file.triggers.as_slice() else { panic!() };
    let form = (**form).clone();
    Form {
        path: form.path.value,
        redirect: None,
        honeypot: form.honeypot,
        uploads: form.uploads,
        door: form.door,
        body_limit_bytes: None,
        dedupe: None,
        words: Words::default(),
        fields: form.fields,
    }
}

fn of(field: &str) -> Form {
    form(&format!("      fields: {{a: {field}}}\n"))
}

fn sent(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn upload(field: &str) -> EventFile {
    EventFile { number: 1, field: field.to_owned(), name: "a.png".into(), kind: "image/png".into(), size: 1, sha256: String::new() }
}

/// One field with one value gives this, or fails with these words.
#[track_caller]
fn check_one(field: &str, value: &str, expected: Result<Value, &str>) {
    let found = check(&of(field), &sent(&[("a", value)]), &[]);
    match (found, expected) {
        (Ok(body), Ok(expected)) => assert_eq!(body["a"], expected, "{field} {value:?}"),
        (Err(wrong), Err(words)) => assert!(wrong.len() == 1 && wrong[0].message.contains(words), "{field} {value:?}: {wrong:?}"),
        (found, expected) => panic!("{field} {value:?}: {found:?}, expected {expected:?}"),
    }
}

#[test]
fn without_fields_all_comes_as_it_was_sent_but_for_the_honeypot() {
    let body = check(&form(""), &sent(&[("a", "1"), ("b", "x"), ("a", "2"), ("trap", ""), ("a", "")]), &[]).unwrap();
    assert_eq!(Value::Object(body), json!({"a": ["1", "2", ""], "b": "x"}));
}

#[test]
fn texts_are_measured_and_cleaned() {
    check_one("text", "Ada", Ok(json!("Ada")));
    check_one("text", "", Ok(json!("")));
    check_one("{required: true}", " \t", Err("Fill this in"));
    check_one("text", "a\r\nBcc: b\u{0}", Ok(json!("aBcc: b")));
    check_one("textarea", "a\r\nb\rc\u{1b}\td", Ok(json!("a\nb\nc\td")));
    check_one("{max: 3}", "日本語", Ok(json!("日本語")));
    check_one("{max: 3}", "abcd", Err("at most 3 characters; these are 4"));
    check_one("{type: textarea, max: 3}", "a\r\nb", Ok(json!("a\nb")));
    check_one("{min: 2}", "a", Err("at least 2 characters"));
    check_one("{min: 2}", "", Ok(json!("")));
    check_one("{pattern: '[0-9]{5}'}", "12345", Ok(json!("12345")));
    check_one("{pattern: '[0-9]{5}', help: Five digits.}", "x12345", Err(": Five digits."));
    check_one("{pattern: 'a|b'}", "ab", Err("does not look"));
}

#[test]
fn addresses_and_numbers_of_telephones() {
    for fine in ["ada@example.com", " ada@example.com ", "a+b.c@x", "o'neill@sub.example.co.uk"] {
        check_one("email", fine, Ok(json!(fine.trim())));
    }
    for bad in ["ada", "@b", "a@", "a@b..c", "a@-b", "a b@c", "a@b@c", "ä@b"] {
        check_one("email", bad, Err("Write an address"));
    }
    check_one("email", "a@b\r\nBcc: c", Err("Write an address"));
    check_one("tel", "+44 (20) 7946-0018", Ok(json!("+44 (20) 7946-0018")));
    check_one("tel", "call me", Err("Write a number"));
}

#[test]
fn numbers_are_numbers() {
    check_one("number", "12", Ok(json!(12)));
    check_one("number", " -1.5 ", Ok(json!(-1.5)));
    check_one("number", "1e3", Ok(json!(1000.0)));
    check_one("number", "", Ok(Value::Null));
    check_one("{type: number, required: true}", "", Err("Write a number"));
    for bad in ["twelve", "1,5", "inf", "NaN", "0x10", "1e999", "+1", "--1"] {
        check_one("number", bad, Err("Write a number"));
    }
    check_one("{type: number, min: 1, max: 9}", "0", Err("from 1 on"));
    check_one("{type: number, min: 1, max: 9}", "9.5", Err("up to 9"));
}

#[test]
fn days_are_days() {
    check_one("date", "2026-02-28", Ok(json!("2026-02-28")));
    check_one("date", "", Ok(json!("")));
    for bad in ["2026-02-30", "28.2.2026", "2026-2-1", "tomorrow", "20260228xx"] {
        check_one("date", bad, Err("Write a day"));
    }
    check_one("{type: date, min: 2026-01-01, max: 2026-12-31}", "2025-12-31", Err("2026-01-01 or a later day"));
    check_one("{type: date, min: 2026-01-01, max: 2026-12-31}", "2027-01-01", Err("2026-12-31 or an earlier day"));
}

#[test]
fn choices_are_those_that_there_are() {
    check_one("{type: select, options: {s: Small, l: Large}}", "s", Ok(json!("s")));
    check_one("{type: select, options: {s: Small, l: Large}}", "Small", Err("Choose one of these"));
    check_one("{type: radio, options: [a, b], required: true}", "", Err("Choose one of these"));
    check_one("{type: radio, options: [a, b]}", "", Ok(json!("")));
    check_one("checkbox", "on", Ok(json!(true)));
    check_one("checkbox", "", Ok(json!(false)));
    check_one("{type: checkbox, required: true}", "", Err("Tick this box"));
    check_one("{type: hidden, value: '7'}", "8", Ok(json!("7")));
    let boxes = of("{type: checkbox, options: [x, y, z]}");
    assert_eq!(check(&boxes, &sent(&[("a", "z"), ("a", "x"), ("a", "z")]), &[]).unwrap()["a"], json!(["x", "z"]));
    assert_eq!(check(&boxes, &sent(&[]), &[]).unwrap()["a"], json!([]));
    assert!(check(&boxes, &sent(&[("a", "q")]), &[]).is_err());
    assert!(check(&of("{type: checkbox, options: [x], required: true}"), &[], &[]).is_err());
}

#[test]
fn files_are_those_that_are_asked_for() {
    let one = of("file");
    assert_eq!(check(&one, &[], &[upload("a")]), Ok(Map::new()));
    assert_eq!(check(&one, &[], &[upload("a"), upload("a")]).unwrap_err()[0].message, "Choose one file only.");
    assert_eq!(check(&of("{type: file, multiple: true}"), &[], &[upload("a"), upload("a")]), Ok(Map::new()));
    assert_eq!(check(&of("{type: file, required: true}"), &[], &[]).unwrap_err()[0].message, "Choose a file.");
    assert_eq!(check(&one, &[], &[upload("b")]).unwrap_err()[0].field, "b");
    assert_eq!(check(&of("text"), &[], &[upload("a")]).unwrap_err()[0].field, "a");
}

#[test]
fn what_is_no_field_is_not_taken_and_all_that_is_wrong_is_told() {
    let form = form("      fields: {a: {required: true}, b: {type: email, required: true}, c: text}\n");
    let wrong = check(&form, &sent(&[("b", "x"), ("admin", "1")]), &[]).unwrap_err();
    assert_eq!(wrong.iter().map(|wrong| wrong.field.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let body = check(&form, &sent(&[("a", "1"), ("b", "a@b"), ("admin", "1")]), &[]).unwrap();
    assert_eq!(Value::Object(body), json!({"a": "1", "b": "a@b", "c": ""}));
}

proptest! {
    #[test]
    fn nothing_that_is_sent_panics(value in ".*", number in "[-+0-9.eE]{0,12}", day in "[0-9-]{0,10}") {
        let form = form(concat!(
            "      fields: {a: text, b: email, c: tel, d: number, e: date, f: textarea, g: {type: select, options: [x]},",
            " h: checkbox, i: {type: radio, options: [x]}, j: {pattern: '[a-z]+'}}\n",
        ));
        for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
            for value in [&value, &number, &day] {
                drop(check(&form, &[(name.to_owned(), value.clone())], &[]));
            }
        }
    }
}
