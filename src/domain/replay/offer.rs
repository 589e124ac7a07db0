//! Offers the facts of an earlier run to the walk over a workflow.

use std::collections::BTreeSet;

use super::Refused;
use super::places::{Places, Side, is_within, iterations};
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Branch, Entry, Fact};
use crate::domain::next::{Next, Task, Todo, next};
use crate::domain::run::{Run, StepState};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{OnError, StepKind, Workflow};

/// When everything that waits is due.
const END_OF_TIME: Timestamp = Timestamp(i64::MAX);

/// What became of the facts that were offered.
pub(super) struct Offered<'w> {
    /// The positions of those that the walk asked for.
    pub(super) kept: BTreeSet<usize>,
    /// The state they lead to.
    pub(super) run: Run,
    /// What the walk asks for after them.
    asked: Vec<Todo<'w>>,
}

impl<'w> Offered<'w> {
    /// Offers all facts but those of the step `from`, and failures that would lead the walk away from it.
    pub(super) fn to(workflow: &'w Workflow, places: &Places<'w>, run: RunId, entries: &[Entry], from: &str) -> Self {
        let around = places.path(from);
        let run = Run::new(run, Timestamp::default());
        let asked = ask(workflow, &run);
        let mut this = Self { kept: BTreeSet::new(), run, asked };
        for (position, entry) in entries.iter().enumerate() {
            let Some(step) = entry.fact.step().filter(|step| !is_within(step.as_str(), from)) else { continue };
            let leads_away = matches!(entry.fact, Fact::StepFailed { .. }) && !is_handled(places, step.as_str(), &around);
            let is_asked = this.asked.iter().any(|todo| todo.address == *step && answers(todo, &entry.fact));
            if !leads_away && is_asked && this.run.apply(entry.clone()).is_ok() {
                this.kept.insert(position);
                this.asked = ask(workflow, &this.run);
            }
        }
        this
    }

    /// Whether the walk asks for this step, or for a step inside it.
    pub(super) fn asks_for(&self, from: &str) -> bool {
        self.asked.iter().any(|todo| is_within(todo.address.as_str(), from))
    }

    /// Why it does not.
    pub(super) fn why_not(&self, places: &Places<'_>, step: Address) -> Refused {
        let around = places.path(step.as_str());
        for (outer, side) in around.iter().rev() {
            match self.has_passed(places, outer, *side, step.as_str()) {
                Some(Passed::All) => return Refused::NotReached { by: Address::new(outer.as_str()), step },
                // What its steps left is forgotten: it was one of them.
                Some(Passed::Iteration) => {
                    let by = around.first().map_or_else(|| step.clone(), |(by, _)| Address::new(by.as_str()));
                    return Refused::NotReached { by, step };
                }
                None => {}
            }
        }
        let shared = |todo: &&Todo<'_>| todo.address.as_str().bytes().zip(step.as_str().bytes()).take_while(|(a, b)| a == b).count();
        let order = |address: &Address| places.get(address.as_str()).map(|place| place.order);
        // Of several, the one that shares most of its address: others are done side by side with the step.
        let todo = self.asked.iter().rev().max_by_key(shared).filter(|todo| order(&todo.address) <= order(&step));
        match (todo, around.first()) {
            (Some(todo), _) => Refused::Unfinished { before: todo.address.clone(), step },
            (None, Some((by, _))) => Refused::NotReached { by: Address::new(by.as_str()), step },
            (None, None) => Refused::NotReached { by: step.clone(), step },
        }
    }

    /// Whether `outer`, which the step stands in, is past the place of the step.
    fn has_passed(&self, places: &Places<'_>, outer: &str, side: Side, step: &str) -> Option<Passed> {
        let stamped = self.run.steps.get(&Address::new(outer))?;
        let below = step.get(outer.len()..).unwrap_or_default();
        let index = iterations(below).first().copied();
        match (&stamped.state, side) {
            (StepState::Failed { .. }, Side::Handler) => None,
            (StepState::Skipped | StepState::Done { .. } | StepState::Failed { .. }, Side::Body | Side::Handler) => Some(Passed::All),
            (StepState::Took(branch), Side::Body) => {
                let kind = places.get(outer).map(|place| &place.step.kind);
                let is_choice = matches!(kind, Some(StepKind::If { .. } | StepKind::Switch { .. }));
                (is_choice && !is_within(below, &format!("/{}", branch.as_str()))).then_some(Passed::All)
            }
            (StepState::Looping(looping), Side::Body) => match index? {
                index if looping.len() <= index => Some(Passed::All),
                index => looping.is_ended(index).then_some(Passed::Iteration),
            },
            (StepState::Repeating { round, .. }, Side::Body) => (index? < *round).then_some(Passed::Iteration),
            (
                StepState::Took(_)
                | StepState::Looping(_)
                | StepState::Repeating { .. }
                | StepState::Waiting { .. }
                | StepState::Started { .. }
                | StepState::Retrying { .. },
                Side::Body | Side::Handler,
            ) => None,
        }
    }
}

