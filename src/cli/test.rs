//! `hence test`

mod junit;
mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Exit, Trouble, say, say_json};
use crate::app::{self, Tested, TestedWorkflow};
use crate::domain::Value;
use crate::workflow::problem::Problem;
use crate::workflow::selftest::{CaseResult, Difference, Item};

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// The project folder
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Only cases whose name, or whose workflow's name, holds this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Print the results for people (text), for programs (json), or as CI servers read them (junit)
    #[arg(long, value_enum, default_value = "text")]
    format: TestFormat,
    /// Show which steps and branches no case reached
    #[arg(long)]
    coverage: bool,
}

/// How the results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TestFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For CI servers.
    Junit,
}

pub(super) fn run(args: &TestArgs) -> Result<Exit, Trouble> {
    if !args.dir.is_dir() {
        return Err(Trouble::new(Exit::Usage, format!("{}: there is no such folder", args.dir.display())));
    }
    let tested = app::selftest(&args.dir, args.only.as_deref());
    let summary = Summary::of(&tested);
    match args.format {
        TestFormat::Text => {
            let source = |problem: &Problem| std::fs::read_to_string(args.dir.join(&*problem.file)).ok();
            say(&text::report(&tested, &source, args.coverage));
            if summary.passed + summary.failed + summary.errors == 0 {
                say(match args.only {
                    Some(_) => "no test has this in its name, or in its workflow's",
                    None => "no test was found: those of `workflows/NAME.yaml` are in `workflows/NAME.test.yaml`",
                });
            }
        }
        TestFormat::Json => say_json(&report(&tested, &summary, args.coverage)),
        TestFormat::Junit => say(&junit::report(&tested)),
    }
    Ok(if summary.failed == 0 && summary.errors == 0 { Exit::Fine } else { Exit::Problems })
}

/// What it comes to.
struct Summary {
    passed: usize,
    failed: usize,
    errors: usize,
}

impl Summary {
    fn of(tested: &Tested) -> Self {
        let results = || tested.workflows.iter().flat_map(|workflow| &workflow.results);
        Self {
            passed: results().filter(|result| result.passed()).count(),
            failed: results().filter(|result| !result.passed()).count(),
            errors: tested.problems.iter().filter(|problem| problem.is_error()).count(),
        }
    }
}

fn report(tested: &Tested, summary: &Summary, with_coverage: bool) -> Value {
    let Summary { passed, failed, errors } = summary;
    let workflows: Vec<Value> = tested.workflows.iter().map(|workflow| workflow_json(workflow, with_coverage)).collect();
    json!({"passed": passed, "failed": failed, "errors": errors, "problems": tested.problems, "workflows": workflows})
}

fn workflow_json(workflow: &TestedWorkflow, with_coverage: bool) -> Value {
    let case = |result: &CaseResult| {
        let difference = |d: &Difference| json!({"path": d.path, "expected": d.expected, "got": d.got});
        json!({
            "name": result.name,
            "line": result.span.line,
            "passed": result.passed(),
            "trouble": result.trouble,
            "differences": result.differences.iter().map(difference).collect::<Vec<_>>(),
        })
    };
    let cases: Vec<Value> = workflow.results.iter().map(case).collect();
    let mut shown = json!({"workflow": workflow.name, "file": workflow.file, "cases": cases});
    if let (true, Value::Object(shown)) = (with_coverage, &mut shown) {
        let (reached, missed) = (reached(workflow), missed(workflow));
        let item = |item: &Item| json!({"step": item.step, "branch": item.branch});
        let missed: Vec<Value> = missed.map(item).collect();
        shown.insert("coverage".to_owned(), json!({"reached": reached, "of": workflow.coverage.len(), "missed": missed}));
    }
    shown
}

fn reached(workflow: &TestedWorkflow) -> usize {
    workflow.coverage.iter().filter(|(_, reached)| *reached).count()
}

fn missed(workflow: &TestedWorkflow) -> impl Iterator<Item = &Item> {
    workflow.coverage.iter().filter(|(_, reached)| !reached).map(|(item, _)| item)
}
