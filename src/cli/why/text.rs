//! Why, for people: one block a workflow, within 80 columns.

use crate::cli::client::{list, text};
use crate::cli::table::brief;
use crate::domain::Value;

/// The width that lines are broken to.
const COLUMNS: usize = 80;
/// How much of a value is shown, in characters.
const VALUE_CHARS: usize = 200;
/// How much of a part of a condition is shown, in characters.
const PART_CHARS: usize = 300;

/// The whole answer.
pub(super) fn of(told: &Value) -> String {
    let mut out = Lines::default();
    let event = told.get("event").unwrap_or(&Value::Null);
    let source = [text(event, "source"), text(event, "method"), text(event, "path")];
    let source: Vec<&str> = source.into_iter().filter(|word| !word.is_empty()).collect();
    out.add(0, &format!("{}  {}  {}", text(event, "id"), source.join(" "), text(event, "received")));
    let (kind, bytes) = (text(event, "content_type"), event.get("body_bytes").and_then(Value::as_u64).unwrap_or_default());
    if let Some(form) = event.get("form") {
        out.add(0, &filled_in(form));
    } else if bytes != 0 {
        out.add(0, &format!("a body of {bytes} bytes{}{kind}", if kind.is_empty() { ", of no Content-Type" } else { ", " }));
    }
    for workflow in list(told, "workflows") {
        out.blank();
        block(workflow, &mut out);
    }
    if list(told, "workflows").is_empty() {
        out.blank();
        out.add(0, "no workflow is served");
    }
    let mut files: Vec<&str> = list(told, "problems").iter().map(|problem| text(problem, "file")).collect();
    files.dedup();
    if !files.is_empty() {
        out.blank();
        out.add(0, &format!("not served as written, for `hence check` finds an error: {}", files.join(", ")));
    }
    out.0.join("\n")
}

/// `a form with email, name; 2 files`
fn filled_in(form: &Value) -> String {
    let names: Vec<&str> = list(form, "fields").iter().filter_map(Value::as_str).collect();
    let names = if names.is_empty() { "nothing filled in".to_owned() } else { brief(&names.join(", "), PART_CHARS) };
    match form.get("files").and_then(Value::as_u64).unwrap_or_default() {
        0 => format!("a form with {names}"),
        1 => format!("a form with {names}; 1 file"),
        files => format!("a form with {names}; {files} files"),
    }
}

fn block(workflow: &Value, out: &mut Lines) {
    let none = Value::Null;
    let (then, now) = (workflow.get("then").unwrap_or(&none), workflow.get("now").unwrap_or(&none));
    let differs = workflow.get("differs").and_then(Value::as_bool).unwrap_or(false);
    let name = text(workflow, "workflow");
    if differs {
        out.add(0, &format!("{name}: {}; now {}", happened(then), would_happen(now)));
    } else {
        out.add(0, &format!("{name}: {}", happened(then)));
    }
    if let Some(run) = then.get("run") {
        let status = if text(run, "status").is_empty() { "not stored any more" } else { text(run, "status") };
        out.add(1, &format!("run {} {status}", text(run, "id")));
    }
    if differs && text(then, "result") == "condition_failed" {
        out.add(1, text(then, "reason"));
    }
    // The parts of an `if` say why, unless it is true and something else cannot be evaluated.
    if now.get("if").is_none_or(|condition| text(condition, "result") == "true") && !text(now, "reason").is_empty() {
        out.add(1, text(now, "reason"));
    }
    for trigger in list(now, "triggers") {
        if let Some(dedupe) = trigger.get("dedupe") {
            out.add(1, &key(dedupe));
        }
    }
    if let Some(condition) = now.get("if") {
        let changed = workflow.get("changed").and_then(Value::as_bool).unwrap_or(false);
        out.add(1, if changed || differs { "if, as it is written now" } else { "if" });
        part(condition, 2, out);
        if !text(condition, "note").is_empty() {
            out.add(2, &format!("({})", text(condition, "note")));
        }
    }
}

fn happened(then: &Value) -> String {
    match text(then, "result") {
        "matched" => "matched".to_owned(),
        "condition_failed" => "matched, and failed at once, for `if` cannot be evaluated".to_owned(),
        "not_matched" => format!("not matched, for {}", text(then, "reason")),
        _ => "not concerned".to_owned(),
    }
}

fn would_happen(now: &Value) -> &str {
    match text(now, "result") {
        "matched" => "it would match",
        "condition_failed" => "its `if` cannot be evaluated",
        "not_matched" => text(now, "reason"),
        "not_loaded" => "it is not served",
        _ => "it is not concerned",
    }
}

fn key(dedupe: &Value) -> String {
    let key = brief(text(dedupe, "key"), PART_CHARS);
    if !text(dedupe, "error").is_empty() {
        return format!("no dedupe key, so a repeat is not recognised: {}", text(dedupe, "error"));
    }
    format!("dedupe key {key} = {}, until {}", value(dedupe.get("value")), text(dedupe, "until"))
}