/// What went on without a step.
enum Passed {
    /// All that it stands in.
    All,
    /// The iteration that it is in.
    Iteration,
}

fn ask<'w>(workflow: &'w Workflow, run: &Run) -> Vec<Todo<'w>> {
    match next(workflow, run, END_OF_TIME) {
        Next::Perform { todos, .. } => todos,
        Next::WaitUntil(_) | Next::Finish(_) => Vec::new(),
    }
}

/// Whether a failure is taken care of before it reaches what is `around` the step that is done anew.
fn is_handled(places: &Places<'_>, failed: &str, around: &[(String, Side)]) -> bool {
    let mut at = Some((failed.to_owned(), Side::Body));
    while let Some((address, side)) = at {
        if around.contains(&(address.clone(), Side::Body)) {
            return false;
        }
        // A failure in a handler is not for the same handler.
        let handles = |on_error: &OnError| !matches!(on_error, OnError::Fail);
        if side == Side::Body && places.get(&address).is_some_and(|place| handles(&place.step.on_error)) {
            return true;
        }
        at = places.up(&address);
    }
    false
}

/// Whether a fact is one that doing this gives.
fn answers(todo: &Todo<'_>, fact: &Fact) -> bool {
    let (kind, task) = (&todo.step.kind, &todo.task);
    let is_evaluated = *task == Task::Evaluate;
    match fact {
        Fact::StepSkipped { .. } => is_evaluated && todo.step.condition.is_some(),
        Fact::BranchTaken { branch, .. } => is_evaluated && is_offered(todo, branch),
        Fact::VarsSet { .. } => is_evaluated && matches!(kind, StepKind::Set(_)),
        Fact::LoopBegan { .. } => is_evaluated && matches!(kind, StepKind::Foreach { .. }),
        Fact::WaitBegan { .. } => is_evaluated && matches!(kind, StepKind::Wait(_)),
        Fact::StepEvaluated { .. } => match task {
            Task::Evaluate => matches!(kind, StepKind::Script(_)),
            Task::Conclude { .. } | Task::EndRound { .. } | Task::Wake => true,
            Task::Call { .. } | Task::GiveUp { .. } | Task::EndIteration { .. } => false,
        },
        Fact::IterationEnded { index, .. } => matches!(task, Task::EndIteration { index: asked, .. } if asked == index),
        Fact::RoundEnded { round, .. } => matches!(task, Task::EndRound { round: asked, .. } if asked == round),
        Fact::CallStarted { attempt, .. } => matches!(task, Task::Call { attempt: asked } if asked == attempt),
        Fact::CallSucceeded { attempt, .. } | Fact::CallRetried { attempt, .. } => {
            matches!(task, Task::Call { attempt: asked } | Task::GiveUp { attempt: asked } if asked == attempt)
        }
        Fact::StepFailed { .. } => match task {
            Task::Evaluate | Task::Call { .. } | Task::GiveUp { .. } | Task::EndRound { .. } => true,
            Task::Conclude { .. } | Task::EndIteration { .. } | Task::Wake => false,
        },
        // What ends a run is not taken over.
        Fact::RunStopped { .. }
        | Fact::ConditionFailed { .. }
        | Fact::RunTimedOut { .. }
        | Fact::CancelRequested
        | Fact::RunFinished { .. } => false,
    }
}

/// Whether a step has this branch. For every step but `if` and `switch` it says that its own `if` was true.
fn is_offered(todo: &Todo<'_>, branch: &Branch) -> bool {
    match &todo.step.kind {
        StepKind::If { .. } => *branch == Branch::THEN || *branch == Branch::ELSE,
        StepKind::Switch { cases, .. } => *branch == Branch::DEFAULT || cases.iter().any(|case| case.branch == *branch),
        StepKind::Call(_) | StepKind::Repeat { .. } | StepKind::Parallel { .. } => *branch == Branch::THEN && todo.step.condition.is_some(),
        StepKind::Script(_) | StepKind::Set(_) | StepKind::Foreach { .. } | StepKind::Wait(_) | StepKind::Fail(_) | StepKind::Stop(_) => {
            false
        }
    }
}
