//! Facts: what has happened in a run, in the past tense. State is derived from them.
//!
//! They are stored as JSON and read back for years: a field may be added with a default, a
//! variant may be added; neither is renamed or removed. `tests/journals/` holds old ones.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::id::{EventId, RunId};
use super::response::Response;
use super::time::Timestamp;
use super::{Map, Value};

/// Where a step stands in the workflow, with the iterations it is in: `contact`, `2/then/0`, `each[3]/charge`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(Arc<str>);

impl Address {
    /// The address with this text.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same place in the workflow, without the iterations: `each/charge` for `each[3]/charge`.
    #[must_use]
    pub fn outside_loops(&self) -> Self {
        let mut text = String::with_capacity(self.0.len());
        let mut in_brackets = false;
        for c in self.0.chars() {
            match c {
                '[' => in_brackets = true,
                ']' => in_brackets = false,
                _ if in_brackets => {}
                _ => text.push(c),
            }
        }
        Self::new(text)
    }

    /// The loops it is in, outermost first, each with its iteration: `each`, 3 for `each[3]/charge`.
    pub fn loops(&self) -> impl Iterator<Item = (Self, u32)> {
        self.0.match_indices('[').filter_map(|(open, _)| {
            let (before, rest) = self.0.split_at_checked(open)?;
            let index = rest.strip_prefix('[')?.split_once(']')?.0.parse().ok()?;
            Some((Self::new(before), index))
        })
    }

    /// Whether it is a step inside this one.
    #[must_use]
    pub fn is_inside(&self, outer: &Self) -> bool {
        self.0.strip_prefix(&*outer.0).is_some_and(|rest| rest.starts_with(['/', '[']))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A fact and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When. A pure step's fact has the time of the fact before it, so that a replay gives the same.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub fact: Fact,
}

/// Which way an `if` or a `switch` went: the segment of the branch's steps in their addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Branch(Cow<'static, str>);

impl Branch {
    /// The condition was true; also said of a step whose own `if` was true.
    pub const THEN: Self = Self(Cow::Borrowed("then"));
    /// The condition was false.
    pub const ELSE: Self = Self(Cow::Borrowed("else"));
    /// No case fitted.
    pub const DEFAULT: Self = Self(Cow::Borrowed("default"));

    /// The branch of a `switch` with this segment.
    #[must_use]
    pub fn case(segment: String) -> Self {
        Self(Cow::Owned(segment))
    }

