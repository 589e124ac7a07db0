//! Drives one run to its end: the executor's loop without a store, without connectors, and with a
//! clock that jumps to whatever the run waits for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::mock::{Answer, Mocks};
use crate::domain::event::Event;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::{Parts, RunId};
use crate::domain::journal::{Address, Branch, Entry, Fact, Outcome};
use crate::domain::next::{Next, Task, Todo, Waits, deadline, next};
use crate::domain::run::{Phase, Run, Stamped, StepState};
use crate::domain::secret::Secrets;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Call, Step, StepKind};
use crate::domain::{Map, Value};
use crate::script::{Scope, check_body};
use crate::workflow::catalog::Loaded;
use crate::workflow::evaluate::{self, Evaluated, Shell};

/// The most turns of a run's loop: a run that takes more does not end.
const TURNS: u32 = 200_000;

/// One call as it would have been made.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeCall {
    /// Where.
    pub step: Address,
    /// `http` in `http.get`.
    pub connector: Arc<str>,
    /// `get` in `http.get`.
    pub action: Arc<str>,
    /// The connection that the step names.
    pub using: Option<Arc<str>>,
    /// Its input. Holds the values of secrets.
    pub with: Value,
    /// The same on every attempt.
    pub idempotency_key: String,
}

impl MadeCall {
    /// `http.get`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.connector, self.action)
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The workflow's `if` is false for the event: there is no run.
    NotMatched,
    /// With this outcome.
    Run(Outcome),
}

/// Everything a run did.
#[derive(Debug, Default)]
pub struct Trace {
    /// How it ended; nothing if it could not go on.
    pub ended: Option<Ended>,
    /// Why it could not go on.
    pub trouble: Option<String>,
    /// Its calls, attempt by attempt, in order.
    pub calls: Vec<MadeCall>,
    /// The last output of every step with an id.
    pub outputs: BTreeMap<Arc<str>, Arc<Value>>,
    /// What `set` wrote.
    pub vars: Map,
    /// Steps that were done, by their address outside loops.
    pub(super) reached: BTreeSet<Address>,
    /// Steps whose `if` was false.
    pub(super) skipped: BTreeSet<Address>,
    /// Which ways `if` and `switch` went.
    pub(super) branches: BTreeSet<(Address, String)>,
    /// Steps that failed for good.
    pub(super) failed: BTreeSet<Address>,
}

/// A call whose answer has not been taken in.
struct InFlight<'w> {
    step: &'w Step,
    call: &'w Call,
    address: Address,
    attempt: u32,
    answer: Answer,
}

struct Driver<'d> {
    loaded: &'d Loaded,
    secrets: &'d Secrets,
    secret_values: Map,
    run: Run,
    scope: Scope,
    now: Timestamp,
    trace: Trace,
}

/// Runs the workflow for an event that arrives now.
pub fn drive(loaded: &Loaded, event: &Arc<Event>, secrets: &Secrets, mocks: &mut Mocks<'_>) -> Trace {
    if let Err(trouble) = check_body(event) {
        return Trace { trouble: Some(trouble), ..Trace::default() };
    }
    let now = event.head.received;
    let id = RunId::new(Parts { time_ms: u64::try_from(now.0).unwrap_or(0), counter: 0, chance: 1, shard: 0 });
    let run = Run::new(id, now);
    let scope = evaluate::scope_of(loaded, &run, std::slice::from_ref(event));
    let mut driver = Driver { loaded, secrets, secret_values: secrets.expose_all(), run, scope, now, trace: Trace::default() };
    let ended = driver.begin().and_then(|matches| if matches { driver.go(mocks).map(Ended::Run) } else { Ok(Ended::NotMatched) });
    let Driver { mut trace, run, .. } = driver;
    trace.vars = run.vars;
    match ended {
        Ok(ended) => trace.ended = Some(ended),
        Err(trouble) => trace.trouble = Some(trouble),
    }
    trace
}

