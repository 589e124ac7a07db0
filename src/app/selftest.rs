//! `hence test`: every case of a project, run against its workflows.

use std::path::Path;
use std::sync::Arc;

use super::project::{self, Examined};
use crate::workflow::problem::Problem;
use crate::workflow::selftest::{self, CaseResult, Coverage, Item};

/// What the tests of a project showed.
#[derive(Debug)]
pub struct Tested {
    /// Everything wrong with the project's files, warnings included.
    pub problems: Vec<Problem>,
    /// Every good workflow, those without tests included.
    pub workflows: Vec<TestedWorkflow>,
}

/// What the cases of one workflow showed.
#[derive(Debug)]
pub struct TestedWorkflow {
    /// The workflow's name.
    pub name: Arc<str>,
    /// The test file; nothing for a workflow without one.
    pub file: Option<Arc<str>>,
    /// In the order of the file.
    pub results: Vec<CaseResult>,
    /// Steps and branches, and whether a case reached them.
    pub coverage: Vec<(Item, bool)>,
}

/// Runs the cases whose workflow or name has `only` in it, all without it.
#[must_use]
pub fn selftest(dir: &Path, only: Option<&str>) -> Tested {
    let Examined { catalog, tests, problems, .. } = project::examine(dir);
    let tested = |loaded: &Arc<crate::workflow::catalog::Loaded>| {
        let own = loaded.files.first().map(|(path, _)| path.as_str()).unwrap_or_default();
        let mut workflow =
            TestedWorkflow { name: Arc::clone(&loaded.workflow.name), file: None, results: Vec::new(), coverage: Vec::new() };
        let mut coverage = Coverage::default();
        for (source, file) in tests.iter().filter(|(source, _)| selftest::tested_files(&source.path).iter().any(|file| file == own)) {
            workflow.file = Some(Arc::clone(&source.path));
            let cases = file.iter().flat_map(|file| &file.cases);
            let wanted = cases.filter(|case| only.is_none_or(|only| workflow.name.contains(only) || case.name.value.contains(only)));
            workflow.results.extend(wanted.map(|case| selftest::run(&catalog, loaded, case, &mut coverage)));
        }
        workflow.coverage = coverage.items(&loaded.workflow);
        workflow
    };
    Tested { workflows: catalog.workflows().map(tested).collect(), problems }
}
