//! `/api/inventory`: everything that is served, in the words of a plan. `hence plan` compares a project with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::super::{ProblemResponse, Web};
use crate::domain::id::Revision;
use crate::store::{RunHead, StoreError};
use crate::workflow::plan::{Inventory, Project, RunCount, Runs, outline};

/// How many runs in flight are counted: the oldest ones, which may be in the oldest revisions.
const RUNS_COUNTED: usize = 10_000;

pub(in super::super) async fn show(State(web): State<Arc<Web>>) -> Result<Json<Inventory>, ProblemResponse> {
    let open = web.intake.journal.store().open_runs(RUNS_COUNTED).await?;
    let runs = Runs { counts: count(&open.items), complete: open.next.is_none() };
    // With thousands of workflows this takes a while.
    let described = tokio::task::spawn_blocking(move || inventory(&web, runs)).await;
    Ok(Json(described.ok().ok_or(StoreError::Closed)?))
}

fn inventory(web: &Web, runs: Runs) -> Inventory {
    let catalog = Arc::clone(&web.intake.current.get());
    let now = web.intake.clock.now();
    let workflows = catalog.workflows().map(|loaded| outline(loaded, now)).collect();
    let mut project = Project { workflows, settings: web.settings.clone() };
    project.mask(&web.intake.secrets);
    Inventory {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time: now.to_string(),
        project,
        secrets: web.intake.secrets.names().map(str::to_owned).collect(),
        runs,
    }
}

fn count(open: &[RunHead]) -> Vec<RunCount> {
    let mut counts: BTreeMap<(&str, Revision), usize> = BTreeMap::new();
    for run in open {
        *counts.entry((&run.workflow, run.revision)).or_default() += 1;
    }
    let count = |((workflow, revision), runs): ((&str, Revision), usize)| RunCount {
        workflow: workflow.to_owned(),
        revision: revision.to_string(),
        runs,
    };
    counts.into_iter().map(count).collect()
}
