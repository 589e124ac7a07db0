//! What now? A walk over the workflow with the run's state in hand. It changes nothing: it says
//! what can be done, and the executor does it and brings back facts.

use std::sync::Arc;

use super::Value;
use super::failure::{Failure, FailureKind};
use super::journal::{Address, Outcome};
use super::run::{Phase, Run, StepState};
use super::time::Timestamp;
use super::workflow::{OnError, Step, StepKind, Workflow};

/// What a run can do at this moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<'w> {
    /// These steps, all at once if there are several. Other branches may have a time they wait for.
    Perform {
        /// What to do; never empty.
        todos: Vec<Todo<'w>>,
        /// The earliest time at which there is more to do.
        wake: Option<Timestamp>,
    },
    /// Nothing until this time.
    WaitUntil(Timestamp),
    /// Nothing more at all: the run ends so.
    Finish(Outcome),
}

/// One step that can be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Todo<'w> {
    /// The step.
    pub step: &'w Step,
    /// Where it is, iterations included.
    pub address: Address,
    /// What about it.
    pub task: Task,
    /// The failure that a handler's steps see as `error`.
    pub error: Option<Box<SeenError>>,
}

/// What is to be done about a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Evaluate its condition, script, values or text: touches nothing outside, needs no commit before.
    Evaluate,
    /// Make its call. All facts so far must be durable first.
    Call {
        /// Which try, from 1.
        attempt: u32,
    },
    /// Its call was interrupted and may happen only once: record that as a failure.
    GiveUp {
        /// The try that was interrupted.
        attempt: u32,
    },
}

/// What `error` holds in a handler.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenError {
    /// The step that failed, if it was one.
    pub step: Option<Address>,
    /// Why.
    pub failure: Failure,
}

/// Where a walk over a block came to.
enum Flow {
    /// All its steps are settled.
    Through,
    /// Something in it has to happen first.
    Blocked,
    /// A step failed and nothing took care of it.
    Failed(SeenError),
}

struct Walk<'w, 'r> {
    run: &'r Run,
    now: Timestamp,
    todos: Vec<Todo<'w>>,
    wake: Option<Timestamp>,
    last: Option<Arc<Value>>,
    error: Option<Box<SeenError>>,
}

/// What the run can do now.
#[must_use]
pub fn next<'w>(workflow: &'w Workflow, run: &Run, now: Timestamp) -> Next<'w> {
    if let Phase::Finished(outcome) = &run.phase {
        return Next::Finish(outcome.clone());
    }
    if run.phase == Phase::Canceling {
        return Next::Finish(Outcome::Canceled);
    }
    let mut walk = Walk { run, now, todos: Vec::new(), wake: None, last: None, error: None };
    let failed = match &run.phase {
        Phase::Steps => match walk.block(&workflow.steps) {
            Flow::Through => return Next::Finish(Outcome::Succeeded { output: walk.last.unwrap_or_default() }),
            Flow::Blocked => return walk.blocked(deadline(workflow, run)),
            Flow::Failed(seen) => seen,
        },
        Phase::Failing { error } => SeenError { step: None, failure: error.clone() },
        Phase::Stopped { output } => return Next::Finish(Outcome::Succeeded { output: Arc::clone(output) }),
        Phase::Canceling | Phase::Finished(_) => return Next::Finish(Outcome::Canceled),
    };
    // A parallel branch may have left work behind that no longer matters.
    let mut walk = Walk { run, now, todos: Vec::new(), wake: None, last: None, error: Some(Box::new(failed.clone())) };
    match walk.block(&workflow.on_error) {
        Flow::Blocked => walk.blocked(None),
        // A handler that fails itself does not hide what it was there for.
        Flow::Through | Flow::Failed(_) => Next::Finish(Outcome::Failed { step: failed.step, error: failed.failure }),
    }
}

