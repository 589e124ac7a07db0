//! The walk: step after step, and what each one's state means for it.

use std::sync::Arc;

use super::{Iteration, SeenError, Task, Todo};
use crate::domain::Value;
use crate::domain::journal::Address;
use crate::domain::run::{Awaiting, Run, Stamped, StepState};
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
    pub(super) listens: Vec<Todo<'w>>,
    pub(super) wake: Option<Timestamp>,
    /// The time of the last fact on the path to where the walk is.
    pub(super) moment: Timestamp,
    pub(super) loops: Vec<Iteration<'w>>,
    pub(super) error: Option<Box<SeenError>>,
    approval: Option<Address>,
    /// The call that is being taken back.
    pub(super) undone: Option<(&'w Step, Arc<Value>)>,
    /// The moment at which the step before the current one became ready.
    pub(super) before: Timestamp,
    /// The step whose handler was found to have something to do.
    handling: Option<Address>,
    /// No step takes too long, and what is waited for may come at any time.
    timeless: bool,
}

/// Where a walk stood before steps that go side by side.
pub(super) struct Mark {
    todos: usize,
    listens: usize,
    wake: Option<Timestamp>,
}

impl<'w, 'r> Walk<'w, 'r> {
    pub(super) fn new(run: &'r Run, now: Timestamp, moment: Timestamp) -> Self {
        Self {
            run,
            now,
            todos: Vec::new(),
            listens: Vec::new(),
            wake: None,
            moment,
            loops: Vec::new(),
            error: None,
            approval: None,
            undone: None,
            before: moment,
            handling: None,
            timeless: false,
        }
    }

    /// A walk over a run that is over: everything that was due has come, and nothing is late.
    pub(super) fn timeless(run: &'r Run) -> Self {
        Self { timeless: true, ..Self::new(run, Timestamp(i64::MAX), run.started) }
    }

    /// Steps of a block are done in order; the first that is not settled stops the walk.
    pub(super) fn block(&mut self, steps: &'w [Step]) -> Flow {
        let mut last = Arc::default();
        for step in steps {
            let ready = self.moment;
            match self.timed(step) {
                Some(Flow::Through(output)) => last = output,
                None => {}
                Some(stop) => return stop,
            }
            self.before = ready;
        }
        Flow::Through(last)
    }

    /// A step within its `timeout`: what is inside it does not matter any more once that has passed.
    fn timed(&mut self, step: &'w Step) -> Option<Flow> {
        let address = self.address(step);
        let Some(timeout) = step.timeout.filter(|_| !self.timeless) else { return self.step(step, address) };
        let (ready, mark) = (self.moment, self.mark());
        let flow = self.step(step, address.clone())?;
        // Its handlers have all the time they need.
        let is_over = matches!(self.run.steps.get(&address), Some(Stamped { state: StepState::Failed { .. }, .. }))
            || self.handling.as_ref() == Some(&address);
        if !matches!(flow, Flow::Blocked) || is_over {
            return Some(flow);
        }
        // Each try has the whole of it.
        let anew = self.run.steps.get(&address).and_then(|stamped| stamped.anew);
        let begun = anew.map_or(ready, |anew| ready.max(anew));
        let due = begun.after(timeout);
        // What was through in time only has to be recorded.
        let is_through = matches!(self.todos.last(), Some(Todo { task: Task::Conclude { .. }, address: last, moment, .. })
            if *last == address && *moment <= due);
        if is_through {
            return Some(flow);
        }
        if due <= self.now {
            self.abandon(&mark);
            return Some(self.todo(step, address, Task::TimeOut { timeout }));
        }
        Some(self.wait(due))
    }

