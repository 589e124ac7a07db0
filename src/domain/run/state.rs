//! Where runs and steps stand.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::Value;
use crate::domain::failure::Failure;
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Branch, Outcome};
use crate::domain::time::Timestamp;

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
    /// An `if` or `switch` that went one way, or a step whose own `if` was true.
    Took(Branch),
    /// A `foreach` on its way.
    Looping(Looping),
    /// A `repeat` between two rounds.
    Repeating {
        /// The next round, from 0.
        round: u32,
        /// When it begins.
        due: Timestamp,
    },
    /// A `wait` that has begun.
    Waiting {
        /// Until when.
        until: Timestamp,
    },
    /// An event, a person's answer or the end of a child is waited for.
    Awaiting(Awaiting),
    /// A call that may happen only once has begun.
    Started {
        /// Which try.
        attempt: u32,
    },
    /// It failed and is due again.
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

impl StepState {
    /// What it waits for: an event, a person's answer or the end of a child.
    #[must_use]
    pub fn waits_for(&self) -> Option<&Awaiting> {
        match self {
            Self::Awaiting(awaiting) => Some(awaiting),
            Self::Skipped
            | Self::Took(_)
            | Self::Looping(_)
            | Self::Repeating { .. }
            | Self::Waiting { .. }
            | Self::Started { .. }
            | Self::Retrying { .. }
            | Self::Done { .. }
            | Self::Failed { .. } => None,
        }
    }
}

/// A step's state and the time of the fact that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    /// When.
    pub at: Timestamp,
    /// How often it failed and was begun anew, with all that is inside it.
    pub tries: u32,
    /// When the try began that came after those.
    pub anew: Option<Timestamp>,
    /// What.
    pub state: StepState,
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Awaiting {
    /// What the event is called by.
    pub topic: Arc<str>,
    /// Events from this time on count.
    pub since: Timestamp,
    /// How long.
    pub until: Option<Timestamp>,
    /// The run whose end is waited for.
    pub child: Option<RunId>,
    /// A person's answer is waited for: which fact of the run is the question. A step that asks anew asks another one.
    pub question: Option<u32>,
}

/// A call that is taken back if the run fails later.
#[derive(Debug, Clone, PartialEq)]
pub struct Undo {
    /// The call.
    pub step: Address,
    /// What it gave: the step itself may have been begun anew since, with a block around it.
    pub output: Arc<Value>,
    /// The iterations it was in, outermost first: the loop, which one, and the list if it is a `foreach`.
    pub loops: Vec<(Address, u32, Option<Arc<Value>>)>,
}

/// A `foreach` on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Looping {
    /// The list.
    pub items: Arc<Value>,
    /// When it began.
    pub began: Timestamp,
    /// When an iteration last ended.
    pub last_ended: Timestamp,
    /// Every iteration before this one has ended.
    pub first_open: u32,
    outputs: Vec<Option<Arc<Value>>>,
}

impl Looping {
    pub(super) fn new(items: Arc<Value>, began: Timestamp) -> Self {
        let count = items.as_array().map_or(0, Vec::len);
        Self { items, began, last_ended: began, first_open: 0, outputs: vec![None; count] }
    }

    /// How many iterations there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.outputs.len()).unwrap_or(u32::MAX)
    }

    /// Whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Whether an iteration has ended.
    #[must_use]
    pub fn is_ended(&self, index: u32) -> bool {
        usize::try_from(index).ok().and_then(|index| self.outputs.get(index)).is_some_and(Option::is_some)
    }

    /// The last outputs of those that have.
    pub fn outputs(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.outputs.iter().flatten()
    }

    /// Ends an open iteration; nothing for one that has ended.
    pub(super) fn end(&mut self, index: u32, output: Arc<Value>, at: Timestamp) {
        let slot = usize::try_from(index).ok().and_then(|index| self.outputs.get_mut(index)).filter(|slot| slot.is_none());
        let Some(slot) = slot else { return };
        *slot = Some(output);
        self.last_ended = self.last_ended.max(at);
        while self.is_ended(self.first_open) {
            self.first_open += 1;
        }
    }
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
        /// When.
        at: Timestamp,
    },
    /// A `stop` step was reached.
    Stopped {
        /// The run's output.
        output: Arc<Value>,
        /// When.
        at: Timestamp,
    },
    /// A person asked to end it.
    Canceling {
        /// When.
        at: Timestamp,
    },
    /// There was no room for it.
    Skipped,
    /// It ended.
    Finished(Outcome),
}
