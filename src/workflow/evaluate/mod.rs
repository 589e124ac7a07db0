//! Does a step that touches nothing outside: its condition, its script, its values, its text. The
//! executor and the test runner share it, so that a test says what a run does.

mod respond;
mod wait;

use std::sync::Arc;

use super::catalog::Loaded;
use super::start;
use crate::domain::event::Event;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Branch, Fact};
use crate::domain::next::{Iteration, SeenError, Task, Todo};
use crate::domain::run::{Run, Stamped, StepState};
use crate::domain::secret::Secrets;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Child, Code, Emit, Gathering, StepKind, for_each_step};
use crate::domain::{Map, Value};
use crate::script::{Program, RunInfo, Scope};

pub use respond::answer;
pub use wait::{Heard, hear};

/// The most items of one `foreach`.
pub const ITEMS_LIMIT: usize = 10_000;

/// What the shell knows and the core does not.
pub struct Shell<'s> {
    /// What is masked in messages.
    pub secrets: &'s Secrets,
    /// The address at which a person answers an `approve`: for a run, and the place of the question among its facts.
    pub link: &'s dyn Fn(RunId, u32) -> String,
}

/// What doing a step gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Evaluated {
    /// This fact.
    Fact(Fact),
    /// An event with this body is to be emitted.
    Emit(Value),
    /// A run of another workflow is to be started, for an event with this body.
    Start(Value),
}

/// What doing a step gives, unless it is a call. `now` is the time of facts that have one of their own.
pub fn evaluate(loaded: &Loaded, todo: &Todo<'_>, scope: &mut Scope, run: &Run, now: Timestamp, shell: &Shell<'_>) -> Evaluated {
    set_context(loaded, todo, scope, run, shell);
    let step = todo.address.clone();
    let fact = match &todo.task {
        Task::Evaluate => facts_of(loaded, todo, scope, run),
        Task::EndRound { round, output } => end_round(loaded, todo, scope, *round, output, now).map(Evaluated::Fact),
        task @ (Task::GiveUp { .. }
        | Task::Conclude { .. }
        | Task::EndIteration { .. }
        | Task::Wake
        | Task::Expire
        | Task::TimeOut { .. }
        | Task::Retry { .. }
        | Task::Listen(_)
        | Task::Call { .. }) => Ok(Evaluated::Fact(plain(todo, task, scope, run, now))),
    };
    fact.unwrap_or_else(|mut error| {
        shell.secrets.mask_text(&mut error.message);
        Evaluated::Fact(Fact::StepFailed { step, attempts: 0, error })
    })
}

/// The fact of a task that needs no code.
fn plain(todo: &Todo<'_>, task: &Task, scope: &mut Scope, run: &Run, now: Timestamp) -> Fact {
    let step = todo.address.clone();
    let failed = |kind, message: String| Fact::StepFailed { step: todo.address.clone(), attempts: 0, error: Failure::new(kind, message) };
    match task {
        Task::GiveUp { attempt } => interrupted(todo, *attempt),
        Task::Conclude { output } => Fact::StepEvaluated { step, output: Arc::clone(output) },
        Task::EndIteration { index, output } => Fact::IterationEnded { step, index: *index, output: Arc::clone(output) },
        Task::Wake => Fact::StepEvaluated { step, output: Arc::default() },
        Task::Expire => failed(FailureKind::Expired, wait::expired(todo)),
        Task::TimeOut { timeout } => {
            let message = format!("the step took longer than its timeout of {timeout:?}");
            failed(FailureKind::Timeout, message)
        }
        Task::Retry { attempt, error } => {
            // Nothing inside it has happened as far as the next try is concerned.
            let inside: Vec<_> = todo.step.kind.blocks().collect();
            for_each_step(&inside, &mut |step| step.id.iter().for_each(|id| scope.clear_step(id)));
            let due = todo.step.retry.as_ref().map_or(now, |retry| retry.due_after(error, run.id, &step, *attempt, now));
            Fact::StepRetried { step, attempt: *attempt, error: error.clone(), due }
        }
        Task::Evaluate | Task::EndRound { .. } | Task::Listen(_) | Task::Call { .. } => {
            failed(FailureKind::Internal, "a step was evaluated that others do: please report this".to_owned())
        }
    }
}

