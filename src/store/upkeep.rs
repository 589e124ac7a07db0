//! What a store does for its own sake: forget what is old, count, check, copy, give disk back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde_json::{Map, json};

use super::StoreError;
use crate::domain::Value;
use crate::domain::id::{EventId, Revision};
use crate::domain::run::Status;
use crate::domain::time::Timestamp;

/// A backup as it is written: pieces of a file. An error ends it, and what came before is no backup then.
pub type BackupStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// How long finished runs are kept, by how they ended. Nothing means for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ages {
    /// Those that succeeded.
    pub succeeded: Option<Duration>,
    /// Those that failed.
    pub failed: Option<Duration>,
    /// Those that a person or another run has ended.
    pub canceled: Option<Duration>,
}

impl Ages {
    /// The same for all.
    #[must_use]
    pub fn all(age: Option<Duration>) -> Self {
        Self { succeeded: age, failed: age, canceled: age }
    }

    /// How long one is kept that ended so; nothing for one that has not ended.
    #[must_use]
    pub fn of(&self, status: Status) -> Option<Duration> {
        match status {
            Status::Queued | Status::Running | Status::Waiting => None,
            Status::Succeeded => self.succeeded,
            Status::Failed => self.failed,
            Status::Canceled => self.canceled,
        }
    }

    /// The shortest of them.
    #[must_use]
    pub fn shortest(&self) -> Option<Duration> {
        [self.succeeded, self.failed, self.canceled].into_iter().flatten().min()
    }
}

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keep {
    /// Runs of workflows that do not say.
    pub runs: Ages,
    /// Runs of workflows that do.
    pub workflows: HashMap<Arc<str>, Ages>,
    /// Events that no run needs any more.
    pub events: Option<Duration>,
    /// Revisions that are in use, besides those of the runs that stay.
    pub revisions: HashSet<Revision>,
}

impl Keep {
    /// How long finished runs of this workflow are kept.
    #[must_use]
    pub fn ages(&self, workflow: &str) -> &Ages {
        self.workflows.get(workflow).unwrap_or(&self.runs)
    }
}

/// One walk over the store that forgets what is not to be kept. It is done in small steps, so that other writes are
/// not held up: `Store::prune` does one and says where the next begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    /// What is kept.
    pub keep: Keep,
    /// The time at the beginning of the pass.
    pub now: Timestamp,
    /// Finished runs and events that were accepted before this time go although they are young: there is too much.
    pub over: Option<Timestamp>,
    /// How far it has come.
    pub stage: Stage,
    /// What it has done.
    pub pruned: Pruned,
    pub(super) cursor: Vec<u8>,
    /// Old events that something needs which stays.
    pub(super) pinned: HashSet<EventId>,
    /// Old events that a repeat must still be recognised by: where their dedupe keys lie.
    pub(super) deduped: HashMap<EventId, Vec<Vec<u8>>>,
    pub(super) referred: HashSet<Revision>,
    /// Events with a topic that were stored from then on may be waited for.
    pub(super) horizon: Timestamp,
}

impl Pass {
    /// A pass that begins.
    #[must_use]
    pub fn new(keep: Keep, now: Timestamp, over: Option<Timestamp>) -> Self {
        let referred = keep.revisions.clone();
        Self {
            keep,
            now,
            over,
            stage: Stage::Begin,
            pruned: Pruned::default(),
            cursor: Vec::new(),
            pinned: HashSet::new(),
            deduped: HashMap::new(),
            referred,
            horizon: now,
        }
    }
}

/// The parts of a [`Pass`], in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing is done.
    Begin,
    /// Runs with their facts.
    Runs,
    /// What runs have gathered.
    Gathered,
    /// Keys that make repeats recognisable.
    Keys,
    /// Places of events that may be waited for.
    Posted,
    /// Events.
    Events,
    /// Files whose event is gone, or never came.
    Files,
    /// Revisions.
    Revisions,
    /// All is done.
    Done,
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Runs.
    pub runs: u64,
    /// Events.
    pub events: u64,
    /// Revisions.
    pub revisions: u64,
    /// The bytes of all that.
    pub bytes: u64,
}

/// Records of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// Keys and values, in bytes.
    pub bytes: u64,
}

impl Tally {
    /// One more of this size.
    pub fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
    }
}

/// Runs of one workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkflowStats {
    /// Runs, open ones included.
    pub runs: u64,
    /// Those that have not ended.
    pub open: u64,
    /// Heads and facts, in bytes; events belong to no workflow.
    pub bytes: u64,
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// By kind of record, as in "runs" and "facts".
    pub kinds: BTreeMap<&'static str, Tally>,
    /// By workflow.
    pub workflows: BTreeMap<Arc<str>, WorkflowStats>,
    /// All records, in bytes.
    pub live_bytes: u64,
    /// What the files take on the disk, in bytes; zero where there are none.
    pub disk_bytes: u64,
    /// The oldest event or run.
    pub oldest: Option<Timestamp>,
    /// The newest event or run.
    pub newest: Option<Timestamp>,
    /// Bytes of events and finished runs by the time they were accepted, in stretches of `SPAN_MS`: what can go.
    pub spans: BTreeMap<u64, u64>,
}

/// The length of a stretch in [`Stats::spans`], in milliseconds.
pub const SPAN_MS: u64 = 60_000;

impl Stats {
    /// As the API and the command line show it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let kind = |(kind, tally): (&&str, &Tally)| ((*kind).to_owned(), json!({"count": tally.count, "bytes": tally.bytes}));
        let workflow =
            |(name, of): (&Arc<str>, &WorkflowStats)| (name.to_string(), json!({"runs": of.runs, "open": of.open, "bytes": of.bytes}));
        json!({
            "disk_bytes": self.disk_bytes,
            "live_bytes": self.live_bytes,
            "oldest": self.oldest.map(|time| time.to_string()),
            "newest": self.newest.map(|time| time.to_string()),
            "kinds": self.kinds.iter().map(kind).collect::<Map<_, _>>(),
            "workflows": self.workflows.iter().map(workflow).collect::<Map<_, _>>(),
        })
    }

    /// The time before which so many bytes of events and finished runs were accepted, or of all there are.
    #[must_use]
    pub fn time_of_excess(&self, excess_bytes: u64) -> Option<Timestamp> {
        let mut found = 0;
        let mut last = None;
        for (span, bytes) in &self.spans {
            if excess_bytes <= found {
                break;
            }
            found += bytes;
            last = Some(*span);
        }
        last.and_then(|span| i64::try_from((span + 1).saturating_mul(SPAN_MS)).ok()).map(Timestamp)
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// By kind of record.
    pub kinds: BTreeMap<&'static str, Tally>,
    /// The first problems, at most [`PROBLEMS_LIMIT`].
    pub problems: Vec<String>,
    /// How many there are.
    pub found: u64,
}

/// The most problems that a check tells.
pub const PROBLEMS_LIMIT: usize = 100;

impl Checked {
    /// One more problem.
    pub fn problem(&mut self, text: impl FnOnce() -> String) {
        self.found += 1;
        if self.problems.len() < PROBLEMS_LIMIT {
            self.problems.push(text());
        }
    }
}

/// What a compaction brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    /// What the files took before, in bytes.
    pub before_bytes: u64,
    /// What they take now.
    pub after_bytes: u64,
}