fn value(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "(), missing or null".to_owned(),
        Some(value) => brief(&value.to_string(), VALUE_CHARS),
    }
}

/// A part of a condition, and below it what it is made of.
fn part(part: &Value, depth: usize, out: &mut Lines) {
    let said = match text(part, "result") {
        "true" => "true  ",
        "false" => "false ",
        "failed" => "error ",
        _ => "-     ",
    };
    let what = match text(part, "kind") {
        _ if said.starts_with('-') => format!("{} (not looked at)", brief(text(part, "text"), PART_CHARS)),
        "all" => "all of".to_owned(),
        "any" => "one of".to_owned(),
        "not" => "not".to_owned(),
        _ => brief(text(part, "text"), PART_CHARS),
    };
    out.hang(depth, said, &what);
    if said.starts_with('-') {
        return;
    }
    let below = depth + said.len() / 2;
    if !text(part, "error").is_empty() {
        out.add(below + 1, text(part, "error"));
    }
    for operand in list(part, "values") {
        // A shortened value is the beginning of its JSON, not a text.
        let shortened = operand.get("shortened").and_then(Value::as_bool).unwrap_or(false);
        let shown = if shortened { brief(text(operand, "value"), VALUE_CHARS) } else { value(operand.get("value")) };
        out.add(below + 1, &format!("{} = {shown}", brief(text(operand, "text"), PART_CHARS)));
    }
    list(part, "parts").iter().for_each(|inner| self::part(inner, depth + 1, out));
}

