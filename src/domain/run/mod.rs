//! A run's state, derived from its facts: `apply` takes one step forward, `replay` is the same in a loop.

mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Map;
use super::Value;
use super::id::RunId;
use super::journal::{Address, Entry, Fact};
use super::time::Timestamp;

pub use state::{Looping, Phase, Stamped, Status, StepState};

/// A run's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// When it was accepted.
    pub started: Timestamp,
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
        Self { id, started: accepted, at: accepted, len: 0, phase: Phase::Steps, steps: BTreeMap::new(), vars: Map::new() }
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

    /// Takes one fact in.
    ///
    /// # Errors
    /// When the fact does not follow from the state; the state is then unchanged.
    pub fn apply(&mut self, entry: Entry) -> Result<(), Impossible> {
        let Entry { at, fact } = entry;
        match self.accept(at, fact) {
            Ok(()) => {
                self.len = self.len.saturating_add(1);
                self.at = self.at.max(at);
                Ok(())
            }
            Err(fact) => {
                let step = fact.step().map(|step| format!(" of {step}")).unwrap_or_default();
                Err(Impossible { run: self.id, position: self.len, fact: format!("{}{step}", fact.word()) })
            }
        }
    }

    /// The one table of what may follow what. The fact comes back when it may not.
    fn accept(&mut self, at: Timestamp, fact: Fact) -> Result<(), Box<Fact>> {
        if matches!(self.phase, Phase::Finished(_)) {
            return Err(Box::new(fact));
        }
        let (step, state) = match (fact, &self.phase) {
            (Fact::ConditionFailed { error }, Phase::Steps) if self.len == 0 => return self.turn(Phase::Failing { error, at }),
            (Fact::RunTimedOut { error }, Phase::Steps) => return self.turn(Phase::Failing { error, at }),
            (Fact::CancelRequested, Phase::Steps | Phase::Failing { .. } | Phase::Stopped { .. }) => return self.turn(Phase::Canceling),
            (Fact::RunFinished { outcome }, _) => return self.turn(Phase::Finished(outcome)),
            (fact @ (Fact::ConditionFailed { .. } | Fact::RunTimedOut { .. } | Fact::CancelRequested), _) => return Err(Box::new(fact)),
            (Fact::RunStopped { step, output }, Phase::Steps | Phase::Failing { .. }) if !self.is_settled(&step) => {
                self.phase = Phase::Stopped { output: Arc::clone(&output) };
                (step, StepState::Done { output })
            }
            (Fact::VarsSet { step, vars }, _) if !self.is_settled(&step) => {
                let output = Arc::new(Value::Object(vars.clone()));
                self.vars.extend(vars);
                (step, StepState::Done { output })
            }
            (Fact::StepSkipped { step }, _) if !self.steps.contains_key(&step) => (step, StepState::Skipped),
            (Fact::BranchTaken { step, branch }, _) if !self.steps.contains_key(&step) => (step, StepState::Took(branch)),
            (Fact::StepEvaluated { step, output }, _) if !self.is_settled(&step) => (step, StepState::Done { output }),
            (Fact::LoopBegan { step, items }, _) if self.is_untouched(&step) => (step, StepState::Looping(Looping::new(items, at))),
            (Fact::IterationEnded { step, index, output }, _) if self.is_open_iteration(&step, index) => {
                return self.end_iteration(&step, index, output, at);
            }
            (Fact::RoundEnded { step, round, due }, _) if self.is_round(&step, round) => {
                self.forget_iteration(&step, round);
                (step, StepState::Repeating { round: round.saturating_add(1), due })
            }
            (Fact::WaitBegan { step, until }, _) if self.is_untouched(&step) => (step, StepState::Waiting { until }),
            (Fact::CallStarted { step, attempt }, _) if self.attempts(&step) + 1 == attempt => (step, StepState::Started { attempt }),
            (Fact::CallSucceeded { step, attempt, output }, _) if self.is_attempt(&step, attempt) => (step, StepState::Done { output }),
            (Fact::CallRetried { step, attempt, due, .. }, _) if self.is_attempt(&step, attempt) => {
                (step, StepState::Retrying { attempts: attempt, due })
            }
            (Fact::StepFailed { step, error, .. }, _) if !self.is_settled(&step) => (step, StepState::Failed { error }),
            (
                fact @ (Fact::RunStopped { .. }
                | Fact::VarsSet { .. }
                | Fact::StepSkipped { .. }
                | Fact::BranchTaken { .. }
                | Fact::StepEvaluated { .. }
                | Fact::LoopBegan { .. }
                | Fact::IterationEnded { .. }
                | Fact::RoundEnded { .. }
                | Fact::WaitBegan { .. }
                | Fact::CallStarted { .. }
                | Fact::CallSucceeded { .. }
                | Fact::CallRetried { .. }
                | Fact::StepFailed { .. }),
                _,
            ) => return Err(Box::new(fact)),
        };
        self.steps.insert(step, Stamped { at, state });
        Ok(())
    }

    fn turn(&mut self, phase: Phase) -> Result<(), Box<Fact>> {
        self.phase = phase;
        Ok(())
    }

    fn end_iteration(&mut self, step: &Address, index: u32, output: Arc<Value>, at: Timestamp) -> Result<(), Box<Fact>> {
        self.forget_iteration(step, index);
        if let Some(Stamped { state: StepState::Looping(looping), .. }) = self.steps.get_mut(step) {
            looping.end(index, output, at);
        }
        Ok(())
    }

    /// What the steps of an ended iteration left is not needed any more: memory holds one iteration, not all.
    fn forget_iteration(&mut self, step: &Address, index: u32) {
        let prefix = format!("{step}[{index}]/");
        let inside = self.steps.range(Address::new(prefix.as_str())..).take_while(|(address, _)| address.as_str().starts_with(&prefix));
        let inside: Vec<Address> = inside.map(|(address, _)| address.clone()).collect();
        for address in inside {
            self.steps.remove(&address);
        }
    }

    fn state(&self, step: &Address) -> Option<&StepState> {
        self.steps.get(step).map(|stamped| &stamped.state)
    }

    /// How many tries of a call have ended without an answer that counts.
    fn attempts(&self, step: &Address) -> u32 {
        match self.state(step) {
            None | Some(StepState::Took(_)) => 0,
            Some(StepState::Retrying { attempts, .. }) => *attempts,
            Some(
                StepState::Started { .. }
                | StepState::Skipped
                | StepState::Looping(_)
                | StepState::Repeating { .. }
                | StepState::Waiting { .. }
                | StepState::Done { .. }
                | StepState::Failed { .. },
            ) => u32::MAX - 1,
        }
    }

    /// Whether a call's answer may be the one to this attempt.
    fn is_attempt(&self, step: &Address, attempt: u32) -> bool {
        match self.state(step) {
            Some(StepState::Started { attempt: started }) => *started == attempt,
            None | Some(StepState::Took(_) | StepState::Retrying { .. }) => self.attempts(step) + 1 == attempt,
            Some(
                StepState::Skipped
                | StepState::Looping(_)
                | StepState::Repeating { .. }
                | StepState::Waiting { .. }
                | StepState::Done { .. }
                | StepState::Failed { .. },
            ) => false,
        }
    }

    /// Whether nothing has happened to a step but that its own `if` was true.
    fn is_untouched(&self, step: &Address) -> bool {
        matches!(self.state(step), None | Some(StepState::Took(_)))
    }

    fn is_open_iteration(&self, step: &Address, index: u32) -> bool {
        matches!(self.state(step), Some(StepState::Looping(looping)) if index < looping.len() && !looping.is_ended(index))
    }

    fn is_round(&self, step: &Address, round: u32) -> bool {
        match self.state(step) {
            Some(StepState::Repeating { round: next, .. }) => *next == round,
            None | Some(StepState::Took(_)) => round == 0,
            Some(
                StepState::Skipped
                | StepState::Started { .. }
                | StepState::Retrying { .. }
                | StepState::Looping(_)
                | StepState::Waiting { .. }
                | StepState::Done { .. }
                | StepState::Failed { .. },
            ) => false,
        }
    }

    /// Whether nothing more can happen to a step.
    fn is_settled(&self, step: &Address) -> bool {
        matches!(self.state(step), Some(StepState::Skipped | StepState::Done { .. } | StepState::Failed { .. }))
    }
}
