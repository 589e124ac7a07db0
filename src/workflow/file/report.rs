//! Collects the problems of one file.

use std::sync::Arc;

use crate::workflow::problem::{Problem, Severity};
use crate::workflow::yaml::Span;

/// The problems of one file so far.
#[derive(Debug)]
pub struct Report {
    file: Arc<str>,
    problems: Vec<Problem>,
}

impl Report {
    /// No problems yet.
    #[must_use]
    pub fn new(file: Arc<str>) -> Self {
        Self { file, problems: Vec::new() }
    }

    /// The file it is about.
    #[must_use]
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// Adds an error with what would be right.
    pub fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::error(code, &self.file, span, message).help(help));
    }

    /// Adds a warning with what would be right.
    pub fn warning(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::error(code, &self.file, span, message).help(help).severity(Severity::Warning));
    }

    /// Adds a problem as it is.
    pub fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Whether one of them keeps the file out.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }

    /// All of them, in the order of the file.
    #[must_use]
    pub fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        self.problems
    }
}