/// Lines that are broken between words; a word that is longer than a line stays whole.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn blank(&mut self) {
        self.0.push(String::new());
    }

    /// Two columns for each level.
    fn add(&mut self, depth: usize, text: &str) {
        self.hang(depth, "", text);
    }

    /// Further lines stand below the text, not below what leads it.
    fn hang(&mut self, depth: usize, lead: &str, text: &str) {
        let indent = " ".repeat(2 * depth);
        let below = " ".repeat(2 * depth + lead.len());
        let mut line = format!("{indent}{lead}");
        let mut is_begun = false;
        for word in text.split(' ') {
            if is_begun && COLUMNS < line.chars().count() + 1 + word.chars().count() {
                self.0.push(std::mem::replace(&mut line, below.clone()));
                is_begun = false;
            }
            if is_begun {
                line.push(' ');
            }
            line.push_str(word);
            is_begun = true;
        }
        self.0.push(line);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workflow(name: &str, then: Value, now: Value, differs: bool) -> Value {
        json!({"workflow": name, "then": then, "now": now, "differs": differs, "changed": differs})
    }

    fn test(text: &str, result: &str, values: Value) -> Value {
        json!({"kind": "test", "text": text, "result": result, "values": values})
    }

    fn told(workflows: &[Value], files: &[&str]) -> String {
        let event = json!({
            "id": "evt_1", "source": "webhook", "method": "POST", "path": "leads", "received": "2026-03-01T09:00:00.000Z",
            "content_type": "text/plain", "body_bytes": 12,
        });
        let problems: Vec<Value> = files.iter().map(|file| json!({"file": file})).collect();
        of(&json!({"event": event, "workflows": workflows, "problems": problems}))
    }

    #[test]
    fn a_block_tells_what_happened_and_why() {
        let one = test("event.body.n > 1", "true", json!([{"text": "event.body.n", "value": 2, "shortened": false}]));
        let dedupe = json!({"key": "event.id", "value": "7", "until": "T"});
        let matched = workflow(
            "a",
            json!({"result": "matched", "run": {"id": "run_1", "status": "succeeded"}}),
            json!({"result": "matched", "triggers": [{"dedupe": dedupe}], "if": one}),
            false,
        );
        let x = test("x", "true", json!([{"text": "x.y", "value": null}]));
        let long = test("x == y", "true", json!([{"text": "y", "value": "[1,2…", "shortened": true}]));
        let any = json!({"kind": "any", "text": "…", "result": "true", "parts": [long, x, test("y", "not_looked_at", json!([]))]});
        let not = json!({"kind": "not", "text": "!(…)", "result": "false", "parts": [any]});
        let rest = json!({"kind": "any", "text": "event.body.c ||\n  d", "result": "not_looked_at", "parts": [test("d", "not_looked_at", json!([]))]});
        let ok = test("event.body.ok", "true", json!([]));
        let all = json!({"kind": "all", "text": "…", "result": "false", "parts": [ok, not, rest], "note": "it is so"});
        let now = json!({"result": "not_matched", "reason": "`if` is false", "triggers": [], "if": all});
        let not_matched = workflow("b", json!({"result": "not_matched", "reason": "`if` is false"}), now, false);
        insta::assert_snapshot!(told(&[matched, not_matched], &[]), @r#"
        evt_1  webhook POST leads  2026-03-01T09:00:00.000Z
        a body of 12 bytes, text/plain

        a: matched
          run run_1 succeeded
          dedupe key event.id = "7", until T
          if
            true  event.body.n > 1
                    event.body.n = 2

        b: not matched, for `if` is false
          if
            false all of
              true  event.body.ok
              false not
                true  one of
                  true  x == y
                          y = [1,2…
                  true  x
                          x.y = (), missing or null
                  -     y (not looked at)
              -     event.body.c || d (not looked at)
            (it is so)
        "#);
    }

    #[test]
    fn what_differs_now_is_told_beside_what_happened() {
        let mut failed = test("event.body.c.d", "failed", json!([]));
        failed["error"] = json!("workflows/c.yaml:4:18: if: `event.body.c` is missing, so `.d` cannot be read; event.body has: n, ok");
        let now = json!({"result": "condition_failed", "reason": "…", "triggers": [], "if": failed});
        let failed = workflow("c", json!({"result": "matched", "run": {"id": "run_2"}}), now, true);
        let then = json!({"result": "condition_failed", "reason": "it was broken", "run": {"id": "run_3", "status": "failed"}});
        let gone = workflow("d", then, json!({"result": "not_loaded", "reason": "no workflow of this name is served now"}), true);
        let now =
            json!({"result": "not_concerned", "reason": "it has only a schedule, the event came to the webhook `leads`", "triggers": []});
        let elsewhere = workflow("e", json!({"result": "not_concerned"}), now, false);
        insta::assert_snapshot!(told(&[failed, gone, elsewhere], &["workflows/x.yaml", "workflows/x.yaml"]), @"
        evt_1  webhook POST leads  2026-03-01T09:00:00.000Z
        a body of 12 bytes, text/plain

        c: matched; now its `if` cannot be evaluated
          run run_2 not stored any more
          if, as it is written now
            error event.body.c.d
                    workflows/c.yaml:4:18: if: `event.body.c` is missing, so `.d` cannot
                    be read; event.body has: n, ok

        d: matched, and failed at once, for `if` cannot be evaluated; now it is not
        served
          run run_3 failed
          it was broken
          no workflow of this name is served now

        e: not concerned
          it has only a schedule, the event came to the webhook `leads`

        not served as written, for `hence check` finds an error: workflows/x.yaml
        ");
        assert!(told(&[], &[]).ends_with("\n\nno workflow is served"));
    }

    #[test]
    fn what_else_keeps_a_workflow_from_running_is_told_beside_its_if() {
        let fine = test("event.body.ok", "true", json!([]));
        let now = json!({"result": "condition_failed", "reason": "concurrency.key: `event.body.who` is missing", "if": fine});
        let keyed = workflow("a", json!({"result": "condition_failed"}), now, false);
        let out = test("event.body.n > 10", "false", json!([]));
        let reason = "the trigger's `if` is false";
        let now = json!({"result": "not_matched", "reason": reason, "if": out});
        let trigger = workflow("b", json!({"result": "not_matched", "reason": reason}), now, false);
        insta::assert_snapshot!(told(&[keyed, trigger], &[]), @"
        evt_1  webhook POST leads  2026-03-01T09:00:00.000Z
        a body of 12 bytes, text/plain

        a: matched, and failed at once, for `if` cannot be evaluated
          concurrency.key: `event.body.who` is missing
          if
            true  event.body.ok

        b: not matched, for the trigger's `if` is false
          if
            false event.body.n > 10
        ");
    }

    #[test]
    fn a_form_is_told_by_what_was_filled_in() {
        let told = |form: Value| {
            let event = json!({
                "id": "evt_1", "source": "form", "method": "POST", "path": "contact", "received": "T", "content_type": "application/json",
                "body_bytes": 40, "form": form,
            });
            of(&json!({"event": event, "workflows": [], "problems": []})).lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(told(json!({"fields": ["email", "na\nme"], "files": 0})), "a form with email, na me");
        assert_eq!(told(json!({"fields": ["email"], "files": 1})), "a form with email; 1 file");
        assert_eq!(told(json!({"fields": [], "files": 2})), "a form with nothing filled in; 2 files");
    }

    #[test]
    fn lines_are_broken_between_words() {
        let mut out = Lines::default();
        out.hang(1, "error ", &["word"; 30].join(" "));
        out.add(1, &"x".repeat(100));
        assert!(out.0.iter().take(out.0.len() - 1).all(|line| line.chars().count() <= COLUMNS), "{:?}", out.0);
        assert_eq!((out.0.len(), out.0[1].find('w'), out.0[2].len()), (4, Some(8), "        word word".len()), "{:?}", out.0);
    }
}
