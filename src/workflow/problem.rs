//! What is wrong with a file: where, a stable code, what it is and what would be right.

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use super::lint::mask;
use super::yaml::Span;
use crate::script::CompileError;

/// Whether the file can be used all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, and somebody should look.
    Warning,
}

impl Severity {
    /// As text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// One of [`codes::ALL`]; `docs/errors/CODE.md` explains it.
    pub code: &'static str,
    /// Path below the project folder.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// How many characters are meant.
    pub length: u32,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Problem {
    /// An error at a place.
    pub fn error(code: &'static str, file: &Arc<str>, span: Span, message: impl Into<String>) -> Self {
        let Span { line, column, length } = span;
        Self { severity: Severity::Error, code, file: Arc::clone(file), line, column, length, message: message.into(), help: None }
    }

    /// The same, with what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, of this severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// What the script compiler said, as a problem.
    #[must_use]
    pub fn from_script(error: CompileError) -> Self {
        let span = Span { line: error.line, column: error.column, length: 1 };
        Self::error(codes::BAD_SCRIPT, &error.file, span, error.message)
    }

    /// Whether the file cannot be used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The problem as text: place and message, the source line with a caret, the help. Ends with a line break.
#[must_use]
pub fn render(problem: &Problem, source: Option<&str>) -> String {
    let Problem { severity, code, file, line, column, message, .. } = problem;
    let mut out = format!("{file}:{line}:{column}: {}[{code}]: {message}\n", severity.as_str());
    let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    // What cannot be read is not shown: its lines may be secrets.
    let source = source.filter(|_| *code != codes::UNREADABLE_FILE);
    if let Some(text) = source.and_then(|source| source.lines().nth(index)) {
        write_excerpt(&mut out, problem, text);
    }
    if let Some(help) = &problem.help {
        out.push_str("  help: ");
        out.push_str(&help.replace('\n', "\n        "));
        out.push('\n');
    }
    out
}

/// A longer line is cut, so that a minified file does not fill the screen.
const EXCERPT_CHARS: usize = 160;
/// How much of a cut line stands before the caret.
const EXCERPT_BEFORE_CHARS: usize = 60;

fn write_excerpt(out: &mut String, problem: &Problem, text: &str) {
    let column = usize::try_from(problem.column.saturating_sub(1)).unwrap_or(0);
    let length = text.chars().count();
    let from = if length <= EXCERPT_CHARS { 0 } else { column.saturating_sub(EXCERPT_BEFORE_CHARS) };
    let text = mask(text);
    let shown: String = text.chars().skip(from).take(EXCERPT_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let caret = (column - from).min(shown.chars().count());
    let room = shown.chars().count().saturating_sub(caret).max(1);
    let carets = usize::try_from(problem.length).unwrap_or(1).clamp(1, room);
    let gutter = problem.line.to_string();
    let blank = " ".repeat(gutter.len());
    // Writing to a String cannot fail.
    let _written = write!(out, " {gutter} | {shown}\n {blank} | {}{}\n", " ".repeat(caret), "^".repeat(carets));
}

/// Every code there is. A code never changes its meaning; each has a page in `docs/errors/`.
pub mod codes {
    macro_rules! codes {
        ($($name:ident = $code:literal, $meaning:literal;)*) => {
            $(#[doc = $meaning] pub const $name: &str = $code;)*
            /// Every code with its meaning.
            pub const ALL: &[(&str, &str)] = &[$(($code, $meaning)),*];
        };
    }

    codes! {
        UNREADABLE_FILE = "unreadable-file", "The file cannot be read, or is not UTF-8.";
        OUTSIDE_PROJECT = "outside-project", "A link leads out of the project folder.";
        FILE_TOO_LARGE = "file-too-large", "The file is larger than the limit.";
        EMPTY_FILE = "empty-file", "The file holds no workflow.";
        YAML_SYNTAX = "yaml-syntax", "The file is not YAML.";
        YAML_TOO_COMPLEX = "yaml-too-complex", "The YAML is nested too deeply or grows too large through aliases.";
        DUPLICATE_KEY = "duplicate-key", "A key is written twice in one map.";
        UNKNOWN_KEY = "unknown-key", "A key that the language does not have in this place.";
        MISSING_KEY = "missing-key", "A key that this place needs is not there.";
        WRONG_TYPE = "wrong-type", "A value of another kind is expected here.";
        BAD_VALUE = "bad-value", "A value of the right kind that is not allowed here.";
        NOT_YET = "not-yet", "Part of the language that this version does not run yet.";
        BAD_NAME = "bad-name", "A name with characters that names cannot have.";
        BAD_DURATION = "bad-duration", "A text that is not a duration.";
        BAD_SIZE = "bad-size", "A text that is not a size in bytes.";
        BAD_TIME = "bad-time", "A text that is not a point in time.";
        BAD_CRON = "bad-cron", "A text that is not a cron expression.";
        BAD_ZONE = "bad-zone", "A text that is not a time zone.";
        BAD_PATH = "bad-path", "A webhook path that cannot be served.";
        MISSING_VERIFY = "missing-verify", "A webhook that does not say how its sender is known.";
        UNSIGNED_HOOK = "unsigned-hook", "A webhook that anybody may call.";
        UNKNOWN_SCHEME = "unknown-scheme", "A signature scheme that hence does not know.";
        MISSING_SECRET = "missing-secret", "A secret that is used and not set.";
        MISSING_SETTING = "missing-setting", "A setting of `hence.yaml` that a workflow needs.";
        BAD_SECRET = "bad-secret", "A secret that has another form than its service gives it.";
        MISSING_CERTIFICATE = "missing-certificate", "A file of `tls` that is not there or cannot be read.";
        BAD_CERTIFICATE = "bad-certificate", "A file of `tls` without a certificate or key in it, or with the key of another certificate.";
        HOOK_CONFLICT = "hook-conflict", "Two triggers claim one path and cannot share it.";
        UNKNOWN_STEP_KIND = "unknown-step-kind", "A step without a key that says what it does.";
        TWO_KINDS = "two-kinds", "A step with two keys that say what it does.";
        MISPLACED_STEP = "misplaced-step", "A step that can do nothing where it stands.";
        DUPLICATE_ID = "duplicate-id", "Two steps have one id.";
        DUPLICATE_WORKFLOW = "duplicate-workflow", "Two files have one workflow name.";
        UNKNOWN_RETRY = "unknown-retry", "A named retry that `hence.yaml` does not have.";
        AT_MOST_ONCE_RETRY = "at-most-once-retry", "A step that may run at most once and is to be tried again.";
        TOO_MANY = "too-many", "More entries than the limit.";
        TOO_DEEP = "too-deep", "Steps inside steps, deeper than the limit.";
        BAD_SCRIPT = "bad-script", "An expression, template or script that cannot be compiled.";
        HOLE_IN_EXPRESSION = "hole-in-expression", "`${ }` in a place that is an expression already.";
        BAD_SCHEMA = "bad-schema", "A JSON Schema that is wrong itself, or is not there.";
        BROKEN_MODULE = "broken-module", "The workflow uses a script file that cannot be compiled.";
        UNKNOWN_CONNECTOR = "unknown-connector", "A call of a connector that does not exist.";
        UNKNOWN_ACTION = "unknown-action", "A call of an action that the connector does not have.";
        UNKNOWN_WORKFLOW = "unknown-workflow", "A workflow that does not exist: one that `run` names, or that a test file would test.";
        UNKNOWN_STEP = "unknown-step", "`steps.ID` of a step that does not exist.";
        STEP_NOT_RUN = "step-not-run", "The output of a step that cannot have run there.";
        STEP_MAY_NOT_RUN = "step-may-not-run", "The output of a step that may not have run, used as if it had.";
        UNREACHABLE_STEP = "unreachable-step", "A step behind one that always ends the run.";
        UNUSED_ID = "unused-id", "A script whose output nobody reads.";
        UNKNOWN_FUNCTION = "unknown-function", "A call of a function that does not exist, or takes other arguments.";
        SECRET_IN_THE_OPEN = "secret-in-the-open", "A secret outside `with`, or a real key in a file.";
        ALWAYS_TRUE = "always-true", "A condition that is true whatever happens.";
        NEVER_TRUE = "never-true", "A condition or a case that can never be met.";
        SCHEDULE_IN_THE_PAST = "schedule-in-the-past", "A schedule whose time has passed.";
        UNKNOWN_INPUT = "unknown-input", "`input.NAME` that the workflow does not declare.";
        UNSET_VARIABLE = "unset-variable", "`vars.NAME` that nothing sets.";
        UNHEARD_EVENT = "unheard-event", "The type of an event that has no other side, and is nearly one that has.";
        ENDLESS_START = "endless-start", "A workflow whose every run leads to another one of its own.";
        CONSTANT_KEY = "constant-key", "A `key` that is the same for every event.";
        USELESS_RETRY = "useless-retry", "`retry` at a step that ends each time alike.";
        NO_CALLER = "no-caller", "An answer that nobody waits for.";
        UNKNOWN_CONNECTION = "unknown-connection", "A call through a connection that `hence.yaml` does not have.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(column: u32, length: u32) -> Problem {
        Problem::error(codes::UNKNOWN_KEY, &"workflows/a.yaml".into(), Span { line: 2, column, length }, "`retri` is not known")
    }

    #[test]
    fn a_problem_is_shown_with_its_line() {
        let shown = render(&problem(3, 5).help("did you mean `retry`?"), Some("steps:\n  retri: 5\n"));
        assert_eq!(
            shown,
            "workflows/a.yaml:2:3: error[unknown-key]: `retri` is not known\n 2 |   retri: 5\n   |   ^^^^^\n  help: did you mean `retry`?\n"
        );
    }

    #[test]
    fn a_place_outside_the_source_is_shown_all_the_same() {
        assert_eq!(render(&problem(9, 1), None), "workflows/a.yaml:2:9: error[unknown-key]: `retri` is not known\n");
        assert!(render(&problem(900, 5), Some("a\nb")).ends_with(" 2 | b\n   |  ^\n"));
    }

    #[test]
    fn a_problem_as_json_has_stable_names() {
        let json = serde_json::to_string(&problem(3, 5).severity(Severity::Warning)).unwrap();
        let expected = r#"{"severity":"warning","code":"unknown-key","file":"workflows/a.yaml","line":2,"column":3,"length":5,"message":"`retri` is not known"}"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let line = format!("\n{}X{}", "a".repeat(5_000), "b".repeat(5_000));
        let shown = render(&problem(5_001, 1), Some(&line));
        let rows: Vec<&str> = shown.lines().collect();
        assert_eq!(rows[1].find('X'), rows[2].find('^'));
        assert!(rows[1].len() < 200);
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
        for (code, _) in codes::ALL {
            let page = std::fs::read_to_string(folder.join(format!("{code}.md"))).unwrap_or_default();
            assert!(page.starts_with(&format!("# {code}\n")), "docs/errors/{code}.md is missing or has another title");
        }
        let unique: std::collections::BTreeSet<_> = codes::ALL.iter().map(|(code, _)| code).collect();
        assert_eq!(unique.len(), codes::ALL.len());
    }
}
