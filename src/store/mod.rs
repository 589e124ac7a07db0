//! The store port. Not "dequeue a job": events are accepted, facts are committed, both durable on
//! return; what is open is loaded at start. Ready queues, lanes and timers live in the owner's memory.
//!
//! [`Journal`] is what the rest of the program holds: it groups writes, so that everything queued
//! while the last sync ran is written and synced once.

pub mod answers;
pub mod conformance;
pub mod embedded;
mod error;
pub mod journal;
pub mod kv;
mod read;
mod topic;
mod write;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::domain::event::{Event, EventHead};
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::journal::Entry;
use crate::domain::time::Timestamp;

pub use crate::domain::admission::NewRun;
pub use error::{CommitError, StoreError};
pub use journal::{Feed, FreshRun, Journal};
pub use read::{Gathers, OpenRun, Page, ReplayOf, RunError, RunFilter, RunHead};
pub use topic::{Listening, Posted, TopicKey, seq_at};
pub use write::{Accept, Accepted, Commit, Cursor, DedupeKey, Replay, Write, Written};

/// Counts the owners of a shard. A commit under an older epoch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// A workflow with everything it uses, as stored: what a run needs to go on after the files changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionFiles {
    /// Path below the project folder, and content. The workflow's own file is the first.
    pub files: Vec<(String, String)>,
}

/// A durable store. Every call's promise is in its comment; one suite (`conformance`) checks them all.
pub trait Store: Send + Sync {
    /// Becomes the owner of all shards: the epoch grows by one, older owners are fenced. Durable on return.
    fn acquire(&self) -> BoxFuture<'_, Result<Epoch, StoreError>>;

    /// Writes a batch. Each write is all or nothing; on `Ok` everything not `Refused` is on stable
    /// storage. On `Err` nothing of the batch was written. Within a batch, later writes see earlier ones.
    fn write(&self, batch: Vec<Write>) -> BoxFuture<'_, Result<Vec<Written>, StoreError>>;

    /// Every run that has not ended, oldest first. One that listens to something that has come has more to do at once.
    fn load(&self) -> BoxFuture<'_, Result<Vec<OpenRun>, StoreError>>;

    /// Stores what a revision is made of; storing it again does nothing. Durable on return.
    fn put_revision(&self, revision: Revision, files: RevisionFiles) -> BoxFuture<'_, Result<(), StoreError>>;

    /// What a revision is made of.
    fn revision(&self, revision: Revision) -> BoxFuture<'_, Result<Option<RevisionFiles>, StoreError>>;

    /// One run.
    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunHead>, StoreError>>;

    /// A run's facts, oldest first.
    fn facts(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Entry>, StoreError>>;

    /// The events that a run gathered, oldest first; the one event of another run.
    fn gathered(&self, run: RunId) -> BoxFuture<'_, Result<Vec<Event>, StoreError>>;

    /// Events with this topic behind a place, oldest first, at most `limit`.
    fn posted(&self, topic: TopicKey, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Posted>, StoreError>>;

    /// One event with its body.
    fn event(&self, event: EventId) -> BoxFuture<'_, Result<Option<Event>, StoreError>>;

    /// Runs, newest first, at most `limit`. Looks at no more than 10,000 of them, so that a rare filter stays bounded.
    fn runs(&self, filter: RunFilter, limit: usize) -> BoxFuture<'_, Result<Page<RunHead, RunId>, StoreError>>;

    /// Runs that have not ended, oldest first, at most `limit`; `next` is there when there are more.
    fn open_runs(&self, limit: usize) -> BoxFuture<'_, Result<Page<RunHead, RunId>, StoreError>>;

    /// Events without their bodies, newest first, older than `before`, at most `limit`.
    fn events(&self, before: Option<EventId>, limit: usize) -> BoxFuture<'_, Result<Page<EventHead, EventId>, StoreError>>;

    /// Whether events can be accepted now: the disk has room and takes writes.
    fn writable(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// How far a schedule has come.
    fn cursor(&self, name: &str) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>>;

    /// The time of the newest id in the store, so that new ones sort after it.
    fn newest(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>>;

    /// Forgets dedupe keys whose window has ended, at most `limit` of them; says how many.
    fn forget_keys(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>>;
}
