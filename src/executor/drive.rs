//! Drives one run as far as it goes: next, do, record, commit, again.

use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio_util::sync::CancellationToken;

use super::perform::{self, CallEnd};
use super::{Executor, Stop};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Entry, Fact, Outcome};
use crate::domain::next::{Next, Task, Todo, deadline, next};
use crate::domain::run::{Impossible, Phase, Run, Status};
use crate::domain::time::Timestamp;
use crate::script::Scope;
use crate::store::{Commit, CommitError, FreshRun, RunError};
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

/// How long to wait before a commit is tried again when the store cannot write.
const COMMIT_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// One run in hand.
struct Driver<'e> {
    executor: &'e Executor,
    loaded: Arc<Loaded>,
    run: Run,
    scope: Scope,
    /// Facts that are not durable yet.
    buffer: Vec<Entry>,
}

/// Takes a run as far as it goes.
pub(super) async fn drive(executor: &Executor, claim: Claim, stop: &Stop) -> End {
    let Claim { run, fresh, cancel } = claim;
    match open(executor, run, fresh).await {
        Ok(Some(driver)) => match Box::pin(driver.go(&cancel, stop)).await {
            Ok(end) => end,
            Err(error) => give_up(run, &error),
        },
        Ok(None) => End::Finished,
        Err(error) => {
            tracing::error!(run.id = %run, error = %error, "the run cannot go on; it is tried again at the next start");
            End::Released
        }
    }
}

fn give_up(run: RunId, error: &Stuck) -> End {
    tracing::error!(run.id = %run, error = %error, "the run was put down; it goes on at the next start");
    End::Released
}

/// Brings a run into memory: from the hand of intake, or from the store.
async fn open<'e>(executor: &'e Executor, id: RunId, fresh: Option<Box<FreshRun>>) -> Result<Option<Driver<'e>>, String> {
    let store = executor.journal.store();
    let (name, revision, event, accepted, facts) = if let Some(fresh) = fresh {
        let FreshRun { run, event } = *fresh;
        let accepted = event.head.received;
        (run.workflow, run.revision, event, accepted, run.facts)
    } else {
        let head = store.run(id).await.map_err(|e| e.to_string())?.ok_or("it is not in the store")?;
        if head.status.is_final() {
            return Ok(None);
        }
        let event = store.event(head.event).await.map_err(|e| e.to_string())?.ok_or("its event is not in the store")?;
        let facts = store.facts(id).await.map_err(|e| e.to_string())?;
        (head.workflow, head.revision, Arc::new(event), head.accepted, facts)
    };
    let loaded = executor.revisions.find(store, &name, revision).await.map_err(|e| e.to_string())?;
    let run = Run::replay(id, accepted, facts).map_err(|e| e.to_string())?;
    let scope = evaluate::scope_of(&loaded, &run, &event);
    Ok(Some(Driver { executor, loaded, run, scope, buffer: Vec::new() }))
}

impl Driver<'_> {
    async fn go(mut self, cancel: &CancellationToken, stop: &Stop) -> Result<End, Stuck> {
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
                continue;
            }
            if stop.soft.is_cancelled() && calls.is_empty() {
                self.flush(Status::Running, None, stop).await?;
                return Ok(End::Released);
            }
            for todo in todos {
                if calling.contains(&todo.address) {
                    continue;
                }
                let Some(call) = perform::prepare(self.executor, &loaded, &todo, &mut self.scope, &self.run) else { continue };
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
                    Err((attempts, error)) => self.record(todo.moment, Fact::StepFailed { step: todo.address, attempts, error })?,
                }
            }
            if calls.is_empty() {
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
                self.take(ended)?;
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
    ///
    /// A call in hand that may be made once is none of it: it looks interrupted and is not.
    fn evaluate(&mut self, todos: &[Todo<'_>], calling: &[Address], now: Timestamp) -> Result<bool, Stuck> {
        let loaded = Arc::clone(&self.loaded);
        let mut any = false;
        for todo in todos {
            if matches!(todo.task, Task::Call { .. }) || calling.contains(&todo.address) {
                continue;
            }
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
        }
        Ok(any)
    }

    /// Takes the answer of a call in.
    fn take(&mut self, ended: CallEnd<'_>) -> Result<(), Stuck> {
        let now = self.executor.clock.now();
        let CallEnd { step, address, retry, attempt, result } = ended;
        let fact = match result {
            Ok(mut output) => {
                self.executor.secrets.mask_value(&mut output);
                if let Some(id) = &step.id {
                    self.scope.set_step(id, &output);
                }
                Fact::CallSucceeded { step: address, attempt, output: Arc::new(output) }
            }
            Err(mut error) => {
                self.executor.secrets.mask_text(&mut error.message);
                error.detail.iter_mut().for_each(|detail| self.executor.secrets.mask_value(detail));
                match retry.due(&error, self.run.id, &address, attempt, now) {
                    Some(due) => Fact::CallRetried { step: address, attempt, error, due },
                    None => Fact::StepFailed { step: address, attempts: attempt, error },
                }
            }
        };
        self.record(now, fact)
    }

    async fn finish(mut self, outcome: Outcome, now: Timestamp, stop: &Stop) -> Result<End, Stuck> {
        if let Outcome::Failed { step, error } = &outcome {
            let step = step.as_ref().map(tracing::field::display);
            tracing::warn!(run.id = %self.run.id, workflow.name = %self.loaded.workflow.name, step.id = step, error = %error, "run failed");
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
                Err(CommitError::Store(error)) if !stop.soft.is_cancelled() && !matches!(error, crate::store::StoreError::Closed) => {
                    if !told {
                        tracing::error!(run.id = %self.run.id, error = %error, "facts wait in memory until the store can write again");
                        told = true;
                    }
                    tokio::select! {
                        () = stop.soft.cancelled() => {}
                        () = self.executor.clock.sleep_until(self.executor.clock.now().after(COMMIT_AGAIN)) => {}
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
