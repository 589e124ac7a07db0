//! What now? A walk over the workflow with the run's state in hand. It changes nothing: it says
//! what can be done, and the executor does it and brings back facts.

mod blocks;
mod ending;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use super::Value;
use super::failure::{Failure, FailureKind};
use super::journal::{Address, Outcome};
use super::run::{Awaiting, Phase, Run};
use super::time::Timestamp;
use super::workflow::{Step, Workflow};
use ending::Ending;
use walk::{Flow, Walk};

/// What a run can do at this moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<'w> {
    /// These steps, all at once if there are several. Other branches may have a time they wait for.
    Perform {
        /// What to do; never empty.
        todos: Vec<Todo<'w>>,
        /// What other branches wait for.
        waits: Waits<'w>,
    },
    /// Nothing until one of these comes.
    Wait(Waits<'w>),
    /// Nothing more at all: the run ends so.
    Finish(Outcome),
}

/// What a run waits for; never nothing when it only waits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Waits<'w> {
    /// The earliest time at which there is more to do.
    pub wake: Option<Timestamp>,
    /// Steps that wait for an event: each one's task is [`Task::Listen`].
    pub listens: Vec<Todo<'w>>,
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
    /// When the step before it became ready: an event that came while that one was being done is not missed.
    pub since: Timestamp,
    /// The iterations it is in, outermost first.
    pub loops: Vec<Iteration<'w>>,
    /// The failure that a handler's steps see as `error`.
    pub error: Option<Box<SeenError>>,
    /// The question whose link its steps see as `approval`.
    pub approval: Option<Address>,
    /// The call that it takes back, with its output.
    pub undone: Option<(&'w Step, Arc<Value>)>,
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
    /// Look whether an event has come that it waits for; nothing to record if not.
    Listen(Awaiting),
    /// What it waited for did not come in time.
    Expire,
    /// It took longer than its `timeout`.
    TimeOut {
        /// So long.
        timeout: Duration,
    },
    /// It failed, and its `retry` says to do it anew.
    Retry {
        /// Which try failed, from 1.
        attempt: u32,
        /// Why.
        error: Failure,
    },
}

impl Task {
    /// Whether the fact has the time at which it is recorded. The facts of all other tasks but
    /// calls have the moment of their step.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        match self {
            Self::Wake
            | Self::Listen(_)
            | Self::Expire
            | Self::TimeOut { .. }
            | Self::Retry { .. }
            | Self::EndRound { .. }
            | Self::Call { .. }
            | Self::GiveUp { .. } => true,
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
    let mut walk = Walk::new(run, now, run.begun);
    // An event that came while the run stood in line is not missed.
    walk.before = run.started;
    let ending = match &run.phase {
        Phase::Finished(outcome) => return Next::Finish(outcome.clone()),
        Phase::Skipped => return Next::Finish(Outcome::Canceled),
        Phase::Canceling { at } => Ending::Canceled { at: *at },
        Phase::Stopped { output, at } => Ending::Succeeded { output: Arc::clone(output), at: *at },
        Phase::Failing { error, at } => Ending::Failed { seen: Box::new(SeenError { step: None, failure: error.clone() }), at: *at },
        Phase::Steps => match walk.block(&workflow.steps) {
            Flow::Through(output) => Ending::Succeeded { output, at: walk.moment },
            Flow::Blocked => return blocked(walk, workflow.timeout.map(|timeout| run.begun.after(timeout))),
            Flow::Failed(seen) => {
                let at = seen.step.as_ref().and_then(|step| run.steps.get(step)).map_or(run.begun, |stamped| stamped.at);
                Ending::Failed { seen, at }
            }
        },
    };
    // A parallel branch may have left work behind that no longer matters: the walk begins anew.
    ending::next(workflow, run, now, ending)
}

/// What the steps would do next if every time they wait for had come, and none were over: facts of a run that is over answer it.
#[must_use]
pub fn ahead<'w>(workflow: &'w Workflow, run: &Run) -> Vec<Todo<'w>> {
    let mut walk = Walk::timeless(run);
    match walk.block(&workflow.steps) {
        Flow::Blocked => {
            walk.todos.append(&mut walk.listens);
            walk.todos
        }
        Flow::Through(_) | Flow::Failed(_) => Vec::new(),
    }
}

/// When the run's `timeout` passes. It is the time of the steps: what follows them takes as long as it takes.
#[must_use]
pub fn deadline(workflow: &Workflow, run: &Run) -> Option<Timestamp> {
    let due = run.begun.after(workflow.timeout?);
    match run.phase {
        // Whether they are through does not depend on the time.
        Phase::Steps => matches!(Walk::new(run, run.at, run.begun).block(&workflow.steps), Flow::Blocked).then_some(due),
        Phase::Failing { .. } | Phase::Stopped { .. } | Phase::Canceling { .. } | Phase::Skipped | Phase::Finished(_) => None,
    }
}

/// Whether its steps have failed, so that what they did is taken back.
#[must_use]
pub fn has_failed(workflow: &Workflow, run: &Run) -> bool {
    match run.phase {
        Phase::Steps => matches!(Walk::new(run, run.at, run.begun).block(&workflow.steps), Flow::Failed(_)),
        Phase::Failing { .. } => true,
        Phase::Stopped { .. } | Phase::Canceling { .. } | Phase::Skipped | Phase::Finished(_) => false,
    }
}

fn blocked<'w>(walk: Walk<'w, '_>, deadline: Option<Timestamp>) -> Next<'w> {
    let wake = [walk.wake, deadline].into_iter().flatten().min();
    let waits = Waits { wake, listens: walk.listens };
    if !walk.todos.is_empty() {
        Next::Perform { todos: walk.todos, waits }
    } else if waits.wake.is_some() || !waits.listens.is_empty() {
        Next::Wait(waits)
    } else {
        Next::Finish(Outcome::Failed {
            step: None,
            error: Failure::new(FailureKind::Internal, "the run can neither go on nor wait: please report this"),
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
