//! Steps that hold steps: branches, loops, parallel branches.

use std::sync::Arc;

use super::walk::{Flow, Walk};
use super::{Iteration, Task};
use crate::domain::journal::{Address, Branch};
use crate::domain::run::Looping;
use crate::domain::workflow::{Step, StepKind};
use crate::domain::{Map, Value};

impl<'w> Walk<'w, '_> {
    /// The branch that an `if` or `switch` took. For every other step it says that its own `if` was true.
    pub(super) fn branch(&mut self, step: &'w Step, address: Address, taken: &Branch) -> Flow {
        let steps = match &step.kind {
            StepKind::If { then, .. } if *taken == Branch::THEN => then,
            StepKind::If { otherwise, .. } => otherwise,
            StepKind::Switch { cases, default, .. } => cases.iter().find(|case| case.branch == *taken).map_or(default, |case| &case.steps),
            StepKind::Call(_)
            | StepKind::Script(_)
            | StepKind::Set(_)
            | StepKind::Foreach { .. }
            | StepKind::Repeat { .. }
            | StepKind::Parallel { .. }
            | StepKind::Wait(_)
            | StepKind::Approve(_)
            | StepKind::Run(_)
            | StepKind::Emit(_)
            | StepKind::Respond(_)
            | StepKind::Fail(_)
            | StepKind::Stop(_) => return self.begin(step, address),
        };
        let flow = self.block(steps);
        self.close(step, address, flow)
    }

    /// A step with an id has an output of its own; another one passes on what is inside it.
    fn close(&mut self, step: &'w Step, address: Address, flow: Flow) -> Flow {
        match flow {
            Flow::Through(output) if step.id.is_some() => self.todo(step, address, Task::Conclude { output }),
            Flow::Failed(seen) => self.handle(step, address, seen),
            flow @ (Flow::Through(_) | Flow::Blocked) => flow,
        }
    }

    /// Iterations in order, as many at once as `parallel` says. Ended ones are not walked again.
    pub(super) fn foreach(&mut self, step: &'w Step, address: Address, looping: &Looping) -> Flow {
        let StepKind::Foreach { steps, parallel, .. } = &step.kind else { return Flow::Blocked };
        let (mut open, begun) = (0, looping.began.max(self.moment));
        let (before, ready) = (self.mark(), self.before);
        for index in looping.first_open..looping.len() {
            if looping.is_ended(index) {
                continue;
            }
            // In a sequence an iteration begins when the one before it ended; beside others, with the loop.
            self.moment = if *parallel == 1 { looping.last_ended.max(begun) } else { begun };
            self.before = ready;
            self.loops.push(Iteration { step, address: address.clone(), index, items: Some(Arc::clone(&looping.items)) });
            let flow = self.block(steps);
            self.loops.pop();
            match flow {
                Flow::Through(output) => {
                    self.todo(step, address.clone(), Task::EndIteration { index, output });
                }
                Flow::Blocked => {}
                Flow::Failed(seen) => {
                    self.abandon(&before);
                    return self.handle(step, address, seen);
                }
            }
            open += 1;
            if *parallel <= open {
                return Flow::Blocked;
            }
        }
        if 0 < open {
            return Flow::Blocked;
        }
        self.moment = looping.last_ended.max(begun);
        let outputs = looping.outputs().map(|output| Value::clone(output)).collect();
        self.todo(step, address, Task::Conclude { output: Arc::new(Value::Array(outputs)) })
    }

    /// One round of a `repeat`.
    pub(super) fn round(&mut self, step: &'w Step, address: Address, round: u32) -> Flow {
        let StepKind::Repeat { steps, .. } = &step.kind else { return Flow::Blocked };
        self.loops.push(Iteration { step, address: address.clone(), index: round, items: None });
        let flow = self.block(steps);
        let flow = match flow {
            // Inside the iteration, so that `until` sees the round's steps.
            Flow::Through(output) => self.todo(step, address.clone(), Task::EndRound { round, output }),
            flow @ (Flow::Blocked | Flow::Failed(_)) => flow,
        };
        self.loops.pop();
        match flow {
            Flow::Failed(seen) => self.handle(step, address, seen),
            flow @ (Flow::Through(_) | Flow::Blocked) => flow,
        }
    }

    /// All branches side by side; with `any`, the first that is through decides.
    pub(super) fn parallel(&mut self, step: &'w Step, address: Address, branches: &'w [(Arc<str>, Vec<Step>)], any: bool) -> Flow {
        let (begun, mut ended) = (self.moment, self.moment);
        let (mut outputs, mut is_blocked, before, ready) = (Map::new(), false, self.mark(), self.before);
        for (name, steps) in branches {
            (self.moment, self.before) = (begun, ready);
            match self.block(steps) {
                Flow::Through(output) if any => {
                    // The others do not matter any more.
                    self.abandon(&before);
                    let output = Value::Object(Map::from_iter([(name.to_string(), (*output).clone())]));
                    return self.todo(step, address, Task::Conclude { output: Arc::new(output) });
                }
                Flow::Through(output) => drop(outputs.insert(name.to_string(), (*output).clone())),
                Flow::Blocked => is_blocked = true,
                Flow::Failed(seen) => {
                    self.abandon(&before);
                    return self.handle(step, address, seen);
                }
            }
            ended = ended.max(self.moment);
        }
        self.moment = ended;
        if is_blocked {
            return Flow::Blocked;
        }
        self.todo(step, address, Task::Conclude { output: Arc::new(Value::Object(outputs)) })
    }
}
