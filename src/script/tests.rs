//! What code gives, and what its errors say.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::domain::event::{Event, EventHead, Source};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::{EventId, Parts};
use crate::domain::time::Timestamp;
use crate::domain::{Map, Value};

pub(super) fn event(content_type: &str, body: &str) -> Event {
    let head = EventHead {
        method: "POST".to_owned(),
        path: "leads".to_owned(),
        params: vec![("name".to_owned(), "x".to_owned())],
        query: vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
        headers: vec![("x-a".to_owned(), "1".to_owned()), ("x-a".to_owned(), "2".to_owned())],
        content_type: content_type.to_owned(),
        ..EventHead::new(
            EventId::new(Parts { time_ms: 1, counter: 2, chance: 3, shard: 4 }),
            Source::Webhook,
            "lead",
            Timestamp(1_772_355_600_000),
        )
    };
    Event::new(head, Bytes::from(body.to_owned()))
}

pub(super) fn origin(field: &str) -> Origin {
    Origin { file: "workflows/lead.yaml".into(), line: 12, column: 20, next_column: 7, field: field.into() }
}

const BODY: &str =
    r#"{"email":"ada@example.com","name":"Ada","amount":5000,"rate":1.0,"tags":["a","b"],"deep":{"x":[{"y":7}]},"none":null}"#;

const LEAD: ScriptFile<'_> = ScriptFile {
    module: "lead",
    file: "scripts/lead.rhai",
    source: "const HOT = 80;\nfn score(body) {\n  let points = body.amount / 100;\n  points + other::bonus()\n}\nfn hot(body) { score(body) >= HOT_OF() }\nfn HOT_OF() { global::HOT }\nfn bad(x) {\n  let y = 1;\n  y.nonsense(x)\n}\nfn when() { now() }\nfn sees() { 1 }\nfn over(items, limit) { items.filter(|i| i > limit) }\n",
};
const OTHER: ScriptFile<'_> = ScriptFile { module: "other", file: "scripts/other.rhai", source: "fn bonus() { 1 }" };

fn engine() -> Engine {
    let (engine, errors) = Engine::new(&[LEAD, OTHER], Limits::default());
    assert_eq!(errors, []);
    engine
}

pub(super) fn scope() -> Scope {
    let mut scope = Scope::new(&event("application/json", BODY));
    scope.set_run(&RunInfo {
        id: "run_1".to_owned(),
        workflow: "capture-lead",
        revision: "abc".to_owned(),
        started: Timestamp(0),
        attempt: 2,
    });
    scope.set_step("contact", &json!({"id": "42"}));
    scope.set_vars(json!({"limit": 3}).as_object().unwrap());
    scope.set_moment(Timestamp(1_772_355_600_123), 7);
    scope
}

pub(super) fn value(text: &str) -> Result<Value, Failure> {
    let mut builder = engine().builder();
    let code = builder.expression(text, origin("if")).map_err(|error| Failure::new(FailureKind::BadInput, error.message))?;
    builder.finish().value(code, &mut scope())
}

pub(super) fn script(text: &str) -> Result<Value, Failure> {
    let mut builder = engine().builder();
    let code = builder.script(text, origin("step calc: script")).map_err(|error| Failure::new(FailureKind::BadInput, error.message))?;
    builder.finish().value(code, &mut scope())
}

fn text_source(text: &str) -> TemplateSource {
    TemplateSource::Text { text: text.to_owned(), origin: origin("step contact: with.text") }
}

pub(super) fn template(text: &str) -> Result<Value, Failure> {
    let mut builder = engine().builder();
    let code = builder.template(&text_source(text)).map_err(|errors| Failure::new(FailureKind::BadInput, format!("{errors:?}")))?;
    builder.finish().value(code, &mut scope())
}

pub(super) fn check(text: &str, expected: Value) {
    assert_eq!(value(text).map(|value| value.to_string()), Ok(expected.to_string()), "{text}");
}

fn check_script(text: &str, expected: Value) {
    assert_eq!(script(text).map(|value| value.to_string()), Ok(expected.to_string()), "{text}");
}

pub(super) fn check_error(result: Result<Value, Failure>, expected: &str) {
    let failure = result.unwrap_err();
    assert_eq!(failure.message, expected);
}

