//! One run of a case: the executor's loop, a turn at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use super::mock::Answer;
use super::stage::Stage;
use super::trace::{Deed, MadeCall};
use crate::domain::admission::{Lane, NewRun};
use crate::domain::event::Event;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Entry, Fact, Outcome};
use crate::domain::next::{Next, Task, Todo, deadline, next};
use crate::domain::run::{Phase, Run, Stamped, StepState, approval_topic};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Call, Step, StepKind};
use crate::script::Scope;
use crate::workflow::catalog::Loaded;
use crate::workflow::evaluate::{self, Evaluated, Shell};

/// A call whose answer has not been taken in.
pub(super) struct InFlight<'w> {
    step: &'w Step,
    call: &'w Call,
    address: Address,
    attempt: u32,
    answer: Answer,
}

/// One run.
pub(super) struct Hand<'d> {
    pub(super) loaded: &'d Loaded,
    pub(super) run: Run,
    pub(super) scope: Scope,
    /// The run that it is a part of.
    pub(super) parent: Option<RunId>,
    /// How many events led to its own.
    pub(super) depth: u8,
    /// The lanes that it and the runs around it hold.
    pub(super) held: Vec<Lane>,
    /// When there is more to do.
    pub(super) wake: Option<Timestamp>,
    /// How it ended.
    pub(super) outcome: Option<Outcome>,
    pub(super) awaiting: Vec<Todo<'d>>,
    in_flight: VecDeque<InFlight<'d>>,
    is_canceled: bool,
}

impl<'d> Hand<'d> {
    /// A run with the facts that it begins with.
    pub(super) fn new(loaded: &'d Loaded, new: NewRun, events: &[Arc<Event>], now: Timestamp) -> Result<Self, String> {
        let run = Run::replay(new.id, now, new.facts).map_err(|error| format!("{error}; please report this"))?;
        let scope = evaluate::scope_of(loaded, &run, events);
        let depth = events.first().map_or(0, |event| event.head.depth);
        Ok(Self {
            loaded,
            run,
            scope,
            parent: new.parent,
            depth,
            held: new.lane.into_iter().collect(),
            wake: None,
            outcome: None,
            awaiting: Vec::new(),
            in_flight: VecDeque::new(),
            is_canceled: false,
        })
    }

    /// Somebody wants it to end. Whether that is news to it.
    pub(super) fn cancel(&mut self) -> bool {
        !std::mem::replace(&mut self.is_canceled, true)
    }

    /// Goes on as far as one look at the run says. Whether anything happened.
    pub(super) fn turn(&mut self, stage: &mut Stage<'d, '_, '_>, begun: &mut Vec<Self>) -> Result<bool, String> {
        if self.outcome.is_some() {
            return Ok(false);
        }
        self.interrupt(stage.now)?;
        let loaded: &'d Loaded = self.loaded;
        let (todos, waits) = match next(&loaded.workflow, &self.run, stage.now) {
            Next::Perform { todos, waits } => (todos, waits),
            Next::Wait(waits) => {
                self.in_flight.clear();
                let heard = self.listen(&waits.listens, stage)?;
                (self.wake, self.awaiting) = (waits.wake, waits.listens);
                return Ok(heard);
            }
            Next::Finish(outcome) => {
                if self.parent.is_some() {
                    stage.tell_ended(self.run.id, &loaded.workflow.name, &outcome);
                }
                self.outcome = Some(outcome);
                return Ok(true);
            }
        };
        if self.evaluate_all(&todos, stage, begun)? {
            return Ok(true);
        }
        for todo in &todos {
            if !self.is_in_flight(todo) {
                let call = self.call(todo, stage)?;
                self.in_flight.extend(call);
            }
        }
        if self.listen(&waits.listens, stage)? {
            return Ok(true);
        }
        // Calls beside each other are all made before the first answer is taken in.
        if let Some(call) = self.in_flight.pop_front() {
            let is_awaited = todos.iter().any(|todo| todo.address == call.address);
            self.take(call, is_awaited, stage)?;
        }
        Ok(true)
    }

