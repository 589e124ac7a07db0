//! Keeps the store within its bounds: what is old goes, the oldest goes when there is too much, and the disk is given back.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::steady::Steady;
use crate::clock::Clock;
use crate::config::Retention;
use crate::domain::size::format_size;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Keep as Words, Kept};
use crate::store::{Ages, Compacted, Journal, Keep, Pass, Pruned, Stage, Stats, StoreError};
use crate::workflow::catalog::Current;
use crate::workflow::plan::duration_words;

/// When the first pass begins after the start: what was in flight goes on first.
const FIRST_AFTER: Duration = Duration::from_secs(60);
/// The time between passes.
const EVERY: Duration = Duration::from_secs(600);
/// The time between looks at the size of the files: a busy store fills a disk between two passes.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The time after a step of a pass that removed something, for the writes of others.
const AFTER_REMOVING: Duration = Duration::from_millis(10);
/// The time after a step that has only looked.
const AFTER_LOOKING: Duration = Duration::from_millis(2);
/// From so many hundredths of its bound on a store is brought down with shorter pauses: it grows fast.
const HURRY_FROM_PERCENT: u64 = 125;
/// What is in use is counted again after this time where the files are larger than they may be.
const COUNT_EVERY: Duration = Duration::from_secs(3_600);
/// Nor is it counted again before so much was written, in hundredths of the bound.
const COUNT_AFTER_PERCENT: u64 = 5;
/// A compaction that could not be done is tried again after this time.
const COMPACT_AGAIN_AFTER: Duration = Duration::from_secs(3_600);
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
    counted: Option<Counted>,
    /// Not before this is a compaction tried again.
    compact_from: Timestamp,
    said_full: bool,
}

/// What was found when everything was counted, and what was removed since.
struct Counted {
    at: Timestamp,
    live_bytes: u64,
    /// What the store had written by then.
    written_bytes: u64,
}

impl Counted {
    /// What is in use now, at most: some of what was written has replaced something.
    fn live_at_most(&self, written_bytes: u64) -> u64 {
        self.live_bytes.saturating_add(written_bytes.saturating_sub(self.written_bytes))
    }

    /// Files do not tell: what was removed makes room in them, and what comes fills it before they grow.
    fn is_out_of_date(&self, now: Timestamp, written_bytes: u64, limit: u64) -> bool {
        let since = written_bytes.saturating_sub(self.written_bytes);
        COUNT_EVERY <= now.since(self.at) || (limit < self.live_at_most(written_bytes) && limit / 100 * COUNT_AFTER_PERCENT <= since)
    }
}

impl Upkeep {
    pub(super) fn new(journal: Arc<Journal>, current: Arc<Current>, clock: Arc<dyn Clock>, retention: Retention) -> Self {
        Self { journal, current, clock, retention, removed_bytes: 0, counted: None, compact_from: Timestamp(0), said_full: false }
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
        let (mut steady, mut until_pass) = (Steady::new("runs and events"), FIRST_AFTER);
        loop {
            let pause = LOOK_EVERY.min(until_pass);
            let is_steady = tokio::select! {
                () = stopping.cancelled() => return,
                is_steady = steady.pause(&*self.clock, pause) => is_steady,
            };
            until_pass = until_pass.saturating_sub(pause);
            let is_pass = until_pass.is_zero() && is_steady;
            if until_pass.is_zero() {
                until_pass = EVERY;
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
            let pruned = self.pass(None, false).await?;
            self.note_removed(pruned);
        }
        let disk_bytes = self.journal.store().disk_bytes().await?;
        if let Some(limit) = self.retention.bytes.filter(|limit| (disk_bytes == 0 || *limit < disk_bytes) && self.is_to_be_counted(*limit))
        {
            self.shrink(limit).await?;
        }
        self.compact_if_worth_it().await
    }

    /// What is in use is counted only where the files are larger than they may be, or where there are none.
    fn is_to_be_counted(&self, limit: u64) -> bool {
        let written_bytes = self.journal.store().written_bytes();
        self.counted.as_ref().is_none_or(|counted| counted.is_out_of_date(self.clock.now(), written_bytes, limit))
    }

    async fn count(&mut self) -> Result<Stats, StoreError> {
        let written_bytes = self.journal.store().written_bytes();
        let stats = self.journal.store().stats().await?;
        self.counted = Some(Counted { at: self.clock.now(), live_bytes: stats.live_bytes, written_bytes });
        Ok(stats)
    }

    fn note_removed(&mut self, pruned: Pruned) {
        self.removed_bytes += pruned.bytes;
        if let Some(counted) = &mut self.counted {
            counted.live_bytes = counted.live_bytes.saturating_sub(pruned.bytes);
        }
    }

    /// What is in use, at most, where it was counted.
    fn live_at_most(&self) -> Option<u64> {
        let written_bytes = self.journal.store().written_bytes();
        self.counted.as_ref().map(|counted| counted.live_at_most(written_bytes))
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
            let hurry = limit / 100 * HURRY_FROM_PERCENT < stats.live_bytes;
            let pruned = match stats.time_of_excess(excess) {
                Some(over) => self.pass(Some(over), hurry).await?,
                None => Pruned::default(),
            };
            self.note_removed(pruned);
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
            if self.live_at_most().is_some_and(|live| live <= limit) {
                self.said_full = false;
                return Ok(());
            }
        }
        Ok(())
    }

