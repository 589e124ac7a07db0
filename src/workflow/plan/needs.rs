//! Secrets and connections: what is needed, what the server lacks, what nobody uses any more. The
//! server reads both at its start, and refuses a workflow whose secret or connection it lacks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{ConnectionOutline, Inventory, Project, SettingsOutline, WorkflowOutline};

/// Something that the server lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// The workflows that need it.
    pub workflows: BTreeSet<String>,
    /// The connections that need it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub connections: BTreeSet<String>,
}

/// What becomes of secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SecretNeeds {
    /// How many are needed.
    pub needed: usize,
    /// Those that are not set at the server.
    pub missing: Vec<Missing>,
    /// Those that are set, were needed, and are not any more.
    pub unused: Vec<String>,
}

/// What becomes of connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Connections {
    /// How many are needed.
    pub needed: usize,
    /// Those that the server does not have, or has for another connector.
    pub missing: Vec<Missing>,
    /// Those whose settings are others.
    pub changed: Vec<String>,
    /// Those that the server has, that were needed, and are not any more.
    pub unused: Vec<String>,
}

/// Who needs something: workflows, connections.
type Users = (BTreeSet<String>, BTreeSet<String>);

/// The workflows that are served afterwards, with those that keep their last good revision.
pub(super) type After<'p> = [&'p WorkflowOutline];

pub(super) fn secrets(served: &Inventory, project: &Project, after: &After<'_>) -> SecretNeeds {
    let was = secret_users(&served.project.workflows.iter().collect::<Vec<_>>(), &served.project.settings);
    let is = secret_users(after, &project.settings);
    let missing = is.iter().filter(|(name, _)| !served.secrets.contains(**name)).map(|(name, users)| missing(name, users));
    let unused = was.keys().filter(|name| !is.contains_key(*name) && served.secrets.contains(**name));
    SecretNeeds { needed: is.len(), missing: missing.collect(), unused: unused.map(|name| (*name).to_owned()).collect() }
}

fn missing(name: &str, users: &Users) -> Missing {
    let (workflows, connections) = users.clone();
    Missing { name: name.to_owned(), workflows, connections }
}

/// A server does not start when a connection's secret is not set, used or not.
fn secret_users<'p>(workflows: &[&'p WorkflowOutline], settings: &'p SettingsOutline) -> BTreeMap<&'p str, Users> {
    let mut users: BTreeMap<&str, Users> = BTreeMap::new();
    for workflow in workflows {
        for name in &workflow.secrets {
            users.entry(name).or_default().0.insert(workflow.name.clone());
        }
    }
    for connection in &settings.connections {
        for name in &connection.secrets {
            users.entry(name).or_default().1.insert(connection.name.clone());
        }
    }
    users
}

pub(super) fn connections(served: &Inventory, project: &Project, after: &After<'_>) -> Connections {
    let old = by_name(&served.project.settings);
    let new = by_name(&project.settings);
    let was = connection_users(&served.project.workflows.iter().collect::<Vec<_>>(), &old);
    let is = connection_users(after, &new);
    let there = |name: &str, connector: &str| old.get(name).is_some_and(|other| other.connector == connector);
    let lacking = is.iter().filter(|((name, connector), _)| !there(name, connector));
    let names: BTreeSet<&str> = is.keys().map(|(name, _)| *name).collect();
    let unused: BTreeSet<&str> = was.keys().map(|(name, _)| *name).filter(|name| !names.contains(name)).collect();
    let changed = new.iter().filter(|(name, connection)| {
        old.get(*name).is_some_and(|other| other.connector == connection.connector && other.digest != connection.digest)
    });
    Connections {
        needed: names.len(),
        missing: lacking.map(|((name, _), users)| missing(name, users)).collect(),
        changed: changed.map(|(name, _)| (*name).to_owned()).collect(),
        unused: unused.into_iter().map(str::to_owned).collect(),
    }
}

fn by_name(settings: &SettingsOutline) -> BTreeMap<&str, &ConnectionOutline> {
    settings.connections.iter().map(|connection| (connection.name.as_str(), connection)).collect()
}

/// By connection and connector. A call without `using` goes through the connection named like its connector, if there is one.
fn connection_users<'p>(
    workflows: &[&'p WorkflowOutline],
    known: &BTreeMap<&'p str, &'p ConnectionOutline>,
) -> BTreeMap<(&'p str, &'p str), Users> {
    let mut users: BTreeMap<(&str, &str), Users> = BTreeMap::new();
    for workflow in workflows {
        for step in &workflow.steps {
            let Some((connector, _)) = step.call.as_ref().and_then(|call| call.split_once('.')) else { continue };
            let own = || known.get(connector).is_some_and(|connection| connection.connector == connector).then_some(connector);
            if let Some(name) = step.using.as_deref().or_else(own) {
                users.entry((name, connector)).or_default().0.insert(workflow.name.clone());
            }
        }
    }
    users
}
