//! Runs that wait. Memory holds an id and a due time each, so a million of them are cheap.

use std::collections::{BTreeSet, HashMap};

use crate::domain::id::RunId;
use crate::domain::time::Timestamp;

/// Every parked run.
#[derive(Default)]
pub(super) struct Parked {
    timers: BTreeSet<(Timestamp, RunId)>,
    runs: HashMap<RunId, Option<Timestamp>>,
}

impl Parked {
    /// Parks a run, or gives a parked one another time. Without a time it waits for an event alone.
    pub(super) fn park(&mut self, run: RunId, due: Option<Timestamp>) {
        self.take(run);
        self.timers.extend(due.map(|due| (due, run)));
        self.runs.insert(run, due);
    }

    /// The run is parked no more: whether it was.
    pub(super) fn take(&mut self, run: RunId) -> bool {
        let Some(due) = self.runs.remove(&run) else { return false };
        if let Some(due) = due {
            self.timers.remove(&(due, run));
        }
        true
    }

    /// When the first one is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// One that is due, parked no more.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<RunId> {
        let (_, run) = self.timers.first().copied().filter(|(due, _)| *due <= now)?;
        self.take(run);
        Some(run)
    }
}
