//! What a case expects beside what the run did.

use std::sync::Arc;

use super::file::{BODIES, Expect, ExpectedEvent, ExpectedStatus};
use super::trace::{Ended, Trace};
use crate::domain::journal::Outcome;
use crate::domain::response::Response;
use crate::domain::workflow::Workflow;
use crate::domain::{Map, Value};

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
        let got: Vec<Value> = trace.calls().map(|(name, _)| Value::from(name)).collect();
        let expected: Vec<Value> = calls.iter().map(|name| Value::from(&**name)).collect();
        if got != expected {
            found.push(different("calls", &Value::from(expected), &Value::from(got)));
        }
    }
    for (name, expected) in &expect.with {
        let calls: Vec<&Value> = trace.inputs(name).collect();
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
    if let Some(expected) = &expect.emitted {
        compare_emitted(expected, trace, &mut found);
    }
    if let Some(expected) = &expect.response {
        match &trace.response {
            Some(response) => compare("response", expected, &response_value(response), &mut found),
            None => found.push(Difference { path: "response".to_owned(), expected: expected.to_string(), got: "no answer".to_owned() }),
        }
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
        Some(Ended::Run(Outcome::Canceled)) => (ExpectedStatus::Canceled, None, None),
        None => (ExpectedStatus::Failed, None, None),
        Some(Ended::Refused(why)) => (ExpectedStatus::Refused, None, Some(why.clone())),
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
fn compare_with(name: &str, expected: &Value, calls: &[&Value], found: &mut Vec<Difference>) {
    if let Value::Array(each) = expected {
        for (index, expected) in each.iter().enumerate() {
            let path = format!("with.{name}[{index}]");
            match calls.get(index) {
                Some(call) => compare(&path, expected, call, found),
                None => found.push(Difference { path, expected: expected.to_string(), got: "no such call".to_owned() }),
            }
        }
        return;
    }
    if calls.is_empty() {
        found.push(Difference { path: format!("with.{name}"), expected: expected.to_string(), got: "no such call".to_owned() });
    }
    for (index, call) in calls.iter().enumerate() {
        compare(&format!("with.{name}[{index}]"), expected, call, found);
    }
}

/// The types one by one, and then the bodies that are written.
fn compare_emitted(expected: &[ExpectedEvent], trace: &Trace, found: &mut Vec<Difference>) {
    let got: Vec<(&Arc<str>, &Value)> = trace.emitted().collect();
    if !expected.iter().map(|event| &event.kind).eq(got.iter().map(|(kind, _)| *kind)) {
        let expected: Vec<Value> = expected.iter().map(|event| Value::from(&*event.kind)).collect();
        let got: Vec<Value> = got.iter().map(|(kind, _)| Value::from(&***kind)).collect();
        found.push(different("emitted", &Value::from(expected), &Value::from(got)));
        return;
    }
    for (index, (event, (_, body))) in expected.iter().zip(got).enumerate() {
        event.body.iter().for_each(|expected| compare(&format!("emitted[{index}].body"), expected, body, found));
    }
}

/// An answer in the words of `respond`.
fn response_value(response: &Response) -> Value {
    let Response { status, headers, content_type, body } = response;
    let mut all: Map = headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    if !content_type.is_empty() {
        all.insert("content-type".to_owned(), content_type.as_str().into());
    }
    let in_words = |key: &str| match key {
        "json" => serde_json::from_str(body).unwrap_or_default(),
        "redirect" => all.get("location").cloned().unwrap_or_default(),
        _ => body.as_str().into(),
    };
    let mut value: Map = BODIES.into_iter().map(|key| (key.to_owned(), in_words(key))).collect();
    value.insert("status".to_owned(), (*status).into());
    value.insert("headers".to_owned(), Value::Object(all));
    Value::Object(value)
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