    /// Its segment in an address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All steps done, or a `stop`; with the last output.
    Succeeded {
        /// The last output.
        output: Arc<Value>,
    },
    /// A step failed and nothing took care of it.
    Failed {
        /// The step, or nothing when the run failed before its first step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<Address>,
        /// Why.
        error: Failure,
    },
    /// A person ended it.
    Canceled,
}

/// One thing that has happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The workflow's `if` could not be evaluated, so the run fails before its first step.
    ConditionFailed {
        /// Why.
        error: Failure,
    },
    /// The step's `if` was false.
    StepSkipped {
        /// Where.
        step: Address,
    },
    /// An `if` step went one way.
    BranchTaken {
        /// Where.
        step: Address,
        /// Which way.
        branch: Branch,
    },
    /// A `set` step wrote into `vars`.
    VarsSet {
        /// Where.
        step: Address,
        /// The names and their new values.
        vars: Map,
    },
    /// A step that touches nothing outside gave its output.
    StepEvaluated {
        /// Where.
        step: Address,
        /// The output.
        output: Arc<Value>,
    },
    /// A `foreach` has its list.
    LoopBegan {
        /// Where.
        step: Address,
        /// The list.
        items: Arc<Value>,
    },
    /// An iteration of a `foreach` is through. What its steps left is forgotten but for this.
    IterationEnded {
        /// The loop.
        step: Address,
        /// Which, from 0.
        index: u32,
        /// The iteration's last output.
        output: Arc<Value>,
    },
    /// A round of a `repeat` is through and another one follows.
    RoundEnded {
        /// The loop.
        step: Address,
        /// Which, from 0.
        round: u32,
        /// When the next one begins.
        due: Timestamp,
    },
    /// A `wait` has its time.
    WaitBegan {
        /// Where.
        step: Address,
        /// Until when.
        until: Timestamp,
    },
    /// The events that this run gathers are all there; nothing is added from now on.
    GatheringEnded {
        /// How many.
        events: u32,
    },
    /// A run that did not begin when it was accepted begins now.
    RunBegan,
    /// There was no room for the run, and its workflow says to leave it then.
    RunSkipped {
        /// Why, for a person.
        reason: Arc<str>,
    },
    /// A step waits for an event.
    EventAwaited {
        /// Where.
        step: Address,
        /// The event's type.
        topic: Arc<str>,
        /// Events from this time on count.
        since: Timestamp,
        /// How long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A person was asked.
    ApprovalAsked {
        /// Where.
        step: Address,
        /// Who.
        to: String,
        /// What.
        message: String,
        /// How long they have.
        until: Timestamp,
    },
    /// Another workflow's run began as a part of this one.
    ChildStarted {
        /// Where.
        step: Address,
        /// Which.
        run: RunId,
        /// Its workflow.
        workflow: Arc<str>,
    },
    /// What a step waited for came: an event, a person's answer, the end of a child.
    EventTaken {
        /// Where.
        step: Address,
        /// The event.
        event: EventId,
        /// Its place among all events that can be waited for.
        seq: u64,
        /// The step's output.
        output: Arc<Value>,
    },
    /// An event was emitted, in the same write as this fact.
    EventEmitted {
        /// Where.
        step: Address,
        /// Its name.
        event: EventId,
        /// Its type.
        kind: Arc<str>,
    },
    /// The caller that waits for the run was answered.
    Responded {
        /// Where.
        step: Address,
        /// With what.
        response: Arc<Response>,
    },
    /// A step failed and is done anew, with all that is inside it.
    StepRetried {
        /// Where.
        step: Address,
        /// Which try failed, from 1.
        attempt: u32,
        /// Why.
        error: Failure,
        /// When the next one begins.
        due: Timestamp,
    },
    /// A call that may happen at most once is about to be made.
    CallStarted {
        /// Where.
        step: Address,
        /// Which try, from 1.
        attempt: u32,
    },
    /// The other side answered as expected.
    CallSucceeded {
        /// Where.
        step: Address,
        /// Which try, from 1.
        attempt: u32,
        /// The output.
        output: Arc<Value>,
        /// There are steps that take it back if the run fails later.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        undo: bool,
    },
    /// A try failed and another one follows.
    CallRetried {
        /// Where.
        step: Address,
        /// Which try failed, from 1.
        attempt: u32,
        /// Why.
        error: Failure,
        /// When the next one is due.
        due: Timestamp,
    },
    /// The step failed for good.
    StepFailed {
        /// Where.
        step: Address,
        /// How many tries were made; 0 for steps that make no call.
        attempts: u32,
        /// Why.
        error: Failure,
    },
    /// A `stop` step ended the run.
    RunStopped {
        /// Where.
        step: Address,
        /// The run's output.
        output: Arc<Value>,
    },
    /// The workflow's `timeout` passed.
    RunTimedOut {
        /// Why.
        error: Failure,
    },
    /// A person asked to end the run.
    CancelRequested,
    /// The run ended; nothing follows.
    RunFinished {
        /// How.
        outcome: Outcome,
    },
}

impl Fact {
    /// Its name, without what it holds.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::ConditionFailed { .. } => "condition_failed",
            Self::StepSkipped { .. } => "step_skipped",
            Self::BranchTaken { .. } => "branch_taken",
            Self::VarsSet { .. } => "vars_set",
            Self::StepEvaluated { .. } => "step_evaluated",
            Self::LoopBegan { .. } => "loop_began",
            Self::IterationEnded { .. } => "iteration_ended",
            Self::RoundEnded { .. } => "round_ended",
            Self::WaitBegan { .. } => "wait_began",
            Self::GatheringEnded { .. } => "gathering_ended",
            Self::RunBegan => "run_began",
            Self::RunSkipped { .. } => "run_skipped",
            Self::EventAwaited { .. } => "event_awaited",
            Self::ApprovalAsked { .. } => "approval_asked",
            Self::ChildStarted { .. } => "child_started",
            Self::EventTaken { .. } => "event_taken",
            Self::EventEmitted { .. } => "event_emitted",
            Self::Responded { .. } => "responded",
            Self::StepRetried { .. } => "step_retried",
            Self::CallStarted { .. } => "call_started",
            Self::CallSucceeded { .. } => "call_succeeded",
            Self::CallRetried { .. } => "call_retried",
            Self::StepFailed { .. } => "step_failed",
            Self::RunStopped { .. } => "run_stopped",
            Self::RunTimedOut { .. } => "run_timed_out",
            Self::CancelRequested => "cancel_requested",
            Self::RunFinished { .. } => "run_finished",
        }
    }

    /// The step the fact is about.
    #[must_use]
    pub fn step(&self) -> Option<&Address> {
        match self {
            Self::StepSkipped { step }
            | Self::BranchTaken { step, .. }
            | Self::VarsSet { step, .. }
            | Self::StepEvaluated { step, .. }
            | Self::LoopBegan { step, .. }
            | Self::IterationEnded { step, .. }
            | Self::RoundEnded { step, .. }
            | Self::WaitBegan { step, .. }
            | Self::EventAwaited { step, .. }
            | Self::ApprovalAsked { step, .. }
            | Self::ChildStarted { step, .. }
            | Self::EventTaken { step, .. }
            | Self::EventEmitted { step, .. }
            | Self::Responded { step, .. }
            | Self::StepRetried { step, .. }
            | Self::CallStarted { step, .. }
            | Self::CallSucceeded { step, .. }
            | Self::CallRetried { step, .. }
            | Self::StepFailed { step, .. }
            | Self::RunStopped { step, .. } => Some(step),
            Self::ConditionFailed { .. }
            | Self::GatheringEnded { .. }
            | Self::RunBegan
            | Self::RunSkipped { .. }
            | Self::RunTimedOut { .. }
            | Self::CancelRequested
            | Self::RunFinished { .. } => None,
        }
    }
}