/// When the run's `timeout` passes.
#[must_use]
pub fn deadline(workflow: &Workflow, run: &Run) -> Option<Timestamp> {
    match run.phase {
        Phase::Steps => workflow.timeout.map(|timeout| run.started.after(timeout)),
        Phase::Failing { .. } | Phase::Stopped { .. } | Phase::Canceling | Phase::Finished(_) => None,
    }
}

impl<'w> Walk<'w, '_> {
    fn blocked(self, deadline: Option<Timestamp>) -> Next<'w> {
        let wake = [self.wake, deadline].into_iter().flatten().min();
        match (self.todos.is_empty(), wake) {
            (false, wake) => Next::Perform { todos: self.todos, wake },
            (true, Some(wake)) => Next::WaitUntil(wake),
            (true, None) => Next::Finish(Outcome::Failed {
                step: None,
                error: Failure::new(FailureKind::Internal, "the run can neither go on nor wait: please report this"),
            }),
        }
    }

    /// Steps of a block are done in order; the first that is not settled stops the walk.
    fn block(&mut self, steps: &'w [Step]) -> Flow {
        for step in steps {
            match self.step(step) {
                Flow::Through => {}
                stop @ (Flow::Blocked | Flow::Failed(_)) => return stop,
            }
        }
        Flow::Through
    }

    fn step(&mut self, step: &'w Step) -> Flow {
        let run = self.run;
        match run.steps.get(&step.address) {
            None => self.todo(step, step.address.clone(), first_task(step)),
            Some(StepState::Skipped) => Flow::Through,
            Some(StepState::Done { output }) => {
                self.last = Some(Arc::clone(output));
                Flow::Through
            }
            Some(StepState::Took(branch)) => match &step.kind {
                StepKind::If { then, otherwise, .. } => {
                    let flow = self.block(if *branch == super::journal::Branch::Then { then } else { otherwise });
                    match flow {
                        Flow::Failed(seen) => self.handle(step, seen),
                        flow @ (Flow::Through | Flow::Blocked) => flow,
                    }
                }
                // Took stands for a step's own `if` that was true; the step itself is still to do.
                StepKind::Call(_) | StepKind::Script(_) | StepKind::Set(_) | StepKind::Fail(_) | StepKind::Stop(_) => {
                    self.todo(step, step.address.clone(), main_task(step, 1))
                }
            },
            Some(StepState::Started { attempt }) => self.todo(step, step.address.clone(), Task::GiveUp { attempt: *attempt }),
            Some(StepState::Retrying { attempts, due }) if *due <= self.now => {
                self.todo(step, step.address.clone(), main_task(step, attempts.saturating_add(1)))
            }
            Some(StepState::Retrying { due, .. }) => {
                self.wake = Some(self.wake.map_or(*due, |wake| wake.min(*due)));
                Flow::Blocked
            }
            Some(StepState::Failed { error }) => self.handle(step, SeenError { step: Some(step.address.clone()), failure: error.clone() }),
        }
    }

    fn todo(&mut self, step: &'w Step, address: Address, task: Task) -> Flow {
        self.todos.push(Todo { step, address, task, error: self.error.clone() });
        Flow::Blocked
    }

    fn handle(&mut self, step: &'w Step, seen: SeenError) -> Flow {
        match &step.on_error {
            OnError::Fail => Flow::Failed(seen),
            OnError::Continue => {
                self.last = Some(Arc::new(Value::Null));
                Flow::Through
            }
            OnError::Steps(steps) => {
                let outer = self.error.replace(Box::new(seen));
                let flow = self.block(steps);
                self.error = outer;
                flow
            }
        }
    }
}

fn first_task(step: &Step) -> Task {
    if step.condition.is_some() { Task::Evaluate } else { main_task(step, 1) }
}

fn main_task(step: &Step, attempt: u32) -> Task {
    match &step.kind {
        StepKind::Call(_) => Task::Call { attempt },
        StepKind::Script(_) | StepKind::Set(_) | StepKind::If { .. } | StepKind::Fail(_) | StepKind::Stop(_) => Task::Evaluate,
    }
}
