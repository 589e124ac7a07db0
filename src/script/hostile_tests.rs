//! Code that tries to take more than it may have. Each ends in a `Script` failure within its budget,
//! on a thread with the stack a worker has, and the engine still evaluates afterwards.

use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::json;

use super::tests::{event, origin};
use super::*;
use crate::domain::failure::FailureKind;

/// What tokio gives its workers.
const WORKER_STACK_BYTES: usize = 2 << 20;

fn on_worker<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let worker = thread::Builder::new().stack_size(WORKER_STACK_BYTES).spawn_scoped(scope, work).unwrap();
        worker.join().unwrap()
    })
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn evaluate(source: &str, body: &str) -> Result<crate::domain::Value, String> {
    let (engine, errors) = Engine::new(&[], Limits::default());
    assert_eq!(errors, []);
    let mut builder = engine.builder();
    let hostile = builder.script(source, origin("step evil: script")).map_err(|error| error.message)?;
    let tame = builder.expression("event.body.x + 1", origin("if")).unwrap();
    let program = builder.finish();
    let event = event("application/json", body);
    let mut scope = Scope::new(&event);
    let result = program.value(hostile, &mut scope);
    assert_eq!(program.value(tame, &mut Scope::new(&super::tests::event("", "{\"x\":1}"))), Ok(json!(2)));
    result.map_err(|failure| {
        assert_eq!(failure.kind, FailureKind::Script);
        assert!(failure.message.starts_with("workflows/lead.yaml:"), "{}", failure.message);
        failure.message
    })
}

/// The bound on memory looks at the whole process, so these tests run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

pub(super) fn check_within(source: &str) -> Result<crate::domain::Value, String> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    on_worker(|| evaluate(source, "{}"))
}

#[track_caller]
fn check(source: &str, expected: &str) {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let message = on_worker(|| evaluate(source, "{}")).expect_err(source);
    drop(alone);
    assert!(message.contains(expected), "{source}\n{message}");
}

pub(super) const BIG: &str = "let s = \"0123456789\".repeat(100000);\n";

fn check_big(source: &str, expected: &str) {
    check(&format!("{BIG}{source}"), expected);
}

const OPERATIONS: &str = "more than 1000000 operations";
const TOO_LARGE: &str = "over the limit";

#[test]
fn loops_end() {
    check("loop {}", OPERATIONS);
    check("while true { let x = 1; }", OPERATIONS);
    check("for i in 0..9000000000 { let x = i; }", OPERATIONS);
    check("for i in range(0, 9000000000, 1) { }", OPERATIONS);
    check("let n = 0; loop { try { n += 1; throw n } catch { } }", OPERATIONS);
}

#[test]
fn recursion_ends() {
    check("fn f(n) { f(n + 1) } f(0)", "more than 32 deep");
    check("fn f(n) { if n > 0 { 1 + (2 * (3 + f(n - 1))) } else { f(99999) } } f(99999)", "more than 32 deep");
    check("fn f(n) { [1].map(|x| f(n + 1)) } f(0)", "deep");
    check("let f = |g| g.call(g); f.call(f)", "deep");
}

#[test]
fn texts_cannot_grow() {
    check("let s = \"x\"; loop { s += s; }", TOO_LARGE);
    check("let s = \"x\"; loop { s = s + s; }", TOO_LARGE);
    check("let s = \"x\"; loop { s = `${s}${s}`; }", TOO_LARGE);
    check("let s = \"x\"; loop { s += 'y'; }", "");
    check_big("s.replace(\"0\", s)", TOO_LARGE);
    check_big("s.repeat(9223372036854775807)", TOO_LARGE);
    check_big("s.pad(9223372036854775807, \"x\")", TOO_LARGE);
    check_big("\"\".pad(600000, \"ééé\")", TOO_LARGE);
    check_big("[s, s].join(s)", TOO_LARGE);
    check_big("s.split(\"\")", TOO_LARGE);
    check_big("s.split(\"0\").len() + s.split(\"\").len()", TOO_LARGE);
    check_big("url_encode(\"é\".repeat(500000))", TOO_LARGE);
    check_big("to_json(\"\\x01\".repeat(1000000))", TOO_LARGE);
    check_big("base64_encode(s)", TOO_LARGE);
    check_big("hex_encode(s)", TOO_LARGE);
    check_big("let a = [s, s, s]; a.to_string()", TOO_LARGE);
}

