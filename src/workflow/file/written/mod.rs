//! The types of a workflow as on disk.

mod form;
mod start;
mod step;
mod trigger;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::workflow::Keep;
use crate::workflow::yaml::{Node, Place, Span};

pub use form::FormFile;
pub use start::{ConcurrencyFile, GatheringFile, InputFile, ThrottleFile};
pub use step::{ApproveFile, CallFile, ChildFile, EmitFile, KindFile, OnErrorFile, RespondBodyFile, RespondFile, StepFile, WaitFile};
pub use trigger::{DedupeFile, EventTriggerFile, ReplyFile, RuleFile, RunTriggerFile, ScheduleFile, TriggerFile, WebhookFile};

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it is.
    pub span: Span,
}

/// Code as written.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeText {
    /// Its text.
    pub text: Arc<str>,
    /// Where it is.
    pub span: Span,
    /// Where its first character is.
    pub place: Place,
}

/// One workflow file.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowFile {
    /// `name`; the file's stem when absent.
    pub name: Option<At<Arc<str>>>,
    /// `description`.
    pub description: String,
    /// `when`.
    pub triggers: Vec<TriggerFile>,
    /// `if`.
    pub condition: Option<CodeText>,
    /// `steps`.
    pub steps: Vec<StepFile>,
    /// `input`.
    pub input: Vec<InputFile>,
    /// `vars`: names and what they begin with.
    pub vars: Vec<(At<Arc<str>>, Node)>,
    /// `concurrency`.
    pub concurrency: Option<ConcurrencyFile>,
    /// `debounce` or `batch`.
    pub gathering: Option<GatheringFile>,
    /// `throttle`.
    pub throttle: Option<ThrottleFile>,
    /// `on_error`.
    pub on_error: Vec<StepFile>,
    /// `on_cancel`.
    pub on_cancel: Vec<StepFile>,
    /// `finally`.
    pub finally: Vec<StepFile>,
    /// `retry`: the default of its calls.
    pub retry: Option<RetryFile>,
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// `keep`.
    pub keep: Keep,
}

/// `retry`, written out or by name.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryFile {
    /// Where it is.
    pub span: Span,
    /// What it says.
    pub rule: RetryRule,
}

/// What `retry` says.
#[derive(Debug, Clone, PartialEq)]
pub enum RetryRule {
    /// A name under `retries:` of `hence.yaml`.
    Named(Arc<str>),
    /// Written out.
    Own(crate::domain::retry::Retry),
}
