//! Offers the facts of an earlier run to the walk over a workflow.

use std::collections::BTreeSet;

use super::Refused;
use super::places::{Places, Side, is_within, iterations};
use crate::domain::failure::Failure;
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Branch, Entry, Fact};
use crate::domain::next::{Task, Todo, ahead};
use crate::domain::run::{Run, StepState};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{OnError, StepKind, Wait, Workflow};

/// What became of the facts that were offered.
pub(super) struct Offered<'w, 'p> {
    workflow: &'w Workflow,
    places: &'p Places<'w>,
    entries: &'p [Entry],
    /// The step that is not done.
    from: &'p Address,
    /// What it stands in, innermost first.
    around: Vec<(Address, Side)>,
    /// The positions of the facts that the walk asked for.
    pub(super) kept: BTreeSet<usize>,
    /// The state they lead to.
    pub(super) run: Run,
    /// What the walk asks for after them.
    pub(super) asked: Vec<Todo<'w>>,
}

impl<'w, 'p> Offered<'w, 'p> {
    /// Offers all facts but those of the step `from`, and failures that would lead the walk away from it.
    pub(super) fn to(workflow: &'w Workflow, places: &'p Places<'w>, run: RunId, entries: &'p [Entry], from: &'p Address) -> Self {
        let run = Run::new(run, Timestamp::default());
        let (around, asked) = (places.path(from), ahead(workflow, &run));
        let mut this = Self { workflow, places, entries, from, around, kept: BTreeSet::new(), run, asked };
        for (position, entry) in entries.iter().enumerate() {
            match (&entry.fact, entry.fact.step()) {
                (_, None) => {}
                (_, Some(step)) if is_within(step, from) => {}
                (Fact::StepRetried { .. }, Some(step)) if this.is_around(step) => this.begin_anew(step),
                (_, Some(step)) => this.offer(position, entry, step),
            }
        }
        this
    }

    fn offer(&mut self, position: usize, entry: &Entry, step: &Address) {
        let is_asked = self.asked.iter().any(|todo| answers(todo, step, &entry.fact));
        let leads_away = || matches!(&entry.fact, Fact::StepFailed { error, .. } if !self.goes_on(entry, step, error));
        if is_asked && !leads_away() && self.run.apply(entry.clone()).is_ok() {
            self.kept.insert(position);
            self.asked = ahead(self.workflow, &self.run);
        }
    }

    /// What the step stands in was done anew: what its last try did is what counts.
    fn begin_anew(&mut self, outer: &Address) {
        let is_choice = matches!(self.places.get(outer).map(|place| &place.step.kind), Some(StepKind::If { .. } | StepKind::Switch { .. }));
        let is_of_before = |position: &usize| match self.entries.get(*position).map(|entry| &entry.fact) {
            // That its own `if` was true is not asked again.
            Some(Fact::BranchTaken { step, .. }) if step == outer => is_choice,
            Some(fact) => fact.step().is_some_and(|step| is_within(step, outer)),
            None => false,
        };
        self.kept.retain(|position| !is_of_before(position));
        let mut run = Run::new(self.run.id, Timestamp::default());
        for entry in self.kept.iter().filter_map(|position| self.entries.get(*position)) {
            if run.apply(entry.clone()).is_err() {
                return;
            }
        }
        self.asked = ahead(self.workflow, &run);
        self.run = run;
    }

    fn is_around(&self, step: &Address) -> bool {
        self.around.iter().any(|(outer, side)| outer == step && *side != Side::Handler)
    }

