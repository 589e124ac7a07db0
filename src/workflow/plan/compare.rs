//! What is served and what would be → what changes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::needs::{self, Connections, SecretNeeds};
use super::routes::{self, RouteChange};
use super::steps::{self, StepChange};
use super::triggers::{self, ScheduleChange, TriggerChange};
use super::{Inventory, Project, RunCount, Runs, SettingChange, WorkflowOutline, setting_changes};
use crate::workflow::catalog::is_bad;

/// What would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Workflow by workflow.
    pub workflows: Workflows,
    /// Path by path.
    pub routes: Vec<RouteChange>,
    /// Schedule by schedule.
    pub schedules: Vec<ScheduleChange>,
    /// Secrets.
    pub secrets: SecretNeeds,
    /// Connections.
    pub connections: Connections,
    /// Workflows that the server would refuse, because of a secret or connection that it lacks.
    pub refused: BTreeSet<String>,
    /// Whether `hence.yaml` is not the one that the server has read.
    pub settings_differ: bool,
    /// Runs in flight that go on in a revision that is replaced or removed.
    pub runs: Runs,
}

/// What becomes of workflows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workflows {
    /// New ones.
    pub added: Vec<Named>,
    /// Other ones.
    pub changed: Vec<Changed>,
    /// Those whose file is gone.
    pub removed: Vec<Named>,
    /// Those whose file has an error: a running server keeps their last good revision.
    pub kept: Vec<Named>,
    /// How many stay as they are.
    pub unchanged: usize,
}

/// A workflow as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Its revision.
    pub revision: String,
    /// Its triggers.
    pub triggers: Vec<String>,
    /// How many steps it has, those inside others included.
    pub steps: usize,
}

/// A workflow that changes. All lists empty: nothing but layout and comments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Its file before, where that was another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_before: Option<String>,
    /// Its revision. The same as before when only `hence.yaml` makes a difference.
    pub revision: String,
    /// Its revision before.
    pub revision_before: String,
    /// Triggers that change.
    pub triggers: Vec<TriggerChange>,
    /// Steps that change.
    pub steps: Vec<StepChange>,
    /// Blocks whose steps are done in another order; empty text for the workflow's own.
    pub reordered: Vec<String>,
    /// Its other keys that change.
    pub settings: Vec<SettingChange>,
    /// Scripts that change, with digests.
    pub scripts: Vec<SettingChange>,
}

impl Plan {
    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Workflows { added, changed, removed, kept, unchanged: _ } = &self.workflows;
        added.is_empty() && changed.is_empty() && removed.is_empty() && kept.is_empty() && !self.settings_differ
    }
}

/// What would change if the project were served. `bad` are the files and folders with errors in them.
#[must_use]
pub fn compare(served: &Inventory, project: &Project, bad: &BTreeSet<&str>) -> Plan {
    let old: BTreeMap<&str, &WorkflowOutline> = by_name(&served.project.workflows);
    let new: BTreeMap<&str, &WorkflowOutline> = by_name(&project.workflows);
    let (kept, removed): (Vec<_>, Vec<_>) =
        old.iter().filter(|(name, _)| !new.contains_key(*name)).map(|(_, gone)| *gone).partition(|gone| is_bad(&gone.file, bad));
    let after: Vec<&WorkflowOutline> = new.values().copied().chain(kept.iter().copied()).collect();
    let changed: Vec<Changed> = new.iter().filter_map(|(name, after)| self::changed(old.get(name)?, after)).collect();
    let added = new.iter().filter(|(name, _)| !old.contains_key(*name)).map(|(_, added)| named(added)).collect::<Vec<_>>();
    let workflows = Workflows {
        unchanged: new.len() - added.len() - changed.len(),
        added,
        changed,
        removed: removed.iter().map(|gone| named(gone)).collect(),
        kept: kept.iter().map(|kept| named(kept)).collect(),
    };
    let names: BTreeSet<&str> = new.keys().copied().chain(removed.iter().map(|gone| gone.name.as_str())).collect();
    let schedules = names.into_iter().flat_map(|name| {
        let pairs = triggers::pairs(old.get(name).copied(), new.get(name).copied());
        triggers::schedule_changes(name, &pairs)
    });
    let secrets = needs::secrets(served, project, &after);
    let connections = needs::connections(served, project, &after);
    let lacking = secrets.missing.iter().chain(&connections.missing).flat_map(|missing| &missing.workflows);
    let refused = lacking.filter(|name| new.contains_key(name.as_str())).cloned().collect();
    Plan {
        routes: routes::changes(old.values().copied(), after.iter().copied()),
        schedules: schedules.collect(),
        runs: finishing(&served.runs, &workflows),
        settings_differ: served.project.settings.digest != project.settings.digest,
        workflows,
        secrets,
        connections,
        refused,
    }
}

fn by_name(workflows: &[WorkflowOutline]) -> BTreeMap<&str, &WorkflowOutline> {
    workflows.iter().map(|workflow| (workflow.name.as_str(), workflow)).collect()
}

fn named(workflow: &WorkflowOutline) -> Named {
    Named {
        name: workflow.name.clone(),
        file: workflow.file.clone(),
        revision: workflow.revision.clone(),
        triggers: workflow.triggers.iter().map(triggers::words).collect(),
        steps: workflow.steps.len(),
    }
}

/// What changes of a workflow. Due times move on by themselves and are no change.
fn changed(before: &WorkflowOutline, after: &WorkflowOutline) -> Option<Changed> {
    let triggers = triggers::changes(&triggers::pairs(Some(before), Some(after)));
    let (steps, reordered) = steps::changes(&before.steps, &after.steps);
    let settings = setting_changes(&before.settings, &after.settings);
    let scripts = setting_changes(&before.scripts, &after.scripts);
    let same = triggers.is_empty() && steps.is_empty() && reordered.is_empty() && settings.is_empty();
    if same && before.revision == after.revision {
        return None;
    }
    Some(Changed {
        name: after.name.clone(),
        file: after.file.clone(),
        file_before: Some(before.file.clone()).filter(|file| *file != after.file),
        revision: after.revision.clone(),
        revision_before: before.revision.clone(),
        triggers,
        steps,
        reordered,
        settings,
        scripts,
    })
}

/// Runs of workflows that change or go, in other revisions than the one that follows.
fn finishing(runs: &Runs, workflows: &Workflows) -> Runs {
    let next = |name: &str| workflows.changed.iter().find(|changed| changed.name == name).map(|changed| &changed.revision);
    let gone = |name: &str| workflows.removed.iter().any(|gone| gone.name == name);
    let stays = |count: &&RunCount| gone(&count.workflow) || next(&count.workflow).is_some_and(|next| *next != count.revision);
    Runs { counts: runs.counts.iter().filter(stays).cloned().collect(), complete: runs.complete }
}
