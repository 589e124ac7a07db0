//! What is written, and what came of it.

use std::sync::Arc;

use bytes::Bytes;

use super::error::CommitError;
use super::read::{ReplayOf, RunError};
use super::{Epoch, Listening};
use crate::domain::admission::NewRun;
use crate::domain::event::{Event, Match};
use crate::domain::file::FileId;
use crate::domain::id::{EventId, RunId};
use crate::domain::journal::Entry;
use crate::domain::run::Status;
use crate::domain::time::Timestamp;

/// An event to accept, with the runs it starts.
#[derive(Debug, Clone)]
pub struct Accept {
    /// The event; `event.head.matches` names the same runs.
    pub event: Arc<Event>,
    /// Make a repeat recognisable: an event with one of these keys that is known is one.
    pub dedupe: Vec<DedupeKey>,
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
    /// From then on the key is new again. Until then it is known, also when retention has forgotten the event.
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

/// A piece of a file that comes with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Whose.
    pub file: FileId,
    /// Which, from 0.
    pub index: u32,
    /// Its content; all pieces but a file's last have [`super::PIECE_BYTES`].
    pub bytes: Bytes,
}

/// What can be written: an event accepted, facts committed, a wish recorded, pieces of files.
#[expect(clippy::large_enum_variant, reason = "most writes are of this one: a box for each would cost more than the room in a queue")]
#[derive(Debug, Clone)]
pub enum Write {
    /// An event and its runs.
    Accept(Accept),
    /// Several events and their runs, all or none.
    AcceptAll(Vec<Accept>),
    /// A further run for an event that is there; refused when it is not, or the earlier run is gone.
    Replay(Replay),
    /// Facts of a run.
    Commit(Arc<Commit>),
    /// A person wants this run to end. Kept until the run has ended; its owner is told.
    Cancel(RunId),
    /// A schedule's cursor where there is none yet, so that a slot missed before the first one fired is noticed.
    Cursor(Cursor),
    /// Pieces of files whose event is accepted later, all or none. They are durable like every other write and no later than it:
    /// a batch is synced as a whole, so many pieces, and what else is written meanwhile, cost one sync, and there is nothing to
    /// win by a weaker promise. Whoever accepts the event waits for its pieces first; so an event that is there has its files.
    /// What no event follows is forgotten by a later pass.
    Files(Vec<Piece>),
}

impl From<Commit> for Write {
    fn from(commit: Commit) -> Self {
        Self::Commit(Arc::new(commit))
    }
}

/// What came of a [`Write`], in the same order.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// Of an accept or a replay; a replay is always new.
    Accepted(Accepted),
    /// Of a commit: done, and what came of the events it emits. Of several accepts: what came of each. Of a cursor, or of
    /// pieces of files: done.
    Committed(Vec<Accepted>),
    /// Of a cancel: whether the run was still open.
    Canceling(bool),
    /// Refused; the other writes of the batch are not touched. A new event is refused only with
    /// [`StoreError::Full`], below the free-space watermark, and so are several together and pieces of files; a replay also without its
    /// event or the earlier run.
    Refused(CommitError),
}