    /// Whether a failure is taken care of before it reaches what is around the step that is done anew.
    fn goes_on(&self, entry: &Entry, failed: &Address, error: &Failure) -> bool {
        let (mut at, mut may_retry) = (Some((failed.clone(), Side::Body)), false);
        while let Some((address, side)) = at {
            if self.is_around(&address) {
                break;
            }
            // A failure in a handler is not for the same handler.
            if let Some(place) = self.places.get(&address).filter(|_| side != Side::Handler) {
                let refusal = address == *failed && error.is_refusal() && place.step.kind.otherwise().is_some();
                if refusal || !matches!(place.step.on_error, OnError::Fail) {
                    return true;
                }
                may_retry |= place.step.retry.is_some();
            }
            at = self.places.up(&address);
        }
        may_retry && self.is_retried(entry, failed)
    }

    fn is_retried(&self, entry: &Entry, failed: &Address) -> bool {
        let mut run = self.run.clone();
        let is_it =
            |todo: &Todo<'_>| matches!(todo.task, Task::Retry { .. }) && is_within(failed, &todo.address) && !self.is_around(&todo.address);
        run.apply(entry.clone()).is_ok() && ahead(self.workflow, &run).iter().any(is_it)
    }

    /// Whether the walk asks for the step, or for one inside it.
    pub(super) fn asks_for_it(&self) -> bool {
        self.asked.iter().any(|todo| is_within(&todo.address, self.from))
    }

    /// Why it does not.
    pub(super) fn why_not(&self) -> Refused {
        let step = self.from.clone();
        for (outer, side) in self.around.iter().rev() {
            match self.has_passed(outer, *side) {
                Some(Passed::All) => return Refused::NotReached { by: outer.clone(), step },
                // What its steps left is forgotten: it was one of them.
                Some(Passed::Iteration) => {
                    let by = self.around.first().map_or_else(|| step.clone(), |(by, _)| by.clone());
                    return Refused::NotReached { by, step };
                }
                None => {}
            }
        }
        let shared = |todo: &&Todo<'_>| todo.address.as_str().bytes().zip(step.as_str().bytes()).take_while(|(a, b)| a == b).count();
        let order = |address: &Address| self.places.get(address).map(|place| place.order);
        // Of several, the one that shares most of its address: others are done side by side with the step.
        let todo = self.asked.iter().rev().max_by_key(shared).filter(|todo| order(&todo.address) <= order(&step));
        match (todo, self.around.first()) {
            // What it stands in has to be ended: another branch decided.
            (Some(todo), _) if matches!(todo.task, Task::Conclude { .. }) && is_within(&step, &todo.address) => {
                Refused::NotReached { by: todo.address.clone(), step }
            }
            (Some(todo), _) => Refused::Unfinished { before: todo.address.clone(), step },
            (None, Some((by, _))) => Refused::NotReached { by: by.clone(), step },
            (None, None) => Refused::NotReached { by: step.clone(), step },
        }
    }

