//! Which steps and branches the cases of a workflow reached.

use std::collections::BTreeSet;

use super::trace::{Ended, Trace};
use crate::domain::journal::Address;
use crate::domain::workflow::{OnError, Step, StepKind, Trigger, Workflow};

/// A step, or one way out of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The step's address; `if` for the workflow's own condition.
    pub step: String,
    /// `then`, `else`, `case x`, `default`, `skipped`, `on_error`, `not matched`; nothing for the step itself.
    pub branch: Option<String>,
}

impl Item {
    fn step(step: &Step) -> Self {
        Self { step: step.address.to_string(), branch: None }
    }

    fn branch(step: &Step, branch: impl Into<String>) -> Self {
        Self { step: step.address.to_string(), branch: Some(branch.into()) }
    }

    fn not_matched() -> Self {
        Self { step: "if".to_owned(), branch: Some("not matched".to_owned()) }
    }
}

/// What was reached so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Coverage {
    reached: BTreeSet<Item>,
}

impl Coverage {
    /// Adds what a run reached.
    pub(super) fn add(&mut self, workflow: &Workflow, trace: &Trace) {
        if trace.ended == Some(Ended::NotMatched) {
            self.reached.insert(Item::not_matched());
        }
        workflow.for_each_step(|step| {
            let address = &step.address;
            if trace.reached.iter().any(|reached| reached == address || is_inside(address, reached)) {
                self.reached.insert(Item::step(step));
            }
            if trace.skipped.contains(address) {
                self.reached.insert(Item::branch(step, "skipped"));
            }
        });
        for (address, branch) in &trace.branches {
            self.reached.insert(Item { step: address.to_string(), branch: Some(branch.clone()) });
        }
        for refused in &trace.refused {
            self.reached.insert(Item { step: refused.to_string(), branch: Some("else".to_owned()) });
        }
        // Another failure than a no is for `on_error`.
        for failed in trace.failed.iter().filter(|failed| !takes_else(workflow, trace, failed)) {
            self.reached.extend(handler(workflow, failed).map(|step| Item::branch(step, "on_error")));
        }
    }

    /// Everything there is to reach, in the order of writing, and whether it was reached.
    #[must_use]
    pub fn items(&self, workflow: &Workflow) -> Vec<(Item, bool)> {
        items(workflow).into_iter().map(|item| (item.clone(), self.reached.contains(&item))).collect()
    }
}

fn items(workflow: &Workflow) -> Vec<Item> {
    let mut items: Vec<Item> = has_condition(workflow).then(Item::not_matched).into_iter().collect();
    workflow.for_each_step(|step| {
        items.push(Item::step(step));
        match &step.kind {
            StepKind::If { .. } => items.extend(["then", "else"].map(|branch| Item::branch(step, branch))),
            StepKind::Switch { cases, .. } => {
                items.extend(cases.iter().map(|case| Item::branch(step, format!("case {}", case.value))));
                items.push(Item::branch(step, "default"));
            }
            StepKind::Wait(_) | StepKind::Approve(_) => {
                items.extend(step.kind.otherwise().map(|_| Item::branch(step, "else")));
            }
            StepKind::Call(_)
            | StepKind::Script(_)
            | StepKind::Set(_)
            | StepKind::Foreach { .. }
            | StepKind::Repeat { .. }
            | StepKind::Parallel { .. }
            | StepKind::Run(_)
            | StepKind::Emit(_)
            | StepKind::Respond(_)
            | StepKind::Fail(_)
            | StepKind::Stop(_) => {}
        }
        if step.condition.is_some() {
            items.push(Item::branch(step, "skipped"));
        }
        if step.on_error != OnError::Fail {
            items.push(Item::branch(step, "on_error"));
        }
    });
    items
}

/// Whether an `if` decides about the run: the workflow's own, or that of a trigger.
fn has_condition(workflow: &Workflow) -> bool {
    let conditional = |trigger: &Trigger| matches!(trigger, Trigger::Event(event) if event.condition.is_some());
    workflow.condition.is_some() || workflow.triggers.iter().any(conditional)
}

/// Whether the step's own `else` took care of its failure.
fn takes_else(workflow: &Workflow, trace: &Trace, failed: &Address) -> bool {
    trace.refused.contains(failed) && workflow.step(failed).is_some_and(|step| step.kind.otherwise().is_some())
}

fn is_inside(outer: &Address, inner: &Address) -> bool {
    inner.as_str().strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

/// The step whose `on_error` takes care of a failure: the failed one, or the nearest around it.
fn handler<'w>(workflow: &'w Workflow, failed: &Address) -> Option<&'w Step> {
    let mut found: Option<&'w Step> = None;
    workflow.for_each_step(|step| {
        let handles = step.on_error != OnError::Fail;
        let rest = failed.as_str().strip_prefix(step.address.as_str());
        // A failure in a handler is not that handler's own.
        let around = rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('/') && !rest.starts_with("/on_error/")));
        let nearer = found.is_none_or(|known| known.address.as_str().len() < step.address.as_str().len());
        if handles && around && nearer {
            found = Some(step);
        }
    });
    found
}
