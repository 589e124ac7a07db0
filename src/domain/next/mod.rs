//! What now? A walk over the workflow with the run's state in hand. It changes nothing: it says
//! what can be done, and the executor does it and brings back facts.

mod blocks;
mod walk;

use std::sync::Arc;

use super::Value;
use super::failure::{Failure, FailureKind};
use super::journal::{Address, Outcome};
use super::run::{Phase, Run};
use super::time::Timestamp;
use super::workflow::{Step, Workflow};
use walk::{Flow, Walk};

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
    /// What `now()` says to it: the time of the last fact on its own path, or the due time of its round. It does not depend on
    /// what branches beside it do, so doing the step again gives the same.
    pub moment: Timestamp,
    /// The iterations it is in, outermost first.
    pub loops: Vec<Iteration<'w>>,
    /// The failure that a handler's steps see as `error`.
    pub error: Option<Box<SeenError>>,
}

/// What is to be done about a step.
#[derive(Debug, Clone, PartialEq)]
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
    /// The steps inside it are through: record its output.
    Conclude {
        /// Its output.
        output: Arc<Value>,
    },
    /// An iteration is through.
    EndIteration {
        /// Which, from 0.
        index: u32,
        /// The iteration's last output.
        output: Arc<Value>,
    },
    /// A round of a `repeat` is through: look whether it was the last.
    EndRound {
        /// Which, from 0.
        round: u32,
        /// The round's last output.
        output: Arc<Value>,
    },
    /// What it waited for has come.
    Wake,
}

impl Task {
    /// Whether the fact has the time at which it is recorded. The facts of all other tasks but
    /// calls have the moment of their step.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        match self {
            Self::Wake | Self::EndRound { .. } | Self::Call { .. } | Self::GiveUp { .. } => true,
            Self::Evaluate | Self::Conclude { .. } | Self::EndIteration { .. } => false,
        }
    }
}

/// One iteration that a step is in.
#[derive(Debug, Clone, PartialEq)]
pub struct Iteration<'w> {
    /// The loop.
    pub step: &'w Step,
    /// The loop's address.
    pub address: Address,
    /// Which iteration, from 0.
    pub index: u32,
    /// The list that is gone through; nothing for `repeat`.
    pub items: Option<Arc<Value>>,
}

/// What `error` holds in a handler.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenError {
    /// The step that failed, if it was one.
    pub step: Option<Address>,
    /// Why.
    pub failure: Failure,
}

/// What the run can do now.
#[must_use]
pub fn next<'w>(workflow: &'w Workflow, run: &Run, now: Timestamp) -> Next<'w> {
    let mut walk = Walk::new(run, now, run.started, None);
    let failed = match &run.phase {
        Phase::Finished(outcome) => return Next::Finish(outcome.clone()),
        Phase::Canceling => return Next::Finish(Outcome::Canceled),
        Phase::Stopped { output } => return Next::Finish(Outcome::Succeeded { output: Arc::clone(output) }),
        Phase::Failing { error, .. } => SeenError { step: None, failure: error.clone() },
        Phase::Steps => match walk.block(&workflow.steps) {
            Flow::Through(output) => return Next::Finish(Outcome::Succeeded { output }),
            Flow::Blocked => return blocked(walk, deadline(workflow, run)),
            Flow::Failed(seen) => *seen,
        },
    };
    // A parallel branch may have left work behind that no longer matters.
    let failed_at = match (&failed.step, &run.phase) {
        (Some(step), _) => run.steps.get(step).map(|stamped| stamped.at),
        (None, Phase::Failing { at, .. }) => Some(*at),
        (None, Phase::Steps | Phase::Stopped { .. } | Phase::Canceling | Phase::Finished(_)) => None,
    };
    let moment = failed_at.unwrap_or(run.started);
    let mut walk = Walk::new(run, now, moment, Some(Box::new(failed.clone())));
    match walk.block(&workflow.on_error) {
        Flow::Blocked => blocked(walk, None),
        // A handler that fails itself does not hide what it was there for.
        Flow::Through(_) | Flow::Failed(_) => Next::Finish(Outcome::Failed { step: failed.step, error: failed.failure }),
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

fn blocked<'w>(walk: Walk<'w, '_>, deadline: Option<Timestamp>) -> Next<'w> {
    let wake = [walk.wake, deadline].into_iter().flatten().min();
    match (walk.todos.is_empty(), wake) {
        (false, wake) => Next::Perform { todos: walk.todos, wake },
        (true, Some(wake)) => Next::WaitUntil(wake),
        (true, None) => Next::Finish(Outcome::Failed {
            step: None,
            error: Failure::new(FailureKind::Internal, "the run can neither go on nor wait: please report this"),
        }),
    }
}

#[cfg(test)]
pub(super) mod tests;