    /// Whether `outer`, which the step stands in, is past the place of the step.
    fn has_passed(&self, outer: &Address, side: Side) -> Option<Passed> {
        let stamped = self.run.steps.get(outer)?;
        let index = iterations(self.from).get(iterations(outer).len()).copied();
        match (&stamped.state, side) {
            (StepState::Failed { .. }, Side::Handler) => None,
            (StepState::Skipped | StepState::Done { .. } | StepState::Failed { .. }, _) => Some(Passed::All),
            (StepState::Took(branch), Side::Body) => {
                let kind = self.places.get(outer).map(|place| &place.step.kind);
                let is_choice = matches!(kind, Some(StepKind::If { .. } | StepKind::Switch { .. }));
                let taken = Address::new(format!("{outer}/{}", branch.as_str()));
                (is_choice && !self.from.is_inside(&taken)).then_some(Passed::All)
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
                | StepState::Awaiting(_)
                | StepState::Started { .. }
                | StepState::Retrying { .. },
                Side::Body | Side::Handler | Side::Notify | Side::Undo,
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

/// Whether a fact of this step is one that doing this gives.
fn answers(todo: &Todo<'_>, step: &Address, fact: &Fact) -> bool {
    let (kind, task) = (&todo.step.kind, &todo.task);
    let evaluates = |is_it: bool| is_it && *task == Task::Evaluate;
    let is_it = match fact {
        // A block fails as a whole when it takes too long, whatever in it was to be done.
        Fact::StepFailed { .. } => return is_within(&todo.address, step),
        Fact::StepSkipped { .. } => evaluates(todo.step.condition.is_some()),
        Fact::BranchTaken { branch, .. } => evaluates(is_offered(todo, branch)),
        Fact::VarsSet { .. } => evaluates(matches!(kind, StepKind::Set(_))),
        Fact::LoopBegan { .. } => evaluates(matches!(kind, StepKind::Foreach { .. })),
        Fact::WaitBegan { .. } => evaluates(matches!(kind, StepKind::Wait(Wait::For(_) | Wait::Until(_)))),
        Fact::EventAwaited { .. } => evaluates(matches!(kind, StepKind::Wait(Wait::Event(_)))),
        Fact::ApprovalAsked { .. } => evaluates(matches!(kind, StepKind::Approve(_))),
        Fact::ChildStarted { .. } => evaluates(matches!(kind, StepKind::Run(_))),
        Fact::EventEmitted { .. } => evaluates(matches!(kind, StepKind::Emit(_))),
        Fact::Responded { .. } => evaluates(matches!(kind, StepKind::Respond(_))),
        Fact::EventTaken { .. } => matches!(task, Task::Listen(_)),
        Fact::StepEvaluated { .. } => match task {
            Task::Evaluate => matches!(kind, StepKind::Script(_)),
            Task::Conclude { .. } | Task::EndRound { .. } | Task::Wake => true,
            Task::Call { .. }
            | Task::GiveUp { .. }
            | Task::EndIteration { .. }
            | Task::Listen(_)
            | Task::Expire
            | Task::TimeOut { .. }
            | Task::Retry { .. } => false,
        },
        Fact::IterationEnded { index, .. } => matches!(task, Task::EndIteration { index: asked, .. } if asked == index),
        Fact::RoundEnded { round, .. } => matches!(task, Task::EndRound { round: asked, .. } if asked == round),
        Fact::StepRetried { attempt, .. } => matches!(task, Task::Retry { attempt: asked, .. } if asked == attempt),
        Fact::CallStarted { attempt, .. } => matches!(task, Task::Call { attempt: asked } if asked == attempt),
        Fact::CallSucceeded { attempt, .. } | Fact::CallRetried { attempt, .. } => {
            matches!(task, Task::Call { attempt: asked } | Task::GiveUp { attempt: asked } if asked == attempt)
        }
        // What begins or ends a run is not taken over.
        Fact::RunStopped { .. }
        | Fact::ConditionFailed { .. }
        | Fact::GatheringEnded { .. }
        | Fact::RunBegan
        | Fact::RunSkipped { .. }
        | Fact::RunTimedOut { .. }
        | Fact::CancelRequested
        | Fact::RunFinished { .. } => false,
    };
    is_it && todo.address == *step
}

/// Whether a step has this branch. For every step but `if` and `switch` it says that its own `if` was true.
fn is_offered(todo: &Todo<'_>, branch: &Branch) -> bool {
    match &todo.step.kind {
        StepKind::If { .. } => *branch == Branch::THEN || *branch == Branch::ELSE,
        StepKind::Switch { cases, .. } => *branch == Branch::DEFAULT || cases.iter().any(|case| case.branch == *branch),
        StepKind::Call(_) | StepKind::Repeat { .. } | StepKind::Parallel { .. } => *branch == Branch::THEN && todo.step.condition.is_some(),
        StepKind::Script(_)
        | StepKind::Set(_)
        | StepKind::Foreach { .. }
        | StepKind::Wait(_)
        | StepKind::Approve(_)
        | StepKind::Run(_)
        | StepKind::Emit(_)
        | StepKind::Respond(_)
        | StepKind::Fail(_)
        | StepKind::Stop(_) => false,
    }
}