#[test]
fn expressions_read_what_is_in_scope() {
    check("event.body.email", json!("ada@example.com"));
    check("event.body.amount + 1", json!(5001));
    check("event.body.rate", json!(1.0));
    check("event.body.tags[1]", json!("b"));
    check("event.body.deep.x[0].y", json!(7));
    check("event.body.none", json!(null));
    check("event.body.missing", json!(null));
    check("event.body.missing ?? \"x\"", json!("x"));
    check("event.body.missing?.deeper", json!(null));
    check("event.headers[\"x-a\"]", json!("1, 2"));
    check("event.query.a", json!(["1", "2"]));
    check("event.params.name + event.path + event.method + event.type + event.source", json!("xleadsPOSTleadwebhook"));
    check("event.time", json!("2026-03-01T09:00:00.000Z"));
    check("event.id", json!(event("", "").head.id.to_string()));
    check("event.raw.len", json!(BODY.len()));
    check("steps.contact.id", json!("42"));
    check("steps.later", json!(null));
    check("vars.limit", json!(3));
    check("run.workflow + run.attempt + run.id + run.started", json!("capture-lead2run_11970-01-01T00:00:00.000Z"));
    check("error", json!(null));
    check("secrets", json!(null));
    check("#{a: [1, 2.5, true, 'c', ()]}", json!({"a": [1, 2.5, true, "c", null]}));
    check("event.body.tags.filter(|t| t == \"a\")", json!(["a"]));
    check("event.body.tags.map(|t| t + vars.limit)", json!(["a3", "b3"]));
    check("\"a\" in event.body.tags && \"email\" in event.body", json!(true));
    check("`Hi ${event.body.name} ${event.body.tags}`", json!("Hi Ada [\"a\",\"b\"]"));
    check("if event.body.amount > 1 { \"big\" } else { \"small\" }", json!("big"));
}

#[test]
fn scripts_have_statements_functions_and_time() {
    check("lead::score(event.body)", json!(51));
    check("lead::hot(event.body)", json!(false));
    check("lead::over([1, 5], 3)", json!([5]));
    check("lead::when()", json!("2026-03-01T09:00:00.123Z"));
    check_script("let n = 0;\nfor x in event.body.tags { n += x.len; }\nn", json!(2));
    check_script("let body = event.body; body.amount = 1; body.amount", json!(1));
    check_script("let a = []; for i in 0..3 { a.push(i * i); } a", json!([0, 1, 4]));
    check_script("let f = |x| x + event.body.amount; [f.call(1), f.call(2)]", json!([5001, 5002]));
    check_script("fn twice(x) { x * 2 } twice(21)", json!(42));
    check_script("let why = 0; try { throw \"x\" } catch (e) { why = e; } why", json!("x"));
    check_script("", json!(null));
}

#[test]
fn the_scope_can_be_read_but_not_written() {
    check_error(
        script("let x = 1;\nevent.body.email = \"x\";"),
        "workflows/lead.yaml:13:7: step calc: script: `event` can be read but not changed; copy it first: `let copy = event;`",
    );
    for text in
        ["event = 1", "steps.contact.id = 2", "event.body.tags.push(1)", "vars.clear()", "event.body.remove(\"email\")", "vars.limit += 1"]
    {
        let failure = script(text).unwrap_err();
        assert!(
            failure.message.contains("can only be read") || failure.message.contains("can be read but not changed"),
            "{}",
            failure.message
        );
    }
    for text in ["event = 1", "let x = 1", "vars.limit = 2", "1; 2", "{ let x = 1; x }", "while true {}", "return 1", ""] {
        assert_eq!(value(text).unwrap_err().kind, FailureKind::BadInput, "{text}");
    }
}

#[test]
fn one_evaluation_leaves_nothing_for_the_next() {
    let mut builder = engine().builder();
    let set = builder.script("let leak = 1; let f = || event.body.email; f.call()", origin("a")).unwrap();
    let read = builder.script("let g = 2; event.body.email + g", origin("b")).unwrap();
    let program = builder.finish();
    let mut scope = scope();
    for _ in 0..2 {
        assert_eq!(program.value(set, &mut scope), Ok(json!("ada@example.com")));
        assert_eq!(program.value(read, &mut scope), Ok(json!("ada@example.com2")));
        assert_eq!(scope.rhai.len(), super::scope::VARIABLES.len());
        assert!(!scope.rhai.iter_raw().any(|(_, _, value)| value.is_shared()));
        scope.set_step("more", &json!([1]));
    }
}

