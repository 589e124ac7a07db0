//! A compiled workflow: what the core walks over. Expressions are handles into the workflow's
//! program (see `script`), so this stays plain data.

mod form;
mod keep;
mod start;
mod step;
mod trigger;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::id::Revision;
use super::journal::Address;

pub use form::{Choice, Field, FieldKind, FileType, Form, Length, Pattern, Uploads, Words};
pub use keep::{Keep, Kept};
pub use start::{Concurrency, Gathering, Input, InputKind, Mode, Throttle};
pub use step::{Approve, Call, Case, Child, Emit, OnError, Respond, RespondBody, Step, StepKind, Wait, WaitEvent};
pub use trigger::{Dedupe, EventTrigger, Reply, RunTrigger, ScheduleTrigger, Trigger, Webhook};
pub use verify::{Hmac, HmacAlgorithm, Scheme, SecretName, SignatureEncoding, Signed, SignedPart, Verify};

/// A handle to a compiled expression, template or script of the workflow's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u32);

/// One workflow, as it will run.
#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    /// Its name, unique in the project.
    pub name: Arc<str>,
    /// Its content hash.
    pub revision: Revision,
    /// For people.
    pub description: String,
    /// Which events concern it.
    pub triggers: Vec<Trigger>,
    /// `if`: a false one starts no run.
    pub condition: Option<Code>,
    /// What a run is given, besides the event.
    pub input: Vec<Input>,
    /// How many runs of one key go on at once.
    pub concurrency: Option<Concurrency>,
    /// How events become one run.
    pub gathering: Option<Gathering>,
    /// How many runs of one key begin in a time.
    pub throttle: Option<Throttle>,
    /// What it does.
    pub steps: Vec<Step>,
    /// What it does when a step fails and nothing took care of it.
    pub on_error: Vec<Step>,
    /// What it does when a person ends it.
    pub on_cancel: Vec<Step>,
    /// What it does last, however it ended.
    pub finally: Vec<Step>,
    /// How long a run may take, waits included.
    pub timeout: Option<Duration>,
    /// How long its finished runs are kept.
    pub keep: Keep,
    /// The ids of steps inside loops: each iteration has its own.
    pub loop_ids: Vec<Arc<str>>,
}

impl Workflow {
    /// The blocks of the top level, in the order of writing.
    #[must_use]
    pub fn blocks(&self) -> [&[Step]; 4] {
        [&self.steps, &self.on_error, &self.on_cancel, &self.finally]
    }

    /// Every step, in the order of writing, handlers last.
    pub fn for_each_step<'w>(&'w self, mut visit: impl FnMut(&'w Step)) {
        for_each_step(&self.blocks(), &mut visit);
    }

    /// The step at this address outside every loop.
    #[must_use]
    pub fn step(&self, address: &Address) -> Option<&Step> {
        let mut found = None;
        self.for_each_step(|step| {
            if step.address == *address {
                found = Some(step);
            }
        });
        found
    }

    /// The ids of steps by address, for `steps.ID`.
    #[must_use]
    pub fn ids(&self) -> BTreeMap<Address, Arc<str>> {
        let mut ids = BTreeMap::new();
        self.for_each_step(|step| {
            if let Some(id) = &step.id {
                ids.insert(step.address.clone(), Arc::clone(id));
            }
        });
        ids
    }
}

/// The ids of steps inside loops.
#[must_use]
pub fn loop_ids(blocks: &[&[Step]]) -> Vec<Arc<str>> {
    let mut ids = Vec::new();
    for_each_step(blocks, &mut |step| {
        if matches!(step.kind, StepKind::Foreach { .. } | StepKind::Repeat { .. }) {
            let inside: Vec<_> = step.kind.blocks().collect();
            for_each_step(&inside, &mut |step| ids.extend(step.id.clone()));
        }
    });
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Every step of these blocks and inside them, in the order of writing.
pub fn for_each_step<'w>(blocks: &[&'w [Step]], visit: &mut dyn FnMut(&'w Step)) {
    let mut open: Vec<&'w [Step]> = blocks.iter().rev().copied().collect();
    while let Some(block) = open.pop() {
        let Some((step, rest)) = block.split_first() else { continue };
        open.push(rest);
        visit(step);
        if let OnError::Steps(steps) = &step.on_error {
            open.push(steps);
        }
        open.extend(step.kind.blocks().rev());
    }
}
