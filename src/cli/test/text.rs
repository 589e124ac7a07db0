//! The results for people.

use std::fmt::Write as _;

use super::super::table::table;
use super::{Summary, missed, reached};
use crate::app::{Tested, TestedWorkflow};
use crate::workflow::problem::{Problem, render};
use crate::workflow::selftest::{CaseResult, Difference, Item};

/// The widest line on which both sides of a difference stand beside each other, in characters.
const LINE_CHARS: usize = 110;

/// Each case, what differed, what is wrong with files, and what it comes to.
pub(super) fn report(tested: &Tested, source: &dyn Fn(&Problem) -> Option<String>, with_coverage: bool) -> String {
    let mut out = String::new();
    for problem in tested.problems.iter().filter(|problem| problem.is_error()) {
        out.push_str(&render(problem, source(problem).as_deref()));
        out.push('\n');
    }
    for workflow in tested.workflows.iter().filter(|workflow| !workflow.results.is_empty()) {
        for result in &workflow.results {
            case(&mut out, workflow, result);
        }
    }
    if with_coverage {
        coverage(&mut out, tested);
    }
    let Summary { passed, failed, errors } = Summary::of(tested);
    let errors = match errors {
        0 => String::new(),
        1 => ", 1 error in files".to_owned(),
        more => format!(", {more} errors in files"),
    };
    out.push_str(&format!("{passed} passed, {failed} failed{errors}"));
    out
}

fn case(out: &mut String, workflow: &TestedWorkflow, result: &CaseResult) {
    let mark = if result.passed() { '✓' } else { '✗' };
    line(out, 0, &format!("{mark} {}: {}", workflow.name, result.name));
    if result.passed() {
        return;
    }
    line(out, 1, &format!("{}:{}", workflow.file.as_deref().unwrap_or_default(), result.span.line));
    if let Some(trouble) = &result.trouble {
        line(out, 1, trouble);
    }
    differences(out, &result.differences);
}

/// Short ones in columns, long ones below each other, so that nothing is cut.
fn differences(out: &mut String, differences: &[Difference]) {
    let width = |d: &Difference| d.path.chars().count() + d.expected.chars().count() + d.got.chars().count();
    let (short, long): (Vec<&Difference>, Vec<&Difference>) = differences.iter().partition(|difference| width(difference) < LINE_CHARS);
    if !short.is_empty() {
        let rows: Vec<Vec<String>> = short.iter().map(|d| vec![d.path.clone(), d.expected.clone(), d.got.clone()]).collect();
        line(out, 1, &table(&["", "EXPECTED", "GOT"], &rows));
    }
    for Difference { path, expected, got } in long {
        line(out, 1, &format!("{path}\n  expected  {expected}\n  got       {got}"));
    }
}

fn coverage(out: &mut String, tested: &Tested) {
    let row = |workflow: &TestedWorkflow| {
        let share = format!("{} of {}", reached(workflow), workflow.coverage.len());
        let missing: Vec<String> = missed(workflow).map(item).collect();
        let note = if workflow.file.is_none() { "no tests".to_owned() } else { missing.join(", ") };
        vec![workflow.name.to_string(), share, note]
    };
    let rows: Vec<Vec<String>> = tested.workflows.iter().map(row).collect();
    line(out, 0, &format!("\n{}", table(&["WORKFLOW", "REACHED", "NOT REACHED"], &rows)));
    out.push('\n');
}

fn item(item: &Item) -> String {
    match &item.branch {
        Some(branch) => format!("{} ({branch})", item.step),
        None => item.step.clone(),
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    for line in text.lines() {
        // Writing to a String cannot fail.
        let _written = writeln!(out, "{}{line}", if line.is_empty() { String::new() } else { "    ".repeat(depth) });
    }
}
