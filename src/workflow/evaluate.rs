//! Does a step that touches nothing outside: its condition, its script, its values, its text. The
//! executor and the test runner share it, so that a test says what a run does.

use std::sync::Arc;

use super::catalog::Loaded;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Branch, Fact};
use crate::domain::next::{SeenError, Todo};
use crate::domain::run::{Run, StepState};
use crate::domain::secret::Secrets;
use crate::domain::workflow::StepKind;
use crate::script::{RunInfo, Scope};

/// The fact that evaluating a step gives.
pub fn evaluate(loaded: &Loaded, todo: &Todo<'_>, scope: &mut Scope, run: &Run, secrets: &Secrets) -> Fact {
    set_context(todo, scope, run);
    let step = todo.address.clone();
    match facts_of(loaded, todo, scope, run) {
        Ok(fact) => fact,
        Err(mut error) => {
            secrets.mask_text(&mut error.message);
            Fact::StepFailed { step, attempts: 0, error }
        }
    }
}

fn facts_of(loaded: &Loaded, todo: &Todo<'_>, scope: &mut Scope, run: &Run) -> Result<Fact, Failure> {
    let program = &loaded.program;
    let step = todo.address.clone();
    let is_call = matches!(todo.step.kind, StepKind::Call(_));
    if let Some(condition) = todo.step.condition
        && !matches!(run.steps.get(&step), Some(StepState::Took(_)))
    {
        match program.truth(condition, scope)? {
            false => return Ok(Fact::StepSkipped { step }),
            true if is_call => return Ok(Fact::BranchTaken { step, branch: Branch::Then }),
            true => {}
        }
    }
    Ok(match &todo.step.kind {
        StepKind::Call(_) => Fact::BranchTaken { step, branch: Branch::Then },
        StepKind::Script(code) => Fact::StepEvaluated { step, output: Arc::new(program.value(*code, scope)?) },
        StepKind::Set(values) => {
            let mut vars = run.vars.clone();
            let mut written = crate::domain::Map::new();
            for (name, code) in values {
                let value = program.value(*code, scope)?;
                // A later name of the same step sees an earlier one.
                vars.insert(name.to_string(), value.clone());
                scope.set_vars(&vars);
                written.insert(name.to_string(), value);
            }
            Fact::VarsSet { step, vars: written }
        }
        StepKind::If { condition, .. } => {
            let branch = if program.truth(*condition, scope)? { Branch::Then } else { Branch::Else };
            Fact::BranchTaken { step, branch }
        }
        StepKind::Fail(text) => {
            let message = program.text(*text, scope)?;
            Fact::StepFailed { step, attempts: 0, error: Failure::new(FailureKind::Failed, message) }
        }
        StepKind::Stop(value) => {
            let output = value.map(|code| program.value(code, scope)).transpose()?;
            Fact::RunStopped { step, output: Arc::new(output.unwrap_or_default()) }
        }
    })
}

/// The fact about a call that may happen once and was interrupted.
pub fn interrupted(todo: &Todo<'_>, attempt: u32) -> Fact {
    let message = "this call may be made at most once (`at_most_once: true`) and was interrupted: \
                   look whether it took effect at the other side, then replay the run or leave it";
    let error = Failure::new(FailureKind::Interrupted, message);
    Fact::StepFailed { step: todo.address.clone(), attempts: attempt, error }
}

/// Sets what a step's expressions see: the moment, chance, and the failure that a handler is there for.
pub fn set_context(todo: &Todo<'_>, scope: &mut Scope, run: &Run) {
    scope.set_moment(run.at, seed(run.id, &todo.address));
    set_error(todo, scope);
}

fn set_error(todo: &Todo<'_>, scope: &mut Scope) {
    let error = todo.error.as_deref().map(|SeenError { step, failure }| {
        serde_json::json!({
            "step": step,
            "message": failure.message,
            "kind": failure.kind,
            "status": failure.status,
            "detail": failure.detail,
        })
    });
    scope.set_error(error.as_ref());
}

/// What `uuid()` and `random()` of a step derive from: the same each time the step is done.
fn seed(run: RunId, address: &Address) -> u64 {
    crate::domain::retry::hash(run, address, 0)
}

/// The scope of a run: its event, and what its steps have left so far.
#[must_use]
pub fn scope_of(loaded: &Loaded, run: &Run, event: &crate::domain::event::Event) -> Scope {
    let workflow = &loaded.workflow;
    let mut scope = Scope::new(event);
    scope.set_run(&RunInfo {
        id: run.id.to_string(),
        workflow: &workflow.name,
        revision: workflow.revision.to_string(),
        started: run.started,
        attempt: 1,
    });
    if !run.steps.is_empty() {
        let ids = workflow.ids();
        for (address, state) in &run.steps {
            if let (StepState::Done { output }, Some(id)) = (state, ids.get(address)) {
                scope.set_step(id, output);
            }
        }
    }
    if !run.vars.is_empty() {
        scope.set_vars(&run.vars);
    }
    scope
}
