//! What a case expects beside what the run did.

use std::sync::Arc;

use super::drive::{Ended, MadeCall, Trace};
use super::file::{Expect, ExpectedStatus};
use crate::domain::Value;
use crate::domain::journal::Outcome;
use crate::domain::workflow::Workflow;

/// One place where a run was not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which, as in `with.http.post[1].json.text`.
    pub path: String,
    /// As written.
    pub expected: String,
    /// As it was.
    pub got: String,
}

const NOTHING: &str = "nothing";

/// Every difference between what a case expects and what the run did.
pub(super) fn differences(expect: &Expect, workflow: &Workflow, trace: &Trace) -> Vec<Difference> {
    let mut found = Vec::new();
    let (status, output, error) = ending(trace);
    compare_status(expect, status, error.as_deref(), &mut found);
    if let Some(calls) = &expect.calls {
        let got: Vec<Value> = trace.calls.iter().map(|call| Value::from(call.name())).collect();
        let expected: Vec<Value> = calls.iter().map(|name| Value::from(&**name)).collect();
        if got != expected {
            found.push(different("calls", &Value::from(expected), &Value::from(got)));
        }
    }
    for (name, expected) in &expect.with {
        let calls: Vec<&MadeCall> = trace.calls.iter().filter(|call| call.name() == **name).collect();
        compare_with(name, expected, &calls, &mut found);
    }
    for (id, expected) in &expect.steps {
        let path = format!("steps.{id}");
        match trace.outputs.get(id) {
            Some(output) => compare(&path, expected, output, &mut found),
            None => found.push(Difference { path, expected: expected.to_string(), got: no_output(id, workflow).to_owned() }),
        }
    }
    if let Some(expected) = &expect.output {
        match &output {
            Some(output) => compare("output", expected, output, &mut found),
            None => found.push(Difference { path: "output".to_owned(), expected: expected.to_string(), got: NOTHING.to_owned() }),
        }
    }
    if let Some(expected) = &expect.vars {
        compare("vars", expected, &Value::Object(trace.vars.clone()), &mut found);
    }
    found
}

fn ending(trace: &Trace) -> (ExpectedStatus, Option<Arc<Value>>, Option<String>) {
    match &trace.ended {
        Some(Ended::Run(Outcome::Succeeded { output })) => (ExpectedStatus::Succeeded, Some(Arc::clone(output)), None),
        Some(Ended::Run(Outcome::Failed { step, error })) => {
            let at = step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
            (ExpectedStatus::Failed, None, Some(format!("{at}{}", error.message)))
        }
        Some(Ended::Run(Outcome::Canceled)) | None => (ExpectedStatus::Failed, None, None),
        Some(Ended::NotMatched) => (ExpectedStatus::NotMatched, None, None),
    }
}

/// A run is expected to succeed unless the case says otherwise.
fn compare_status(expect: &Expect, status: ExpectedStatus, error: Option<&str>, found: &mut Vec<Difference>) {
    let otherwise = if expect.error.is_some() { ExpectedStatus::Failed } else { ExpectedStatus::Succeeded };
    let expected = expect.status.unwrap_or(otherwise);
    if expected != status {
        let why = error.map(|error| format!(" ({error})")).unwrap_or_default();
        let (expected, got) = (expected.as_str().to_owned(), format!("{}{why}", status.as_str()));
        found.push(Difference { path: "status".to_owned(), expected, got });
        return;
    }
    let Some(wanted) = &expect.error else { return };
    if !error.is_some_and(|error| error.contains(&**wanted)) {
        let got = error.unwrap_or(NOTHING).to_owned();
        found.push(Difference { path: "error".to_owned(), expected: format!("… {wanted} …"), got });
    }
}

/// A list is compared call by call; anything else with every call of the action.
fn compare_with(name: &str, expected: &Value, calls: &[&MadeCall], found: &mut Vec<Difference>) {
    if let Value::Array(each) = expected {
        for (index, expected) in each.iter().enumerate() {
            let path = format!("with.{name}[{index}]");
            match calls.get(index) {
                Some(call) => compare(&path, expected, &call.with, found),
                None => found.push(Difference { path, expected: expected.to_string(), got: "no such call".to_owned() }),
            }
        }
        return;
    }
    if calls.is_empty() {
        found.push(Difference { path: format!("with.{name}"), expected: expected.to_string(), got: "no such call".to_owned() });
    }
    for (index, call) in calls.iter().enumerate() {
        compare(&format!("with.{name}[{index}]"), expected, &call.with, found);
    }
}

fn no_output(id: &str, workflow: &Workflow) -> &'static str {
    let mut known = false;
    workflow.for_each_step(|step| known |= step.id.as_deref() == Some(id));
    if known { "the step left no output" } else { "no step has this id" }
}

/// Maps need the expected keys and may have more; lists and everything else are equal.
fn compare(path: &str, expected: &Value, got: &Value, found: &mut Vec<Difference>) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, expected) in expected {
                let path = format!("{path}.{key}");
                match got.get(key) {
                    Some(got) => compare(&path, expected, got, found),
                    None => found.push(Difference { path, expected: expected.to_string(), got: NOTHING.to_owned() }),
                }
            }
        }
        (Value::Array(items), Value::Array(got)) if items.len() == got.len() => {
            for (index, (expected, got)) in items.iter().zip(got).enumerate() {
                compare(&format!("{path}[{index}]"), expected, got, found);
            }
        }
        // 5 and 5.0 are one number in YAML and in expressions.
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        _ if expected == got => {}
        _ => found.push(different(path, expected, got)),
    }
}

fn different(path: &str, expected: &Value, got: &Value) -> Difference {
    Difference { path: path.to_owned(), expected: expected.to_string(), got: got.to_string() }
}
