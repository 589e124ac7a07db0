//! Makes what a run did durable.

use std::sync::Arc;

use super::Stop;
use super::drive::{AGAIN, Driver};
use crate::domain::journal::Outcome;
use crate::domain::run::{Phase, Status};
use crate::domain::time::Timestamp;
use crate::store::{Commit, CommitError, Listening, RunError, StoreError};

/// How a run stands once its facts are durable.
pub(super) struct Resting {
    pub(super) status: Status,
    /// When it has more to do, if it waits.
    pub(super) wake: Option<Timestamp>,
    /// What it listens to.
    pub(super) listens: Vec<Listening>,
}

impl Resting {
    /// It goes on at once.
    pub(super) fn running() -> Self {
        Self { status: Status::Running, wake: None, listens: Vec::new() }
    }
}

impl Driver<'_> {
    /// Makes the facts so far durable. While the disk is full or failing it tries again, until told to stop.
    pub(super) async fn flush(&mut self, resting: Resting, stop: &Stop) -> Result<(), CommitError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let Resting { status, wake, listens } = resting;
        let entries = std::mem::take(&mut self.buffer);
        let from = self.run.len.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        let error = match &self.run.phase {
            Phase::Finished(Outcome::Failed { step, error }) => Some(RunError { step: step.clone(), message: error.message.clone() }),
            Phase::Finished(Outcome::Succeeded { .. } | Outcome::Canceled)
            | Phase::Steps
            | Phase::Failing { .. }
            | Phase::Stopped { .. }
            | Phase::Canceling { .. }
            | Phase::Skipped => None,
        };
        let emits = std::mem::take(&mut self.emits);
        let mut cancels = std::mem::take(&mut self.cancels);
        if status.is_final() {
            cancels.extend(self.run.children());
        }
        let commit =
            Arc::new(Commit { run: self.run.id, epoch: self.executor.epoch, from, entries, status, wake, error, emits, cancels, listens });
        let mut told = false;
        let after = self.run.len;
        loop {
            match self.executor.journal.commit(Arc::clone(&commit)).await {
                // The write that seemed to fail had reached the disk.
                Err(CommitError::Conflict { len, .. }) if told && len == after => {
                    self.executor.journal.answers().tell(commit.run, &commit.entries);
                    return Ok(());
                }
                Err(CommitError::Store(error))
                    if !stop.soft.is_cancelled() && !matches!(error, StoreError::Closed | StoreError::Damaged(_)) =>
                {
                    if !told {
                        tracing::debug!(run.id = %self.run.id, error = %error, "facts wait in memory until the store can write again");
                        told = true;
                    }
                    tokio::select! {
                        () = stop.soft.cancelled() => {}
                        () = self.executor.clock.pause(AGAIN) => {}
                    }
                }
                Ok(()) => {
                    self.executor.journal.answers().tell(commit.run, &commit.entries);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}
