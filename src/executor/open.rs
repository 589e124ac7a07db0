//! Brings a run into memory.

use std::sync::Arc;

use super::Executor;
use super::drive::Driver;
use super::revisions::NoRevision;
use crate::domain::id::RunId;
use crate::domain::run::Run;
use crate::store::{FreshRun, StoreError};
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

/// Brings a run into memory: from the hand of intake, or from the store.
pub(super) async fn open<'e>(executor: &'e Executor, id: RunId, fresh: Option<Box<FreshRun>>) -> Result<Option<Driver<'e>>, Closed> {
    let store = executor.journal.store();
    let (name, revision, event, accepted, facts) = if let Some(fresh) = fresh {
        let FreshRun { run, event, accepted } = *fresh;
        (run.workflow, run.revision, event, accepted, run.facts)
    } else {
        let Some(head) = store.run(id).await? else { return Err(Closed::Broken("it is not in the store".to_owned())) };
        if head.status.is_final() {
            return Ok(None);
        }
        let event = store.event(head.event).await?;
        let event = event.ok_or_else(|| Closed::Broken("its event is not in the store".to_owned()))?;
        let facts = store.facts(id).await?;
        (head.workflow, head.revision, Arc::new(event), head.accepted, facts)
    };
    let loaded = executor.revisions.find(store, &name, revision).await.map_err(|error| match error {
        NoRevision::Store(error) => Closed::Store(error),
        NoRevision::Unknown(_) | NoRevision::Broken(..) => Closed::Broken(error.to_string()),
    })?;
    let run = Run::replay(id, accepted, facts).map_err(|error| Closed::Broken(error.to_string()))?;
    let scope = evaluate::scope_of(&loaded, &run, &event);
    Ok(Some(Driver { executor, loaded, run, scope, buffer: Vec::new() }))
}
