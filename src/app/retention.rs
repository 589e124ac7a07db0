//! Keeps the store within its bounds: what is old goes, the oldest goes when there is too much, and the disk is given back.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Retention;
use crate::domain::size::format_size;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Keep as Words, Kept};
use crate::store::{Ages, Journal, Keep, Pass, Pruned, Stage, Stats, StoreError};
use crate::workflow::catalog::Current;
use crate::workflow::plan::duration_words;

/// When the first pass begins after the start: what was in flight goes on first.
const FIRST_AFTER: Duration = Duration::from_secs(60);
/// The time between passes.
const EVERY: Duration = Duration::from_secs(600);
/// The time between looks at the size of the files: a busy store fills a disk between two passes.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The time between the steps of a pass, for the writes of others.
const BETWEEN_STEPS: Duration = Duration::from_millis(10);
/// A store that is too large is counted once in this time, if it does not grow.
const COUNT_EVERY: Duration = Duration::from_secs(3_600);
/// A store that was too large is brought down to so many hundredths of its bound, so that it stays below for a while.
const DOWN_TO_PERCENT: u64 = 90;
/// Files smaller than this are not worth a compaction.
const COMPACT_MIN_BYTES: u64 = 64 << 20;
/// Passes over a store that is too large before it is left for the next time.
const ROUNDS_MAX: u32 = 8;

/// The task.
pub(super) struct Upkeep {
    journal: Arc<Journal>,
    current: Arc<Current>,
    clock: Arc<dyn Clock>,
    retention: Retention,
    /// Removed since the file was last looked at for a compaction.
    removed_bytes: u64,
    /// When the store was last counted, and how large its files were.
    counted: Option<(Timestamp, u64)>,
    said_full: bool,
}

impl Upkeep {
    pub(super) fn new(journal: Arc<Journal>, current: Arc<Current>, clock: Arc<dyn Clock>, retention: Retention) -> Self {
        Self { journal, current, clock, retention, removed_bytes: 0, counted: None, said_full: false }
    }

    pub(super) async fn run(mut self, stopping: CancellationToken) {
        let Retention { runs, events, bytes } = self.retention;
        let bytes = bytes.map_or_else(|| "unlimited".to_owned(), format_size);
        tracing::info!(
            succeeded = word(runs.succeeded),
            failed = word(runs.failed),
            canceled = word(runs.canceled),
            events = word(Some(events)),
            bytes,
            "retention: how long finished runs and events are kept; beyond this size the oldest go"
        );
        let mut pass_at = self.clock.now().after(FIRST_AFTER);
        loop {
            let look_at = self.clock.now().after(LOOK_EVERY).min(pass_at);
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.clock.sleep_until(look_at) => {}
            }
            let is_pass = pass_at <= self.clock.now();
            if is_pass {
                pass_at = self.clock.now().after(EVERY);
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                done = self.once(is_pass) => if let Err(error) = done {
                    tracing::warn!(error = %error, "retention could not be done; it is tried again later");
                }
            }
        }
    }

    /// Looks whether the store is too large, after what is too old is gone if it is time for that.
    async fn once(&mut self, is_pass: bool) -> Result<(), StoreError> {
        if is_pass {
            self.removed_bytes += self.pass(None).await?.bytes;
        }
        let disk_bytes = self.journal.store().disk_bytes().await?;
        if let Some(limit) =
            self.retention.bytes.filter(|limit| (disk_bytes == 0 || *limit < disk_bytes) && self.is_to_be_counted(disk_bytes))
        {
            self.shrink(limit).await?;
        }
        self.compact_if_worth_it().await
    }

    /// What is in use is counted only where the files are larger than they may be, or where there are none.
    fn is_to_be_counted(&self, disk_bytes: u64) -> bool {
        self.counted.is_none_or(|(at, before)| COUNT_EVERY <= self.clock.now().since(at) || before + before / 20 < disk_bytes)
    }

    async fn count(&mut self) -> Result<Stats, StoreError> {
        let stats = self.journal.store().stats().await?;
        self.counted = Some((self.clock.now(), stats.disk_bytes));
        Ok(stats)
    }

    /// The oldest go, until the rest is well below the bound.
    async fn shrink(&mut self, limit: u64) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            let stats = self.count().await?;
            if stats.live_bytes <= limit {
                self.said_full = false;
                return Ok(());
            }
            let excess = stats.live_bytes.saturating_sub(limit / 100 * DOWN_TO_PERCENT);
            let pruned = match stats.time_of_excess(excess) {
                Some(over) => self.pass(Some(over)).await?,
                None => Pruned::default(),
            };
            self.removed_bytes += pruned.bytes;
            if pruned.bytes == 0 {
                if !self.said_full {
                    tracing::warn!(
                        bytes = stats.live_bytes,
                        limit,
                        "the store is larger than `retention.bytes`, and all that is left is in use: runs that are not finished, and what they need"
                    );
                }
                self.said_full = true;
                return Ok(());
            }
        }
        Ok(())
    }

    async fn pass(&self, over: Option<Timestamp>) -> Result<Pruned, StoreError> {
        let mut pass = Pass::new(self.keep(), self.clock.now(), over);
        while pass.stage != Stage::Done {
            pass = self.journal.store().prune(pass).await?;
            self.clock.sleep_until(self.clock.now().after(BETWEEN_STEPS)).await;
        }
        let Pruned { runs, events, revisions, bytes } = pass.pruned;
        if 0 < runs + events + revisions {
            tracing::info!(runs, events, revisions, bytes, for_size = over.is_some(), "what was old was forgotten");
        }
        Ok(pass.pruned)
    }

    /// What the workflows that are served say, and `hence.yaml` for the others.
    fn keep(&self) -> Keep {
        let catalog = self.current.get();
        let runs = ages(Words::default(), self.retention.runs);
        let said = catalog.workflows().filter(|loaded| loaded.workflow.keep != Words::default());
        let workflows = said.map(|loaded| (Arc::clone(&loaded.workflow.name), ages(loaded.workflow.keep, self.retention.runs)));
        let revisions = catalog.workflows().map(|loaded| loaded.workflow.revision);
        Keep { runs, workflows: workflows.collect(), events: age(self.retention.events), revisions: revisions.collect() }
    }

    /// Writing everything anew takes as much disk as is in use and some time: only for a good part of the file.
    async fn compact_if_worth_it(&mut self) -> Result<(), StoreError> {
        let disk_bytes = self.journal.store().disk_bytes().await?;
        if disk_bytes < COMPACT_MIN_BYTES || self.removed_bytes < disk_bytes / 4 {
            return Ok(());
        }
        let stats = self.count().await?;
        self.removed_bytes = 0;
        if stats.disk_bytes <= stats.live_bytes.saturating_mul(2) {
            return Ok(());
        }
        let compacted = self.journal.store().compact().await?;
        tracing::info!(before_bytes = compacted.before_bytes, after_bytes = compacted.after_bytes, "disk was given back");
        Ok(())
    }
}

fn age(kept: Kept) -> Option<Duration> {
    match kept {
        Kept::For(age) => Some(age),
        Kept::Forever => None,
    }
}

fn ages(own: Words, all: Words) -> Ages {
    let of = |own: Option<Kept>, all: Option<Kept>| own.or(all).and_then(age);
    Ages { succeeded: of(own.succeeded, all.succeeded), failed: of(own.failed, all.failed), canceled: of(own.canceled, all.canceled) }
}

fn word(kept: Option<Kept>) -> String {
    kept.and_then(age).map_or_else(|| "forever".to_owned(), duration_words)
}