impl<'d> Driver<'d> {
    /// Looks at the workflow's `if`, as intake does.
    fn begin(&mut self) -> Result<bool, String> {
        let Some(condition) = self.loaded.workflow.condition else { return Ok(true) };
        self.scope.set_moment(self.now, crate::domain::retry::hash(self.run.id, &Address::new("if"), 0));
        match self.loaded.program.truth(condition, &mut self.scope) {
            Ok(truth) => Ok(truth),
            Err(mut error) => {
                self.secrets.mask_text(&mut error.message);
                self.record(self.now, Fact::ConditionFailed { error })?;
                Ok(true)
            }
        }
    }

    fn go(&mut self, mocks: &mut Mocks<'_>) -> Result<Outcome, String> {
        let loaded: &'d Loaded = self.loaded;
        let mut in_flight: VecDeque<InFlight<'d>> = VecDeque::new();
        for _turn in 0..TURNS {
            self.time_out()?;
            let todos = match next(&loaded.workflow, &self.run, self.now) {
                Next::Perform { todos, .. } => todos,
                Next::Wait(Waits { wake: Some(due), .. }) => {
                    in_flight.clear();
                    self.now = self.now.max(due);
                    continue;
                }
                Next::Wait(Waits { wake: None, .. }) => return Err("the run waits for an event that does not come".to_owned()),
                Next::Finish(outcome) => return Ok(outcome),
            };
            let is_in_flight = |todo: &Todo<'_>, in_flight: &VecDeque<InFlight<'_>>| in_flight.iter().any(|c| c.address == todo.address);
            let mut any = false;
            for todo in todos.iter().filter(|todo| !matches!(todo.task, Task::Call { .. }) && !is_in_flight(todo, &in_flight)) {
                self.evaluate(todo)?;
                any = true;
            }
            if any {
                continue;
            }
            for todo in &todos {
                if !is_in_flight(todo, &in_flight) {
                    in_flight.extend(self.call(todo, mocks)?);
                }
            }
            // Calls beside each other are all made before the first answer is taken in.
            if let Some(call) = in_flight.pop_front() {
                self.take(call)?;
            }
        }
        Err(format!("the run does not end: it was stopped after {TURNS} turns"))
    }

