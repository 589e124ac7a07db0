//! The walk: step after step, and what each one's state means for it.

use std::sync::Arc;

use super::{Iteration, SeenError, Task, Todo};
use crate::domain::Value;
use crate::domain::journal::Address;
use crate::domain::run::{Run, StepState};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{OnError, Step, StepKind};

/// Where a walk over a block came to.
pub(super) enum Flow {
    /// All its steps are settled; with the last output.
    Through(Arc<Value>),
    /// Something in it has to happen first.
    Blocked,
    /// A step failed and nothing took care of it.
    Failed(Box<SeenError>),
}

/// A walk in progress.
pub(super) struct Walk<'w, 'r> {
    pub(super) run: &'r Run,
    pub(super) now: Timestamp,
    pub(super) todos: Vec<Todo<'w>>,
    pub(super) wake: Option<Timestamp>,
    /// The time of the last fact on the path to where the walk is.
    pub(super) moment: Timestamp,
    pub(super) loops: Vec<Iteration<'w>>,
    error: Option<Box<SeenError>>,
}

impl<'w, 'r> Walk<'w, 'r> {
    pub(super) fn new(run: &'r Run, now: Timestamp, moment: Timestamp, error: Option<Box<SeenError>>) -> Self {
        Self { run, now, todos: Vec::new(), wake: None, moment, loops: Vec::new(), error }
    }

    /// Steps of a block are done in order; the first that is not settled stops the walk.
    pub(super) fn block(&mut self, steps: &'w [Step]) -> Flow {
        let mut last = Arc::default();
        for step in steps {
            match self.step(step) {
                Some(Flow::Through(output)) => last = output,
                None => {}
                Some(stop) => return stop,
            }
        }
        Flow::Through(last)
    }

    /// Nothing for a step that was skipped: the output before it stays the last.
    fn step(&mut self, step: &'w Step) -> Option<Flow> {
        let address = self.address(step);
        let Some(stamped) = self.run.steps.get(&address) else {
            return Some(if step.condition.is_some() { self.todo(step, address, Task::Evaluate) } else { self.begin(step, address) });
        };
        let at = stamped.at;
        Some(match &stamped.state {
            StepState::Skipped => {
                self.pass(at);
                return None;
            }
            StepState::Done { output } => {
                self.pass(at);
                Flow::Through(Arc::clone(output))
            }
            StepState::Took(branch) => {
                self.pass(at);
                self.branch(step, address, branch)
            }
            StepState::Started { attempt } => self.todo(step, address, Task::GiveUp { attempt: *attempt }),
            StepState::Retrying { attempts, due } if *due <= self.now => {
                self.todo(step, address, Task::Call { attempt: attempts.saturating_add(1) })
            }
            StepState::Retrying { due, .. } => self.wait(*due),
            StepState::Looping(looping) => self.foreach(step, address, looping),
            StepState::Repeating { round, due } if *due <= self.now => {
                // A round begins when it is due, not when the one before it ended.
                self.pass(at.max(*due));
                self.round(step, address, *round)
            }
            StepState::Repeating { due, .. } => self.wait(*due),
            StepState::Waiting { until } if *until <= self.now => self.todo(step, address, Task::Wake),
            StepState::Waiting { until } => self.wait(*until),
            StepState::Failed { error } => {
                self.pass(at);
                let seen = SeenError { step: Some(address), failure: error.clone() };
                self.handle(step, Box::new(seen))
            }
        })
    }

    /// A step that nothing has happened to, or whose own `if` was true.
    pub(super) fn begin(&mut self, step: &'w Step, address: Address) -> Flow {
        match &step.kind {
            StepKind::Call(_) => self.todo(step, address, Task::Call { attempt: 1 }),
            StepKind::Repeat { .. } => self.round(step, address, 0),
            StepKind::Parallel { branches, any } => self.parallel(step, address, branches, *any),
            StepKind::Script(_)
            | StepKind::Set(_)
            | StepKind::If { .. }
            | StepKind::Switch { .. }
            | StepKind::Foreach { .. }
            | StepKind::Wait(_)
            | StepKind::Fail(_)
            | StepKind::Stop(_) => self.todo(step, address, Task::Evaluate),
        }
    }

    /// Adds something to do; the block goes on once it is done.
    pub(super) fn todo(&mut self, step: &'w Step, address: Address, task: Task) -> Flow {
        let (moment, loops, error) = (self.moment, self.loops.clone(), self.error.clone());
        self.todos.push(Todo { step, address, task, moment, loops, error });
        Flow::Blocked
    }

    fn wait(&mut self, due: Timestamp) -> Flow {
        self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
        Flow::Blocked
    }

    /// Where the walk stands before steps that go side by side.
    pub(super) fn mark(&self) -> (usize, Option<Timestamp>) {
        (self.todos.len(), self.wake)
    }

    /// What was found since then does not matter any more.
    pub(super) fn abandon(&mut self, (todos, wake): (usize, Option<Timestamp>)) {
        self.todos.truncate(todos);
        self.wake = wake;
    }

    /// The walk has passed a fact of this time.
    pub(super) fn pass(&mut self, at: Timestamp) {
        self.moment = self.moment.max(at);
    }

    /// What follows when a step, or one inside it, failed for good.
    pub(super) fn handle(&mut self, step: &'w Step, seen: Box<SeenError>) -> Flow {
        match &step.on_error {
            OnError::Fail => Flow::Failed(seen),
            OnError::Continue => Flow::Through(Arc::default()),
            OnError::Steps(steps) => {
                let outer = self.error.replace(seen);
                let flow = self.block(steps);
                self.error = outer;
                flow
            }
        }
    }

    /// A step's address, with the iterations the walk is in: the loop's part of it is replaced.
    fn address(&self, step: &Step) -> Address {
        let Some(inner) = self.loops.last() else { return step.address.clone() };
        let below = step.address.as_str().get(inner.step.address.as_str().len()..).unwrap_or_default();
        Address::new(format!("{}[{}]{below}", inner.address, inner.index))
    }
}
