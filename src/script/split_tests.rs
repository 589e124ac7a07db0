//! How conditions come apart.

use std::ops::Range;

use super::split::{How, PARTS, Split, split};

/// As an outline: `all(a any(b c) not(…))`, tests with what is looked at in them.
fn outline(source: &str, split: &Split) -> String {
    let text = |range: &Range<usize>| source.get(range.clone()).unwrap().to_owned();
    let joined = |parts: &[Split]| parts.iter().map(|part| outline(source, part)).collect::<Vec<_>>().join(" ; ");
    match &split.how {
        How::All(parts) => format!("all({})", joined(parts)),
        How::Any(parts) => format!("any({})", joined(parts)),
        How::Not(part) => format!("not({})", outline(source, part)),
        How::Test(values) if values.is_empty() => format!("<{}>", text(&split.range)),
        How::Test(values) => {
            format!("<{}> of [{}]", text(&split.range), values.iter().map(text).collect::<Vec<_>>().join(" ; "))
        }
    }
}

fn check(source: &str, expected: &str) {
    assert_eq!(outline(source, &split(source).unwrap()), expected, "{source}");
}

#[test]
fn operators_are_followed_as_rhai_binds_them() {
    check("true && false", "all(<true> ; <false>)");
    check("true || false && true", "any(<true> ; all(<false> ; <true>))");
    check("(true || false) && true", "all(any(<true> ; <false>) ; <true>)");
    check("((true)) || (1 < 2)", "any(<true> ; <1 < 2>)");
    check("!(true && false) || !true", "any(not(all(<true> ; <false>)) ; <!true>)");
    check("!!(true || false)", "not(not(any(<true> ; <false>)))");
    check("!(true || false) == true", "<!(true || false) == true>");
    check("(true).to_string() == (\"true\")", "<(true).to_string() == (\"true\")> of [(true).to_string()]");
}

#[test]
fn what_is_not_sure_stays_whole() {
    check("true || false | true", "<true || false | true>");
    check("true && false & true || true", "<true && false & true || true>");
    check("if true { false } else { true } && true", "<if true { false } else { true } && true>");
    check("[1].some(|x| x == 1 || x == 2)", "<[1].some(|x| x == 1 || x == 2)>");
    check("switch 1 { 1 => true, _ => false } || true", "<switch 1 { 1 => true, _ => false } || true>");
    check("`${true && false}` == \"&& || (\"", "<`${true && false}` == \"&& || (\">");
    check("#{a: true && false}.a && true", "all(<#{a: true && false}.a> ; <true>)");
}

#[test]
fn comments_and_texts_are_not_read_as_code() {
    check("true // && false\n && false", "all(<true // && false> ; <false>)");
    check("/* ( */ true && \"a || b\" == ##\"&& \"# \"##", "all(</* ( */ true> ; <\"a || b\" == ##\"&& \"# \"##>)");
    check("event.body.a == ')' && true", "all(<event.body.a == ')'> of [event.body.a] ; <true>)");
}

#[test]
fn the_telling_values_are_found() {
    check("event.body.email != \"\"", "<event.body.email != \"\"> of [event.body.email]");
    check("lead::score(event.body) >= vars.least", "<lead::score(event.body) >= vars.least> of [lead::score(event.body) ; vars.least]");
    check("event.body.a ?? 1 > -2", "<event.body.a ?? 1 > -2> of [event.body.a ?? 1 ; event.body.a]");
    check("event.type !in [\"a\", \"b\"]", "<event.type !in [\"a\", \"b\"]> of [event.type]");
    check("event.type in vars.types", "<event.type in vars.types> of [event.type ; vars.types]");
    check("(event.body.a ?? \"\") != \"\"", "<(event.body.a ?? \"\") != \"\"> of [(event.body.a ?? \"\") ; event.body.a]");
    check("!event.body?.done", "<!event.body?.done> of [event.body?.done]");
    check("!event.body.a ?? true", "<!event.body.a ?? true> of [event.body.a]");
    check(
        "event.body.email.contains(event.query[\"q\"])",
        "<event.body.email.contains(event.query[\"q\"])> of [event.body.email ; event.query[\"q\"]]",
    );
    check("lead::ok(event, event.body, event.body)", "<lead::ok(event, event.body, event.body)> of [event.body]");
    check("event.body.items.some(|event| event.price > 1)", "<event.body.items.some(|event| event.price > 1)> of [event.body.items]");
    check("a.event.b()", "<a.event.b()>");
    check("event.body.a == event.body.b == true", "<event.body.a == event.body.b == true> of [event.body.a ; event.body.b]");
}

#[test]
fn parts_are_bounded() {
    let of = |count: usize| vec!["true"; count].join(" && ");
    assert!(split(&of(PARTS - 1)).is_some());
    assert_eq!(split(&of(PARTS)), None);
    let deep = format!("{}true{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(matches!(split(&deep).unwrap().how, How::Test(_)));
    let negated = format!("{}(true || false)", "!".repeat(10_000));
    assert!(split(&negated).is_some_and(|split| matches!(split.how, How::Not(_) | How::Test(_))));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(code in "([ab!&|()<=.{}\"'`$#/*\n ]|é|event|in)*") {
        if let Some(split) = split(&code) {
            let _shown = outline(&code, &split);
        }
    }
}