fn facts_of(loaded: &Loaded, todo: &Todo<'_>, scope: &mut Scope, run: &Run) -> Result<Evaluated, Failure> {
    let program = &loaded.program;
    let step = todo.address.clone();
    if let Some(condition) = todo.step.condition
        && !matches!(run.steps.get(&step), Some(Stamped { state: StepState::Took(_) | StepState::Retrying { .. }, .. }))
        && !program.truth(condition, scope)?
    {
        return Ok(Evaluated::Fact(Fact::StepSkipped { step }));
    }
    Ok(Evaluated::Fact(match &todo.step.kind {
        // Their own work is done by others; all there was to evaluate is the condition.
        StepKind::Call(_) | StepKind::Repeat { .. } | StepKind::Parallel { .. } => Fact::BranchTaken { step, branch: Branch::THEN },
        StepKind::Script(code) => Fact::StepEvaluated { step, output: Arc::new(program.value(*code, scope)?) },
        StepKind::Set(values) => {
            let vars = set(program, values, scope, run);
            if vars.is_err() {
                // A step that failed has set nothing.
                scope.set_vars(&run.vars);
            }
            Fact::VarsSet { step, vars: vars? }
        }
        StepKind::If { condition, .. } => {
            let branch = if program.truth(*condition, scope)? { Branch::THEN } else { Branch::ELSE };
            Fact::BranchTaken { step, branch }
        }
        StepKind::Switch { on, cases, .. } => {
            let value = as_text(program.value(*on, scope)?);
            let case = cases.iter().find(|case| *case.value == *value);
            Fact::BranchTaken { step, branch: case.map_or(Branch::DEFAULT, |case| case.branch.clone()) }
        }
        StepKind::Foreach { items, .. } => Fact::LoopBegan { step, items: Arc::new(list(program.value(*items, scope)?)?) },
        StepKind::Wait(wait) => wait::begin(program, wait, todo, scope)?,
        StepKind::Approve(approve) => wait::ask(program, approve, todo, scope)?,
        StepKind::Respond(answer) => respond::respond(program, answer, step, scope, run)?,
        StepKind::Emit(Emit { with, .. }) => return Ok(Evaluated::Emit(program.value(*with, scope)?)),
        StepKind::Run(Child { with, .. }) => return Ok(Evaluated::Start(program.value(*with, scope)?)),
        StepKind::Fail(text) => {
            let message = program.text(*text, scope)?;
            Fact::StepFailed { step, attempts: 0, error: Failure::new(FailureKind::Failed, message) }
        }
        StepKind::Stop(value) => {
            let output = value.map(|code| program.value(code, scope)).transpose()?;
            Fact::RunStopped { step, output: Arc::new(output.unwrap_or_default()) }
        }
    }))
}

/// A later name of the same step sees an earlier one.
fn set(program: &Program, values: &[(Arc<str>, Code)], scope: &mut Scope, run: &Run) -> Result<Map, Failure> {
    let mut vars = run.vars.clone();
    let mut written = Map::new();
    for (name, code) in values {
        let value = program.value(*code, scope)?;
        vars.insert(name.to_string(), value.clone());
        scope.set_vars(&vars);
        written.insert(name.to_string(), value);
    }
    Ok(written)
}

fn as_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}

fn list(value: Value) -> Result<Value, Failure> {
    let kind = match &value {
        Value::Array(items) if items.len() <= ITEMS_LIMIT => return Ok(value),
        Value::Array(items) => {
            let message =
                format!("`foreach` has {} items, more than the limit of {ITEMS_LIMIT}: split the list over several runs", items.len());
            return Err(Failure::new(FailureKind::BadInput, message));
        }
        Value::Object(_) => "a map: use `event.body.entries()` or `.values()`, which give lists",
        Value::Null => "missing: write `?? []` if it may be",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text: `.split(\",\")` makes a list of one",
    };
    Err(Failure::new(FailureKind::BadInput, format!("`foreach` needs a list, and this is {kind}")))
}

fn end_round(
    loaded: &Loaded,
    todo: &Todo<'_>,
    scope: &mut Scope,
    round: u32,
    output: &Arc<Value>,
    now: Timestamp,
) -> Result<Fact, Failure> {
    let step = todo.address.clone();
    let StepKind::Repeat { until, every, at_most, .. } = &todo.step.kind else {
        return Err(Failure::new(FailureKind::Internal, "a round of a step that is no `repeat`: please report this"));
    };
    if loaded.program.truth(*until, scope)? {
        return Ok(Fact::StepEvaluated { step, output: Arc::clone(output) });
    }
    let rounds = round.saturating_add(1);
    if *at_most <= rounds {
        return Err(Failure::new(
            FailureKind::Failed,
            format!("`until` was not true after {rounds} rounds, the most that `at_most` allows"),
        ));
    }
    Ok(Fact::RoundEnded { step, round, due: now.after(*every) })
}

/// The fact about a call that may happen once and was interrupted.
fn interrupted(todo: &Todo<'_>, attempt: u32) -> Fact {
    let message = "this call may be made at most once (`at_most_once: true`) and was interrupted: \
                   look whether it took effect at the other side, then replay the run or leave it";
    let error = Failure::new(FailureKind::Interrupted, message);
    Fact::StepFailed { step: todo.address.clone(), attempts: attempt, error }
}

