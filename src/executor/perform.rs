//! Does one step: evaluates it, or makes its call.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Executor;
use crate::connector::{Connector, Request};
use crate::domain::Value;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Branch, Fact};
use crate::domain::next::{SeenError, Task, Todo};
use crate::domain::retry::Retry;
use crate::domain::run::{Run, StepState};
use crate::domain::secret::Secrets;
use crate::domain::workflow::{Call, Step, StepKind};
use crate::script::Scope;
use crate::workflow::catalog::Loaded;

/// The fact that evaluating a step gives.
pub(super) fn evaluate(loaded: &Loaded, todo: &Todo<'_>, scope: &mut Scope, run: &Run, secrets: &Secrets) -> Fact {
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
pub(super) fn interrupted(todo: &Todo<'_>, attempt: u32) -> Fact {
    let message = "this call may be made at most once (`at_most_once: true`) and was interrupted: \
                   look whether it took effect at the other side, then replay the run or leave it";
    let error = Failure::new(FailureKind::Interrupted, message);
    Fact::StepFailed { step: todo.address.clone(), attempts: attempt, error }
}

/// A call that is ready to be made.
pub(super) struct Prepared<'w> {
    step: &'w Step,
    retry: &'w Retry,
    /// Which try, from 1.
    pub(super) attempt: u32,
    /// It may be made at most once.
    pub(super) once: bool,
    connector: Arc<dyn Connector>,
    request: Request,
}

/// How a call ended.
pub(super) struct CallEnd<'w> {
    pub(super) step: &'w Step,
    pub(super) retry: &'w Retry,
    pub(super) attempt: u32,
    pub(super) result: Result<Value, Failure>,
}

impl<'w> Prepared<'w> {
    /// Makes the call.
    pub(super) fn make(self) -> BoxFuture<'w, CallEnd<'w>> {
        Box::pin(async move {
            let result = self.connector.call(self.request).await;
            CallEnd { step: self.step, retry: self.retry, attempt: self.attempt, result }
        })
    }
}

/// Renders a call's input. Nothing for todos that are no calls; the tries made and why when it cannot be rendered.
pub(super) fn prepare<'w>(
    executor: &Executor,
    loaded: &Loaded,
    todo: &Todo<'w>,
    scope: &mut Scope,
    run: &Run,
) -> Option<Result<Prepared<'w>, (u32, Failure)>> {
    let (StepKind::Call(call), Task::Call { attempt }) = (&todo.step.kind, todo.task) else { return None };
    set_context(todo, scope, run);
    scope.set_secrets(Some(&executor.secret_values));
    let request = render(executor, loaded, call, &todo.address, scope, run.id);
    scope.set_secrets(None);
    Some(match request {
        Ok((connector, request)) => {
            Ok(Prepared { step: todo.step, retry: &call.retry, attempt, once: call.at_most_once, connector, request })
        }
        Err(mut error) => {
            executor.secrets.mask_text(&mut error.message);
            Err((attempt.saturating_sub(1), error))
        }
    })
}

fn render(
    executor: &Executor,
    loaded: &Loaded,
    call: &Call,
    address: &Address,
    scope: &mut Scope,
    run: RunId,
) -> Result<(Arc<dyn Connector>, Request), Failure> {
    let (connector, connection) = executor.registry.load().resolve(&call.connector, call.using.as_deref())?;
    let with = loaded.program.value(call.with, scope)?;
    let idempotency_key = match call.idempotency_key {
        Some(code) => loaded.program.text(code, scope)?,
        None => format!("{run}/{address}"),
    };
    Ok((connector, Request { action: Arc::clone(&call.action), with, connection, idempotency_key, timeout: call.timeout }))
}

fn set_context(todo: &Todo<'_>, scope: &mut Scope, run: &Run) {
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
