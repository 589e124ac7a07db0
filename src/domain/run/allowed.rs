//! The one table of what may follow what, and what it asks of a step.

use super::{Phase, Run, StepState};
use crate::domain::journal::{Address, Fact};

impl Run {
    /// Whether a fact follows from those before it. The facts of steps may come in every phase: handlers have steps too.
    pub(super) fn may_follow(&self, fact: &Fact) -> bool {
        let phase = &self.phase;
        if matches!(phase, Phase::Finished(_)) {
            return false;
        }
        match fact {
            Fact::ConditionFailed { .. } | Fact::GatheringEnded { .. } => matches!(phase, Phase::Steps) && self.len == 0,
            // A replay may have facts of the earlier run before it has its turn.
            Fact::RunBegan | Fact::RunSkipped { .. } | Fact::RunTimedOut { .. } => matches!(phase, Phase::Steps),
            Fact::CancelRequested => matches!(phase, Phase::Steps | Phase::Failing { .. } | Phase::Stopped { .. }),
            Fact::RunFinished { .. } => true,
            Fact::RunStopped { step, .. } => matches!(phase, Phase::Steps | Phase::Failing { .. }) && !self.is_settled(step),
            Fact::StepSkipped { step } => !self.steps.contains_key(step),
            Fact::BranchTaken { step, .. } => self.is_new(step),
            Fact::VarsSet { step, .. } | Fact::StepEvaluated { step, .. } | Fact::StepFailed { step, .. } => !self.is_settled(step),
            Fact::LoopBegan { step, .. }
            | Fact::WaitBegan { step, .. }
            | Fact::EventAwaited { step, .. }
            | Fact::ApprovalAsked { step, .. }
            | Fact::ChildStarted { step, .. }
            | Fact::EventEmitted { step, .. } => self.is_untouched(step),
            Fact::Responded { step, .. } => self.is_untouched(step) && self.response.is_none(),
            Fact::EventTaken { step, .. } => self.is_awaiting(step),
            Fact::IterationEnded { step, index, .. } => self.is_open_iteration(step, *index),
            Fact::RoundEnded { step, round, .. } => self.is_round(step, *round),
            Fact::StepRetried { step, attempt, .. } => self.is_failed_try(step, *attempt),
            Fact::CallStarted { step, attempt } => self.attempts(step) + 1 == *attempt,
            Fact::CallSucceeded { step, attempt, .. } | Fact::CallRetried { step, attempt, .. } => self.is_attempt(step, *attempt),
        }
    }

    pub(super) fn state(&self, step: &Address) -> Option<&StepState> {
        self.steps.get(step).map(|stamped| &stamped.state)
    }

    /// How often a step was begun anew.
    pub(super) fn tries(&self, step: &Address) -> u32 {
        self.steps.get(step).map_or(0, |stamped| stamped.tries)
    }

    /// How many tries of a call have ended without an answer that counts.
    pub(super) fn attempts(&self, step: &Address) -> u32 {
        match self.state(step) {
            None | Some(StepState::Took(_)) => 0,
            Some(StepState::Retrying { attempts, .. }) => *attempts,
            Some(
                StepState::Started { .. }
                | StepState::Skipped
                | StepState::Looping(_)
                | StepState::Repeating { .. }
                | StepState::Waiting { .. }
                | StepState::Awaiting(_)
                | StepState::Done { .. }
                | StepState::Failed { .. },
            ) => u32::MAX - 1,
        }
    }

    /// Whether a call's answer may be the one to this attempt.
    pub(super) fn is_attempt(&self, step: &Address, attempt: u32) -> bool {
        match self.state(step) {
            Some(StepState::Started { attempt: started }) => *started == attempt,
            None | Some(StepState::Took(_) | StepState::Retrying { .. }) => self.attempts(step) + 1 == attempt,
            Some(
                StepState::Skipped
                | StepState::Looping(_)
                | StepState::Repeating { .. }
                | StepState::Waiting { .. }
                | StepState::Awaiting(_)
                | StepState::Done { .. }
                | StepState::Failed { .. },
            ) => false,
        }
    }

    /// Whether nothing has happened to a step but that its own `if` was true, or that it is done anew.
    pub(super) fn is_untouched(&self, step: &Address) -> bool {
        matches!(self.state(step), None | Some(StepState::Took(_) | StepState::Retrying { .. }))
    }

    /// Whether nothing has happened to a step, or it is done anew.
    pub(super) fn is_new(&self, step: &Address) -> bool {
        matches!(self.state(step), None | Some(StepState::Retrying { .. }))
    }

    pub(super) fn is_awaiting(&self, step: &Address) -> bool {
        matches!(self.state(step), Some(StepState::Awaiting(_)))
    }

    /// Whether this try of a step may just have failed: it has a state of its own only if it failed itself.
    pub(super) fn is_failed_try(&self, step: &Address, attempt: u32) -> bool {
        self.tries(step).saturating_add(1) == attempt && !matches!(self.state(step), Some(StepState::Skipped | StepState::Done { .. }))
    }

    pub(super) fn is_open_iteration(&self, step: &Address, index: u32) -> bool {
        matches!(self.state(step), Some(StepState::Looping(looping)) if index < looping.len() && !looping.is_ended(index))
    }

    pub(super) fn is_round(&self, step: &Address, round: u32) -> bool {
        match self.state(step) {
            Some(StepState::Repeating { round: next, .. }) => *next == round,
            None | Some(StepState::Took(_) | StepState::Retrying { .. }) => round == 0,
            Some(
                StepState::Skipped
                | StepState::Started { .. }
                | StepState::Looping(_)
                | StepState::Waiting { .. }
                | StepState::Awaiting(_)
                | StepState::Done { .. }
                | StepState::Failed { .. },
            ) => false,
        }
    }

    /// Whether nothing more can happen to a step.
    pub(super) fn is_settled(&self, step: &Address) -> bool {
        matches!(self.state(step), Some(StepState::Skipped | StepState::Done { .. } | StepState::Failed { .. }))
    }
}