    fn is_in_flight(&self, todo: &Todo<'_>) -> bool {
        self.in_flight.iter().any(|call| call.address == todo.address)
    }

    /// Lets what came from outside the steps in: a cancel, or the end of the workflow's time.
    fn interrupt(&mut self, now: Timestamp) -> Result<(), String> {
        if self.is_canceled && !matches!(self.run.phase, Phase::Canceling { .. } | Phase::Skipped | Phase::Finished(_)) {
            self.record(now, Fact::CancelRequested)?;
        }
        let workflow = &self.loaded.workflow;
        let Some(timeout) = workflow.timeout else { return Ok(()) };
        if deadline(workflow, &self.run).is_none_or(|due| now < due) {
            return Ok(());
        }
        let message = format!("the run took longer than the workflow's timeout of {timeout:?}");
        self.record(now, Fact::RunTimedOut { error: Failure::new(FailureKind::RunTimeout, message) })
    }

    /// Does everything that touches nothing outside. Whether there was any.
    fn evaluate_all(&mut self, todos: &[Todo<'d>], stage: &mut Stage<'d, '_, '_>, begun: &mut Vec<Self>) -> Result<bool, String> {
        let mut any = false;
        for todo in todos {
            if matches!(todo.task, Task::Call { .. }) || self.is_in_flight(todo) {
                continue;
            }
            let phase = std::mem::discriminant(&self.run.phase);
            self.evaluate(todo, stage, begun)?;
            any = true;
            if std::mem::discriminant(&self.run.phase) != phase {
                // The others may not matter any more.
                break;
            }
        }
        Ok(any)
    }

    fn evaluate(&mut self, todo: &Todo<'_>, stage: &mut Stage<'d, '_, '_>, begun: &mut Vec<Self>) -> Result<(), String> {
        let shell = shell(stage);
        let fact = match evaluate::evaluate(self.loaded, todo, &mut self.scope, &self.run, stage.now, &shell) {
            Evaluated::Fact(fact) => fact,
            Evaluated::Emit(body) => self.emit(todo, &body, stage),
            Evaluated::Start(body) => self.start(todo, body, stage, begun)?,
        };
        let at = if todo.task.is_timed() { stage.now } else { todo.moment };
        self.tell(todo, &fact, stage)?;
        self.keep(todo, at, fact, stage)
    }

    /// Writes down what is said to people and callers.
    fn tell(&self, todo: &Todo<'_>, fact: &Fact, stage: &mut Stage<'_, '_, '_>) -> Result<(), String> {
        let (step, workflow) = (todo.address.clone(), &self.loaded.workflow.name);
        match fact {
            Fact::ApprovalAsked { to, message, .. } => {
                stage.act(workflow, Deed::Ask { step, to: to.clone(), message: message.clone() });
                // The question is the fact that is recorded next.
                let topic = approval_topic(self.run.id, self.run.len);
                stage.ask(topic, todo.step, &todo.address, to)?;
            }
            Fact::EventAwaited { topic, .. } => stage.act(workflow, Deed::Await { step, kind: Arc::clone(topic) }),
            Fact::Responded { response, .. } => stage.act(workflow, Deed::Respond { step, response: Arc::clone(response) }),
            _ => {}
        }
        Ok(())
    }

    /// Takes a fact in, and lets later expressions see what the step gave.
    pub(super) fn keep(&mut self, todo: &Todo<'_>, at: Timestamp, fact: Fact, stage: &mut Stage<'_, '_, '_>) -> Result<(), String> {
        if self.parent.is_none() {
            stage.trace.note(todo.step, &fact);
        }
        let sets = matches!(fact, Fact::VarsSet { .. });
        self.record(at, fact)?;
        if let (Some(id), Some(Stamped { state: StepState::Done { output }, .. })) = (&todo.step.id, self.run.steps.get(&todo.address)) {
            self.scope.set_step(id, output);
        }
        if sets {
            self.scope.set_vars(&self.run.vars);
        }
        Ok(())
    }

    /// Makes a call: nothing comes back when its input cannot be rendered, which is a fact of its own.
    fn call(&mut self, todo: &Todo<'d>, stage: &mut Stage<'d, '_, '_>) -> Result<Option<InFlight<'d>>, String> {
        let (StepKind::Call(call), &Task::Call { attempt }) = (&todo.step.kind, &todo.task) else { return Ok(None) };
        let made = match self.render(todo, call, stage) {
            Ok(made) => made,
            Err(mut error) => {
                stage.secrets.mask_text(&mut error.message);
                let fact = Fact::StepFailed { step: todo.address.clone(), attempts: attempt.saturating_sub(1), error };
                self.keep(todo, todo.moment, fact, stage)?;
                return Ok(None);
            }
        };
        if self.parent.is_none() {
            stage.trace.reached.insert(todo.step.address.clone());
        }
        let answer = stage.mocks.answer(&made);
        stage.act(&self.loaded.workflow.name, Deed::Call(made));
        let answer = answer?;
        if call.at_most_once {
            self.record(stage.now, Fact::CallStarted { step: todo.address.clone(), attempt })?;
        }
        Ok(Some(InFlight { step: todo.step, call, address: todo.address.clone(), attempt, answer }))
    }

