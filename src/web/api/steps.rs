//! A run's steps as the API shows them.

use serde_json::json;

use crate::domain::Value;
use crate::domain::journal::{Entry, Fact};

/// One line per step, in the order in which something first happened to each. The first `reused` facts are an earlier run's.
pub(super) fn steps(entries: &[Entry], reused: usize) -> Vec<Value> {
    let has_ended = entries.iter().skip(reused).any(|entry| matches!(entry.fact, Fact::RunFinished { .. }));
    let mut order = Vec::new();
    let mut shown = std::collections::HashMap::new();
    for (position, Entry { at, fact }) in entries.iter().enumerate() {
        let Some(step) = fact.step() else { continue };
        if !shown.contains_key(step) {
            order.push(step);
        }
        let at = at.to_string();
        let line = match fact {
            Fact::StepSkipped { .. } => json!({"step": step, "status": "skipped", "at": at}),
            Fact::BranchTaken { branch, .. } => json!({"step": step, "status": "taken", "branch": branch, "at": at}),
            Fact::VarsSet { vars, .. } => json!({"step": step, "status": "done", "output": vars, "at": at}),
            Fact::StepEvaluated { output, .. } | Fact::RunStopped { output, .. } => {
                json!({"step": step, "status": "done", "output": output, "at": at})
            }
            Fact::CallStarted { attempt, .. } => json!({"step": step, "status": "started", "attempts": attempt, "at": at}),
            Fact::CallSucceeded { attempt, output, .. } => {
                json!({"step": step, "status": "done", "attempts": attempt, "output": output, "at": at})
            }
            Fact::CallRetried { attempt, error, due, .. } => {
                json!({"step": step, "status": "retrying", "attempts": attempt, "error": error, "due": due.to_string(), "at": at})
            }
            Fact::StepFailed { attempts, error, .. } => {
                json!({"step": step, "status": "failed", "attempts": attempts, "error": error, "at": at})
            }
            Fact::LoopBegan { items, .. } => {
                json!({"step": step, "status": "looping", "items": items.as_array().map_or(0, Vec::len), "at": at})
            }
            Fact::RoundEnded { round, due, .. } => {
                json!({"step": step, "status": "waiting", "rounds": round + 1, "due": due.to_string(), "at": at})
            }
            Fact::WaitBegan { until, .. } => json!({"step": step, "status": "waiting", "due": until.to_string(), "at": at}),
            Fact::EventAwaited { topic, until, .. } => {
                let due = until.map(|until| until.to_string());
                json!({"step": step, "status": "waiting", "event": topic, "due": due, "at": at})
            }
            Fact::ApprovalAsked { to, message, until, .. } => {
                json!({"step": step, "status": "waiting", "asked": to, "message": message, "due": until.to_string(), "at": at})
            }
            Fact::ChildStarted { run, workflow, .. } => {
                json!({"step": step, "status": "waiting", "run": run, "workflow": workflow, "at": at})
            }
            Fact::EventTaken { event, output, .. } => {
                json!({"step": step, "status": "done", "event": event, "output": output, "at": at})
            }
            Fact::EventEmitted { event, kind, .. } => {
                json!({"step": step, "status": "done", "output": {"id": event, "type": kind}, "at": at})
            }
            Fact::Responded { response, .. } => {
                json!({"step": step, "status": "done", "output": {"status": response.status}, "at": at})
            }
            Fact::StepRetried { attempt, error, due, .. } => {
                json!({"step": step, "status": "retrying", "attempts": attempt, "error": error, "due": due.to_string(), "at": at})
            }
            Fact::IterationEnded { .. } => continue,
            Fact::ConditionFailed { .. }
            | Fact::GatheringEnded { .. }
            | Fact::RunBegan
            | Fact::RunSkipped { .. }
            | Fact::RunTimedOut { .. }
            | Fact::CancelRequested
            | Fact::RunFinished { .. } => continue,
        };
        shown.insert(step, if position < reused { taken_over(line) } else { line });
    }
    order.into_iter().filter_map(|step| shown.remove(step)).map(|line| if has_ended { dropped(line) } else { line }).collect()
}

/// A step that the earlier run did.
fn taken_over(mut step: Value) -> Value {
    if let Value::Object(map) = &mut step {
        map.insert("reused".to_owned(), json!(true));
    }
    step
}

/// A step of a run that has ended: it waits for nothing any more.
fn dropped(mut step: Value) -> Value {
    let is_open = matches!(step.get("status").and_then(Value::as_str), Some("waiting" | "looping" | "retrying"));
    if let (true, Value::Object(map)) = (is_open, &mut step) {
        map.insert("status".to_owned(), json!("dropped"));
        map.remove("due");
    }
    step
}
