//! The store port. Not "dequeue a job": events are accepted, facts are committed, both durable on
//! return; what is open is loaded at start. Ready queues, lanes and timers live in the owner's memory.
//!
//! [`Journal`] is what the rest of the program holds: it groups writes, so that everything queued
//! while the last sync ran is written and synced once.

pub mod answers;
pub mod conformance;
pub mod embedded;
pub mod journal;
pub mod kv;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::domain::admission::Lane;
use crate::domain::event::{Event, Match};
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::journal::{Address, Entry};
use crate::domain::run::Status;
use crate::domain::time::Timestamp;

pub use crate::domain::admission::NewRun;
pub use journal::{Feed, FreshRun, Journal};

/// Counts the owners of a shard. A commit under an older epoch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// Why the store could not do something. Every variant says what a person can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the store {0} is in use by another process; stop that one, or serve with another --data folder")]
    Locked(String),
    /// Made by a newer version.
    #[error("the store has data format {found}, and this version reads up to {known}; use the newer hence that wrote it")]
    NewerFormat {
        /// In the store.
        found: u32,
        /// The newest this program reads.
        known: u32,
    },
    /// It cannot be read; what was tried is in the text.
    #[error("the store is damaged: {0}; restore a backup, or move the folder away to start empty")]
    Damaged(String),
    /// No space, or the watermark was reached.
    #[error("the disk is full: {0}; free some space, new events are refused until then")]
    Full(String),
    /// The disk failed.
    #[error("the store could not read or write: {0}")]
    Io(String),
    /// More waits than the bound allows.
    #[error("{waiting} accepted runs are waiting already (limit {limit}); new events are refused until some are done")]
    Overloaded {
        /// How many wait.
        waiting: usize,
        /// The setting `limits.backlog`.
        limit: usize,
    },
    /// The committer has stopped: the process is shutting down.
    #[error("hence is shutting down")]
    Closed,
    /// The store's URL cannot be used.
    #[error("`{0}` is not a store: expected redb://PATH, sled://PATH or memory:")]
    BadUrl(String),
}

/// Why one commit was refused. The others of its batch are not touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another node has taken the shard.
    #[error("the shard of {0} has a newer owner")]
    Fenced(RunId),
    /// The journal has moved on: a step of the batch was completed already.
    #[error("{run} has {len} facts, not {expected}: another writer was here")]
    Conflict {
        /// Which run.
        run: RunId,
        /// Facts in the store.
        len: u32,
        /// Facts the writer knew of.
        expected: u32,
    },
    /// There is no such run.
    #[error("there is no {0}")]
    Unknown(RunId),
    /// The event of a replay is not in the store any more.
    #[error("{0} is not in the store any more")]
    NoEvent(EventId),
    /// The store itself failed; nothing of the batch was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An event to accept, with the runs it starts.
#[derive(Debug, Clone)]
pub struct Accept {
    /// The event; `event.head.matches` names the same runs.
    pub event: Arc<Event>,
    /// Makes a repeat recognisable.
    pub dedupe: Option<DedupeKey>,
    /// One per matching workflow.
    pub runs: Vec<NewRun>,
    /// A schedule's cursor, moved together with the event.
    pub cursor: Option<Cursor>,
    /// What runs that wait for it know it by.
    pub topic: Option<Arc<str>>,
}

/// A key that is remembered until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DedupeKey {
    /// A SHA-256 of scope and key.
    pub hash: [u8; 32],
    /// From then on the key is new again. Keys are also forgotten when the event is.
    pub until: Timestamp,
}

/// How far a schedule has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The trigger's name.
    pub name: Arc<str>,
    /// The last slot that was served.
    pub slot: Timestamp,
}

/// A further run for what is stored already: an event, or all that the earlier run gathered.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// The run to start, with the facts it takes over.
    pub run: NewRun,
    /// The event of both.
    pub event: EventId,
    /// When the replay was asked for: the new run counts from then.
    pub accepted: Timestamp,
    /// What it replays.
    pub of: ReplayOf,
}

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

/// What became of an accepted event.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It is stored and its runs will be done.
    New {
        /// What came of it: as the event says, but for runs that gather events, which may have been there before.
        matches: Vec<Match>,
        /// Runs of it that do not begin at once: when they do. A run that was there before may have another time now.
        delayed: Vec<(RunId, Timestamp)>,
    },
    /// It was here before.
    Duplicate {
        /// The first event.
        event: EventId,
        /// What came of that one.
        matches: Vec<Match>,
    },
}

