//! A run's state, derived from its facts: `apply` takes one step forward, `replay` is the same in a loop.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Map;
use super::Value;
use super::failure::Failure;
use super::id::RunId;
use super::journal::{Address, Branch, Entry, Fact, Outcome};
use super::time::Timestamp;

/// Where a run stands, for people and for lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted; nothing done yet.
    Queued,
    /// A step is being done.
    Running,
    /// Parked until a time or an event.
    Waiting,
    /// Ended well.
    Succeeded,
    /// Ended by a failure.
    Failed,
    /// Ended by a person.
    Canceled,
}

impl Status {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 6] = [Self::Queued, Self::Running, Self::Waiting, Self::Succeeded, Self::Failed, Self::Canceled];

    /// As written in the API and the CLI.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

impl From<&Outcome> for Status {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded { .. } => Self::Succeeded,
            Outcome::Failed { .. } => Self::Failed,
            Outcome::Canceled => Self::Canceled,
        }
    }
}

/// Where a step stands. A step nobody has touched has no state.
#[derive(Debug, Clone, PartialEq)]
pub enum StepState {
    /// Its `if` was false.
    Skipped,
    /// An `if` step that went one way.
    Took(Branch),
    /// A call that may happen only once has begun.
    Started {
        /// Which try.
        attempt: u32,
    },
    /// A call failed and is due again.
    Retrying {
        /// Tries made.
        attempts: u32,
        /// When the next one is due.
        due: Timestamp,
    },
    /// Done, with its output.
    Done {
        /// The output.
        output: Arc<Value>,
    },
    /// Failed for good.
    Failed {
        /// Why.
        error: Failure,
    },
}

/// What the whole run is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Its steps.
    Steps,
    /// It failed before or beside a step; its handlers follow.
    Failing {
        /// Why.
        error: Failure,
    },
    /// A `stop` step was reached.
    Stopped {
        /// The run's output.
        output: Arc<Value>,
    },
    /// A person asked to end it.
    Canceling,
    /// It ended.
    Finished(Outcome),
}

/// A run's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// When it was accepted.
    pub started: Timestamp,
    /// The time of the last fact that is not about an attempt: what `now()` says.
    pub at: Timestamp,
    /// How many facts there are.
    pub len: u32,
    /// What it is doing.
    pub phase: Phase,
    /// Steps that something happened to.
    pub steps: BTreeMap<Address, StepState>,
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
        // A further attempt renders its request again: what `now()` says must not change between attempts.
        let moves_time = !matches!(fact, Fact::CallStarted { .. } | Fact::CallRetried { .. });
        match self.accept(fact) {
            Ok(()) => {
                self.len = self.len.saturating_add(1);
                if moves_time {
                    self.at = self.at.max(at);
                }
                Ok(())
            }
            Err(fact) => {
                let mut fact = serde_json::to_string(&*fact).unwrap_or_default();
                fact.truncate(fact.floor_char_boundary(200));
                Err(Impossible { run: self.id, position: self.len, fact })
            }
        }
    }

    /// The one table of what may follow what. The fact comes back when it may not.
    fn accept(&mut self, fact: Fact) -> Result<(), Box<Fact>> {
        if matches!(self.phase, Phase::Finished(_)) {
            return Err(Box::new(fact));
        }
        let (step, state) = match (fact, &self.phase) {
            (Fact::ConditionFailed { error }, Phase::Steps) if self.len == 0 => {
                self.phase = Phase::Failing { error };
                return Ok(());
            }
            (Fact::RunTimedOut { error }, Phase::Steps) => {
                self.phase = Phase::Failing { error };
                return Ok(());
            }
            (Fact::CancelRequested, Phase::Steps | Phase::Failing { .. } | Phase::Stopped { .. }) => {
                self.phase = Phase::Canceling;
                return Ok(());
            }
            (Fact::RunFinished { outcome }, _) => {
                self.phase = Phase::Finished(outcome);
                return Ok(());
            }
            (fact @ (Fact::ConditionFailed { .. } | Fact::RunTimedOut { .. } | Fact::CancelRequested), _) => return Err(Box::new(fact)),
            (Fact::RunStopped { step, output }, Phase::Steps) if !self.is_settled(&step) => {
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
                | Fact::CallStarted { .. }
                | Fact::CallSucceeded { .. }
                | Fact::CallRetried { .. }
                | Fact::StepFailed { .. }),
                _,
            ) => return Err(Box::new(fact)),
        };
        self.steps.insert(step, state);
        Ok(())
    }

    /// How many tries of a call have ended without an answer that counts.
    fn attempts(&self, step: &Address) -> u32 {
        match self.steps.get(step) {
            None | Some(StepState::Took(_)) => 0,
            Some(StepState::Retrying { attempts, .. }) => *attempts,
            Some(StepState::Started { .. } | StepState::Skipped | StepState::Done { .. } | StepState::Failed { .. }) => u32::MAX - 1,
        }
    }

    /// Whether a call's answer may be the one to this attempt.
    fn is_attempt(&self, step: &Address, attempt: u32) -> bool {
        match self.steps.get(step) {
            Some(StepState::Started { attempt: started }) => *started == attempt,
            None | Some(StepState::Took(_) | StepState::Retrying { .. }) => self.attempts(step) + 1 == attempt,
            Some(StepState::Skipped | StepState::Done { .. } | StepState::Failed { .. }) => false,
        }
    }

    /// Whether nothing more can happen to a step.
    fn is_settled(&self, step: &Address) -> bool {
        match self.steps.get(step) {
            None | Some(StepState::Started { .. } | StepState::Retrying { .. } | StepState::Took(_)) => false,
            Some(StepState::Skipped | StepState::Done { .. } | StepState::Failed { .. }) => true,
        }
    }
}
