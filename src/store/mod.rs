//! The store port. Not "dequeue a job": events are accepted, facts are committed, both durable on
//! return; what is open is loaded at start. Ready queues, lanes and timers live in the owner's memory.
//!
//! [`Journal`] is what the rest of the program holds: it groups writes, so that everything queued
//! while the last sync ran is written and synced once.

mod answers;
pub mod conformance;
pub mod embedded;
mod error;
pub mod journal;
pub mod kv;
mod outage;
mod read;
mod topic;
pub mod upkeep;
mod write;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::domain::event::{Event, EventHead};
use crate::domain::file::FileId;
use crate::domain::id::{EventId, Revision, RunId};
use crate::domain::journal::Entry;
use crate::domain::time::Timestamp;

pub use crate::domain::admission::NewRun;
pub use crate::domain::file::PIECE_BYTES;
pub use answers::{Answers, Caller, Said};
pub use error::{CommitError, StoreError};
pub use journal::{Feed, FreshRun, Journal};
pub use read::{Gathers, OpenRun, Page, ReplayOf, RunError, RunFilter, RunHead};
pub use topic::{Listening, Posted, TopicKey, seq_at};
pub use upkeep::{Ages, BackupStream, Checked, Compacted, Keep, Pass, Pruned, Stage, Stats, Tally, WorkflowStats};
pub use write::{Accept, Accepted, Commit, Cursor, DedupeKey, Piece, Replay, Write, Written};

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

    /// A piece of a file; nothing behind the last.
    fn file(&self, file: FileId, index: u32) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>>;

    /// Forgets the files of an event that was not accepted. Those of one that was stay.
    fn drop_files(&self, event: EventId) -> BoxFuture<'_, Result<(), StoreError>>;

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

    /// Does one step of a pass that forgets what is not to be kept: one small write. Open runs stay, and so does what
    /// they may still need: their events, finished parts of them, events that they may wait for, their revisions.
    /// A dedupe key is known until its window ends, also when its event is gone. Durable on return. A pass that is
    /// given up, or cut short by a crash, leaves nothing half-done; the next one goes on.
    fn prune(&self, pass: Pass) -> BoxFuture<'_, Result<Pass, StoreError>>;

    /// Counts everything. Reads the whole store; others go on meanwhile, so the figures are not of one moment.
    fn stats(&self) -> BoxFuture<'_, Result<Stats, StoreError>>;

    /// What the store's files take on the disk, in bytes.
    fn disk_bytes(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// The bytes of all records written since the store was opened, also of those that replaced others. For telling whether
    /// it is time to count again.
    fn written_bytes(&self) -> u64;

    /// Reads every record and follows every reference. Nobody may write meanwhile, or it finds problems that are none.
    fn check(&self) -> BoxFuture<'_, Result<Checked, StoreError>>;

    /// Gives back to the disk what is not used. Others go on meanwhile; all that is written is in the store afterwards.
    fn compact(&self) -> BoxFuture<'_, Result<Compacted, StoreError>>;

    /// Everything that is stored at the moment of the call, as a file that any store can be filled from. What is
    /// written later is not in it.
    fn backup(&self) -> BoxFuture<'_, Result<BackupStream, StoreError>>;

    /// Fills an empty store from a backup; says how many records it held. Durable on return. On an error, or after a
    /// crash, the store is left in a state in which it is not opened again.
    fn restore(&self, from: Box<dyn std::io::Read + Send>) -> BoxFuture<'_, Result<u64, StoreError>>;
}