#[test]
fn code_is_given_back_as_it_was_written() {
    let mut builder = engine().builder();
    let expression = builder.expression("event.body.amount  > 5", origin("if")).unwrap();
    let script = builder.script("let a = 1;\na", origin("script")).unwrap();
    let text = |text: &str| TemplateSource::Text { text: text.to_owned(), origin: origin("with") };
    let (long, kept) = (format!("${{ event.body.{} }}", "a".repeat(200)), "a $${event.id} b ${event.id} $$ c");
    let list = TemplateSource::List(vec![text(&long), text(""), TemplateSource::Literal(json!([1, null]))]);
    let template = builder.template(&TemplateSource::Map(vec![("list".to_owned(), list), ("kept".to_owned(), text(kept))])).unwrap();
    let plain = builder.template(&text("$${event.id}")).unwrap();
    let program = builder.finish();
    assert_eq!(program.written(expression), json!("event.body.amount  > 5"));
    assert_eq!(program.written(script), json!("let a = 1;\na"));
    assert_eq!(program.written(template), json!({"list": [long, "", [1, null]], "kept": kept}));
    assert_eq!(program.written(plain), json!("$${event.id}"), "not the hole that it stands for");
    assert_eq!(program.written(crate::domain::workflow::Code(99)), json!(null));
}