#[test]
fn lists_and_maps_cannot_grow() {
    check("let a = [1]; loop { a += a; }", TOO_LARGE);
    check("let a = [1]; loop { a = a + a; }", TOO_LARGE);
    check("let a = [1]; loop { a.append(a); }", TOO_LARGE);
    check("let a = [1]; loop { a.splice(0, 0, a); }", TOO_LARGE);
    check("let a = []; a.pad(9223372036854775807, 0)", TOO_LARGE);
    check("let a = [[1, 2, 3]]; a.pad(90000, [1, 2, 3])", TOO_LARGE);
    check("let a = []; for i in 0..1000000 { a.push(i); }", "");
    check_big("let a = []; loop { a.push(s); }", TOO_LARGE);
    check_big("let m = #{}; let i = 0; loop { i += 1; m[`${i}`] = `${i}${s}`; }", "");
    check_big("let a = []; a.pad(50000, 0); for i in 0..50000 { a[i] = s + i; }", "");
    check("let m = #{}; let i = 0; loop { i += 1; m[`${i}`] = i; }", "");
    check_big("let a = []; a.pad(50000, 0); a.map(|x| s + x).len()", "");
    check_big("let a = []; a.pad(50000, 0); let m = #{a: a}; m.map(|k, v| s + k); a.zip(a, |x, y| s + x)", "");
    check("let m = #{}; loop { m.x = m; }", "");
    check("blob(9223372036854775807)", "no function `blob(");
    check("let a = [1]; a.pad(30000, 0); loop { a = [a, a]; }", TOO_LARGE);
}

#[test]
fn nesting_does_not_overflow_the_stack() {
    check("let a = []; loop { a = [a]; }", "");
    check("let m = #{}; loop { m = #{m: m}; }", "");
    check("let a = []; for i in 0..1000 { a = [a]; } a", "nested deeper than 128");
    check("let a = []; for i in 0..1000 { a = [a]; } a.to_string()", "nested deeper than 128");
    check("let a = []; for i in 0..600 { a = [a]; } throw a", "threw a value");
    check("let a = [0]; a.pad(90000, 0); a.reduce(|x, y| [x], 0)", "");
}

#[test]
fn the_outside_cannot_be_reached() {
    for word in ["eval(\"1\")", "import \"x\" as y", "export x"] {
        let message = on_worker(|| evaluate(word, "{}")).expect_err(word);
        assert!(message.contains("reserved") || message.contains("disabled") || message.contains("not"), "{message}");
    }
    for call in ["sleep(1)", "sleep(0.1)", "timestamp()", "exit()", "exit(1)", "get_fn_metadata_list()"] {
        check(call, "there is no function");
    }
    assert_eq!(on_worker(|| evaluate("print(\"x\"); debug(\"x\"); 1", "{}")), Ok(json!(1)));
}

#[test]
fn numbers_are_checked() {
    check("9223372036854775807 + 1", "overflow");
    check("2 ** 9223372036854775807", "");
    check("-9223372036854775808 / -1", "");
    check("1 % 0", "");
    check("parse_int(\"9\".repeat(100000))", "parse_int: this text is not a whole number");
    check("parse_int_radix(\"1\", 99)", "radix from 2 to 36");
    check("0.0 / 0.0", "NaN");
    check("10.0 ** 400.0", "inf");
    check("[1, 2][-9223372036854775808]", "");
    check("\"é\"[5]", "");
    check(&"9".repeat(60_000), "");
}

#[test]
fn closures_that_share_cannot_deadlock_or_lie_to_sort() {
    check("let a = [1, 2]; a.for_each(|x| a.push(x)); a.map(|x| a.len())", "");
    check("let a = []; for i in 0..2000 { a.push(i * 7919 % 1000); } a.sort(|x, y| if x % 3 == 0 { 1 } else { -1 }); loop {}", "");
    check("let a = [3, 1, 2]; a.sort(|x, y| loop {}); 1", OPERATIONS);
}