/// Sets what a step's expressions see: the moment, chance, its iterations, and the failure that a handler is there for.
pub fn set_context(loaded: &Loaded, todo: &Todo<'_>, scope: &mut Scope, run: &Run, shell: &Shell<'_>) {
    scope.set_moment(todo.moment, seed(run.id, &todo.address));
    set_error(todo, scope);
    let approval = link(todo, run, shell).map(|link| serde_json::json!({"link": link}));
    scope.set_approval(approval.as_ref());
    // What an iteration's steps left is seen inside that iteration alone.
    loaded.workflow.loop_ids.iter().for_each(|id| scope.clear_step(id));
    set_loops(&todo.loops, scope, run);
    set_undone(loaded, todo, scope, run);
}

/// What takes a call back sees its output, also when the call was begun anew since; other handlers see what steps left.
fn set_undone(loaded: &Loaded, todo: &Todo<'_>, scope: &mut Scope, run: &Run) {
    if let Some((step, output)) = &todo.undone {
        step.id.iter().for_each(|id| scope.set_step(id, output));
    } else if todo.error.is_some() {
        let is_done = |step: &Address| matches!(run.steps.get(step), Some(Stamped { state: StepState::Done { .. }, .. }));
        for undo in run.undos.iter().filter(|undo| !is_done(&undo.step)) {
            let step = loaded.workflow.step(&undo.step.outside_loops());
            step.and_then(|step| step.id.as_ref()).into_iter().for_each(|id| scope.clear_step(id));
        }
    }
}

/// What `approval.link` is to a step.
#[must_use]
pub fn link(todo: &Todo<'_>, run: &Run, shell: &Shell<'_>) -> Option<String> {
    let question = run.steps.get(todo.approval.as_ref()?)?.state.waits_for()?.question?;
    Some((shell.link)(run.id, question))
}

/// Inside a loop, `steps.ID` of a step of the loop is the one of the same iteration.
fn set_loops(loops: &[Iteration<'_>], scope: &mut Scope, run: &Run) {
    let mut inner = (None, None);
    for Iteration { step, address, index, items } in loops {
        let item = items.as_ref().and_then(|items| items.get(usize::try_from(*index).ok()?));
        inner = (item, Some(*index));
        if let (StepKind::Foreach { name: Some(name), .. }, Some(item)) = (&step.kind, item) {
            scope.bind(name, item);
        }
        let prefix = step.address.as_str();
        for block in step.kind.blocks() {
            for_each_step(&[block], &mut |inside| {
                let Some(id) = &inside.id else { return };
                let below = inside.address.as_str().get(prefix.len()..).unwrap_or_default();
                let here = Address::new(format!("{address}[{index}]{below}"));
                if let Some(Stamped { state: StepState::Done { output }, .. }) = run.steps.get(&here) {
                    scope.set_step(id, output);
                }
            });
        }
    }
    scope.set_item(inner.0, inner.1);
}

fn set_error(todo: &Todo<'_>, scope: &mut Scope) {
    let error = todo.error.as_deref().map(|SeenError { step, failure }| {
        serde_json::json!({
            // Text also when it was no step, as after the workflow's timeout: a handler that tells of the failure does not fail itself.
            "step": step.as_ref().map_or("", |step| step.as_str()),
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
pub fn scope_of(loaded: &Loaded, run: &Run, events: &[Arc<Event>]) -> Scope {
    let workflow = &loaded.workflow;
    let mut scope = match (&workflow.gathering, events) {
        (Some(Gathering::Batch { .. }), _) | (_, []) => Scope::of_batch(events),
        (_, [event, ..]) => Scope::new(event),
    }
    .reading(loaded.uses);
    if loaded.uses.variable("run") {
        scope.set_run(&RunInfo {
            id: run.id.to_string(),
            workflow: &workflow.name,
            revision: workflow.revision.to_string(),
            started: run.started,
            attempt: 1,
        });
    }
    // What cannot be had was said when the run began.
    start::set_input(loaded, &mut scope).unwrap_or_default();
    if !run.steps.is_empty() {
        let ids = workflow.ids();
        for (address, state) in &run.steps {
            if let (StepState::Done { output }, Some(id)) = (&state.state, ids.get(address)) {
                scope.set_step(id, output);
            }
        }
    }
    if !run.vars.is_empty() {
        scope.set_vars(&run.vars);
    }
    scope
}

#[cfg(test)]
mod tests {
    use super::list;
    use serde_json::json;

    #[test]
    fn a_loop_over_what_is_no_list_says_what_it_got() {
        let check = |value, expected: &str| assert!(list(value).unwrap_err().message.ends_with(expected), "{expected}");
        check(json!("a,b"), "this is a text: `.split(\",\")` makes a list of one");
        check(json!(7), "this is a number");
        check(json!(true), "this is true or false");
        check(json!(null), "this is missing: write `?? []` if it may be");
        assert_eq!(list(json!([1])).unwrap(), json!([1]));
    }
}
