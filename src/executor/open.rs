//! Brings a run into memory.

use std::collections::HashMap;
use std::sync::Arc;

use super::Executor;
use super::drive::Driver;
use super::emit::Origin;
use super::revisions::NoRevision;
use crate::domain::admission::Lane;
use crate::domain::id::RunId;
use crate::domain::journal::{Address, Entry, Fact};
use crate::domain::run::{Phase, Run, Stamped, Status};
use crate::domain::time::Timestamp;
use crate::store::{Commit, CommitError, FreshRun, StoreError, TopicKey};
use crate::workflow::evaluate;

/// Why a run could not be brought into memory.
pub(super) enum Closed {
    /// The store could not be read now.
    Store(StoreError),
    /// What was read is no run that can go on.
    Broken(String),
}

impl From<StoreError> for Closed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What was found.
pub(super) enum Opened<'e> {
    /// A run that can go on.
    Run(Box<Driver<'e>>),
    /// It has ended.
    Finished,
    /// It begins at another time, in this lane.
    NotYet(Timestamp, Option<Lane>),
}

/// Brings a run into memory: from the hand of intake, or from the store. One that is to end does not wait for its time.
pub(super) async fn open<'e>(executor: &'e Executor, id: RunId, fresh: Option<Box<FreshRun>>, cancel: bool) -> Result<Opened<'e>, Closed> {
    let store = executor.journal.store();
    let (name, revision, events, accepted, facts, parent, lane, is_late) = if let Some(fresh) = fresh {
        let FreshRun { run, event, accepted } = *fresh;
        (run.workflow, run.revision, vec![event], accepted, run.facts, run.parent, run.lane, false)
    } else {
        let Some(mut head) = store.run(id).await? else { return Err(Closed::Broken("it is not in the store".to_owned())) };
        if head.status.is_final() {
            return Ok(Opened::Finished);
        }
        let due = head.wake.filter(|wake| head.status == Status::Queued && executor.clock.now() < *wake && !cancel);
        if let Some(due) = due {
            return Ok(Opened::NotYet(due, head.lane));
        }
        if head.gathers.is_some() {
            // From now on no event is added: what is read next is all there is.
            close(executor, id).await?;
            head = store.run(id).await?.ok_or_else(|| Closed::Broken("it is not in the store any more".to_owned()))?;
        }
        let events = store.gathered(id).await?.into_iter().map(Arc::new).collect();
        let facts = store.facts(id).await?;
        let is_late = head.status == Status::Queued && (head.lane.is_some() || head.wake.is_some());
        (head.workflow, head.revision, events, head.accepted, facts, head.parent, head.lane, is_late)
    };
    let loaded = executor.revisions.find(store, &name, revision).await.map_err(|error| match error {
        NoRevision::Store(error) => Closed::Store(error),
        NoRevision::Unknown(_) | NoRevision::Broken(..) => Closed::Broken(error.to_string()),
    })?;
    let run = Run::replay(id, accepted, facts).map_err(|error| Closed::Broken(error.to_string()))?;
    let scope = evaluate::scope_of(&loaded, &run, &events);
    let first = events.first().map(|event| &event.head);
    let (depth, held) = first.map(|head| (head.depth, head.held.clone())).unwrap_or_default();
    let origin = Origin { depth, parent, lane, held };
    let seen = seen(executor, &run);
    let (buffer, emits, cancels) = (Vec::new(), Vec::new(), Vec::new());
    let is_late = is_late && matches!(run.phase, Phase::Steps);
    Ok(Opened::Run(Box::new(Driver { executor, loaded, run, scope, buffer, emits, origin, seen, cancels, is_late })))
}

/// How far the run had looked before it was put down.
fn seen(executor: &Executor, run: &Run) -> HashMap<Address, u64> {
    let listens = executor.listeners.listens(run.id);
    if listens.is_empty() {
        return HashMap::new();
    }
    let seen_of = |(address, stamped): (&Address, &Stamped)| {
        let topic = TopicKey::of(&stamped.state.waits_for()?.topic);
        let listening = listens.iter().find(|listening| listening.topic == topic)?;
        Some((address.clone(), listening.seen))
    };
    run.steps.iter().filter_map(seen_of).collect()
}

/// Ends the gathering of events.
async fn close(executor: &Executor, id: RunId) -> Result<(), Closed> {
    let events = executor.journal.store().gathered(id).await?.len();
    let fact = Fact::GatheringEnded { events: u32::try_from(events).unwrap_or(u32::MAX) };
    let entry = Entry { at: executor.clock.now(), fact };
    let commit = Commit::new(id, executor.epoch, 0, vec![entry], Status::Running);
    match executor.journal.commit(commit).await {
        // It was closed before.
        Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
        Err(CommitError::Store(error)) => Err(Closed::Store(error)),
        Err(error @ (CommitError::Fenced(_) | CommitError::Unknown(_) | CommitError::NoEvent(_))) => Err(Closed::Broken(error.to_string())),
    }
}
