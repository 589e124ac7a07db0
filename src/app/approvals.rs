//! What links of `approve` are made of: the key in the data folder, and the address at which people reach this server.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{StartError, listen, random};
use crate::config::{self, Config};
use crate::domain::workflow::StepKind;
use crate::executor::{NoRevision, Revisions};
use crate::intake::approve::{FindRevision, Links};
use crate::intake::form::Stamps;
use crate::store::Store;
use crate::workflow::catalog::Catalog;

/// The maker of links.
pub(super) fn links(config: &Config, address: SocketAddr, catalog: &Catalog) -> Result<Arc<Links>, StartError> {
    let key = config::approval_key(&config.data, &random::<32>()?);
    let key = key.map_err(|error| StartError::Data { path: config.data.clone(), error })?;
    let public_url = config.public_url.clone().unwrap_or_else(|| {
        let url = listen::url(config, address);
        if asks(catalog) {
            tracing::warn!(url = %url, "links of `approve` steps carry this address; set `public_url` in hence.yaml to the one that people reach");
        }
        url
    });
    Ok(Arc::new(Links::new(&key, public_url)))
}

/// What the pages of forms are stamped with. What is signed says which of the two it is, so one key does for both.
pub(super) fn stamps(config: &Config) -> Result<Stamps, StartError> {
    let key = config::approval_key(&config.data, &random::<32>()?);
    Ok(Stamps::new(&key.map_err(|error| StartError::Data { path: config.data.clone(), error })?))
}

/// Whether a workflow asks people.
fn asks(catalog: &Catalog) -> bool {
    let mut asks = false;
    for loaded in catalog.workflows() {
        loaded.workflow.for_each_step(|step| asks |= matches!(step.kind, StepKind::Approve(_)));
    }
    asks
}

/// Finds the workflow that a run began with.
pub(super) fn find_revision(revisions: Arc<Revisions>, store: Arc<dyn Store>) -> FindRevision {
    Box::new(move |name, revision| {
        let (revisions, store) = (Arc::clone(&revisions), Arc::clone(&store));
        Box::pin(async move {
            match revisions.find(&*store, &name, revision).await {
                Ok(loaded) => Ok(Some(loaded)),
                Err(NoRevision::Store(error)) => Err(error),
                Err(NoRevision::Unknown(_) | NoRevision::Broken(..)) => Ok(None),
            }
        })
    })
}
