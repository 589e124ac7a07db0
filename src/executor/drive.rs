//! Drives one run as far as it goes: next, do, record, commit, again.

use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio_util::sync::CancellationToken;

use super::open::{Closed, open};
use super::perform::{self, CallEnd};
use super::{Executor, Stop};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Entry, Fact, Outcome};
use crate::domain::next::{Next, Task, Todo, deadline, next};
use crate::domain::run::{Impossible, Phase, Run, Status};
use crate::domain::time::Timestamp;
use crate::script::Scope;
use crate::store::{Commit, CommitError, FreshRun, RunError, StoreError};
use crate::workflow::catalog::Loaded;
use crate::workflow::evaluate;

/// A run to drive.
pub(super) struct Claim {
    /// Which.
    pub(super) run: RunId,
    /// With its event, when it was accepted just now.
    pub(super) fresh: Option<Box<FreshRun>>,
    /// A person wants it to end.
    pub(super) cancel: CancellationToken,
}

/// How driving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The run has ended.
    Finished,
    /// Nothing to do until then.
    Parked(Timestamp),
    /// It goes on at the next start, or where its new owner is.
    Released,
    /// The driver itself failed.
    Lost,
}

/// Why a run cannot be driven on.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    /// Its facts were refused.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A fact does not follow from those before: a fault in hence.
    #[error("{0}; please report this")]
    Impossible(#[from] Impossible),
}

/// How long to wait before the store is tried again when it cannot read or write.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// So many facts of steps without calls are made durable at a time.
const FACTS_AT_ONCE: usize = 256;

/// One run in hand.
pub(super) struct Driver<'e> {
    pub(super) executor: &'e Executor,
    pub(super) loaded: Arc<Loaded>,
    pub(super) run: Run,
    pub(super) scope: Scope,
    /// Facts that are not durable yet.
    pub(super) buffer: Vec<Entry>,
}

/// Takes a run as far as it goes.
pub(super) async fn drive(executor: &Executor, claim: Claim, stop: &Stop) -> End {
    let Claim { run, fresh, cancel } = claim;
    let mut driver = match open(executor, run, fresh).await {
        Ok(Some(driver)) => driver,
        Ok(None) => return End::Finished,
        Err(Closed::Store(error)) => {
            tracing::error!(run.id = %run, error = %error, "the run cannot be read now; it is tried again in a moment");
            return End::Parked(executor.clock.now().after(AGAIN));
        }
        Err(Closed::Broken(why)) => {
            tracing::error!(run.id = %run, error = why, "the run cannot go on; it is tried again at the next start");
            return End::Released;
        }
    };
    match Box::pin(driver.go(&cancel, stop)).await {
        Ok(end) => end,
        Err(Stuck::Commit(error)) => give_up(run, &error),
        Err(Stuck::Impossible(error)) => {
            // To do it again would lead here again: the run ends, in sight.
            tracing::error!(run.id = %run, error = %error, "a fault in hence ended the run; please report this");
            let error = Failure::new(FailureKind::Internal, format!("a fault in hence: {error}; please report this"));
            let outcome = Outcome::Failed { step: None, error };
            driver.finish(outcome, executor.clock.now(), stop).await.unwrap_or_else(|error| give_up(run, &error))
        }
    }
}

fn give_up(run: RunId, error: &impl std::fmt::Display) -> End {
    tracing::error!(run.id = %run, error = %error, "the run was put down; it goes on at the next start");
    End::Released
}