    fn render(&mut self, todo: &Todo<'_>, call: &Call, stage: &Stage<'d, '_, '_>) -> Result<MadeCall, Failure> {
        evaluate::set_context(self.loaded, todo, &mut self.scope, &self.run, &shell(stage));
        self.scope.set_secrets(Some(&stage.secret_values));
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

    /// Takes the answer of a call in. The run may have gone past the step meanwhile.
    fn take(&mut self, ended: InFlight<'_>, is_awaited: bool, stage: &mut Stage<'_, '_, '_>) -> Result<(), String> {
        let InFlight { step, call, address, attempt, answer } = ended;
        let (fact, output) = match answer {
            Ok(mut output) => {
                stage.secrets.mask_value(&mut output);
                let output = Arc::new(output);
                let undo = !call.undo.is_empty();
                (Fact::CallSucceeded { step: address.clone(), attempt, output: Arc::clone(&output), undo }, Some(output))
            }
            Err(mut error) => {
                stage.secrets.mask_text(&mut error.message);
                error.detail.iter_mut().for_each(|detail| stage.secrets.mask_value(detail));
                let due = call.retry.due(&error, self.run.id, &address, attempt, stage.now);
                let step = address.clone();
                let fact = match due {
                    Some(due) => Fact::CallRetried { step, attempt, error, due },
                    None => Fact::StepFailed { step, attempts: attempt, error },
                };
                (fact, None)
            }
        };
        match self.record(stage.now, fact.clone()) {
            // The answer of a call that no step waits for any more.
            Err(_) if !is_awaited => return Ok(()),
            result => result?,
        }
        if self.parent.is_none() {
            stage.trace.note(step, &fact);
        }
        // An iteration that is over is not seen from outside.
        if let (Some(id), Some(output)) = (&step.id, output)
            && (is_awaited || address == step.address)
        {
            self.scope.set_step(id, &output);
        }
        Ok(())
    }

    pub(super) fn record(&mut self, at: Timestamp, fact: Fact) -> Result<(), String> {
        self.run.apply(Entry { at, fact: fact.within_depth() }).map_err(|error| format!("{error}; please report this"))
    }
}

pub(super) fn shell<'d>(stage: &Stage<'d, '_, '_>) -> Shell<'d> {
    Shell { secrets: stage.secrets, link: &|run, step| format!("https://hence.test/approve/{run}/{step}") }
}
