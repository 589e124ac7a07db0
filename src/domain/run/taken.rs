//! What each fact changes. Whether it may come was looked at before.

use std::sync::Arc;

use super::{Awaiting, Looping, Phase, Run, Stamped, StepState, Undo, approval_topic, child_topic};
use crate::domain::Value;
use crate::domain::journal::{Address, Fact};
use crate::domain::time::Timestamp;

impl Run {
    /// Takes in a fact that may follow.
    pub(super) fn take(&mut self, at: Timestamp, fact: Fact) {
        let (step, state) = match fact {
            Fact::ConditionFailed { error } | Fact::RunTimedOut { error } => return self.phase = Phase::Failing { error, at },
            Fact::GatheringEnded { .. } | Fact::RunBegan => return self.begun = at,
            Fact::RunSkipped { .. } => return self.phase = Phase::Skipped,
            Fact::CancelRequested => return self.phase = Phase::Canceling { at },
            Fact::RunFinished { outcome } => return self.phase = Phase::Finished(outcome),
            Fact::IterationEnded { step, index, output } => return self.end_iteration(&step, index, output, at),
            Fact::StepRetried { step, attempt, due, .. } => return self.begin_anew(step, attempt, due, at),
            Fact::RunStopped { step, output } => {
                self.phase = Phase::Stopped { output: Arc::clone(&output), at };
                (step, StepState::Done { output })
            }
            Fact::VarsSet { step, vars } => {
                let output = Arc::new(Value::Object(vars.clone()));
                self.vars.extend(vars);
                (step, StepState::Done { output })
            }
            Fact::CallSucceeded { step, output, undo, .. } => {
                if undo {
                    self.remember_undo(&step, &output);
                }
                (step, StepState::Done { output })
            }
            Fact::RoundEnded { step, round, due } => {
                self.forget_iteration(&step, round);
                (step, StepState::Repeating { round: round.saturating_add(1), due })
            }
            Fact::EventTaken { step, seq, output, .. } => {
                // The answer to a question and the end of a child are waited for once.
                if let Some(StepState::Awaiting(Awaiting { topic, child: None, question: None, .. })) = self.state(&step) {
                    let topic = Arc::clone(topic);
                    self.taken.entry(topic).or_default().insert(seq);
                }
                (step, StepState::Done { output })
            }
            Fact::EventEmitted { step, event, kind } => {
                let output = Arc::new(serde_json::json!({"id": event, "type": kind}));
                (step, StepState::Done { output })
            }
            Fact::Responded { step, response } => {
                self.response = Some(response);
                (step, StepState::Done { output: Arc::default() })
            }
            Fact::EventAwaited { step, topic, since, until } => {
                (step, StepState::Awaiting(Awaiting { topic, since, until, child: None, question: None }))
            }
            Fact::ApprovalAsked { step, until, .. } => {
                // No other event has this topic, so none is too old: the clock may have stepped back meanwhile.
                let (topic, since) = (approval_topic(self.id, self.len), Timestamp::default());
                (step, StepState::Awaiting(Awaiting { topic, since, until: Some(until), child: None, question: Some(self.len) }))
            }
            Fact::ChildStarted { step, run, .. } => {
                let (topic, since) = (child_topic(run), Timestamp::default());
                (step, StepState::Awaiting(Awaiting { topic, since, until: None, child: Some(run), question: None }))
            }
            Fact::StepSkipped { step } => (step, StepState::Skipped),
            Fact::BranchTaken { step, branch } => (step, StepState::Took(branch)),
            Fact::StepEvaluated { step, output } => (step, StepState::Done { output }),
            Fact::LoopBegan { step, items } => (step, StepState::Looping(Looping::new(items, at))),
            Fact::WaitBegan { step, until } => (step, StepState::Waiting { until }),
            Fact::CallStarted { step, attempt } => (step, StepState::Started { attempt }),
            Fact::CallRetried { step, attempt, due, .. } => (step, StepState::Retrying { attempts: attempt, due }),
            Fact::StepFailed { step, error, .. } => (step, StepState::Failed { error }),
        };
        let (tries, anew) = self.steps.get(&step).map_or((0, None), |before| (before.tries, before.anew));
        self.steps.insert(step, Stamped { at, tries, anew, state });
    }

    fn end_iteration(&mut self, step: &Address, index: u32, output: Arc<Value>, at: Timestamp) {
        self.forget_iteration(step, index);
        if let Some(Stamped { state: StepState::Looping(looping), .. }) = self.steps.get_mut(step) {
            looping.end(index, output, at);
        }
    }

    /// A step that is done anew begins with nothing inside it.
    fn begin_anew(&mut self, step: Address, tries: u32, due: Timestamp, at: Timestamp) {
        let after = self.steps.range(step.clone()..).skip_while(|(address, _)| **address == step);
        let below = after.take_while(|(address, _)| address.as_str().starts_with(step.as_str()));
        let inside: Vec<Address> = below.map(|(address, _)| address.clone()).filter(|address| address.is_inside(&step)).collect();
        for address in inside {
            self.steps.remove(&address);
        }
        self.steps.insert(step, Stamped { at, tries, anew: Some(due), state: StepState::Retrying { attempts: tries, due } });
    }

    /// The call that was done last is the first to be taken back.
    fn remember_undo(&mut self, step: &Address, output: &Arc<Value>) {
        let items = |address: &Address| match self.state(address) {
            Some(StepState::Looping(looping)) => Some(Arc::clone(&looping.items)),
            None
            | Some(
                StepState::Skipped
                | StepState::Took(_)
                | StepState::Repeating { .. }
                | StepState::Waiting { .. }
                | StepState::Awaiting(_)
                | StepState::Started { .. }
                | StepState::Retrying { .. }
                | StepState::Done { .. }
                | StepState::Failed { .. },
            ) => None,
        };
        let loops = step.loops().map(|(address, index)| (address.clone(), index, items(&address))).collect();
        self.undos.retain(|undo| undo.step != *step);
        self.undos.push(Undo { step: step.clone(), output: Arc::clone(output), loops });
    }

    /// What the steps of an ended iteration left is not needed any more: memory holds one iteration, not all.
    fn forget_iteration(&mut self, step: &Address, index: u32) {
        let prefix = format!("{step}[{index}]/");
        // The youngest first: an iteration that has ended just now is found at once.
        if self.undos.iter().rev().any(|undo| undo.step.as_str().starts_with(&prefix)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{EventId, RunId};
    use crate::domain::journal::Entry;

    #[test]
    fn only_events_that_others_may_wait_for_are_remembered_as_taken() {
        let mut run = Run::new(RunId::from_bytes([1; 16]), Timestamp(0));
        let mut add = |fact| run.apply(Entry { at: Timestamp(1), fact }).unwrap();
        let taken = |step: &str, seq| {
            let (step, event) = (Address::new(step), EventId::from_bytes([3; 16]));
            Fact::EventTaken { step, event, seq, output: Arc::default() }
        };
        add(Fact::ChildStarted { step: Address::new("child"), run: RunId::from_bytes([2; 16]), workflow: "b".into() });
        add(taken("child", 7));
        add(Fact::ApprovalAsked { step: Address::new("ask"), to: "a".to_owned(), message: "b".to_owned(), until: Timestamp(9) });
        add(taken("ask", 8));
        add(Fact::EventAwaited { step: Address::new("wait"), topic: "paid".into(), since: Timestamp(0), until: None });
        add(taken("wait", 9));
        let taken: Vec<_> = run.taken.iter().map(|(topic, places)| (&**topic, places.iter().copied().collect())).collect();
        assert_eq!(taken, [("paid", vec![9])]);
    }
}
