//! What is told of conditions, and that it is never other than what the program says.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::condition::{Explained, Outcome, Part, PartKind, VALUE_SHOWN_BYTES, Whole};
use super::split::PARTS;
use super::tests::{event, origin};
use super::{Engine, Limits, Scope, ScriptFile};
use crate::domain::failure::Failure;
use crate::domain::secret::{Secret, Secrets};
use crate::domain::time::Timestamp;

const BODY: &str = r#"{"email":"","name":"Ada","amount":40,"ok":true,"off":false,"flag":"yes","none":null,"list":[1,2],"deep":{"x":1}}"#;
const SCRIPT: ScriptFile<'_> = ScriptFile {
    module: "lead",
    file: "scripts/lead.rhai",
    source: "fn score(body) { body.amount }\nfn work(n) { let sum = 0; for i in 0..n { sum += 1; } sum }\n",
};

fn explain_within(limits: Limits, text: &str, body: &str) -> (Result<bool, Failure>, Explained) {
    let (engine, errors) = Engine::new(&[SCRIPT], limits);
    assert_eq!(errors, []);
    let mut builder = engine.builder();
    let code = builder.expression(text, origin("if")).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let program = builder.finish();
    let mut scope = Scope::new(&event("application/json", body));
    scope.set_moment(Timestamp(1_772_355_600_123), 7);
    let found = program.truth(code, &mut scope);
    let secrets = Secrets::new(BTreeMap::from([("KEY".to_owned(), Secret::new("hunter22"))]));
    let explained = program.explain(code, &found, &mut scope, &Arc::new(secrets));
    (found, explained)
}

fn explain(text: &str) -> Explained {
    explain_within(Limits::default(), text, BODY).1
}

/// One line a part, indented; `?` for what was not looked at.
fn lines(part: &Part, depth: usize, out: &mut Vec<String>) {
    let sign = match &part.outcome {
        Outcome::True => "true ",
        Outcome::False => "false",
        Outcome::Failed(_) => "fail ",
        Outcome::NotLookedAt => "?    ",
    };
    let indent = "  ".repeat(depth);
    let (word, parts, operands): (&str, &[Part], &[_]) = match &part.kind {
        PartKind::All(parts) => ("all", parts, &[]),
        PartKind::Any(parts) => ("any", parts, &[]),
        PartKind::Not(part) => ("not", std::slice::from_ref(&**part), &[]),
        PartKind::Test(operands) => (part.text.as_str(), &[], operands),
    };
    out.push(format!("{sign} {indent}{word}"));
    if let (Outcome::Failed(message), PartKind::Test(_)) = (&part.outcome, &part.kind) {
        out.push(format!("      {indent}  {message}"));
    }
    out.extend(operands.iter().map(|operand| format!("      {indent}  {} = {}", operand.text, operand.value)));
    parts.iter().for_each(|part| lines(part, depth + 1, out));
}

fn shown(text: &str) -> String {
    let explained = explain(text);
    assert_eq!(explained.whole, None, "{text}");
    let mut out = Vec::new();
    lines(&explained.part, 0, &mut out);
    out.join("\n")
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(shown(text), expected.join("\n"), "{text}");
}

#[test]
fn a_comparison_shows_its_sides() {
    check("event.body.email != \"\"", &["false event.body.email != \"\"", "        event.body.email = \"\""]);
    check(
        "lead::score(event.body) >= event.body.deep.x",
        &["true  lead::score(event.body) >= event.body.deep.x", "        lead::score(event.body) = 40", "        event.body.deep.x = 1"],
    );
    check("event.body.none == ()", &["true  event.body.none == ()", "        event.body.none = null"]);
    check("event.body.ok", &["true  event.body.ok"]);
    check("event.body.name.starts_with(\"B\")", &["false event.body.name.starts_with(\"B\")", "        event.body.name = \"Ada\""]);
}

