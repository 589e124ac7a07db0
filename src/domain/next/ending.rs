//! What follows once the steps are over: calls are taken back, handlers run, and the run ends.

use std::sync::Arc;

use super::walk::{Flow, Walk};
use super::{Iteration, Next, SeenError, blocked};
use crate::domain::Value;
use crate::domain::journal::{Address, Outcome};
use crate::domain::run::{Run, Undo};
use crate::domain::time::Timestamp;
use crate::domain::workflow::{StepKind, Workflow};

/// How the steps came to their end, and when.
pub(super) enum Ending {
    Succeeded { output: Arc<Value>, at: Timestamp },
    Failed { seen: Box<SeenError>, at: Timestamp },
    Canceled { at: Timestamp },
}

/// What is left to do before the run ends so.
pub(super) fn next<'w>(workflow: &'w Workflow, run: &Run, now: Timestamp, ending: Ending) -> Next<'w> {
    let (mut outcome, at, error) = match ending {
        Ending::Succeeded { output, at } => (Outcome::Succeeded { output }, at, None),
        Ending::Canceled { at } => (Outcome::Canceled, at, None),
        Ending::Failed { seen, at } => (Outcome::Failed { step: seen.step.clone(), error: seen.failure.clone() }, at, Some(seen)),
    };
    let mut walk = Walk::new(run, now, at);
    walk.error = error;
    let handler = match &outcome {
        Outcome::Succeeded { .. } => &[],
        Outcome::Canceled => &*workflow.on_cancel,
        Outcome::Failed { .. } => {
            for undo in run.undos.iter().rev() {
                // One that fails itself is in the history; the others are taken back all the same.
                if matches!(walk.undo(workflow, undo), Flow::Blocked) {
                    return blocked(walk, None);
                }
            }
            &*workflow.on_error
        }
    };
    // A handler that fails itself does not hide what it was there for.
    if matches!(walk.block(handler), Flow::Blocked) {
        return blocked(walk, None);
    }
    match walk.block(&workflow.finally) {
        Flow::Blocked => return blocked(walk, None),
        Flow::Failed(seen) if matches!(outcome, Outcome::Succeeded { .. }) => {
            outcome = Outcome::Failed { step: seen.step, error: seen.failure };
        }
        Flow::Through(_) | Flow::Failed(_) => {}
    }
    Next::Finish(outcome)
}

impl<'w> Walk<'w, '_> {
    /// The steps that take a call back, in the iterations that the call was in.
    fn undo(&mut self, workflow: &'w Workflow, undo: &Undo) -> Flow {
        let Some(step) = workflow.step(&undo.step.outside_loops()) else { return Flow::Through(Arc::default()) };
        let StepKind::Call(call) = &step.kind else { return Flow::Through(Arc::default()) };
        let iteration = |(address, index, items): &(_, u32, Option<Arc<Value>>)| {
            let address: &Address = address;
            let step = workflow.step(&address.outside_loops())?;
            Some(Iteration { step, address: address.clone(), index: *index, items: items.clone() })
        };
        self.loops = undo.loops.iter().filter_map(iteration).collect();
        self.undone = Some((step, Arc::clone(&undo.output)));
        let flow = self.block(&call.undo);
        self.undone = None;
        self.loops.clear();
        flow
    }
}
