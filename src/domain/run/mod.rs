//! A run's state, derived from its facts: `apply` takes one step forward, `replay` is the same in a loop.
//! `allowed.rs` is the table of what may follow what, `taken.rs` the one of what each fact changes.

mod allowed;
mod state;
mod taken;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Map;
use super::id::RunId;
use super::journal::{Address, Entry};
use super::response::Response;
use super::time::Timestamp;

pub use state::{Awaiting, Looping, Phase, Stamped, Status, StepState, Undo};

/// A run's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// When it was accepted.
    pub started: Timestamp,
    /// When its steps could begin: at once, or when it had its turn, its time, or all the events it gathers.
    pub begun: Timestamp,
    /// The time of the last fact.
    pub at: Timestamp,
    /// How many facts there are.
    pub len: u32,
    /// What it is doing.
    pub phase: Phase,
    /// Steps that something happened to.
    pub steps: BTreeMap<Address, Stamped>,
    /// What `set` wrote.
    pub vars: Map,
    /// Calls that are taken back if the run fails, in the order of completion.
    pub undos: Vec<Undo>,
    /// By topic: the events that steps took, by their places. No other wait of the run takes one of them again.
    pub taken: BTreeMap<Arc<str>, BTreeSet<u64>>,
    /// What the caller was answered.
    pub response: Option<Arc<Response>>,
}

/// A journal that cannot be: a fact that does not follow from the ones before it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the journal of {run} is not a possible history: fact {position} ({fact}) does not follow from the facts before it")]
pub struct Impossible {
    run: RunId,
    position: u32,
    fact: String,
}

impl Run {
    /// A run that was accepted and has no facts yet.
    #[must_use]
    pub fn new(id: RunId, accepted: Timestamp) -> Self {
        Self {
            id,
            started: accepted,
            begun: accepted,
            at: accepted,
            len: 0,
            phase: Phase::Steps,
            steps: BTreeMap::new(),
            vars: Map::new(),
            undos: Vec::new(),
            taken: BTreeMap::new(),
            response: None,
        }
    }

    /// The state that these facts lead to.
    ///
    /// # Errors
    /// When a fact does not follow from the ones before it.
    pub fn replay(id: RunId, accepted: Timestamp, entries: impl IntoIterator<Item = Entry>) -> Result<Self, Impossible> {
        let mut run = Self::new(id, accepted);
        for entry in entries {
            run.apply(entry)?;
        }
        Ok(run)
    }

    /// Whether its last fact is its end.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Finished(_))
    }

    /// Takes one fact in.
    ///
    /// # Errors
    /// When the fact does not follow from the state; the state is then unchanged.
    pub fn apply(&mut self, entry: Entry) -> Result<(), Impossible> {
        let Entry { at, fact } = entry;
        if !self.may_follow(&fact) {
            let step = fact.step().map(|step| format!(" of {step}")).unwrap_or_default();
            return Err(Impossible { run: self.id, position: self.len, fact: format!("{}{step}", fact.word()) });
        }
        self.take(at, fact);
        self.len = self.len.saturating_add(1);
        self.at = self.at.max(at);
        Ok(())
    }

    /// The children that a step, or one inside it, waits for.
    pub fn children_of<'r>(&'r self, step: &'r Address) -> impl Iterator<Item = RunId> + 'r {
        let below = self.steps.range(step.clone()..).take_while(|(address, _)| address.as_str().starts_with(step.as_str()));
        let own = below.filter(move |(address, _)| *address == step || address.is_inside(step));
        own.filter_map(|(_, stamped)| stamped.state.waits_for()?.child)
    }

    /// The children that it waits for.
    pub fn children(&self) -> impl Iterator<Item = RunId> {
        self.steps.values().filter_map(|stamped| stamped.state.waits_for()?.child)
    }
}

/// What the answer to an `approve` is called by. `question` is the place of its question among the facts of the run.
#[must_use]
pub fn approval_topic(run: RunId, question: u32) -> Arc<str> {
    format!("approval:{run}:{question}").into()
}

/// What the end of a run is called by that is a part of another one.
#[must_use]
pub fn child_topic(run: RunId) -> Arc<str> {
    format!("run:{run}").into()
}