    async fn pass(&self, over: Option<Timestamp>, hurry: bool) -> Result<Pruned, StoreError> {
        let mut pass = Pass::new(self.keep(), self.clock.now(), over);
        while pass.stage != Stage::Done {
            let (before, begun) = (pass.pruned, self.clock.now());
            pass = self.journal.store().prune(pass).await?;
            let pause = match (pass.pruned == before, hurry) {
                (true, _) => AFTER_LOOKING,
                (false, false) => AFTER_REMOVING,
                // Half of the time is for others: who waits for the lock gets it while nobody holds it, and never in between.
                (false, true) => self.clock.now().since(begun).clamp(AFTER_LOOKING, AFTER_REMOVING),
            };
            self.clock.pause(pause).await;
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
        let now = self.clock.now();
        if disk_bytes < COMPACT_MIN_BYTES || self.removed_bytes < disk_bytes / 4 || now < self.compact_from {
            return Ok(());
        }
        let is_dense = |live: u64| disk_bytes <= live.saturating_mul(2);
        // What replaced something is counted as added, so this grows too large in time.
        let is_recent = self.counted.as_ref().is_some_and(|counted| now.since(counted.at) < COUNT_EVERY);
        if is_recent && self.live_at_most().is_some_and(is_dense) {
            return Ok(());
        }
        if is_dense(self.count().await?.live_bytes) {
            self.removed_bytes = 0;
            return Ok(());
        }
        match self.journal.store().compact().await {
            Ok(Compacted { before_bytes, after_bytes }) => {
                self.removed_bytes = 0;
                tracing::info!(before_bytes, after_bytes, "disk was given back");
            }
            Err(error) => {
                self.compact_from = now.after(COMPACT_AGAIN_AFTER);
                tracing::warn!(error = %error, "the disk could not be given back; it is tried again in an hour");
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_since_tells_when_to_count_again() {
        let counted = Counted { at: Timestamp(0), live_bytes: 900, written_bytes: 5_000 };
        let check = |now_ms, written, expected| assert_eq!(counted.is_out_of_date(Timestamp(now_ms), written, 1_000), expected);
        check(60_000, 5_000, false);
        check(60_000, 5_100, false);
        // The files need not have grown for that.
        check(60_000, 5_101, true);
        check(3_600_000, 5_000, true);
        let full = Counted { live_bytes: 2_000, ..counted };
        assert!(!full.is_out_of_date(Timestamp(60_000), 5_049, 1_000), "all of it is in use: not at each look");
        assert!(full.is_out_of_date(Timestamp(60_000), 5_050, 1_000));
    }
}
