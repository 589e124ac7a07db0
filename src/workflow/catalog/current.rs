//! The set that is served now, swapped as a whole on reload.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::Catalog;

/// What is served now. Readers take it without waiting; who wants to know of changes subscribes.
#[derive(Debug)]
pub struct Current {
    catalog: ArcSwap<Catalog>,
    changes: watch::Sender<()>,
}

impl Current {
    /// Serves this set.
    #[must_use]
    pub fn new(catalog: Catalog) -> Self {
        Self { catalog: ArcSwap::from_pointee(catalog), changes: watch::Sender::new(()) }
    }

    /// The set of this moment.
    #[must_use]
    pub fn get(&self) -> arc_swap::Guard<Arc<Catalog>> {
        self.catalog.load()
    }

    /// Serves another set from now on, its rates as used as they were; gives back the one before.
    pub fn replace(&self, catalog: Arc<Catalog>) -> Arc<Catalog> {
        let before = self.catalog.load();
        catalog.routes.go_on_from(&before.routes);
        catalog.forms.go_on_from(&before.forms);
        let before = self.catalog.swap(catalog);
        self.changes.send_replace(());
        before
    }

    /// Tells of every change after this moment.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}