    fn shell(&self) -> Shell<'d> {
        Shell { secrets: self.secrets, link: &|run, question| format!("https://hence.test/approve/{run}/{question}") }
    }

    fn time_out(&mut self) -> Result<(), String> {
        let workflow = &self.loaded.workflow;
        let Some(timeout) = workflow.timeout else { return Ok(()) };
        if deadline(workflow, &self.run).is_none_or(|due| self.now < due) {
            return Ok(());
        }
        let message = format!("the run took longer than the workflow's timeout of {timeout:?}");
        self.record(self.now, Fact::RunTimedOut { error: Failure::new(FailureKind::RunTimeout, message) })
    }

    fn evaluate(&mut self, todo: &Todo<'_>) -> Result<(), String> {
        let shell = self.shell();
        let fact = match evaluate::evaluate(self.loaded, todo, &mut self.scope, &self.run, self.now, &shell) {
            Evaluated::Fact(fact) => fact,
            Evaluated::Emit(_) | Evaluated::Start(_) => return Err("this step cannot be tested yet".to_owned()),
        };
        self.note(todo.step, &fact);
        let sets = matches!(fact, Fact::VarsSet { .. });
        self.record(if todo.task.is_timed() { self.now } else { todo.moment }, fact)?;
        if let (Some(id), Some(Stamped { state: StepState::Done { output }, .. })) = (&todo.step.id, self.run.steps.get(&todo.address)) {
            self.scope.set_step(id, output);
        }
        if sets {
            self.scope.set_vars(&self.run.vars);
        }
        Ok(())
    }

    /// Makes a call: nothing comes back when its input cannot be rendered, which is a fact of its own.
    fn call(&mut self, todo: &Todo<'d>, mocks: &mut Mocks<'_>) -> Result<Option<InFlight<'d>>, String> {
        let (StepKind::Call(call), &Task::Call { attempt }) = (&todo.step.kind, &todo.task) else { return Ok(None) };
        let made = match self.render(todo, call) {
            Ok(made) => made,
            Err(mut error) => {
                self.secrets.mask_text(&mut error.message);
                let fact = Fact::StepFailed { step: todo.address.clone(), attempts: attempt.saturating_sub(1), error };
                self.note(todo.step, &fact);
                self.record(todo.moment, fact)?;
                return Ok(None);
            }
        };
        self.trace.reached.insert(todo.step.address.clone());
        let answer = mocks.answer(&made);
        self.trace.calls.push(made);
        let answer = answer?;
        if call.at_most_once {
            self.record(self.now, Fact::CallStarted { step: todo.address.clone(), attempt })?;
        }
        Ok(Some(InFlight { step: todo.step, call, address: todo.address.clone(), attempt, answer }))
    }

    fn render(&mut self, todo: &Todo<'_>, call: &Call) -> Result<MadeCall, Failure> {
        let shell = self.shell();
        evaluate::set_context(self.loaded, todo, &mut self.scope, &self.run, &shell);
        self.scope.set_secrets(Some(&self.secret_values));
        let program = &self.loaded.program;
        let with = program.value(call.with, &mut self.scope);
        let key = call.idempotency_key.map(|code| program.text(code, &mut self.scope)).transpose();
        self.scope.set_secrets(None);
        Ok(MadeCall {
            step: todo.address.clone(),
            connector: Arc::clone(&call.connector),
            action: Arc::clone(&call.action),
            using: call.using.clone(),
            with: with?,
            idempotency_key: key?.unwrap_or_else(|| format!("{}/{}", self.run.id, todo.address)),
        })
    }

    fn take(&mut self, ended: InFlight<'_>) -> Result<(), String> {
        let InFlight { step, call, address, attempt, answer } = ended;
        let fact = match answer {
            Ok(mut output) => {
                self.secrets.mask_value(&mut output);
                if let Some(id) = &step.id {
                    self.scope.set_step(id, &output);
                }
                Fact::CallSucceeded { step: address, attempt, output: Arc::new(output), undo: !call.undo.is_empty() }
            }
            Err(mut error) => {
                self.secrets.mask_text(&mut error.message);
                error.detail.iter_mut().for_each(|detail| self.secrets.mask_value(detail));
                match call.retry.due(&error, self.run.id, &address, attempt, self.now) {
                    Some(due) => Fact::CallRetried { step: address, attempt, error, due },
                    None => Fact::StepFailed { step: address, attempts: attempt, error },
                }
            }
        };
        self.note(step, &fact);
        self.record(self.now, fact)
    }

    /// Keeps what expectations and coverage ask about.
    fn note(&mut self, step: &Step, fact: &Fact) {
        let trace = &mut self.trace;
        let address = step.address.clone();
        if let Fact::StepSkipped { .. } = fact {
            trace.skipped.insert(address);
            return;
        }
        let output = match fact {
            Fact::StepEvaluated { output, .. } | Fact::CallSucceeded { output, .. } | Fact::RunStopped { output, .. } => {
                Some(Arc::clone(output))
            }
            Fact::VarsSet { vars, .. } => Some(Arc::new(Value::Object(vars.clone()))),
            Fact::StepFailed { .. } => {
                trace.failed.insert(address.clone());
                None
            }
            Fact::BranchTaken { branch, .. } if is_choice(&step.kind) => {
                trace.branches.insert((address.clone(), branch_name(step, branch)));
                None
            }
            _ => None,
        };
        if let (Some(id), Some(output)) = (&step.id, output) {
            trace.outputs.insert(Arc::clone(id), output);
        }
        trace.reached.insert(address);
    }

    fn record(&mut self, at: Timestamp, fact: Fact) -> Result<(), String> {
        self.run.apply(Entry { at, fact }).map_err(|error| format!("{error}; please report this"))?;
        if matches!(self.run.phase, Phase::Finished(_)) { Err("the run ended by itself; please report this".to_owned()) } else { Ok(()) }
    }
}

pub(super) fn is_choice(kind: &StepKind) -> bool {
    matches!(kind, StepKind::If { .. } | StepKind::Switch { .. })
}

/// A branch in the words of the file: `then`, `case express`, `default`.
fn branch_name(step: &Step, branch: &Branch) -> String {
    let StepKind::Switch { cases, .. } = &step.kind else { return branch.as_str().to_owned() };
    cases.iter().find(|case| case.branch == *branch).map_or_else(|| branch.as_str().to_owned(), |case| format!("case {}", case.value))
}
