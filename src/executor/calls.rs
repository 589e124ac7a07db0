//! Calls in hand: begun, answered, waited for.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Stop;
use super::drive::{Driver, Stuck};
use super::flush::Resting;
use super::perform::{self, CallEnd};
use crate::domain::journal::{Address, Fact};
use crate::domain::next::{Task, Todo, has_failed};
use crate::domain::run::Phase;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Step, StepKind};

/// So long may the calls of a run go on after it was canceled.
const CANCEL_GRACE: std::time::Duration = std::time::Duration::from_secs(10);

impl Driver<'_> {
    /// Makes the calls that are due and not in hand. Whether the input of one could not be had.
    pub(super) async fn begin_calls<'w>(
        &mut self,
        todos: &[Todo<'w>],
        calling: &mut Vec<Address>,
        calls: &mut FuturesUnordered<BoxFuture<'w, CallEnd<'w>>>,
        stop: &Stop,
    ) -> Result<bool, Stuck> {
        let loaded = Arc::clone(&self.loaded);
        let now = self.executor.clock.now();
        let mut failed = false;
        for todo in todos {
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
                    self.flush(Resting::running(), stop).await?;
                    calling.push(todo.address.clone());
                    calls.push(call.make());
                }
                Err((attempts, error)) => {
                    failed = true;
                    self.record(todo.moment, Fact::StepFailed { step: todo.address.clone(), attempts, error })?;
                }
            }
        }
        Ok(failed)
    }

    /// Calls in hand when the run is canceled may end: its history has their answers then, and its `on_cancel` sees them.
    pub(super) async fn let_end<'w>(&mut self, calls: &mut FuturesUnordered<BoxFuture<'w, CallEnd<'w>>>, stop: &Stop) -> Result<(), Stuck> {
        let mut over = self.executor.clock.sleep_until(self.executor.clock.now().after(CANCEL_GRACE));
        self.flush(Resting::running(), stop).await?;
        loop {
            let ended = tokio::select! {
                biased;
                () = stop.hard.cancelled() => None,
                ended = calls.next() => ended,
                () = &mut over => None,
            };
            let Some(ended) = ended else { break };
            self.take(ended, false)?;
        }
        calls.clear();
        Ok(())
    }

    /// Whether a call is in hand that has to be taken back if it succeeds: the steps have failed beside it.
    pub(super) fn waits_to_undo(&self, calling: &[Address]) -> bool {
        self.has_to_see(calling) && has_failed(&self.loaded.workflow, &self.run)
    }

    /// Whether a call is in hand that has to be taken back if it succeeds and the run fails, now or later.
    pub(super) fn has_to_see(&self, calling: &[Address]) -> bool {
        let workflow = &self.loaded.workflow;
        let has_undo = |address: &Address| {
            let step = workflow.step(&address.outside_loops());
            matches!(step, Some(Step { kind: StepKind::Call(call), .. }) if !call.undo.is_empty())
        };
        calling.iter().any(has_undo)
    }

    /// A call that the steps went past may have to be taken back: its answer is not given up for a wait. Whether the
    /// server stopped meanwhile.
    pub(super) async fn see_out<'w>(
        &mut self,
        calls: &mut FuturesUnordered<BoxFuture<'w, CallEnd<'w>>>,
        calling: &mut Vec<Address>,
        wake: Option<Timestamp>,
        (cancel, knock, stop): (&CancellationToken, &Notify, &Stop),
    ) -> Result<bool, Stuck> {
        let ended = tokio::select! {
            biased;
            () = stop.hard.cancelled() => return Ok(true),
            ended = calls.next() => ended,
            () = cancel.cancelled(), if !matches!(self.run.phase, Phase::Canceling { .. }) => None,
            () = knock.notified() => None,
            () = self.wake(wake) => None,
        };
        self.put_in(ended, calling, &[])?;
        Ok(false)
    }

    /// A call has ended, if one has: it is in hand no more, and its answer is taken in.
    pub(super) fn put_in(&mut self, ended: Option<CallEnd<'_>>, calling: &mut Vec<Address>, todos: &[Todo<'_>]) -> Result<(), Stuck> {
        let Some(ended) = ended else { return Ok(()) };
        calling.retain(|address| *address != ended.address);
        // A block that was begun anew meanwhile may wait for another try of the same call.
        let task = Task::Call { attempt: ended.attempt };
        let once = Task::GiveUp { attempt: ended.attempt };
        let is_awaited = todos.iter().any(|todo| todo.address == ended.address && (todo.task == task || todo.task == once));
        self.take(ended, is_awaited)
    }

    /// Takes the answer of a call in. The run may have gone past the step meanwhile: another branch
    /// decided. The answer is then kept where it still belongs, and is not needed where it does not.
    fn take(&mut self, ended: CallEnd<'_>, is_awaited: bool) -> Result<(), Stuck> {
        let now = self.executor.clock.now();
        let CallEnd { step, address, retry, attempt, result, mask } = ended;
        let masks = [Some(&*self.executor.secrets), mask.as_ref()];
        if !is_awaited && result.is_err() {
            tracing::debug!(run.id = %self.run.id, step.id = %address, "a call failed that no step waits for any more");
            return Ok(());
        }
        let fact = match result {
            Ok(mut output) => {
                masks.into_iter().flatten().for_each(|mask| mask.mask_value(&mut output));
                let undo = matches!(&step.kind, StepKind::Call(call) if !call.undo.is_empty());
                Fact::CallSucceeded { step: address.clone(), attempt, output: Arc::new(output), undo }
            }
            Err(mut error) => {
                for mask in masks.into_iter().flatten() {
                    mask.mask_text(&mut error.message);
                    error.detail.iter_mut().for_each(|detail| mask.mask_value(detail));
                }
                match retry.due(&error, self.run.id, &address, attempt, now) {
                    Some(due) => Fact::CallRetried { step: address.clone(), attempt, error, due },
                    None => Fact::StepFailed { step: address.clone(), attempts: attempt, error },
                }
            }
        }
        .within_depth();
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
}