#[test]
fn source_is_bounded_before_it_is_parsed() {
    check(&" ".repeat((64 << 10) + 1), "over the limit of 65536; split it");
    check(&format!("{}1{}", "(".repeat(30_000), ")".repeat(30_000)), "");
    check(&format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000)), "");
    check(&"-".repeat(60_000), "");
    check(&"!".repeat(60_000), "");
    check(&format!("1{}", " + 1".repeat(16_000)), "");
    check(&format!("event{}", ".a".repeat(30_000)), "");
    check(&format!("event{}", "[0]".repeat(20_000)), "");
    check(&"`${".repeat(20_000), "");
    check(&"if true {".repeat(6_000), "");
    check(&"{".repeat(60_000), "");
    check(&"|x|".repeat(20_000), "");
    assert_eq!(on_worker(|| evaluate(&"/*".repeat(30_000), "{}")), Ok(json!(null)));
    check(&"fn f() {".repeat(6_000), "");
    check(&"#{a:".repeat(15_000), "");
    check(&"f(".repeat(30_000), "");
    check(&"a ?? ".repeat(12_000), "");
    check(&"x = ".repeat(15_000), "");
    let arms: String = (0..4500).map(|i| format!("{i} => {i},")).collect();
    assert_eq!(on_worker(|| evaluate(&format!("switch 1 {{ {arms} }}"), "{}")), Ok(json!(1)));
}

#[test]
fn variables_are_bounded() {
    let source: String = (0..1000).map(|i| format!("let v{i} = {i};\n")).collect();
    check(&source, "more than 256 variables");
}

#[test]
fn memory_stays_bounded_through_all_of_it() {
    let before = resident_mib();
    for _ in 0..6 {
        check_big("let a = []; a.pad(50000, 0); for i in 0..50000 { a[i] = `${i}${s}`; }", "hold more than 16 MiB of text");
        check_big("let a = []; a.pad(50000, 0); a.map(|x| s + x).len()", TOO_LARGE);
        check_big("let m = #{}; let i = 0; loop { i += 1; m[`${i}`] = `${i}${s}`; }", "hold more than 16 MiB of text");
    }
    let grown = resident_mib().saturating_sub(before);
    assert!(grown < 384, "{grown} MiB");
}

#[test]
fn deep_values_are_dropped_compared_and_shown_with_room() {
    let source = "let a = []; for i in 0..3000 { a = [a]; } let b = a; let same = a == b; let text = `${a}`; [same, text.len]";
    assert_eq!(on_worker(|| evaluate(source, "{}")), Ok(json!([true, 6002])));
}

#[test]
fn an_expression_as_deep_as_allowed_runs_on_a_worker() {
    let deep = |n: usize| format!("{}event{}", "[".repeat(n), "]".repeat(n));
    let chain = |n: usize| format!("event{}", "?.a".repeat(n));
    let sum = |n: usize| format!("1{}", " + 1".repeat(n));
    let body = format!("{}{}", "[".repeat(120), "]".repeat(120));
    for source in [deep(20), chain(20), sum(50)] {
        let result = on_worker(|| evaluate(&source, &body));
        assert!(result.is_ok() || result.as_ref().is_err_and(|words| words.contains("nested deeper than 128")), "{source}: {result:?}");
    }
}

#[test]
fn a_script_file_cannot_take_more_at_load() {
    let nest = ScriptFile { module: "nest", file: "scripts/nest.rhai", source: "let a = []; for i in 0..3000 { a = [a]; }\nfn f() { 1 }" };
    let endless = ScriptFile { module: "endless", file: "scripts/endless.rhai", source: "\nloop { }" };
    let (_, errors) = on_worker(|| Engine::new(&[nest, endless], Limits::default()));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((&*errors[0].file, errors[0].line), ("scripts/endless.rhai", 2));
    assert!(errors[0].message.contains(OPERATIONS), "{errors:?}");
}
