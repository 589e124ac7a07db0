//! The results in the XML that CI servers read. There is no standard; the shape is the one of
//! Ant's JUnit task that Jenkins, GitLab and GitHub actions take.

use std::fmt::Write as _;

use super::Summary;
use crate::app::{Tested, TestedWorkflow};
use crate::workflow::problem::Problem;
use crate::workflow::selftest::{CaseResult, Difference};

/// One suite a workflow; files that cannot be used are a suite of errors.
pub(super) fn report(tested: &Tested) -> String {
    let Summary { passed, failed, errors } = Summary::of(tested);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let tests = passed + failed + errors;
    // Writing to a String cannot fail.
    let _written = writeln!(out, "<testsuites name=\"hence test\" tests=\"{tests}\" failures=\"{failed}\" errors=\"{errors}\">");
    if 0 < errors {
        let _written = writeln!(out, "  <testsuite name=\"files\" tests=\"{errors}\" failures=\"0\" errors=\"{errors}\">");
        tested.problems.iter().filter(|problem| problem.is_error()).for_each(|problem| bad_file(&mut out, problem));
        out.push_str("  </testsuite>\n");
    }
    for workflow in tested.workflows.iter().filter(|workflow| !workflow.results.is_empty()) {
        suite(&mut out, workflow);
    }
    out.push_str("</testsuites>");
    out
}

fn bad_file(out: &mut String, problem: &Problem) {
    let Problem { file, line, column, code, message, .. } = problem;
    let (file, place) = (escape(file), escape(&format!("{file}:{line}:{column}")));
    let message = escape(message);
    let _written =
        writeln!(out, "    <testcase classname=\"{file}\" name=\"{place}\"><error type=\"{code}\" message=\"{message}\"/></testcase>");
}

fn suite(out: &mut String, workflow: &TestedWorkflow) {
    let name = escape(&workflow.name);
    let (tests, failed) = (workflow.results.len(), workflow.results.iter().filter(|result| !result.passed()).count());
    let file = escape(workflow.file.as_deref().unwrap_or_default());
    let _written = writeln!(out, "  <testsuite name=\"{name}\" file=\"{file}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\">");
    for result in &workflow.results {
        let start = format!("    <testcase classname=\"{name}\" name=\"{}\"", escape(&result.name));
        let _written = if result.passed() {
            writeln!(out, "{start}/>")
        } else {
            let (message, text) = failure(result);
            writeln!(out, "{start}><failure message=\"{}\">{}</failure></testcase>", escape(&message), escape(&text))
        };
    }
    out.push_str("  </testsuite>\n");
}

fn failure(result: &CaseResult) -> (String, String) {
    let shown = |Difference { path, expected, got }: &Difference| format!("{path}\n  expected  {expected}\n  got       {got}\n");
    let text: String = result.differences.iter().map(shown).collect();
    match (&result.trouble, &*result.differences) {
        (Some(trouble), _) => (trouble.lines().next().unwrap_or_default().to_owned(), trouble.clone()),
        (None, [one]) => (format!("{} differs", one.path), text),
        (None, many) => (format!("{} places differ", many.len()), text),
    }
}

/// XML 1.0 has no way to write most control characters, so those become `?`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}
