//! Drives one run as far as it goes: next, do, record, commit, again.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::emit::Origin;
use super::flush::Resting;
use super::listen::Listened;
use super::open::{Closed, Opened, open};
use super::{Executor, Stop};
use crate::domain::admission::Lane;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Entry, Fact, Outcome};
use crate::domain::next::{Next, Task, Todo, Waits, deadline, next};
use crate::domain::run::{Impossible, Phase, Run, Stamped, Status, StepState};
use crate::domain::time::Timestamp;
use crate::domain::workflow::Mode;
use crate::script::Scope;
use crate::store::{Accept, CommitError, FreshRun};
use crate::workflow::catalog::Loaded;
use crate::workflow::evaluate::{self, Evaluated, Shell};

/// A run to drive.
pub(super) struct Claim {
    /// Which.
    pub(super) run: RunId,
    /// With its event, when it was accepted just now.
    pub(super) fresh: Option<Box<FreshRun>>,
    /// A person wants it to end.
    pub(super) cancel: CancellationToken,
    /// Something came that it may wait for.
    pub(super) knock: Arc<Notify>,
    /// There is no room for it, and it is left undone then, as this mode of its lane says.
    pub(super) skip: Option<Mode>,
}

/// How driving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The run has ended.
    Finished,
    /// Nothing to do until then, or until something comes that it listens to.
    Parked(Option<Timestamp>),
    /// It has not begun, and begins then, in this lane.
    NotYet(Timestamp, Option<Lane>),
    /// It could not be read; it is tried again then.
    Unread(Timestamp),
    /// It goes on at the next start, or where its new owner is.
    Released,
    /// The driver itself failed.
    Lost,
}

/// Why a run cannot be driven on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stuck {
    /// Its facts were refused.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A fact does not follow from those before: a fault in hence.
    #[error("{0}; please report this")]
    Impossible(#[from] Impossible),
}

/// How long to wait before the store is tried again when it cannot read or write.
pub(super) const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

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
    /// Events and runs that these facts bring about.
    pub(super) emits: Vec<Accept>,
    /// What the run's own event says about where it comes from.
    pub(super) origin: Origin,
    /// How far each wait has looked through the events of its topic.
    pub(super) seen: HashMap<Address, u64>,
    /// Runs that it waited for and does not any more: they end with the next facts.
    pub(super) cancels: Vec<RunId>,
    /// It has had to wait before it begins now.
    pub(super) is_late: bool,
}

