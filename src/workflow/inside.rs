//! What runs bring about inside: bounds of the events that workflows emit, how a run begins that is a
//! part of another one, how the end of a run is told. The executor and the test runner share it.

use serde_json::json;

use super::catalog::Loaded;
use super::start::{self, Considered};
use crate::domain::Value;
use crate::domain::admission::{Lane, NewRun};
use crate::domain::depth::{DEPTH_MAX as NESTED_MAX, is_deeper};
use crate::domain::event::{DEPTH_MAX, Event};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::RunId;
use crate::domain::journal::Outcome;
use crate::domain::run::Status;
use crate::domain::secret::Secrets;

/// The largest body of an event that a workflow emits.
const BODY_MAX_BYTES: usize = 1 << 20;
/// The type of the event that says that a run ended.
pub const RUN_ENDED: &str = "run.ended";

fn bad(message: String) -> Failure {
    Failure::new(FailureKind::BadInput, message)
}

/// Whether a run whose own event is the `depth`th of a row may emit one with this body.
///
/// # Errors
/// When events have led to one another too often, or the body is too large or too deep.
pub fn check_event(depth: u8, body: &Value) -> Result<(), Failure> {
    let size = body.to_string().len();
    if DEPTH_MAX <= depth {
        let message = format!("events have led to one another {DEPTH_MAX} times: this looks like a circle of workflows, and ends here");
        return Err(bad(message));
    }
    if is_deeper(body, NESTED_MAX) {
        return Err(bad(format!("the event has lists and maps nested deeper than {NESTED_MAX}, the limit")));
    }
    if BODY_MAX_BYTES < size {
        return Err(bad(format!("the event has {size} bytes; the limit is {BODY_MAX_BYTES}: emit where the data is, not the data")));
    }
    Ok(())
}

/// The workflow that a `run` step names.
///
/// # Errors
/// When there is none, or its file has an error.
pub fn child_workflow<L>(found: Option<L>, name: &str) -> Result<L, Failure> {
    found.ok_or_else(|| bad(format!("there is no workflow `{name}` here, or its file has an error")))
}

/// The run that a `run` step starts. A lane that is `held` by a run around it would let both wait for ever.
///
/// # Errors
/// When what it is given does not fit, or it would have to wait for a run that waits for it.
pub fn child(loaded: &Loaded, event: &Event, id: RunId, secrets: &Secrets, held: impl Fn(&Lane) -> bool) -> Result<NewRun, Failure> {
    let name = &loaded.workflow.name;
    let mut run = match start::consider(loaded, None, event, id, secrets) {
        Considered::Starts(run) => *run,
        Considered::NotMatched(reason) => return Err(bad(format!("`{name}` was not started: {reason} for what it was given"))),
    };
    if run.lane.as_ref().is_some_and(held) {
        let message = format!("`{name}` was not started: its `concurrency` would let it wait for this run, which waits for it");
        return Err(bad(message));
    }
    // A part of a run is never gathered with others: somebody waits for its own end.
    run.gather = None;
    Ok(run)
}

/// The body of the event that says that a run ended.
#[must_use]
pub fn ended(run: RunId, workflow: &str, outcome: &Outcome) -> Value {
    let status = Status::from(outcome);
    match outcome {
        Outcome::Succeeded { output } => json!({"run": run, "workflow": workflow, "status": status, "output": output}),
        Outcome::Failed { step, error } => {
            json!({"run": run, "workflow": workflow, "status": status, "step": step, "error": error})
        }
        Outcome::Canceled => json!({"run": run, "workflow": workflow, "status": status}),
    }
}
