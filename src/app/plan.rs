//! `hence plan`: what a project holds, to be compared with what a server serves.

use std::path::Path;

use super::project::{self, Examined};
use crate::domain::time::Timestamp;
use crate::workflow::plan::{self, Project};
use crate::workflow::problem::Problem;

/// A project folder in the words of a plan.
#[derive(Debug)]
pub struct Outlined {
    /// What can be served of it.
    pub project: Project,
    /// Everything wrong with its files, warnings included.
    pub problems: Vec<Problem>,
}

/// Describes a project. Due times are those after `now`.
#[must_use]
pub fn outline(dir: &Path, now: Timestamp) -> Outlined {
    let Examined { config, catalog, problems, .. } = project::examine(dir);
    let workflows = catalog.workflows().map(|loaded| plan::outline(loaded, now)).collect();
    let mut project = Project { workflows, settings: config.outline };
    project.mask(&config.secrets);
    Outlined { project, problems }
}
