//! What a workflow says of others: which it starts and waits for, which events it emits and hears.
//! Whether there are such can only be said once all files are read.

use std::sync::Arc;

use super::code::blocks;
use crate::workflow::file::{At, KindFile, StepFile, TriggerFile, WaitFile, WorkflowFile};

/// One mention.
#[derive(Debug, Clone, PartialEq)]
pub struct Mention {
    /// The name of a workflow, or the type of an event; and where it stands.
    pub name: At<Arc<str>>,
    /// What about it.
    pub about: About,
}

/// What a workflow says about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A `run` step, and whether every run comes to it.
    Starts {
        /// No condition stands before it.
        always: bool,
    },
    /// A `run` trigger.
    Follows,
    /// An `emit` step, and whether every run comes to it.
    Emits {
        /// No condition stands before it.
        always: bool,
    },
    /// A `wait` for an event.
    Awaits,
    /// An `event` trigger, and whether it takes every event.
    Hears {
        /// It has no `if`.
        always: bool,
    },
}

/// Everything that a workflow says of others.
#[must_use]
pub fn mentions(file: &WorkflowFile) -> Vec<Mention> {
    let mut found = Vec::new();
    for trigger in &file.triggers {
        match trigger {
            TriggerFile::Event(event) => {
                let always = event.condition.is_none() && file.condition.is_none();
                found.push(Mention { name: event.kind.clone(), about: About::Hears { always } });
            }
            TriggerFile::Run(run) => found.push(Mention { name: run.workflow.clone(), about: About::Follows }),
            TriggerFile::Webhook(_) | TriggerFile::Form(_) | TriggerFile::Schedule(_) | TriggerFile::Manual(_) => {}
        }
    }
    let mut always = file.condition.is_none();
    block(&file.steps, &mut always, &mut found);
    for steps in [&file.on_error, &file.on_cancel, &file.finally] {
        block(steps, &mut false, &mut found);
    }
    found
}

fn block(steps: &[StepFile], always: &mut bool, found: &mut Vec<Mention>) {
    for step in steps {
        let is_sure = *always && step.condition.is_none();
        match &step.kind {
            KindFile::Run(child) => found.push(Mention { name: child.workflow.clone(), about: About::Starts { always: is_sure } }),
            KindFile::Emit(emit) => found.push(Mention { name: emit.kind.clone(), about: About::Emits { always: is_sure } }),
            KindFile::Wait(WaitFile::Event { kind, .. }) => {
                found.push(Mention { name: kind.clone(), about: About::Awaits });
                *always = false;
            }
            // Behind these a run may have ended.
            KindFile::Stop(_) | KindFile::Fail(_) | KindFile::Approve(_) => *always = false,
            KindFile::Call(_)
            | KindFile::Script(_)
            | KindFile::Set(_)
            | KindFile::If { .. }
            | KindFile::Switch { .. }
            | KindFile::Foreach { .. }
            | KindFile::Repeat { .. }
            | KindFile::Parallel { .. }
            | KindFile::Wait(_)
            | KindFile::Respond(_) => {}
        }
        for inner in blocks(step) {
            let mut inside = false;
            block(inner, &mut inside, found);
            *always &= !may_end(inner);
        }
    }
}

fn may_end(steps: &[StepFile]) -> bool {
    steps.iter().any(|step| matches!(step.kind, KindFile::Stop(_) | KindFile::Fail(_)) || blocks(step).into_iter().any(may_end))
}
