//! Brings a run into memory.

use std::sync::Arc;

use super::drive::{Driver, STORE_AGAIN};
use super::revisions::NoRevision;
use super::{Executor, Stop};
use crate::domain::id::RunId;
use crate::domain::run::Run;
use crate::store::{FreshRun, StoreError};
use crate::workflow::evaluate;

/// Why a run could not be brought into memory.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpen {
    /// The store could not be read; that passes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it gave is no run that can go on.
    #[error("{0}")]
    Broken(String),
}

/// Brings a run into memory. While the store cannot be read it tries again, until told to stop.
pub(super) async fn open_patiently<'e>(
    executor: &'e Executor,
    run: RunId,
    mut fresh: Option<Box<FreshRun>>,
    stop: &Stop,
) -> Result<Option<Driver<'e>>, NotOpen> {
    let mut told = false;
    loop {
        match open(executor, run, fresh.take()).await {
            Err(NotOpen::Store(error)) if passes(&error) && !stop.soft.is_cancelled() => {
                if !told {
                    tracing::error!(run.id = %run, error = %error, "the run waits until the store can be read again");
                    told = true;
                }
                tokio::select! {
                    () = stop.soft.cancelled() => {}
                    () = executor.clock.sleep_until(executor.clock.now().after(STORE_AGAIN)) => {}
                }
            }
            result => return result,
        }
    }
}

/// Whether the store may do later what it cannot do now.
fn passes(error: &StoreError) -> bool {
    !matches!(error, StoreError::Closed | StoreError::Damaged(_))
}

/// Brings a run into memory: from the hand of intake, or from the store.
async fn open<'e>(executor: &'e Executor, id: RunId, fresh: Option<Box<FreshRun>>) -> Result<Option<Driver<'e>>, NotOpen> {
    let store = executor.journal.store();
    let missing = |what: &str| NotOpen::Broken(format!("{what} is not in the store"));
    let (name, revision, event, accepted, facts) = if let Some(fresh) = fresh {
        let FreshRun { run, event } = *fresh;
        let accepted = event.head.received;
        (run.workflow, run.revision, event, accepted, run.facts)
    } else {
        let head = store.run(id).await?.ok_or_else(|| missing("it"))?;
        if head.status.is_final() {
            return Ok(None);
        }
        let event = store.event(head.event).await?.ok_or_else(|| missing("its event"))?;
        let facts = store.facts(id).await?;
        (head.workflow, head.revision, Arc::new(event), head.accepted, facts)
    };
    let loaded = executor.revisions.find(store, &name, revision).await.map_err(|error| match error {
        NoRevision::Store(error) => NotOpen::Store(error),
        error @ (NoRevision::Unknown(_) | NoRevision::Broken(..)) => NotOpen::Broken(error.to_string()),
    })?;
    let run = Run::replay(id, accepted, facts).map_err(|error| NotOpen::Broken(error.to_string()))?;
    let scope = evaluate::scope_of(&loaded, &run, &event);
    Ok(Some(Driver { executor, loaded, run, scope, buffer: Vec::new() }))
}