impl Driver<'_> {
    async fn go(&mut self, cancel: &CancellationToken, stop: &Stop) -> Result<End, Stuck> {
        let loaded = Arc::clone(&self.loaded);
        let workflow = &loaded.workflow;
        let mut calls = FuturesUnordered::new();
        let mut calling: Vec<Address> = Vec::new();
        loop {
            let now = self.executor.clock.now();
            self.interrupt(cancel.is_cancelled(), now)?;
            let (todos, wake) = match next(workflow, &self.run, now) {
                Next::Perform { todos, wake } => (todos, wake),
                Next::WaitUntil(due) => {
                    self.flush(Status::Waiting, Some(due), stop).await?;
                    return Ok(End::Parked(due));
                }
                Next::Finish(outcome) => return self.finish(outcome, now, stop).await,
            };
            if self.evaluate(&todos, &calling, now)? {
                if self.buffer.len() < FACTS_AT_ONCE {
                    continue;
                }
                // A long run without calls lets others work, can be stopped, and does not begin anew after a crash.
                self.flush(Status::Running, None, stop).await?;
                tokio::task::coop::consume_budget().await;
                if !stop.soft.is_cancelled() {
                    continue;
                }
            }
            if stop.soft.is_cancelled() && calls.is_empty() {
                self.flush(Status::Running, None, stop).await?;
                return Ok(End::Released);
            }
            let mut failed = false;
            for todo in &todos {
                // Nothing begins while the server stops.
                if calling.contains(&todo.address) || stop.soft.is_cancelled() {
                    continue;
                }
                let Some(call) = perform::prepare(self.executor, &loaded, todo, &mut self.scope, &self.run) else { continue };
                match call {
                    Ok(call) => {
                        if call.once {
                            self.record(now, Fact::CallStarted { step: todo.address.clone(), attempt: call.attempt })?;
                        }
                        // What led here is durable before the world is touched.
                        self.flush(Status::Running, None, stop).await?;
                        calling.push(todo.address.clone());
                        calls.push(call.make());
                    }
                    Err((attempts, error)) => {
                        failed = true;
                        self.record(todo.moment, Fact::StepFailed { step: todo.address.clone(), attempts, error })?;
                    }
                }
            }
            if failed || calls.is_empty() {
                continue;
            }
            // What one branch has finished is durable before another one is waited for.
            self.flush(Status::Running, None, stop).await?;
            let ended = tokio::select! {
                biased;
                () = stop.hard.cancelled() => return Ok(End::Released),
                ended = calls.next() => ended,
                () = cancel.cancelled(), if !matches!(self.run.phase, Phase::Canceling) => None,
                () = self.wake(wake) => None,
            };
            if let Some(ended) = ended {
                calling.retain(|address| *address != ended.address);
                let is_awaited = todos.iter().any(|todo| todo.address == ended.address);
                self.take(ended, is_awaited)?;
            }
        }
    }

    /// Lets what came from outside the steps in: a cancel, or the end of the workflow's time.
    fn interrupt(&mut self, cancel: bool, now: Timestamp) -> Result<(), Stuck> {
        if cancel && !matches!(self.run.phase, Phase::Canceling | Phase::Finished(_)) {
            self.record(now, Fact::CancelRequested)?;
        }
        if let Some(timeout) = self.loaded.workflow.timeout
            && deadline(&self.loaded.workflow, &self.run).is_some_and(|due| due <= now)
        {
            let message = format!("the run took longer than the workflow's timeout of {timeout:?}");
            self.record(now, Fact::RunTimedOut { error: Failure::new(FailureKind::RunTimeout, message) })?;
        }
        Ok(())
    }

    /// Does everything that touches nothing outside. Says whether there was any.
    fn evaluate(&mut self, todos: &[Todo<'_>], calling: &[Address], now: Timestamp) -> Result<bool, Stuck> {
        let loaded = Arc::clone(&self.loaded);
        let mut any = false;
        for todo in todos {
            // A call that this driver has begun is not interrupted.
            if matches!(todo.task, Task::Call { .. }) || calling.contains(&todo.address) {
                continue;
            }
            let phase = std::mem::discriminant(&self.run.phase);
            let fact = evaluate::evaluate(&loaded, todo, &mut self.scope, &self.run, now, &self.executor.secrets);
            if let (Some(id), Fact::StepEvaluated { output, .. }) = (&todo.step.id, &fact) {
                self.scope.set_step(id, output);
            }
            let sets = matches!(fact, Fact::VarsSet { .. });
            self.record(if todo.task.is_timed() { now } else { todo.moment }, fact)?;
            if sets {
                self.scope.set_vars(&self.run.vars);
            }
            any = true;
            if std::mem::discriminant(&self.run.phase) != phase {
                // The others may not matter any more.
                break;
            }
        }
        Ok(any)
    }

    /// Takes the answer of a call in. The run may have gone past the step meanwhile: another branch
    /// decided. The answer is then kept where it still belongs, and is not needed where it does not.
    fn take(&mut self, ended: CallEnd<'_>, is_awaited: bool) -> Result<(), Stuck> {
        let now = self.executor.clock.now();
        let CallEnd { step, address, retry, attempt, result } = ended;
        let fact = match result {
            Ok(mut output) => {
                self.executor.secrets.mask_value(&mut output);
                Fact::CallSucceeded { step: address.clone(), attempt, output: Arc::new(output) }
            }
            Err(mut error) => {
                self.executor.secrets.mask_text(&mut error.message);
                error.detail.iter_mut().for_each(|detail| self.executor.secrets.mask_value(detail));
                match retry.due(&error, self.run.id, &address, attempt, now) {
                    Some(due) => Fact::CallRetried { step: address.clone(), attempt, error, due },
                    None => Fact::StepFailed { step: address.clone(), attempts: attempt, error },
                }
            }
        };
        let seen = match (&step.id, &fact) {
            // An iteration that is over is not seen from outside, as it is not after a restart.
            (Some(id), Fact::CallSucceeded { output, .. }) if is_awaited || address == step.address => Some((id, Arc::clone(output))),
            _ => None,
        };
        match self.record(now, fact) {
            Err(Stuck::Impossible(_)) if !is_awaited => {
                tracing::debug!(run.id = %self.run.id, step.id = %address, "the answer of a call that no step waits for any more");
                return Ok(());
            }
            result => result?,
        }
        if let Some((id, output)) = seen {
            self.scope.set_step(id, &output);
        }
        Ok(())
    }

    async fn finish(&mut self, outcome: Outcome, now: Timestamp, stop: &Stop) -> Result<End, Stuck> {
        if let Outcome::Failed { step, error } = &outcome {
            // The message may repeat what the other side said: it is in the history, not in the log.
            let step = step.as_ref().map(tracing::field::display);
            tracing::warn!(run.id = %self.run.id, workflow.name = %self.loaded.workflow.name, step.id = step, kind = ?error.kind, status = error.status, "run failed");
        }
        let status = Status::from(&outcome);
        self.record(now, Fact::RunFinished { outcome })?;
        self.flush(status, None, stop).await?;
        Ok(End::Finished)
    }

    /// Takes a fact in. One that cannot follow ends the driving: to go on would be to do the same step for ever.
    fn record(&mut self, at: Timestamp, fact: Fact) -> Result<(), Stuck> {
        let entry = Entry { at, fact };
        self.run.apply(entry.clone())?;
        self.buffer.push(entry);
        Ok(())
    }

    /// Makes the facts so far durable. While the disk is full or failing it tries again, until told to stop.
    async fn flush(&mut self, status: Status, wake: Option<Timestamp>, stop: &Stop) -> Result<(), CommitError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let entries = std::mem::take(&mut self.buffer);
        let from = self.run.len.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        let error = match &self.run.phase {
            Phase::Finished(Outcome::Failed { step, error }) => Some(RunError { step: step.clone(), message: error.message.clone() }),
            Phase::Finished(Outcome::Succeeded { .. } | Outcome::Canceled)
            | Phase::Steps
            | Phase::Failing { .. }
            | Phase::Stopped { .. }
            | Phase::Canceling => None,
        };
        let commit = Commit { run: self.run.id, epoch: self.executor.epoch, from, entries, status, wake, error };
        let mut told = false;
        let after = self.run.len;
        loop {
            match self.executor.journal.commit(commit.clone()).await {
                // The write that seemed to fail had reached the disk.
                Err(CommitError::Conflict { len, .. }) if told && len == after => return Ok(()),
                Err(CommitError::Store(error))
                    if !stop.soft.is_cancelled() && !matches!(error, StoreError::Closed | StoreError::Damaged(_)) =>
                {
                    if !told {
                        tracing::error!(run.id = %self.run.id, error = %error, "facts wait in memory until the store can write again");
                        told = true;
                    }
                    tokio::select! {
                        () = stop.soft.cancelled() => {}
                        () = self.executor.clock.sleep_until(self.executor.clock.now().after(AGAIN)) => {}
                    }
                }
                result => return result,
            }
        }
    }

    async fn wake(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.executor.clock.sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}
