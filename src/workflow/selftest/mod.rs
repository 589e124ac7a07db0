//! `hence test`: runs a workflow as the executor would, with mocks in place of calls and a clock
//! that jumps. It opens nothing and waits for nothing.

mod compare;
pub mod coverage;
mod drive;
mod event;
pub mod file;
mod mock;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::catalog::{Loaded, SourceFile, Sources};
use super::problem::{Problem, codes};
use super::yaml::Span;
use crate::domain::secret::{Secret, Secrets};

pub use compare::Difference;
pub use coverage::{Coverage, Item};
pub use drive::{Ended, MadeCall, Trace, drive};
pub use event::event;
pub use file::{Case, EventFile, TestFile};
pub use mock::{Answer, Mock, Mocks};

/// What ends a test file's name.
pub const TEST_STEM_END: &str = ".test";

/// How a case ended.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    /// Its name.
    pub name: Arc<str>,
    /// Where its name is written.
    pub span: Span,
    /// Why the run could not go on in a test, if so: an unmocked call, for one.
    pub trouble: Option<String>,
    /// Where the run was not as expected.
    pub differences: Vec<Difference>,
}

impl CaseResult {
    /// Whether the run was as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.trouble.is_none() && self.differences.is_empty()
    }
}

/// Runs one case. What it reached is added to `coverage`.
#[must_use]
pub fn run(loaded: &Loaded, case: &Case, coverage: &mut Coverage) -> CaseResult {
    let trace = trace(loaded, case);
    coverage.add(&loaded.workflow, &trace);
    // What differs because the run stopped half-way would hide why it did.
    let differences = if trace.trouble.is_none() { compare::differences(&case.expect, &loaded.workflow, &trace) } else { Vec::new() };
    CaseResult { name: Arc::clone(&case.name.value), span: case.name.span, trouble: trace.trouble, differences }
}

fn trace(loaded: &Loaded, case: &Case) -> Trace {
    let own = case.secrets.iter().map(|(name, value)| (name.clone(), value.clone()));
    let defaults = secret_names(loaded).into_iter().map(|name| (name.clone(), format!("secret-{name}")));
    let values: BTreeMap<String, String> = defaults.chain(own).collect();
    let secrets = Secrets::new(values.into_iter().map(|(name, value)| (name, Secret::new(value))).collect());
    let event = Arc::new(event(&case.event, loaded, case.now));
    drive(loaded, &event, &secrets, &mut Mocks::new(&case.mocks))
}

/// The secrets that a workflow and its scripts name.
#[must_use]
pub fn secret_names(loaded: &Loaded) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = loaded.secrets.iter().map(|name| name.0.to_string()).collect();
    for (_, text) in &loaded.files {
        for rest in text.split("secrets").skip(1) {
            let rest = rest.strip_prefix('.').or_else(|| rest.strip_prefix("[\"")).unwrap_or_default();
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            names.extend(rest.get(..end).filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    names
}

/// Reads a project's test files: each with its text, and with its cases if it is good.
#[must_use]
pub fn read_all(dir: &Path, workflows: &Sources) -> (Vec<(SourceFile, Option<TestFile>)>, Vec<Problem>) {
    let (sources, mut problems) = Sources::read_tests(dir);
    let mut files = Vec::with_capacity(sources.len());
    for source in sources {
        let (file, found) = file::read(&source);
        problems.extend(found);
        let tested = tested_files(&source.path);
        if !workflows.workflows().iter().any(|workflow| tested.contains(&workflow.path.to_string())) {
            problems.push(without_workflow(&source.path));
        }
        files.push((source, file));
    }
    (files, problems)
}

/// The workflow file that a test file is for, and its other spelling: `a.yaml` and `a.yml` for `a.test.yaml`.
#[must_use]
pub fn tested_files(test_file: &str) -> [String; 2] {
    let stem = test_file.rsplit_once('.').map_or(test_file, |(stem, _)| stem);
    let stem = stem.strip_suffix(TEST_STEM_END).unwrap_or(stem);
    [format!("{stem}.yaml"), format!("{stem}.yml")]
}

/// The problem of a test file that has no workflow beside it.
fn without_workflow(test_file: &Arc<str>) -> Problem {
    let [file, _] = tested_files(test_file);
    let problem = Problem::error(codes::UNKNOWN_WORKFLOW, test_file, Span::START, format!("there is no {file} that this could test"));
    problem.help("a test file has the name of its workflow's file, with `.test` before the ending")
}
