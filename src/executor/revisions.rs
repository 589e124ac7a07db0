//! The workflows: the current set, and earlier revisions that runs in flight still follow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::id::Revision;
use crate::store::{Store, StoreError};
use crate::workflow::catalog::{Catalog, Current, Loaded};
use crate::workflow::problem::Problem;

/// How many earlier revisions are kept compiled. One more is compiled again when a run needs it.
const EARLIER_LIMIT: usize = 256;

/// Compiles a stored revision.
pub type Rebuild = Box<dyn Fn(&[(String, String)]) -> Result<Loaded, Vec<Problem>> + Send + Sync>;

/// Finds the workflow a run follows.
pub struct Revisions {
    current: Arc<Current>,
    earlier: Mutex<HashMap<Revision, Arc<Loaded>>>,
    rebuild: Rebuild,
}

/// Why a run's workflow cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum NoRevision {
    /// Never stored.
    #[error("revision {0} is not in the store")]
    Unknown(Revision),
    /// Stored by a version that understood more.
    #[error("revision {0} does not compile any more: {1}")]
    Broken(Revision, String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Revisions {
    /// The current set, and how to compile earlier ones.
    #[must_use]
    pub fn new(current: Arc<Current>, rebuild: Rebuild) -> Self {
        Self { current, earlier: Mutex::default(), rebuild }
    }

    /// The current set.
    #[must_use]
    pub fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.current.get())
    }

    /// Takes another set as current. Runs in flight keep their revision. The caller has stored it.
    pub fn replace(&self, catalog: Arc<Catalog>) {
        let before = self.current.replace(catalog);
        for loaded in before.workflows() {
            self.keep(loaded);
        }
    }

    /// The workflow of this revision.
    ///
    /// # Errors
    /// When it is neither current nor stored, or does not compile any more.
    pub async fn find(&self, store: &dyn Store, name: &str, revision: Revision) -> Result<Arc<Loaded>, NoRevision> {
        if let Some(loaded) = self.current.get().get(name).filter(|loaded| loaded.workflow.revision == revision) {
            return Ok(Arc::clone(loaded));
        }
        if let Some(loaded) = self.lock().get(&revision) {
            return Ok(Arc::clone(loaded));
        }
        let files = store.revision(revision).await?.ok_or(NoRevision::Unknown(revision))?;
        let loaded = (self.rebuild)(&files.files).map_err(|problems| {
            let text = problems.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; ");
            NoRevision::Broken(revision, text)
        })?;
        let loaded = Arc::new(loaded);
        self.keep(&loaded);
        Ok(loaded)
    }

    fn keep(&self, loaded: &Arc<Loaded>) {
        let mut earlier = self.lock();
        if EARLIER_LIMIT <= earlier.len() {
            earlier.clear();
        }
        earlier.insert(loaded.workflow.revision, Arc::clone(loaded));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Revision, Arc<Loaded>>> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