#[test]
fn parts_are_shown_as_far_as_they_were_looked_at() {
    check(
        "event.body.ok && event.body.email != \"\" && (event.body.amount > 10 || event.body.ok)",
        &[
            "false all",
            "true    event.body.ok",
            "false   event.body.email != \"\"",
            "          event.body.email = \"\"",
            "?       any",
            "?         event.body.amount > 10",
            "?         event.body.ok",
        ],
    );
    check(
        "event.body.off || !(event.body.ok && event.body.list.len() > 5) || event.body.gone.x",
        &[
            "true  any",
            "false   event.body.off",
            "true    not",
            "false     all",
            "true        event.body.ok",
            "false       event.body.list.len() > 5",
            "              event.body.list.len() = 2",
            "?       event.body.gone.x",
        ],
    );
}

#[test]
fn a_part_that_cannot_be_evaluated_shows_why_and_where() {
    check(
        "event.body.ok && event.body.emial.len() > 1 && event.body.ok",
        &[
            "fail  all",
            "true    event.body.ok",
            "fail    event.body.emial.len() > 1",
            "          workflows/lead.yaml:12:54: if: `event.body.emial` is missing, so `len` cannot be called with it; event.body has: amount, deep, email, flag, list, name, none, off and 1 more; did you mean `email`?; `??` gives it a default",
            "?       event.body.ok",
        ],
    );
    check(
        "event.body.ok\n&& event.body.flag",
        &[
            "fail  all",
            "true    event.body.ok",
            "fail    event.body.flag",
            "          workflows/lead.yaml:13:10: if: expected true or false, and this is a text",
            "          event.body.flag = \"yes\"",
        ],
    );
    check(
        "(event.body.gone.x == 1) || true",
        &[
            "fail  any",
            "fail    event.body.gone.x == 1",
            "          workflows/lead.yaml:12:37: if: `event.body.gone` is missing, so `.x` cannot be read; event.body has: amount, deep, email, flag, list, name, none, off and 1 more; did you mean `none`?",
            "?       true",
        ],
    );
}

#[test]
fn chance_is_not_drawn_again() {
    let explained = explain("random() >= 0.0 && event.body.ok");
    assert_eq!((explained.whole, explained.part.outcome), (Some(Whole::Chance), Outcome::True));
    assert_eq!(explained.part.kind, PartKind::Test(Vec::new()));
}

#[test]
fn too_many_parts_stay_together() {
    // Rhai nests operators of one kind only so deep, so they come in groups.
    let group = format!("({})", vec!["event.body.ok"; 20].join(" && "));
    let text = vec![group; PARTS / 16].join(" && ");
    let explained = explain(&text);
    assert_eq!((explained.whole, explained.part.outcome), (Some(Whole::Large), Outcome::True));
}

#[test]
fn all_parts_together_take_no_more_than_one_evaluation_may() {
    let limits = Limits { operations: 20_000, ..Limits::default() };
    let text = |n: u32| format!("lead::work({n}) == {n} && lead::work({n}) == {n}");
    let (found, explained) = explain_within(limits.clone(), &text(100), BODY);
    assert_eq!((found, explained.whole), (Ok(true), None));
    // Twice is within the limit. Three times, with a value that is looked at, is not.
    let (found, explained) = explain_within(limits.clone(), &text(3_000), BODY);
    assert_eq!((found, explained.part.outcome, explained.whole), (Ok(true), Outcome::True, Some(Whole::Limits)));
    let (found, explained) = explain_within(limits, &text(100_000), BODY);
    assert!(found.is_err() && matches!(explained.part.outcome, Outcome::Failed(_)), "{explained:?}");
}

