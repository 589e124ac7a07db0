//! What is read: runs as lists and the executor see them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Listening;
use crate::domain::admission::Lane;
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::journal::Address;
use crate::domain::run::Status;
use crate::domain::time::Timestamp;

/// Which run a run replays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayOf {
    /// The earlier run.
    pub run: RunId,
    /// The step from which everything is done anew; nothing for the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
    /// How many of its first facts are those of the earlier run.
    #[serde(default)]
    pub facts: u32,
}

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHead {
    /// Its name.
    pub id: RunId,
    /// Its workflow.
    pub workflow: Arc<str>,
    /// The revision it keeps.
    pub revision: Revision,
    /// The event that started it; the last one of those that it gathered with `debounce`, the first one with `batch`.
    pub event: EventId,
    /// How many events it has gathered; 1 if it gathers none.
    #[serde(skip)]
    pub events: u32,
    /// Where it stands.
    pub status: Status,
    /// The run that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// How many of its kind go on at once.
    #[serde(skip)]
    pub lane: Option<Lane>,
    /// It gathers events, and has not begun.
    #[serde(skip)]
    pub gathers: Option<Gathers>,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// The time of its last fact.
    pub updated: Timestamp,
    /// When a waiting run has more to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// The run that it replays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<ReplayOf>,
}

/// What a run gathers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathers {
    /// The last event.
    Last,
    /// All of them.
    All,
}

/// A run that has not ended, as `load` finds it. Small: there may be a million of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// Which.
    pub id: RunId,
    /// When it has more to do; nothing means now.
    pub wake: Option<Timestamp>,
    /// A person wants it to end.
    pub cancel: bool,
    /// Something has happened in it.
    pub begun: bool,
    /// How many of its kind go on at once.
    pub lane: Option<Lane>,
    /// What it waits for, if not only for a time.
    pub listens: Box<[Listening]>,
}

/// What to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFilter {
    /// Only this workflow's.
    pub workflow: Option<String>,
    /// Only these; empty means all.
    pub status: Vec<Status>,
    /// Only those accepted at or after this time.
    pub since: Option<Timestamp>,
    /// Only those that replay another one.
    pub replays: bool,
    /// Only those older than this one: the page after it.
    pub before: Option<RunId>,
}

/// A failed run's failure in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// The step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Address>,
    /// Why.
    pub message: String,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, K> {
    /// Newest first, where the listing does not say otherwise.
    pub items: Vec<T>,
    /// Where the next page begins, when there may be one.
    pub next: Option<K>,
}
