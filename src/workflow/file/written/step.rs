//! Steps as written.

use std::sync::Arc;
use std::time::Duration;

use super::{At, CodeText, RetryFile};
use crate::workflow::yaml::{Node, Span};

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepFile {
    /// Where it begins.
    pub span: Span,
    /// `id`.
    pub id: Option<At<Arc<str>>>,
    /// `name`.
    pub name: Option<Arc<str>>,
    /// `if`, where it is not the step's kind.
    pub condition: Option<CodeText>,
    /// `timeout`, where it is not one of a call's attempts.
    pub timeout: Option<Duration>,
    /// `retry`, where it is not a call's.
    pub retry: Option<RetryFile>,
    /// `on_error`.
    pub on_error: OnErrorFile,
    /// What it does.
    pub kind: KindFile,
}

/// `on_error` of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum OnErrorFile {
    /// `fail`, the default.
    Fail,
    /// `continue`.
    Continue,
    /// These steps.
    Steps(Vec<StepFile>),
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum KindFile {
    /// `call`.
    Call(Box<CallFile>),
    /// `script`.
    Script(CodeText),
    /// `set`.
    Set(Vec<(At<Arc<str>>, CodeText)>),
    /// `if / then / else`.
    If {
        /// `if`.
        condition: CodeText,
        /// `then`.
        then: Vec<StepFile>,
        /// `else`.
        otherwise: Vec<StepFile>,
    },
    /// `switch / cases / default`.
    Switch {
        /// `switch`.
        on: CodeText,
        /// `cases`, by value.
        cases: Vec<(At<Arc<str>>, Vec<StepFile>)>,
        /// `default`.
        default: Vec<StepFile>,
    },
    /// `foreach`.
    Foreach {
        /// `foreach`.
        items: CodeText,
        /// `as`.
        name: Option<At<Arc<str>>>,
        /// `parallel`.
        parallel: u32,
        /// `steps`.
        steps: Vec<StepFile>,
    },
    /// `repeat`.
    Repeat {
        /// `until`.
        until: CodeText,
        /// `every`.
        every: Duration,
        /// `at_most`.
        at_most: u32,
        /// `steps`.
        steps: Vec<StepFile>,
    },
    /// `parallel`.
    Parallel {
        /// By name.
        branches: Vec<(At<Arc<str>>, Vec<StepFile>)>,
        /// `any`.
        any: bool,
    },
    /// `wait`.
    Wait(WaitFile),
    /// `approve`.
    Approve(ApproveFile),
    /// `run`.
    Run(ChildFile),
    /// `emit`.
    Emit(EmitFile),
    /// `respond`.
    Respond(RespondFile),
    /// `fail`.
    Fail(CodeText),
    /// `stop`.
    Stop(Option<CodeText>),
}

/// What `wait` says.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitFile {
    /// `wait: 2h`.
    For(Duration),
    /// `wait: {until: …}`.
    Until(CodeText),
    /// `wait: {event: …}`.
    Event {
        /// `event`.
        kind: At<Arc<str>>,
        /// `if`.
        condition: Option<CodeText>,
        /// `for`.
        within: Option<Duration>,
        /// `else`.
        otherwise: Vec<StepFile>,
    },
}

/// An `approve` step.
#[derive(Debug, Clone, PartialEq)]
pub struct ApproveFile {
    /// `to`.
    pub to: CodeText,
    /// `message`.
    pub message: CodeText,
    /// `within`.
    pub within: Option<Duration>,
    /// `notify`.
    pub notify: Vec<StepFile>,
    /// `else`.
    pub otherwise: Vec<StepFile>,
}

/// A `run` step.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildFile {
    /// `run`.
    pub workflow: At<Arc<str>>,
    /// `with`, a map.
    pub with: Option<Node>,
}

/// An `emit` step.
#[derive(Debug, Clone, PartialEq)]
pub struct EmitFile {
    /// `emit`.
    pub kind: At<Arc<str>>,
    /// `with`, a map.
    pub with: Option<Node>,
}

/// A `respond` step.
#[derive(Debug, Clone, PartialEq)]
pub struct RespondFile {
    /// `status`.
    pub status: Option<Node>,
    /// `headers`, a map.
    pub headers: Option<Node>,
    /// One of `json`, `xml`, `text`, `html`, `redirect`.
    pub body: RespondBodyFile,
}

/// What a `respond` step sends.
#[derive(Debug, Clone, PartialEq)]
pub enum RespondBodyFile {
    /// None of the keys.
    Empty,
    /// `json`.
    Json(Node),
    /// `xml`.
    Xml(Node),
    /// `text`.
    Text(CodeText),
    /// `html`.
    Html(CodeText),
    /// `redirect`.
    Redirect(CodeText),
}

/// A `call` step.
#[derive(Debug, Clone, PartialEq)]
pub struct CallFile {
    /// `connector.action`.
    pub target: At<Arc<str>>,
    /// `using`.
    pub using: Option<At<Arc<str>>>,
    /// `with`, a map.
    pub with: Option<Node>,
    /// `retry`.
    pub retry: Option<RetryFile>,
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// `at_most_once`.
    pub at_most_once: bool,
    /// `idempotency_key`, an expression.
    pub idempotency_key: Option<CodeText>,
    /// `undo`.
    pub undo: Vec<StepFile>,
}
