//! A run's state, derived from its facts: `apply` takes one step forward, `replay` is the same in a loop.

mod allowed;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Map;
use super::Value;
use super::id::RunId;
use super::journal::{Address, Entry, Fact};
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
            (Fact::GatheringEnded { .. }, Phase::Steps) if self.len == 0 => return Ok(()),
            // A replay has facts of the earlier run by then.
            (Fact::RunSkipped { .. }, Phase::Steps) => return self.turn(Phase::Skipped),
            (Fact::RunTimedOut { error }, Phase::Steps) => return self.turn(Phase::Failing { error, at }),
            (Fact::CancelRequested, Phase::Steps | Phase::Failing { .. } | Phase::Stopped { .. }) => {
                return self.turn(Phase::Canceling { at });
            }
            (Fact::RunFinished { outcome }, _) => return self.turn(Phase::Finished(outcome)),
            (
                fact @ (Fact::ConditionFailed { .. }
                | Fact::GatheringEnded { .. }
                | Fact::RunSkipped { .. }
                | Fact::RunTimedOut { .. }
                | Fact::CancelRequested),
                _,
            ) => return Err(Box::new(fact)),
            (Fact::RunStopped { step, output }, Phase::Steps | Phase::Failing { .. }) if !self.is_settled(&step) => {
                self.phase = Phase::Stopped { output: Arc::clone(&output), at };
                (step, StepState::Done { output })
            }
            (fact @ Fact::RunStopped { .. }, _) => return Err(Box::new(fact)),
            (fact, _) => match self.follow(at, fact)? {
                Some(followed) => followed,
                None => return Ok(()),
            },
        };
        self.stamp(step, at, state);
        Ok(())
    }

    /// The facts of steps, which may come in every phase: handlers have steps too.
    fn follow(&mut self, at: Timestamp, fact: Fact) -> Result<Option<(Address, StepState)>, Box<Fact>> {
        Ok(Some(match fact {
            Fact::VarsSet { step, vars } if !self.is_settled(&step) => {
                let output = Arc::new(Value::Object(vars.clone()));
                self.vars.extend(vars);
                (step, StepState::Done { output })
            }
            Fact::StepSkipped { step } if !self.steps.contains_key(&step) => (step, StepState::Skipped),
            Fact::BranchTaken { step, branch } if self.is_new(&step) => (step, StepState::Took(branch)),
            Fact::StepEvaluated { step, output } if !self.is_settled(&step) => (step, StepState::Done { output }),
            Fact::LoopBegan { step, items } if self.is_untouched(&step) => (step, StepState::Looping(Looping::new(items, at))),
            Fact::IterationEnded { step, index, output } if self.is_open_iteration(&step, index) => {
                self.end_iteration(&step, index, output, at);
                return Ok(None);
            }
            Fact::RoundEnded { step, round, due } if self.is_round(&step, round) => {
                self.forget_iteration(&step, round);
                (step, StepState::Repeating { round: round.saturating_add(1), due })
            }
            Fact::StepRetried { step, attempt, due, .. } if self.is_failed_try(&step, attempt) => {
                self.begin_anew(step, attempt, due, at);
                return Ok(None);
            }
            Fact::CallStarted { step, attempt } if self.attempts(&step) + 1 == attempt => (step, StepState::Started { attempt }),
            Fact::CallSucceeded { step, attempt, output, undo } if self.is_attempt(&step, attempt) => {
                if undo {
                    self.remember_undo(&step);
                }
                (step, StepState::Done { output })
            }
            Fact::CallRetried { step, attempt, due, .. } if self.is_attempt(&step, attempt) => {
                (step, StepState::Retrying { attempts: attempt, due })
            }
            Fact::StepFailed { step, error, .. } if !self.is_settled(&step) => (step, StepState::Failed { error }),
            fact @ (Fact::WaitBegan { .. }
            | Fact::EventAwaited { .. }
            | Fact::ApprovalAsked { .. }
            | Fact::ChildStarted { .. }
            | Fact::EventTaken { .. }
            | Fact::EventEmitted { .. }
            | Fact::Responded { .. }) => return self.follow_waits(fact).map(Some),
            fact @ (Fact::VarsSet { .. }
            | Fact::StepSkipped { .. }
            | Fact::BranchTaken { .. }
            | Fact::StepEvaluated { .. }
            | Fact::LoopBegan { .. }
            | Fact::IterationEnded { .. }
            | Fact::RoundEnded { .. }
            | Fact::StepRetried { .. }
            | Fact::CallStarted { .. }
            | Fact::CallSucceeded { .. }
            | Fact::CallRetried { .. }
            | Fact::StepFailed { .. }
            | Fact::ConditionFailed { .. }
            | Fact::GatheringEnded { .. }
            | Fact::RunSkipped { .. }
            | Fact::RunTimedOut { .. }
            | Fact::RunStopped { .. }
            | Fact::RunFinished { .. }
            | Fact::CancelRequested) => return Err(Box::new(fact)),
        }))
    }

    /// The facts of steps that wait for something, or speak with somebody inside.
    fn follow_waits(&mut self, fact: Fact) -> Result<(Address, StepState), Box<Fact>> {
        Ok(match fact {
            Fact::WaitBegan { step, until } if self.is_untouched(&step) => (step, StepState::Waiting { until }),
            Fact::EventAwaited { step, topic, since, until } if self.is_untouched(&step) => {
                (step, StepState::Awaiting(Awaiting { topic, since, until, child: None, question: None }))
            }
            Fact::ApprovalAsked { step, until, .. } if self.is_untouched(&step) => {
                // No other event has this topic, so none is too old: the clock may have stepped back meanwhile.
                let (topic, since) = (approval_topic(self.id, self.len), Timestamp::default());
                let question = Some(self.len);
                (step, StepState::Awaiting(Awaiting { topic, since, until: Some(until), child: None, question }))
            }
            Fact::ChildStarted { step, run, .. } if self.is_untouched(&step) => {
                let (topic, since) = (child_topic(run), Timestamp::default());
                (step, StepState::Awaiting(Awaiting { topic, since, until: None, child: Some(run), question: None }))
            }
            Fact::EventTaken { step, seq, output, .. } if self.is_awaiting(&step) => {
                if let Some(StepState::Awaiting(Awaiting { topic, .. })) = self.state(&step) {
                    let topic = Arc::clone(topic);
                    self.taken.entry(topic).or_default().insert(seq);
                }
                (step, StepState::Done { output })
            }
            Fact::EventEmitted { step, event, kind } if self.is_untouched(&step) => {
                let output = Arc::new(serde_json::json!({"id": event, "type": kind}));
                (step, StepState::Done { output })
            }
            Fact::Responded { step, response } if self.is_untouched(&step) && self.response.is_none() => {
                self.response = Some(response);
                (step, StepState::Done { output: Arc::default() })
            }
            fact @ (Fact::WaitBegan { .. }
            | Fact::EventAwaited { .. }
            | Fact::ApprovalAsked { .. }
            | Fact::ChildStarted { .. }
            | Fact::EventTaken { .. }
            | Fact::EventEmitted { .. }
            | Fact::Responded { .. }
            | Fact::VarsSet { .. }
            | Fact::StepSkipped { .. }
            | Fact::BranchTaken { .. }
            | Fact::StepEvaluated { .. }
            | Fact::LoopBegan { .. }
            | Fact::IterationEnded { .. }
            | Fact::RoundEnded { .. }
            | Fact::StepRetried { .. }
            | Fact::CallStarted { .. }
            | Fact::CallSucceeded { .. }
            | Fact::CallRetried { .. }
            | Fact::StepFailed { .. }
            | Fact::ConditionFailed { .. }
            | Fact::GatheringEnded { .. }
            | Fact::RunSkipped { .. }
            | Fact::RunTimedOut { .. }
            | Fact::RunStopped { .. }
            | Fact::RunFinished { .. }
            | Fact::CancelRequested) => return Err(Box::new(fact)),
        })
    }

    /// The children that a step, or one inside it, waits for.
    pub fn children_of<'r>(&'r self, step: &'r Address) -> impl Iterator<Item = RunId> + 'r {
        let below = self.steps.range(step.clone()..).take_while(|(address, _)| address.as_str().starts_with(step.as_str()));
        let own = below.filter(move |(address, _)| *address == step || address.is_inside(step));
        own.filter_map(|(_, stamped)| match &stamped.state {
            StepState::Awaiting(awaiting) => awaiting.child,
            StepState::Skipped
            | StepState::Took(_)
            | StepState::Looping(_)
            | StepState::Repeating { .. }
            | StepState::Waiting { .. }
            | StepState::Started { .. }
            | StepState::Retrying { .. }
            | StepState::Done { .. }
            | StepState::Failed { .. } => None,
        })
    }

    fn stamp(&mut self, step: Address, at: Timestamp, state: StepState) {
        let tries = self.steps.get(&step).map_or(0, |stamped| stamped.tries);
        self.steps.insert(step, Stamped { at, tries, state });
    }

    fn turn(&mut self, phase: Phase) -> Result<(), Box<Fact>> {
        self.phase = phase;
        Ok(())
    }

    fn end_iteration(&mut self, step: &Address, index: u32, output: Arc<Value>, at: Timestamp) {
        self.forget_iteration(step, index);
        if let Some(Stamped { state: StepState::Looping(looping), .. }) = self.steps.get_mut(step) {
            looping.end(index, output, at);
        }
    }

    /// A step that is done anew begins with nothing inside it.
    fn begin_anew(&mut self, step: Address, tries: u32, due: Timestamp, at: Timestamp) {
        let inside = self.steps.range(step.clone()..).skip_while(|(address, _)| **address == step);
        let inside: Vec<Address> = inside
            .take_while(|(address, _)| address.as_str().starts_with(step.as_str()))
            .map(|(address, _)| address.clone())
            .filter(|address| address.is_inside(&step))
            .collect();
        for address in inside {
            self.steps.remove(&address);
        }
        self.steps.insert(step, Stamped { at, tries, state: StepState::Retrying { attempts: tries, due } });
    }

    /// The call that was done last is the first to be taken back.
    fn remember_undo(&mut self, step: &Address) {
        let items = |address: &Address| match self.state(address) {
            Some(StepState::Looping(looping)) => Some(Arc::clone(&looping.items)),
            None | Some(_) => None,
        };
        let loops = step.loops().map(|(address, index)| (address.clone(), index, items(&address))).collect();
        self.undos.retain(|undo| undo.step != *step);
        self.undos.push(Undo { step: step.clone(), loops });
    }

    /// What the steps of an ended iteration left is not needed any more: memory holds one iteration, not all.
    fn forget_iteration(&mut self, step: &Address, index: u32) {
        let prefix = format!("{step}[{index}]/");
        if self.undos.iter().any(|undo| undo.step.as_str().starts_with(&prefix)) {
            // What takes a call back sees the steps beside it.
            return;
        }
        let inside = self.steps.range(Address::new(prefix.as_str())..).take_while(|(address, _)| address.as_str().starts_with(&prefix));
        let inside: Vec<Address> = inside.map(|(address, _)| address.clone()).collect();
        for address in inside {
            self.steps.remove(&address);
        }
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
