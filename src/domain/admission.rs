//! A run as it is accepted: what it follows, and what it must wait for before it begins.

use std::sync::Arc;
use std::time::Duration;

use super::id::{Revision, RunId};
use super::journal::Entry;
use super::workflow::Mode;

/// A run to start.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its name.
    pub id: RunId,
    /// Its workflow.
    pub workflow: Arc<str>,
    /// The revision it keeps.
    pub revision: Revision,
    /// Facts it begins with: none, or that its condition failed.
    pub facts: Vec<Entry>,
    /// The run that it is a part of.
    pub parent: Option<RunId>,
    /// How many of its kind go on at once.
    pub lane: Option<Lane>,
    /// How events are gathered into it.
    pub gather: Option<Gather>,
    /// How many of its kind begin in a time.
    pub throttle: Option<Throttled>,
}

impl NewRun {
    /// A run that begins at once and has no facts yet.
    #[must_use]
    pub fn new(id: RunId, workflow: Arc<str>, revision: Revision) -> Self {
        Self { id, workflow, revision, facts: Vec::new(), parent: None, lane: None, gather: None, throttle: None }
    }
}

/// What runs have in common that share a limit: a hash of the workflow, the rule and the key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 16]);

/// The queue of one workflow and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Which.
    pub key: Key,
    /// How many runs of it go on at once.
    pub limit: u32,
    /// What becomes of one too many.
    pub mode: Mode,
}

/// How events are gathered into one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gather {
    /// The last event counts, once there was none for a while.
    Debounce {
        /// Which belong together.
        key: Key,
        /// How long there must be none.
        quiet: Duration,
    },
    /// All events count.
    Batch {
        /// Which belong together.
        key: Key,
        /// So many begin the run at once.
        size: u32,
        /// How long after the first it begins with what there is.
        within: Duration,
    },
}

/// A bound on how many runs begin in any stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    /// Which share it.
    pub key: Key,
    /// How many.
    pub limit: u32,
    /// In which time.
    pub per: Duration,
}
