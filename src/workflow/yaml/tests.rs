use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Node {
    let (node, problems) = parse(&"a.yaml".into(), text);
    assert_eq!(problems, []);
    node.unwrap()
}

fn value<'n>(node: &'n Node, key: &str) -> &'n Node {
    let Kind::Map(entries) = &node.kind else { panic!("{node:?} is no map") };
    &entries.iter().find(|entry| &*entry.key == key).unwrap().value
}

fn code(text: &str) -> &'static str {
    let (_, problems) = parse(&"a.yaml".into(), text);
    problems.first().map_or("", |problem| problem.code)
}

#[test]
fn plain_scalars_are_what_they_look_like() {
    let check = |text: &str, expected: Kind| assert_eq!(value(&read(&format!("a: {text}")), "a").kind, expected, "{text}");
    check("1", Kind::Int(1));
    check("-1", Kind::Int(-1));
    check("0", Kind::Int(0));
    check("0x1F", Kind::Int(31));
    check("1.10", Kind::Float(1.1));
    check("1e3", Kind::Float(1000.0));
    check("true", Kind::Bool(true));
    check("~", Kind::Null);
    check("", Kind::Null);
    for text in
        ["no", "on", "+441234", "01234", "1.2.3", "12:30", ".inf", "'1'", "\"true\"", "99999999999999999999", "!!str 5", "1_000", "-"]
    {
        if text != "-" {
            check(text, Kind::Text);
        }
    }
}

#[test]
fn a_number_keeps_its_text() {
    assert_eq!(value(&read("a: 1.10"), "a").as_text(), Some("1.10"));
}

#[test]
fn content_begins_where_it_begins() {
    let check = |text: &str, line, column, next_column| {
        let node = read(text);
        let place = value(&node, "a").place;
        assert_eq!((place.line, place.column, place.next_column), (line, column, next_column), "{text:?}");
    };
    check("a: x", 1, 4, 4);
    check("é: 1\na: \"x\"", 2, 5, 5);
    check("a: |\n  x\n    y\n", 2, 3, 3);
    check("a: |\n\n\n  x\n", 2, 3, 3);
    check("b: 1\na: >-\n    x\n", 3, 5, 5);
    check("a: |2-\n   x\n", 2, 3, 3);
    check("a:\n  x\n", 2, 3, 3);
}

#[test]
fn spans_count_characters() {
    let node = read("é: {ü: [1, 'zwei']}");
    let Kind::List(items) = &value(value(&node, "é"), "ü").kind else { panic!() };
    assert_eq!(items[1].span, Span { line: 1, column: 12, length: 6 });
}

#[test]
fn an_alias_stands_for_its_anchor() {
    let node = read("a: &x {k: 1}\nb: *x");
    assert_eq!(value(value(&node, "b"), "k").kind, Kind::Int(1));
}

#[test]
fn what_is_wrong_has_its_code() {
    for (text, expected) in [
        ("", "empty-file"),
        ("# only a comment\n", "empty-file"),
        ("~", "empty-file"),
        ("a: [", "yaml-syntax"),
        ("a: \"x", "yaml-syntax"),
        ("--- a\n--- b", "yaml-syntax"),
        ("a: !foo x", "yaml-syntax"),
        ("a: 1\na: 2", "duplicate-key"),
        ("{x: 1, 'x': 2}", "duplicate-key"),
        ("a: &x [*x]", "yaml-too-complex"),
        ("? [a]\n: b", "wrong-type"),
    ] {
        assert_eq!(code(text), expected, "{text:?}");
    }
}

#[test]
fn a_tab_is_pointed_at() {
    let (_, problems) = parse(&"a.yaml".into(), "a: 1\nb:\n\tc: 2\n");
    assert_eq!((problems[0].line, problems[0].column), (3, 1), "{problems:?}");
    let (_, problems) = parse(&"a.yaml".into(), "a: 1\n\tb: 2\n");
    assert_eq!((problems[0].line, problems[0].column), (2, 1), "{problems:?}");
}

#[test]
fn bombs_are_refused_before_they_grow() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..40 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        bomb.push_str(&format!("a{n}: &a{n} [{before}]\n"));
    }
    assert_eq!(code(&bomb), "yaml-too-complex");
    let mut deep = String::from("a0: &a0 [x]\n");
    for n in 1..500 {
        deep.push_str(&format!("a{n}: &a{n} [*a{}]\n", n - 1));
    }
    assert_eq!(code(&deep), "yaml-too-complex");
    assert_ne!(code(&"[".repeat(100_000)), "");
    assert_ne!(code(&"- ".repeat(100_000)), "");
    assert_ne!(code(&"{a: ".repeat(100_000)), "");
    assert_eq!(code(&"x".repeat(10 << 20)), "file-too-large");
    assert_eq!(code(&format!("a: [{}]", "1,".repeat(NODES))), "yaml-too-complex");
}

proptest! {
    #[test]
    fn no_text_panics(text in "[a-c:\\-\\[\\]{}&*!|>'\"# \n\t0-9.~]{0,80}") {
        let (node, problems) = parse(&"a.yaml".into(), &text);
        prop_assert!(node.is_some() || !problems.is_empty());
    }

    #[test]
    fn places_lie_inside_the_text(text in "a: [|>]?-?\n[ ]{1,4}[a-zé]{1,5}\n[ ]{0,6}[b-z]{0,4}\n") {
        let (node, _) = parse(&"a.yaml".into(), &text);
        if let Some(Kind::Map(entries)) = node.map(|node| node.kind) {
            let place = entries[0].value.place;
            let line = text.lines().nth(usize::try_from(place.line - 1).unwrap_or(0));
            prop_assert!(line.is_some_and(|line| usize::try_from(place.column).unwrap_or(0) <= line.chars().count() + 1));
        }
    }
}