/// Facts to add to a run.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Whose.
    pub run: RunId,
    /// The committer's epoch for the run's shard.
    pub epoch: Epoch,
    /// How many facts the writer knew of: the first new one's position.
    pub from: u32,
    /// The new facts, in order.
    pub entries: Vec<Entry>,
    /// Where the run stands after them.
    pub status: Status,
    /// When a waiting run has more to do.
    pub wake: Option<Timestamp>,
    /// The failure in one line, for lists, once the run has failed.
    pub error: Option<RunError>,
    /// Events that it emits, and runs that it starts as a part of itself: stored with the facts, or not at all.
    pub emits: Vec<Accept>,
    /// Runs that end with it: each one's wish to end is recorded with the facts.
    pub cancels: Vec<RunId>,
    /// What a waiting run listens to.
    pub listens: Vec<Listening>,
}

impl Commit {
    /// These facts and nothing else.
    #[must_use]
    pub fn new(run: RunId, epoch: Epoch, from: u32, entries: Vec<Entry>, status: Status) -> Self {
        let (emits, cancels, listens) = (Vec::new(), Vec::new(), Vec::new());
        Self { run, epoch, from, entries, status, wake: None, error: None, emits, cancels, listens }
    }
}

/// What events are found by that runs wait for: a hash of the topic's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicKey(pub [u8; 8]);

impl TopicKey {
    /// The key of a topic. Two topics may share one: the event itself says what it is.
    #[must_use]
    pub fn of(topic: &str) -> Self {
        let mut key = [0; 8];
        let hash = ring::digest::digest(&ring::digest::SHA256, topic.as_bytes());
        key.iter_mut().zip(hash.as_ref()).for_each(|(slot, byte)| *slot = *byte);
        Self(key)
    }
}

/// A topic that a run listens to, and how far it has looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// Which.
    pub topic: TopicKey,
    /// The last event of it that the run has seen, by its place among all events with a topic.
    pub seen: u64,
}

/// An event with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// Its place among all events with a topic, in the order in which they were stored. It begins with
    /// the time of storing: `time_ms << 20`.
    pub seq: u64,
    /// The event.
    pub event: EventId,
}

/// The first place of events that were stored at this time or later.
#[must_use]
pub fn seq_at(time: Timestamp) -> u64 {
    u64::try_from(time.0).unwrap_or(0) << 20
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

/// What can be written: an event accepted, facts committed, a wish recorded.
#[derive(Debug, Clone)]
pub enum Write {
    /// An event and its runs.
    Accept(Accept),
    /// A further run for an event that is there; refused when it is not.
    Replay(Replay),
    /// Facts of a run.
    Commit(Commit),
    /// A person wants this run to end. Kept until the run has ended; its owner is told.
    Cancel(RunId),
    /// A schedule's cursor where there is none yet, so that a slot missed before the first one fired is noticed.
    Cursor(Cursor),
}

/// What came of a [`Write`], in the same order.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// Of an accept or a replay; a replay is always new.
    Accepted(Accepted),
    /// Of a commit: done, and what came of the events it emits. Of a cursor: done.
    Committed(Vec<Accepted>),
    /// Of a cancel: whether the run was still open.
    Canceling(bool),
    /// Refused; the other writes of the batch are not touched. A new event is refused only with
    /// [`StoreError::Full`], below the free-space watermark; a replay also without its event.
    Refused(CommitError),
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
    /// The event that started it.
    pub event: EventId,
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
    fn events(
        &self,
        before: Option<EventId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<crate::domain::event::EventHead, EventId>, StoreError>>;

    /// Whether events can be accepted now: the disk has room and takes writes.
    fn writable(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// How far a schedule has come.
    fn cursor(&self, name: &str) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>>;

    /// The time of the newest id in the store, so that new ones sort after it.
    fn newest(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>>;

    /// Forgets dedupe keys whose window has ended, at most `limit` of them; says how many.
    fn forget_keys(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>>;
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, K> {
    /// Newest first, where the listing does not say otherwise.
    pub items: Vec<T>,
    /// Where the next page begins, when there may be one.
    pub next: Option<K>,
}