    /// Nothing for a step that was skipped: the output before it stays the last.
    fn step(&mut self, step: &'w Step, address: Address) -> Option<Flow> {
        let run = self.run;
        let Some(stamped) = run.steps.get(&address) else {
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
            StepState::Retrying { due, .. } if self.now < *due => self.wait(*due),
            StepState::Retrying { attempts, .. } if matches!(step.kind, StepKind::Call(_)) => {
                self.todo(step, address, Task::Call { attempt: attempts.saturating_add(1) })
            }
            StepState::Retrying { due, .. } => {
                self.pass(at.max(*due));
                self.begin(step, address)
            }
            StepState::Looping(looping) => self.foreach(step, address, looping),
            StepState::Repeating { round, due } if *due <= self.now => {
                // A round begins when it is due, not when the one before it ended.
                self.pass(at.max(*due));
                self.round(step, address, *round)
            }
            StepState::Repeating { due, .. } => self.wait(*due),
            StepState::Waiting { until } if *until <= self.now => self.todo(step, address, Task::Wake),
            StepState::Waiting { until } => self.wait(*until),
            StepState::Awaiting(awaiting) => {
                self.pass(at);
                self.listen_for(step, address, awaiting)
            }
            StepState::Failed { error } => {
                self.pass(at);
                let seen = SeenError { step: Some(address.clone()), failure: error.clone() };
                self.handle(step, address, Box::new(seen))
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
            | StepKind::Approve(_)
            | StepKind::Run(_)
            | StepKind::Emit(_)
            | StepKind::Respond(_)
            | StepKind::Fail(_)
            | StepKind::Stop(_) => self.todo(step, address, Task::Evaluate),
        }
    }

    /// A step that waits for an event, and meanwhile tells the person who is asked.
    fn listen_for(&mut self, step: &'w Step, address: Address, awaiting: &Awaiting) -> Flow {
        let is_over = awaiting.until.is_some_and(|until| until <= self.now) && !self.timeless;
        if let StepKind::Approve(approve) = &step.kind {
            let mark = self.mark();
            let outer = self.approval.replace(address.clone());
            let flow = self.block(&approve.notify);
            self.approval = outer;
            // A question that reached nobody is over, for good: what follows does not change when its time passes.
            if let Flow::Failed(seen) = flow {
                return self.handle(step, address, seen);
            }
            if is_over {
                self.abandon(&mark);
            }
        }
        if is_over {
            return self.todo(step, address, Task::Expire);
        }
        let listen = Todo { task: Task::Listen(awaiting.clone()), ..self.make(step, address, Task::Wake) };
        self.listens.push(listen);
        match awaiting.until {
            Some(until) => self.wait(until),
            None => Flow::Blocked,
        }
    }

    /// Adds something to do; the block goes on once it is done.
    pub(super) fn todo(&mut self, step: &'w Step, address: Address, task: Task) -> Flow {
        let todo = self.make(step, address, task);
        self.todos.push(todo);
        Flow::Blocked
    }

    fn make(&self, step: &'w Step, address: Address, task: Task) -> Todo<'w> {
        let (loops, error, approval, undone) = (self.loops.clone(), self.error.clone(), self.approval.clone(), self.undone.clone());
        Todo { step, address, task, moment: self.moment, since: self.before, loops, error, approval, undone }
    }

    fn wait(&mut self, due: Timestamp) -> Flow {
        self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
        Flow::Blocked
    }

    /// Where the walk stands before steps that go side by side.
    pub(super) fn mark(&self) -> Mark {
        Mark { todos: self.todos.len(), listens: self.listens.len(), wake: self.wake }
    }

    /// What was found since then does not matter any more.
    pub(super) fn abandon(&mut self, mark: &Mark) {
        self.todos.truncate(mark.todos);
        self.listens.truncate(mark.listens);
        self.wake = mark.wake;
    }

    /// The walk has passed a fact of this time.
    pub(super) fn pass(&mut self, at: Timestamp) {
        self.moment = self.moment.max(at);
    }

    /// What follows when a step, or one inside it, failed for good.
    pub(super) fn handle(&mut self, step: &'w Step, address: Address, seen: Box<SeenError>) -> Flow {
        if let Some(retry) = &step.retry {
            let attempt = self.run.steps.get(&address).map_or(0, |stamped| stamped.tries).saturating_add(1);
            if attempt < retry.attempts && seen.failure.may_be_retried() {
                return self.todo(step, address, Task::Retry { attempt, error: seen.failure });
            }
        }
        let own = seen.step.as_ref() == Some(&address);
        let otherwise = step.kind.otherwise().filter(|_| own && seen.failure.is_refusal());
        let steps = match (otherwise, &step.on_error) {
            (Some(otherwise), _) => otherwise,
            (None, OnError::Fail) => return Flow::Failed(seen),
            (None, OnError::Continue) => return Flow::Through(Arc::default()),
            (None, OnError::Steps(steps)) => steps,
        };
        let outer = self.error.replace(seen);
        let flow = self.block(steps);
        self.error = outer;
        if matches!(flow, Flow::Blocked) {
            self.handling = Some(address);
        }
        flow
    }

    /// A step's address, with the iterations the walk is in: the loop's part of it is replaced.
    fn address(&self, step: &Step) -> Address {
        let Some(inner) = self.loops.last() else { return step.address.clone() };
        let below = step.address.as_str().get(inner.step.address.as_str().len()..).unwrap_or_default();
        Address::new(format!("{}[{}]{below}", inner.address, inner.index))
    }
}
