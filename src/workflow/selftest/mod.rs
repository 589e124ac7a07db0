//! `hence test`: runs a workflow as the executor would, with mocks in place of calls and a clock
//! that jumps. It opens nothing and waits for nothing.

mod compare;
pub mod coverage;
mod drive;
mod event;
pub mod file;
pub mod fixture;
mod hand;
mod inside;
mod mock;
mod proofs;
mod stage;
mod trace;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::catalog::{Catalog, Loaded, SourceFile, Sources};
use super::problem::{Problem, codes};
use super::yaml::Span;
use crate::domain::secret::{Secret, Secrets};
use crate::domain::workflow::{Gathering, StepKind};

pub use compare::Difference;
pub use coverage::{Coverage, Item};
pub use drive::{Scene, drive};
pub use event::event;
pub use file::{Case, Comes, EventFile, TestFile};
pub use fixture::Fixture;
pub use mock::{Answer, Mock, Mocks};
pub use trace::{Act, Deed, Ended, MadeCall, Trace};

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

/// Runs one case. What it reached is added to `coverage`. Workflows that it starts are looked up in `catalog`.
#[must_use]
pub fn run(catalog: &Catalog, loaded: &Loaded, case: &Case, coverage: &mut Coverage) -> CaseResult {
    let trace = trace(catalog, loaded, case);
    coverage.add(&loaded.workflow, &trace);
    // What differs because the run stopped half-way would hide why it did.
    let differences = if trace.trouble.is_none() { compare::differences(&case.expect, &loaded.workflow, &trace) } else { Vec::new() };
    CaseResult { name: Arc::clone(&case.name.value), span: case.name.span, trouble: trace.trouble, differences }
}

fn trace(catalog: &Catalog, loaded: &Loaded, case: &Case) -> Trace {
    if let Some(trouble) = unfit(catalog, loaded, case) {
        return Trace { trouble: Some(trouble), ..Trace::default() };
    }
    let own = case.secrets.iter().map(|(name, value)| (name.clone(), value.clone()));
    let names: BTreeSet<String> = with_children(catalog, loaded).into_iter().flat_map(secret_names).collect();
    let defaults = names.into_iter().map(|name| (name.clone(), format!("secret-{name}")));
    let values: BTreeMap<String, String> = defaults.chain(own).collect();
    let secrets = Secrets::new(values.into_iter().map(|(name, value)| (name, Secret::new(value))).collect());
    let events: Vec<Arc<_>> = case.events.iter().map(|file| Arc::new(event(file, loaded, case.now))).collect();
    let scene = Scene { catalog, loaded, events: &events, secrets: &secrets, comes: &case.comes };
    drive(scene, &mut Mocks::new(&case.mocks))
}

/// What of a case does not fit its workflow.
fn unfit(catalog: &Catalog, loaded: &Loaded, case: &Case) -> Option<String> {
    if case.batch.is_some() && !matches!(loaded.workflow.gathering, Some(Gathering::Batch { .. })) {
        return Some("`events` is for a workflow with `batch`; write `event`".to_owned());
    }
    if let Some(refused) = case.events.iter().find_map(|file| event::refused(file, loaded)) {
        return Some(refused);
    }
    let mut asking = BTreeSet::new();
    for loaded in with_children(catalog, loaded) {
        loaded.workflow.for_each_step(|step| {
            if matches!(step.kind, StepKind::Approve(_)) {
                asking.insert(step.id.as_ref().map_or_else(|| step.address.to_string(), |id| id.to_string()));
                asking.insert(step.address.to_string());
            }
        });
    }
    let plain = |name: &str| crate::domain::journal::Address::new(name).outside_loops();
    let unknown = case.comes.approvals.keys().find(|name| !asking.contains(plain(name).as_str()))?;
    let steps: Vec<&str> = asking.iter().map(String::as_str).collect();
    Some(format!("`approvals.{unknown}`: no `approve` step has this id or address; {}", super::words::suggest(unknown, &steps)))
}

/// A workflow and all that its runs may start.
#[must_use]
pub fn with_children<'c>(catalog: &'c Catalog, loaded: &'c Loaded) -> Vec<&'c Loaded> {
    let mut found: Vec<&Loaded> = vec![loaded];
    let mut next = 0;
    while let Some(loaded) = found.get(next).copied() {
        next += 1;
        loaded.workflow.for_each_step(|step| {
            let StepKind::Run(child) = &step.kind else { return };
            if let Some(child) = catalog.get(&child.workflow)
                && !found.iter().any(|known| known.workflow.name == child.workflow.name)
            {
                found.push(child);
            }
        });
    }
    found
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
        let (file, found) = file::read(&source, &|path| Sources::read_one(dir, path));
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
