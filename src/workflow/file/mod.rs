//! A workflow as on disk: every field typed, nothing yet compiled. Reading collects all problems.

mod blocks;
mod fields;
mod hmac;
pub(crate) mod read;
mod report;
mod retry;
mod steps;
mod triggers;
mod verify;
mod workflow;

use std::sync::Arc;
use std::time::Duration;

use super::yaml::{Node, Place, Span};
use crate::domain::schedule::CatchUp;
use crate::domain::workflow::{SecretName, Verify};

/// Bounds and words that the schema names too.
pub(crate) mod limits {
    pub(crate) use super::blocks::{PARALLEL_LIMIT, ROUNDS_LIMIT};
    pub(crate) use super::retry::{ATTEMPTS, FACTOR};
    pub(crate) use super::steps::BRANCHES_LIMIT;
    pub(crate) use super::triggers::METHODS;
    pub(crate) use super::verify::{SCHEMES, SECRETS};
}

pub use fields::Fields;
pub use read::parse_size;
pub use report::Report;
pub use retry::read_retry;
pub use workflow::read_workflow;

/// The most triggers of one workflow.
pub const TRIGGERS: usize = 32;
/// How deep steps may stand inside steps.
pub const STEP_DEPTH: usize = 32;
/// The most steps of one workflow, handlers included.
pub const STEPS: usize = 1_000;

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
    /// `on_error`.
    pub on_error: Vec<StepFile>,
    /// `retry`: the default of its calls.
    pub retry: Option<RetryFile>,
    /// `timeout`.
    pub timeout: Option<Duration>,
}

/// One entry of `when`.
#[derive(Debug, Clone, PartialEq)]
pub enum TriggerFile {
    /// `webhook`.
    Webhook(WebhookFile),
    /// `schedule`.
    Schedule(ScheduleFile),
    /// `manual`.
    Manual,
}

/// A `webhook` trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookFile {
    /// `path`.
    pub path: At<Arc<str>>,
    /// `methods`, in upper case; `POST` when absent.
    pub methods: Vec<Arc<str>>,
    /// `verify`.
    pub verify: Verify,
    /// The secrets that `verify` names.
    pub secrets: Vec<At<SecretName>>,
    /// `dedupe`.
    pub dedupe: Option<DedupeFile>,
    /// `limits.body`.
    pub body_limit_bytes: Option<usize>,
}

/// `dedupe` of a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct DedupeFile {
    /// `key`.
    pub key: CodeText,
    /// `within`.
    pub within: Duration,
}

/// A `schedule` trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleFile {
    /// Which of `cron`, `every`, `at`.
    pub rule: RuleFile,
    /// `timezone`.
    pub timezone: Option<At<Arc<str>>>,
    /// `catch_up`.
    pub catch_up: CatchUp,
}

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleFile {
    /// `cron`.
    Cron(At<Arc<str>>),
    /// `every`.
    Every(Duration),
    /// `at`.
    At(At<Arc<str>>),
}

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