#[test]
fn values_are_masked_and_then_shortened() {
    let operands = |explained: Explained| match explained.part.kind {
        PartKind::Test(operands) => operands,
        other => panic!("{other:?}"),
    };
    let beside = "x".repeat(VALUE_SHOWN_BYTES - 6);
    let body = format!(r#"{{"text":"{beside}hunter22 and more","key":"hunter22","list":["é"]}}"#);
    let of = |text: &str| operands(explain_within(Limits::default(), text, &body).1);
    let cut = &of("event.body.text != \"\"")[0];
    let value = cut.value.as_str().unwrap();
    assert!(cut.shortened && value.len() <= VALUE_SHOWN_BYTES + '…'.len_utf8() && !value.contains("hunt"), "{value}");
    let [key] = &of("event.body.key == ()")[..] else { panic!() };
    assert_eq!((key.value.as_str(), key.shortened), (Some("***"), false));
}

#[test]
fn what_fails_is_masked() {
    let (found, explained) = explain_within(Limits::default(), "event.body.key.y > 1 && true", r#"{"hunter22":1}"#);
    assert!(found.unwrap_err().message.contains("hunter22"), "otherwise this test shows nothing");
    assert!(!format!("{explained:?}").contains("hunter22"), "{explained:?}");
}

/// The truth that the shown parts add up to, by the rules of the operators alone.
fn adds_up(part: &Part) -> Outcome {
    match &part.kind {
        PartKind::Test(_) => part.outcome.clone(),
        PartKind::Not(inner) => match adds_up(inner) {
            Outcome::True => Outcome::False,
            Outcome::False => Outcome::True,
            other => other,
        },
        PartKind::All(parts) => parts.iter().map(adds_up).find(|outcome| *outcome != Outcome::True).unwrap_or(Outcome::True),
        PartKind::Any(parts) => parts.iter().map(adds_up).find(|outcome| *outcome != Outcome::False).unwrap_or(Outcome::False),
    }
}

/// Nothing is looked at behind what decided, and everything before it is.
fn check_looked_at(part: &Part) {
    let parts: &[Part] = match &part.kind {
        PartKind::All(parts) | PartKind::Any(parts) => parts,
        PartKind::Not(inner) => std::slice::from_ref(&**inner),
        PartKind::Test(_) => &[],
    };
    let decisive = if matches!(part.kind, PartKind::Any(_)) { Outcome::True } else { Outcome::False };
    let mut open = part.outcome != Outcome::NotLookedAt;
    for inner in parts {
        assert_eq!(inner.outcome != Outcome::NotLookedAt, open, "{part:?}");
        check_looked_at(inner);
        open = open && inner.outcome != decisive && !matches!(inner.outcome, Outcome::Failed(_));
    }
}

fn any_condition() -> impl Strategy<Value = String> {
    let test = prop_oneof![
        Just("true".to_owned()),
        Just("event.body.ok".to_owned()),
        Just("event.body.off".to_owned()),
        Just("!event.body.off".to_owned()),
        Just("event.body.email != \"\"".to_owned()),
        Just("event.body.name == \"a || b && (\"".to_owned()),
        Just("event.body.amount > 10 + 2 * 3".to_owned()),
        Just("event.body.amount ?? 1 < 10".to_owned()),
        Just("event.body.gone > 1".to_owned()),
        Just("event.body.flag".to_owned()),
        Just("event.body.list.some(|x| x == 1 || x == 2 && true)".to_owned()),
        Just("2 in event.body.list".to_owned()),
        Just("3 !in event.body.list".to_owned()),
        Just("`${event.body.ok && event.body.off}` == \"false\"".to_owned()),
        Just("event.body.ok == event.body.off".to_owned()),
        Just("if event.body.ok { event.body.off } else { true }".to_owned()),
        Just("#{a: true || false}.a".to_owned()),
        Just("/* && ( */ event.body.ok // ||\n".to_owned()),
        Just("lead::score(event.body) >= 80".to_owned()),
    ];
    test.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join(" && ")),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join("||")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} | {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} == {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} & ({b})")),
            inner.clone().prop_map(|part| format!("({part})")),
            inner.prop_map(|part| format!("!({part})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_shown_parts_add_up_to_what_the_program_says(text in any_condition()) {
        let (engine, _) = Engine::new(&[SCRIPT], Limits::default());
        prop_assume!(engine.builder().expression(&text, origin("if")).is_ok());
        let (found, explained) = explain_within(Limits::default(), &text, BODY);
        let same = |outcome: &Outcome| {
            matches!((&found, outcome), (Ok(true), Outcome::True) | (Ok(false), Outcome::False) | (Err(_), Outcome::Failed(_)))
        };
        // Not the guard is what makes it so: what is taken apart agrees by itself.
        prop_assert!(explained.whole.is_none() || explained.whole == Some(Whole::Large), "{} is shown as a whole: {:?}", text, explained.whole);
        prop_assert!(same(&explained.part.outcome), "{}: {:?} {:?}", text, found, explained);
        prop_assert!(same(&adds_up(&explained.part)), "{}: {:?} {:?}", text, found, explained);
        check_looked_at(&explained.part);
    }
}
