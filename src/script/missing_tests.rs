//! What errors say of missing parts.

use super::tests::{script, template, value};

const BODY_HAS: &str = "event.body has: amount, deep, email, name, none, rate, tags";

#[track_caller]
fn check(source: &str, column: u32, expected: &str) {
    let expected = format!("workflows/lead.yaml:12:{column}: if: {}", expected.replace("BODY_HAS", BODY_HAS));
    assert_eq!(value(source).unwrap_err().message, expected, "{source}");
}

#[test]
fn a_missing_part_deep_down_is_named_with_what_was_there() {
    check("event.body.a.b", 33, "`event.body.a` is missing, so `.b` cannot be read; BODY_HAS");
    check("event.body.a.b.c", 33, "`event.body.a` is missing, so `.b` cannot be read; BODY_HAS");
    check("event.body.none.x", 36, "`event.body.none` is missing, so `.x` cannot be read; BODY_HAS");
    check("event.body[\"a\"][\"b\"]", 35, "`event.body[\"a\"]` is missing, so `[\"b\"]` cannot be read; BODY_HAS");
    check("event.body.a[0]", 32, "`event.body.a` is missing, so `[0]` cannot be read; BODY_HAS");
    check("event.body.deep.x[0].z.k", 43, "`event.body.deep.x[0].z` is missing, so `.k` cannot be read; event.body.deep.x[0] has: y");
    check(
        "event?.body?.q.y",
        35,
        "`event?.body?.q` is missing, so `.y` cannot be read; event?.body has: amount, deep, email, name, none, rate, tags",
    );
    check("error.message", 26, "`error` is missing, so `.message` cannot be read");
    check("vars.limits.x", 32, "`vars.limits` is missing, so `.x` cannot be read; vars has: limit; did you mean `limit`?");
    check("steps.contat.id", 33, "`steps.contat` is missing, so `.id` cannot be read; steps has: contact; did you mean `contact`?");
}

#[test]
fn what_is_there_but_of_another_kind_is_named() {
    check("event.body.name.first", 36, "`event.body.name` is a text, which has no `.first`");
    check("event.body.amount.x", 38, "`event.body.amount` is a number, which has no `.x`");
    check("event.body.tags[7]", 36, "there is no item 7 in this list of 2; items count from 0");
    check("if event.body.q { 1 }", 28, "expected true or false, and this is missing; `??` gives it a default");
}

#[test]
fn a_missing_operand_or_argument_is_named() {
    let with = |what: &str, like: &str| format!("`event.body.emial` is missing, so {what}; {BODY_HAS}{like}; `??` gives it a default");
    let like = "; did you mean `email`?";
    check("event.body.emial / 100", 37, &with("`/` cannot be done", like));
    check("100 * event.body.emial", 24, &with("`*` cannot be done", like));
    check("-event.body.emial", 20, &with("`-` cannot be done", like));
    check("lower(event.body.emial)", 20, &with("`lower` cannot be called with it", like));
    check("event.body.emial.trim()", 37, &with("`trim` cannot be called with it", like));
    check("\"a\".replace(\"a\", event.body.emial)", 24, &with("`replace` cannot be called with it", like));
}

#[test]
fn what_is_missing_in_a_script_is_named_there() {
    let message = value("lead::score(event)").unwrap_err().message;
    let expected = "`body.amount` is missing, so `/` cannot be done; `??` gives it a default (called from workflows/lead.yaml:12: if)";
    assert_eq!(message, format!("scripts/lead.rhai:3:28: {expected}"));
    let message = script("let a = event.body;\nlet b = a.foo;\nb.bar").unwrap_err().message;
    assert_eq!(message, "workflows/lead.yaml:14:9: step calc: script: `b` is missing, so `.bar` cannot be read");
}

#[test]
fn a_hole_that_is_no_plain_path_only_says_that_it_is_missing() {
    let message = template("x ${if false { 1 }}").unwrap_err().message;
    assert!(message.ends_with("is missing (use ?? \"\" to make it optional)"), "{message}");
}

#[test]
fn a_misspelled_function_gets_a_suggestion() {
    check("lowr(\"a\")", 20, "there is no function `lowr(text)`; did you mean `lower`?");
    check("lead::scor(1)", 26, "there is no function `lead::scor(whole number)`; did you mean `lead::score`?");
    check("lead::score()", 26, "there is no function `lead::score()`; it is called as lead::score(body)");
    check("round(\"a\")", 20, "there is no function `round(text)`; it is called as round(number, digits?) -> number");
    check("qqqq()", 20, "there is no function `qqqq()`");
}

#[test]
fn odd_sources_do_not_break_the_explanation() {
    for source in [
        "event.body.é",
        "(event.body.q).x",
        "event.body.q /* é */ .x",
        "event . body . q . x",
        "\"é\" + event.body.q.x",
        "[()][0].a",
        "#{a: ()}.a.b",
        "lower(\"a,\", ())",
        "().x",
        "event.body[\"ä\"].x",
        "event.body.tags[event.body.q].x",
    ] {
        if let Err(failure) = value(source) {
            assert!(failure.message.starts_with("workflows/lead.yaml:12:") || failure.message.contains("if: "), "{}", failure.message);
        }
    }
}