/// Takes a run as far as it goes.
pub(super) async fn drive(executor: &Executor, claim: Claim, stop: &Stop) -> End {
    let Claim { run, fresh, cancel, knock, skip } = claim;
    let mut driver = match open(executor, run, fresh, cancel.is_cancelled()).await {
        Ok(Opened::Run(driver)) => driver,
        Ok(Opened::Finished) => return End::Finished,
        Ok(Opened::NotYet(due, lane)) => return End::NotYet(due, lane),
        Err(Closed::Store(error)) => {
            tracing::error!(run.id = %run, error = %error, "the run cannot be read now; it is tried again in a moment");
            return End::Unread(executor.clock.now().after(AGAIN));
        }
        Err(Closed::Broken(why)) => {
            tracing::error!(run.id = %run, error = why, "the run cannot go on; it is tried again at the next start");
            return End::Released;
        }
    };
    let begun = match skip {
        Some(mode) => driver.skip(mode),
        None => driver.begin(cancel.is_cancelled()),
    };
    if let Err(error) = begun {
        return give_up(run, &error);
    }
    match Box::pin(driver.go(&cancel, &knock, stop)).await {
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
    /// A run that had to wait counts its time from now on. And with this fact it is known to hold its place in its lane
    /// before it touches the world: after a crash no other one has that place.
    fn begin(&mut self, cancel: bool) -> Result<(), Stuck> {
        if self.is_late && !cancel { self.record(self.executor.clock.now(), Fact::RunBegan) } else { Ok(()) }
    }

    /// There was no room for it in its lane.
    fn skip(&mut self, mode: Mode) -> Result<(), Stuck> {
        let now = self.executor.clock.now();
        let reason = match mode {
            Mode::Restart => "a newer run of its kind came before its turn, and `concurrency.mode` is `restart`",
            Mode::Skip | Mode::Queue => "another run of its kind was under way, and `concurrency.mode` says not to wait",
        };
        self.record(now, Fact::RunSkipped { reason: reason.into() })
    }

    async fn go(&mut self, cancel: &CancellationToken, knock: &Notify, stop: &Stop) -> Result<End, Stuck> {
        let loaded = Arc::clone(&self.loaded);
        let workflow = &loaded.workflow;
        let mut calls = FuturesUnordered::new();
        let mut calling: Vec<Address> = Vec::new();
        loop {
            let now = self.executor.clock.now();
            if self.interrupt(cancel.is_cancelled(), now)? && !calls.is_empty() {
                self.let_end(&mut calls, stop).await?;
                calling.clear();
                continue;
            }
            if self.waits_to_undo(&calling) {
                self.flush(Resting::running(), stop).await?;
                if self.see_out(&mut calls, &mut calling, None, (cancel, knock, stop)).await? {
                    return Ok(End::Released);
                }
                continue;
            }
            let (todos, waits) = match next(workflow, &self.run, now) {
                Next::Perform { todos, waits } => (todos, waits),
                Next::Wait(waits) => {
                    match self.park(&waits, stop).await? {
                        None => continue,
                        Some(end) if !self.has_to_see(&calling) => return Ok(end),
                        Some(_) => {}
                    }
                    if self.see_out(&mut calls, &mut calling, waits.wake, (cancel, knock, stop)).await? {
                        return Ok(End::Released);
                    }
                    continue;
                }
                Next::Finish(outcome) => return self.finish(outcome, now, stop).await,
            };
            if self.listen_before_expiry(&todos, stop).await? {
                continue;
            }
            if self.evaluate(&todos, &calling, now)? {
                if self.buffer.len() < FACTS_AT_ONCE {
                    continue;
                }
                // A long run without calls lets others work, can be stopped, and does not begin anew after a crash.
                self.flush(Resting::running(), stop).await?;
                tokio::task::coop::consume_budget().await;
                if !stop.soft.is_cancelled() {
                    continue;
                }
            }
            if stop.soft.is_cancelled() && calls.is_empty() {
                self.flush(Resting::running(), stop).await?;
                return Ok(End::Released);
            }
            let failed = self.begin_calls(&todos, &mut calling, &mut calls, stop).await?;
            if failed || calls.is_empty() {
                continue;
            }
            // What one branch has finished is durable before another one is waited for.
            self.flush(Resting::running(), stop).await?;
            if matches!(self.listen(&waits.listens, stop).await?, Listened::Heard) {
                continue;
            }
            let ended = tokio::select! {
                biased;
                () = stop.hard.cancelled() => return Ok(End::Released),
                ended = calls.next() => ended,
                () = cancel.cancelled(), if !matches!(self.run.phase, Phase::Canceling { .. }) => None,
                () = knock.notified() => None,
                () = self.wake(waits.wake) => None,
            };
            self.put_in(ended, &mut calling, &todos)?;
        }
    }

    /// Puts the run down until something comes; nothing when it has come already.
    async fn park(&mut self, waits: &Waits<'_>, stop: &Stop) -> Result<Option<End>, Stuck> {
        let listens = match self.listen(&waits.listens, stop).await? {
            Listened::Heard => return Ok(None),
            Listened::Nothing(listens) => listens,
        };
        self.flush(Resting { status: Status::Waiting, wake: waits.wake, listens }, stop).await?;
        Ok(Some(End::Parked(waits.wake)))
    }

    /// Lets what came from outside the steps in: a cancel, or the end of the workflow's time. Says whether it was canceled just now.
    fn interrupt(&mut self, cancel: bool, now: Timestamp) -> Result<bool, Stuck> {
        let canceled = cancel && !matches!(self.run.phase, Phase::Canceling { .. } | Phase::Skipped | Phase::Finished(_));
        if canceled {
            self.record(now, Fact::CancelRequested)?;
        }
        if let Some(timeout) = self.loaded.workflow.timeout
            && deadline(&self.loaded.workflow, &self.run).is_some_and(|due| due <= now)
        {
            let message = format!("the run took longer than the workflow's timeout of {timeout:?}");
            self.record(now, Fact::RunTimedOut { error: Failure::new(FailureKind::RunTimeout, message) })?;
        }
        Ok(canceled)
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
            let shell = Shell { secrets: &self.executor.secrets, link: &*self.executor.link };
            let fact = match evaluate::evaluate(&loaded, todo, &mut self.scope, &self.run, now, &shell) {
                Evaluated::Fact(fact) => fact,
                Evaluated::Emit(body) => self.emit(todo, &body, now),
                Evaluated::Start(body) => self.start_child(todo, &body, now),
            };
            self.leave(todo, &fact);
            let sets = matches!(fact, Fact::VarsSet { .. });
            self.record(if todo.task.is_timed() { now } else { todo.moment }, fact)?;
            self.show(todo);
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

    /// Lets later expressions see what a step gave.
    pub(super) fn show(&mut self, todo: &Todo<'_>) {
        let Some(id) = &todo.step.id else { return };
        if let Some(Stamped { state: StepState::Done { output }, .. }) = self.run.steps.get(&todo.address) {
            self.scope.set_step(id, output);
        }
    }

    async fn finish(&mut self, outcome: Outcome, now: Timestamp, stop: &Stop) -> Result<End, Stuck> {
        if let Outcome::Failed { step, error } = &outcome {
            // The message may repeat what the other side said: it is in the history, not in the log.
            let step = step.as_ref().map(tracing::field::display);
            tracing::warn!(run.id = %self.run.id, workflow.name = %self.loaded.workflow.name, step.id = step, kind = ?error.kind, status = error.status, "run failed");
        }
        let status = Status::from(&outcome);
        self.tell_ended(&outcome, now);
        self.record(now, Fact::RunFinished { outcome })?;
        self.flush(Resting { status, wake: None, listens: Vec::new() }, stop).await?;
        Ok(End::Finished)
    }

    /// Takes a fact in. One that cannot follow ends the driving: to go on would be to do the same step for ever.
    pub(super) fn record(&mut self, at: Timestamp, fact: Fact) -> Result<(), Stuck> {
        let entry = Entry { at, fact: fact.within_depth() };
        self.run.apply(entry.clone())?;
        self.buffer.push(entry);
        Ok(())
    }

    pub(super) async fn wake(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.executor.clock.sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}
