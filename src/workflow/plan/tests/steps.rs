//! Steps that are new, other or gone.

use super::{plan, steps, told};

/// Each change of a step in one line; `=` before a block that is done in another order.
fn check_steps(before: &str, after: &str, expected: &[&str]) {
    let plan = plan(&[("a", &steps(before))], &[("a", &steps(after))]);
    let told: Vec<String> = plan.workflows.changed.iter().flat_map(told).collect();
    assert_eq!(told, expected, "{before}{after}");
}

#[test]
fn steps_with_an_id_are_known_by_it() {
    let two = "  - {id: a, script: 1}\n  - {id: b, script: 2}\n";
    check_steps(two, "  - {id: a, script: 1}\n  - {id: b, script: 3}\n", &["~ b script script"]);
    check_steps(two, "  - {id: b, script: 2}\n  - {id: a, script: 1}\n", &["= "]);
    check_steps(two, "  - {id: b, script: 2}\n", &["- a script"]);
    check_steps(two, "  - {id: a, script: 1}\n  - {id: c, script: 2}\n", &["+ c script", "- b script"]);
    check_steps(two, "  - {id: a, wait: 1h}\n  - {id: b, script: 2}\n", &["~ a wait kind,script,wait"]);
}

#[test]
fn steps_without_an_id_are_known_by_what_they_say() {
    let three = "  - call: http.get\n    with: {url: /a}\n  - wait: 1h\n  - call: http.post\n    with: {url: /b}\n";
    let check = |after: &str, expected: &[&str]| check_steps(three, after, expected);
    check(&format!("  - stop: 1\n{three}"), &["+ 0 stop"]);
    check(&format!("{three}  - stop: 1\n"), &["+ 3 stop"]);
    check("  - call: http.get\n    with: {url: /a}\n  - call: http.post\n    with: {url: /b}\n", &["- 1 wait"]);
    check("  - wait: 2h\n  - call: http.post\n    with: {url: /b}\n", &["~ 0 wait from 1 wait", "- 0 call http.get"]);
    check("  - wait: 1h\n  - call: http.get\n    with: {url: /a}\n  - call: http.post\n    with: {url: /b}\n", &["= "]);
    check(&three.replace("/b", "/c"), &["~ 2 call http.post with"]);
    check(&three.replace("http.post", "http.get"), &["~ 2 call http.get call"]);
}

#[test]
fn steps_inside_others_are_found_where_their_block_is() {
    let nested = "  - if: event.body.a\n    then:\n      - {id: x, script: 1}\n      - foreach: event.body\n        steps:\n          - script: 2\n    else:\n      - stop: 1\n";
    let check = |after: &str, expected: &[&str]| check_steps(nested, after, expected);
    check(&nested.replace("script: 2", "script: 3"), &["~ 0/then/1/0 script script"]);
    check(
        &format!("  - wait: 1h\n{}", nested.replace("script: 2", "script: 3")),
        &["+ 0 wait", "~ 1/then/1/0 script from 0/then/1/0 script"],
    );
    check(&nested.replace("    else:\n      - stop: 1\n", ""), &["- 0/else/0 stop"]);
    check("  - wait: 1h\n", &["+ 0 wait", "- 0 if", "- 0/then/x script", "- 0/then/1 foreach", "- 0/then/1/0 script", "- 0/else/0 stop"]);
    check(&format!("{nested}on_error:\n  - fail: no\n"), &["+ on_error/0 fail"]);
    let handled = |handler: &str| format!("  - {{id: c, call: http.get, on_error: {handler}}}\n");
    check_steps(&handled("fail"), &handled("[{stop: 1}]"), &["~ c call http.get on_error", "+ c/on_error/0 stop"]);
    let branches = |a: &str, b: &str| format!("  - parallel: {{a: [{{script: {a}}}], b: [{{script: {b}}}]}}\n");
    check_steps(&branches("1", "2"), &branches("2", "2"), &["~ 0/a/0 script script"]);
}
