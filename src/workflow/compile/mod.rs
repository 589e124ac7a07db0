//! File → domain: names and addresses given, code compiled, everything checked that needs more than one field.

mod blocks;
mod code;
pub mod path;
mod requests;
mod schedule;
mod sender;
mod start;
mod steps;
mod triggers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::file::{At, Report, RetryFile, RetryRule, WorkflowFile};
use super::problem::{Severity, codes};
use super::words;
use super::yaml::Span;
use crate::domain::id::Revision;
use crate::domain::retry::Retry;
use crate::domain::secret::Secrets;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{SecretName, Step, Workflow, loop_ids};
use crate::script::{Engine, Limits, Program, ProgramBuilder};

pub(super) use blocks::TAKEN;
pub(super) use schedule::read_at;
pub(super) use steps::RESERVED;

/// Why a `call` cannot reach anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetProblem {
    /// One of [`codes::ALL`].
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

/// Says whether a connector, its action and a connection exist.
pub type CheckTarget<'c> = dyn Fn(&str, &str, Option<&str>) -> Result<(), TargetProblem> + 'c;

/// What a workflow is compiled against.
#[derive(Clone, Copy)]
pub struct Context<'c> {
    /// Bounds of expressions, templates and scripts.
    pub limits: &'c Limits,
    /// `retries:` of `hence.yaml`.
    pub retries: &'c BTreeMap<String, Retry>,
    /// Knows the connectors and connections.
    pub check_target: &'c CheckTarget<'c>,
    /// The secrets that are set.
    pub secrets: &'c Secrets,
    /// `public_url` of `hence.yaml`: what schemes that sign the URL need.
    pub public_url: Option<&'c str>,
    /// How bad a secret is that is not set: an error when serving, a warning in a check.
    pub missing_secret: Severity,
    /// A stored revision is built again: what `hence.yaml` has lost since must not hold up a run in flight.
    pub rebuilds: bool,
    /// The time for the rules of `lint`. Without it they are left out: a stored revision runs as it is.
    pub lint_at: Option<Timestamp>,
}

/// A workflow that can run.
pub struct Compiled {
    /// What the core walks over.
    pub workflow: Workflow,
    /// Its code.
    pub program: Program,
    /// The secrets its triggers name.
    pub secrets: BTreeSet<SecretName>,
}

/// The longest name of a workflow or a step.
pub const NAME_BYTES: usize = 100;

/// Compiles a workflow, or adds what keeps it from it to the report. `own` is its file's name
/// without the ending, and its text.
pub fn compile(
    file: &WorkflowFile,
    own: (&str, &str),
    revision: Revision,
    engine: &Engine,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Compiled> {
    let (stem, source) = own;
    let name = workflow_name(file.name.as_ref(), stem, report);
    let builder = engine.builder();
    let mut compiler = Compiler {
        builder,
        context,
        source,
        report,
        ids: BTreeMap::new(),
        steps: 0,
        retry: None,
        secrets: BTreeSet::new(),
        apart: None,
        anew: false,
    };
    compiler.retry = file.retry.as_ref().and_then(|retry| compiler.retry(retry));
    let triggers = compiler.triggers(&file.triggers, &name);
    let condition = file.condition.as_ref().and_then(|code| compiler.expression(code, "if"));
    let input = compiler.inputs(&file.input);
    let concurrency = file.concurrency.as_ref().map(|file| compiler.concurrency(file));
    let gathering = file.gathering.as_ref().map(|file| compiler.gathering(file));
    let throttle = file.throttle.as_ref().map(|file| compiler.throttle(file));
    let vars = compiler.vars(&file.vars);
    let steps: Vec<Step> = vars.into_iter().chain(compiler.block(&file.steps, "")).collect();
    let on_error = compiler.apart(Apart::OnError, |compiler| compiler.block(&file.on_error, "on_error"));
    let on_cancel = compiler.apart(Apart::OnCancel, |compiler| compiler.block(&file.on_cancel, "on_cancel"));
    let finally = compiler.apart(Apart::Finally, |compiler| compiler.block(&file.finally, "finally"));
    compiler.count();
    let Compiler { builder, secrets, report, .. } = compiler;
    if report.has_errors() {
        return None;
    }
    let (description, timeout) = (file.description.clone(), file.timeout);
    let loop_ids = loop_ids(&[&steps, &on_error, &on_cancel, &finally]);
    let workflow = Workflow {
        name,
        revision,
        description,
        triggers,
        condition,
        input,
        concurrency,
        gathering,
        throttle,
        steps,
        on_error,
        on_cancel,
        finally,
        timeout,
        keep: file.keep,
        loop_ids,
    };
    Some(Compiled { workflow, program: builder.finish(), secrets })
}

fn workflow_name(written: Option<&At<Arc<str>>>, stem: &str, report: &mut Report) -> Arc<str> {
    let (name, span) = written.map_or_else(|| (stem.into(), Span::START), |name| (Arc::clone(&name.value), name.span));
    let fine = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && name.len() <= NAME_BYTES;
    if !fine {
        let message = format!("`{name}` cannot be the name of a workflow");
        let help = format!("use letters, digits, `-`, `_` and `.`, at most {NAME_BYTES}; `name:` overrides the file's name");
        report.error(codes::BAD_NAME, span, message, help);
    }
    name
}

/// Steps that are done when how the run ends is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Apart {
    OnError,
    OnCancel,
    Finally,
    Undo,
}

impl Apart {
    fn word(self) -> &'static str {
        match self {
            Self::OnError => "on_error",
            Self::OnCancel => "on_cancel",
            Self::Finally => "finally",
            Self::Undo => "undo",
        }
    }
}

struct Compiler<'c, 'r> {
    builder: ProgramBuilder,
    context: &'c Context<'c>,
    source: &'c str,
    report: &'r mut Report,
    ids: BTreeMap<Arc<str>, Span>,
    steps: usize,
    /// The workflow's own default.
    retry: Option<Retry>,
    secrets: BTreeSet<SecretName>,
    /// Where the steps stand that are being compiled, if not among the others.
    apart: Option<Apart>,
    /// They are done anew when one of them fails.
    anew: bool,
}

impl Compiler<'_, '_> {
    fn retry(&mut self, retry: &RetryFile) -> Option<Retry> {
        let name = match &retry.rule {
            RetryRule::Own(own) => return Some(own.clone()),
            RetryRule::Named(name) => name,
        };
        let found = self.context.retries.get(&**name).cloned();
        if found.is_none() && self.context.rebuilds {
            return Some(Retry::default());
        }
        if found.is_none() {
            let known: Vec<&str> = self.context.retries.keys().map(String::as_str).collect();
            let help = if known.is_empty() {
                "write it out, as in `retry: {attempts: 6, first: 2s}`, or add it below `retries:` in hence.yaml".to_owned()
            } else {
                words::suggest(name, &known)
            };
            self.report.error(codes::UNKNOWN_RETRY, retry.span, format!("there is no retry named `{name}`"), help);
        }
        found
    }

    fn count(&mut self) {
        let limit = super::file::STEPS;
        if limit < self.steps {
            let message = format!("{} steps; the limit is {limit}", self.steps);
            self.report.error(codes::TOO_MANY, Span::START, message, "split it into several workflows");
        }
    }
}

#[cfg(test)]
mod tests;
