//! The doors: what comes in, within which bounds, and the connectors by which something goes out.

use std::sync::Arc;

use super::{StartError, fetch, project};
use crate::config::Config;
use crate::connector::{Connector, Registry};
use crate::domain::secret::Secrets;
use crate::intake::limits::{Bodies, FrontDoor, Refusals, Senders, Strangers};
use crate::intake::verify::Verifier;

type Connectors = Vec<(&'static str, Arc<dyn Connector>)>;

/// The door out, and what knows senders at the door in: what those publish is fetched through the door out.
pub(super) fn open(
    config: &Config,
    secrets: &Arc<Secrets>,
    connectors: Option<Connectors>,
) -> Result<(Arc<Registry>, Verifier), StartError> {
    let connectors = match connectors {
        Some(connectors) => connectors,
        None => vec![("http", project::http(config).map_err(StartError::Config)?)],
    };
    let http = connectors.iter().find(|(name, _)| *name == "http").map(|(_, connector)| Arc::clone(connector));
    let http = http.ok_or_else(|| StartError::Config("there is no `http` connector".to_owned()))?;
    let verifier = Verifier::new(Arc::clone(secrets), config.public_url.clone(), Arc::new(fetch::Fetch(http)));
    Ok((Arc::new(Registry::new(connectors, config.connections.clone())), verifier))
}

/// What the door in takes at once, and from whom.
pub(super) fn bounds(config: &Config) -> FrontDoor {
    let limits = config.limits.front;
    FrontDoor {
        bodies: Bodies::new(limits.bodies_bytes, limits.body_timeout),
        senders: limits.sender.map(Senders::new),
        strangers: Strangers::new(limits.unverified),
        proxies: config.trusted_proxies.clone(),
        refusals: Refusals::default(),
        connections: Arc::default(),
    }
}