#[test]
fn templates_keep_types_and_fill_texts() {
    for (text, expected) in [
        ("${event.body.amount}", json!(5000)),
        ("${event.body.tags}", json!(["a", "b"])),
        ("${event.body.missing}", json!(null)),
        ("Hi ${event.body.name}, ${ event.body.amount }/${event.body.rate}!", json!("Hi Ada, 5000/1.0!")),
        ("${event.body.missing ?? \"\"} ", json!(" ")),
        ("$${event.body.name} costs $5", json!("${event.body.name} costs $5")),
        ("plain", json!("plain")),
        ("", json!("")),
        ("${#{a: \"}\"}.a}", json!("}")),
    ] {
        assert_eq!(template(text), Ok(expected), "{text}");
    }
    let source = TemplateSource::Map(vec![
        ("to".to_owned(), TemplateSource::List(vec![text_source("${event.body.email}"), TemplateSource::Literal(json!(null))])),
        ("n".to_owned(), TemplateSource::Literal(json!(1.0))),
    ]);
    let mut builder = engine().builder();
    let code = builder.template(&source).unwrap();
    assert_eq!(builder.finish().value(code, &mut scope()).unwrap().to_string(), r#"{"n":1.0,"to":["ada@example.com",null]}"#);
}

#[test]
fn a_missing_hole_says_which_and_where() {
    check_error(
        template("Hi ${event.body.nam}"),
        "workflows/lead.yaml:12:25: step contact: with.text: ${event.body.nam} is missing (use ?? \"\" to make it optional); event.body has: amount, deep, email, name, none, rate, tags; did you mean `name`?",
    );
    check_error(
        template("Hi\nthere ${event.body.nam}"),
        "workflows/lead.yaml:13:15: step contact: with.text: ${event.body.nam} is missing (use ?? \"\" to make it optional); event.body has: amount, deep, email, name, none, rate, tags; did you mean `name`?",
    );
    check_error(
        template("Hi ${event.body.tags}"),
        "workflows/lead.yaml:12:25: step contact: with.text: ${event.body.tags} is a list, which is no text; use to_json(…) or join(…)",
    );
}

#[test]
fn all_bad_holes_are_reported() {
    let source = TemplateSource::List(vec![text_source("a ${1 +} b ${nope} c"), text_source("x\n ${open")]);
    let errors = engine().builder().template(&source).unwrap_err();
    let places: Vec<_> = errors.iter().map(|error| (error.line, error.column)).collect();
    assert_eq!(places, [(12, 27), (12, 33), (13, 8)], "{errors:?}");
    assert!(errors[1].message.starts_with("step contact: with.text: there is no variable `nope` here"), "{errors:?}");
}

#[test]
fn errors_name_the_place_in_the_yaml_or_the_script() {
    check_error(value("1 +\n event.body.name.nonsense()"), "workflows/lead.yaml:13:24: if: there is no function `nonsense(text)`");
    check_error(
        value("lower(event.body.missing)"),
        "workflows/lead.yaml:12:20: if: `event.body.missing` is missing, so `lower` cannot be called with it; event.body has: amount, deep, email, name, none, rate, tags; `??` gives it a default",
    );
    check_error(
        value("lead::bad(1)"),
        "scripts/lead.rhai:10:5: there is no function `nonsense(whole number, whole number)` (called from workflows/lead.yaml:12: if)",
    );
    check_error(value("[1].map(|x| x.boom())"), "workflows/lead.yaml:12:34: if: there is no function `boom(whole number)`");
    check_error(script("throw \"no stock\""), "workflows/lead.yaml:12:20: step calc: script: no stock");
    check_error(value("event.body.email.domain"), "workflows/lead.yaml:12:37: if: `event.body.email` is a text, which has no `.domain`");
    check_error(
        value("event.body.missing.deeper"),
        "workflows/lead.yaml:12:39: if: `event.body.missing` is missing, so `.deeper` cannot be read; event.body has: amount, deep, email, name, none, rate, tags",
    );
    check_error(value("nothing()"), "workflows/lead.yaml:12:20: if: there is no function `nothing()`");
    check_error(value("1 / 0"), "workflows/lead.yaml:12:22: if: Division by zero: 1 / 0");
    check_error(
        value("replace(\"a\", \"\", \"b\")"),
        "workflows/lead.yaml:12:20: if: replace: what to find is empty; give it at least one character",
    );
}

#[test]
fn unknown_names_are_compile_errors() {
    for (text, expected) in [
        (
            "evnt.body",
            "if: there is no variable `evnt` here; did you mean `event`? There are event, steps, vars, input, run, error, approval, secrets, item, index, and a function in scripts/ sees only its arguments",
        ),
        ("leed::score(1)", "if: there is no script `leed`; expected a file scripts/leed.rhai that compiles"),
    ] {
        assert_eq!(value(text).unwrap_err().message, expected);
    }
}

#[test]
fn a_bad_script_is_left_out_and_the_others_work() {
    let bad = [
        ScriptFile { module: "bad", file: "scripts/bad.rhai", source: "fn x() {\n  1 +\n}" },
        ScriptFile { module: "uses", file: "scripts/uses.rhai", source: "fn f() { event.body }" },
        ScriptFile { module: "stops", file: "scripts/stops.rhai", source: "throw 1;" },
        ScriptFile { module: "a-b", file: "scripts/a-b.rhai", source: "" },
        ScriptFile { module: "long", file: "scripts/long.rhai", source: &" ".repeat(70_000) },
        OTHER,
    ];
    let (engine, errors) = Engine::new(&bad, Limits::default());
    let places: Vec<_> = errors.iter().map(|error| (&*error.file, error.line)).collect();
    let expected =
        [("scripts/bad.rhai", 3), ("scripts/uses.rhai", 1), ("scripts/a-b.rhai", 1), ("scripts/long.rhai", 1), ("scripts/stops.rhai", 1)];
    assert_eq!(places, expected, "{errors:?}");
    let mut builder = engine.builder();
    assert!(builder.expression("bad::x()", origin("if")).is_err());
    let code = builder.expression("other::bonus()", origin("if")).unwrap();
    assert_eq!(builder.finish().value(code, &mut scope()), Ok(json!(1)));
}

#[test]
fn truth_is_a_bool_and_nothing_else() {
    let mut builder = engine().builder();
    let yes = builder.expression("event.body.email != \"\"", origin("if")).unwrap();
    let none = builder.expression("event.body.missing", origin("if")).unwrap();
    let number = builder.expression("event.body.amount", origin("if")).unwrap();
    let program = builder.finish();
    assert_eq!(program.truth(yes, &mut scope()), Ok(true));
    let message = |code| program.truth(code, &mut scope()).unwrap_err().message;
    assert_eq!(message(none), "workflows/lead.yaml:12:20: if: expected true or false, and this is missing");
    assert_eq!(message(number), "workflows/lead.yaml:12:20: if: expected true or false, and this is the number 5000");
}

#[test]
fn texts_are_of_texts_numbers_and_bools() {
    let text = |source: &str| {
        let mut builder = engine().builder();
        let code = builder.expression(source, origin("key")).unwrap();
        builder.finish().text(code, &mut scope()).map_err(|failure| failure.message)
    };
    assert_eq!(text("event.body.email"), Ok("ada@example.com".to_owned()));
    assert_eq!(text("event.body.rate"), Ok("1.0".to_owned()));
    assert_eq!(text("1 == 1"), Ok("true".to_owned()));
    assert_eq!(text("event.body.missing"), Err("workflows/lead.yaml:12:20: key: the value is missing; `??` gives it a default".to_owned()));
    assert!(text("event.body").unwrap_err().contains("the value is a map"));
    assert!(text("0.0 / 0.0").unwrap_err().contains("NaN"));
}

#[test]
fn secrets_are_there_only_while_set() {
    let mut builder = engine().builder();
    let code = builder.expression("secrets?.TOKEN", origin("with.token")).unwrap();
    let program = builder.finish();
    let mut scope = scope();
    let secrets: Map = json!({"TOKEN": "t"}).as_object().unwrap().clone();
    scope.set_secrets(Some(&secrets));
    assert_eq!(program.value(code, &mut scope), Ok(json!("t")));
    scope.set_secrets(None);
    assert_eq!(program.value(code, &mut scope), Ok(json!(null)));
    assert!(!format!("{program:?}").contains("secret_value"));
}

#[test]
fn handlers_see_the_error() {
    let mut scope = scope();
    scope.set_error(Some(&json!({"step": "contact", "message": "m"})));
    let mut builder = engine().builder();
    let code = builder.template(&text_source("failed at ${error.step}: ${error.message}")).unwrap();
    assert_eq!(builder.finish().value(code, &mut scope), Ok(json!("failed at contact: m")));
}

#[test]
fn chance_and_time_are_the_same_again() {
    let mut builder = engine().builder();
    let code = builder.expression("[uuid(), uuid(), random(), random(1, 6), now(), now_ms()]", origin("a")).unwrap();
    let program = builder.finish();
    let mut scope = scope();
    let first = program.value(code, &mut scope).unwrap();
    assert_eq!(program.value(code, &mut scope).unwrap(), first);
    assert_ne!(first[0], first[1]);
    assert_eq!((first[0].as_str().unwrap().len(), first[0].as_str().unwrap().chars().nth(14)), (36, Some('4')));
    assert!((0.0..1.0).contains(&first[2].as_f64().unwrap()) && (1..=6).contains(&first[3].as_i64().unwrap()));
    assert_eq!(first[5], json!(1_772_355_600_123_i64));
    scope.set_moment(Timestamp(0), 8);
    let second = program.value(code, &mut scope).unwrap();
    assert_ne!(second[0], first[0]);
    assert_eq!(second[4], json!("1970-01-01T00:00:00.000Z"));
}

fn body_of(content_type: &str, body: &str) -> (Value, Result<(), String>) {
    let event = event(content_type, body);
    let checked = check_body(&event, Uses::ALL);
    let mut builder = engine().builder();
    let code = builder.expression("[event.body, event.form, event.raw]", origin("a")).unwrap();
    (builder.finish().value(code, &mut Scope::new(&event)).unwrap(), checked)
}

#[test]
fn a_body_is_read_by_its_content_type() {
    for (content_type, body, expected) in [
        ("application/json; charset=utf-8", "[1]", json!([[1], null, "[1]"])),
        ("application/cloudevents+json", "1.0", json!([1.0, null, "1.0"])),
        ("", " {\"a\":1}", json!([{"a": 1}, null, " {\"a\":1}"])),
        ("", "a=1", json!([null, null, "a=1"])),
        ("application/json", "", json!([null, null, ""])),
        (
            "application/x-www-form-urlencoded",
            "a=1&b=x+y&a=%32&a=3",
            json!([{"a": ["1", "2", "3"], "b": "x y"}, {"a": ["1", "2", "3"], "b": "x y"}, "a=1&b=x+y&a=%32&a=3"]),
        ),
        ("text/plain", "hi", json!(["hi", null, "hi"])),
        ("application/octet-stream", "x", json!([null, null, "x"])),
    ] {
        assert_eq!(body_of(content_type, body), (expected, Ok(())), "{content_type}");
    }
    let large = "x".repeat((64 << 10) + 1);
    assert_eq!(body_of("text/plain", &large).0[2], json!(null));
}

#[test]
fn bad_json_is_told_with_its_place() {
    let (value, checked) = body_of("application/json", "{\"a\":1,\n}");
    assert_eq!(checked, Err("the body is not JSON: trailing comma at line 2 column 1".to_owned()));
    assert_eq!(value[0], json!(null));
    assert!(body_of("application/json", &"[".repeat(200)).1.unwrap_err().contains("recursion limit"));
}

#[test]
fn programs_can_be_shared_by_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Program>();
    shared::<Scope>();
    shared::<Engine>();
}
